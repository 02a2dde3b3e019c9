"""The RUN folder is whole or not there."""

from pathlib import Path

import msgspec
import pytest

from stream_seg.errors import Stop
from stream_seg.explore.run import Manifest, RunFolder, differing, manifest, recorded


class Choice(msgspec.Struct, frozen=True):
    """What a command asks for."""

    k: int


def test_a_run_that_ends_well_has_its_name_and_says_how_it_was_made(tmp_path: Path) -> None:
    data = tmp_path / "events.csv"
    data.write_text("a,b\n1,2\n")
    made = manifest("choose", [str(data)], {"k": 4}, seed=7)
    with RunFolder(tmp_path / "run", made) as folder:
        folder.write("report.html", "<p>")
    assert recorded(tmp_path / "run", "choose", Choice) == (made, Choice(4))
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == ["report.html", "run.json"]
    assert not (tmp_path / "run.part").exists()


def test_a_run_that_fails_leaves_the_earlier_one_and_nothing_else(tmp_path: Path) -> None:
    made = manifest("choose", [], {}, seed=7)
    with RunFolder(tmp_path / "run", made) as folder:
        folder.write("report.html", "first")
    with pytest.raises(KeyboardInterrupt):
        _interrupted(tmp_path / "run", made)
    assert (tmp_path / "run" / "report.html").read_text() == "first"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run"]


def _interrupted(where: Path, made: Manifest) -> None:
    with RunFolder(where, made) as folder:
        folder.write("report.html", "second")
        raise KeyboardInterrupt


def test_a_folder_of_somebody_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    with pytest.raises(Stop, match="holds other things"), RunFolder(tmp_path / "thesis", manifest("choose", [], {}, 1)):
        pass
    assert (tmp_path / "thesis" / "chapter.tex").read_text() == "years of work"


def test_a_run_of_another_command_is_not_replaced(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run", manifest("choose", [], {"k": 4}, seed=7)):
        pass
    with pytest.raises(Stop, match="is the run of `stream-seg choose`"):
        RunFolder(tmp_path / "run", manifest("compare", [], {}, seed=7)).__enter__()
    assert recorded(tmp_path / "run", "choose", Choice)[1] == Choice(4)


def test_an_input_that_changed_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = Path("events.csv")
    data.write_text("a,b\n1,2\n")
    with RunFolder(tmp_path / "run", manifest("choose", [str(data)], {"k": 4}, seed=7)):
        pass
    data.write_text("a,b\n1,3\n")
    with pytest.raises(Stop, match=r"events.csv is another file than the one .*: give it as a new INPUT"):
        recorded(tmp_path / "run", "choose", Choice)
    data.unlink()
    with pytest.raises(Stop, match=f"is not there any more in {tmp_path}: bring it back"):
        recorded(tmp_path / "run", "choose", Choice)


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        ('"k": 4', '"number": 4', r"another version of stream_seg \(Object missing required field `k`\)"),
        (
            '"seed": 7',
            '"draw": 7',
            r"another version of stream_seg \(Object missing required field `seed`\)",
        ),
        (
            '"command": "choose"',
            '"command": "compare"',
            "made by `stream-seg compare`: make it again by that command",
        ),
        ("}", "", "run.json cannot be read"),
    ],
)
def test_a_folder_that_cannot_be_made_again_is_told_of(tmp_path: Path, was: str, now: str, said: str) -> None:
    with RunFolder(tmp_path / "run", manifest("choose", [], {"k": 4}, seed=7)):
        pass
    file = tmp_path / "run/run.json"
    file.write_text(file.read_text().replace(was, now))
    with pytest.raises(Stop, match=said):
        recorded(tmp_path / "run", "choose", Choice)


def test_what_came_out_differently_is_told_with_the_versions(tmp_path: Path) -> None:
    made = manifest("choose", [], {"k": 4}, seed=7)
    for name, text in (("run", "first"), ("again", "second")):
        with RunFolder(tmp_path / name, made) as folder:
            folder.write("report.html", text)
            folder.write("labels.csv", "alike")
            folder.write("timings.json", text)
    assert differing(tmp_path / "run", tmp_path / "again") == (["report.html"], [])
    file = tmp_path / "run/run.json"
    file.write_text(file.read_text().replace(made.made_with["numpy"], "1.0"))
    assert differing(tmp_path / "run", tmp_path / "again").versions == [f"numpy 1.0, here {made.made_with['numpy']}"]
