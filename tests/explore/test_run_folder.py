"""The RUN folder is whole or not there."""

from pathlib import Path

import pytest

from stream_seg.errors import Stop
from stream_seg.explore.run import Manifest, RunFolder, manifest, recorded


def test_a_run_that_ends_well_has_its_name_and_says_how_it_was_made(tmp_path: Path) -> None:
    data = tmp_path / "events.csv"
    data.write_text("a,b\n1,2\n")
    made = manifest("choose", [str(data)], {"k": 4}, seed=7)
    with RunFolder(tmp_path / "run", made) as folder:
        folder.write("report.html", "<p>")
    assert recorded(tmp_path / "run") == made
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
    with RunFolder(tmp_path / "run", manifest("choose", [], {}, seed=7)):
        pass
    with pytest.raises(Stop, match="is the run of `stream-seg choose`"):
        RunFolder(tmp_path / "run", manifest("compare", [], {}, seed=7)).__enter__()
    assert recorded(tmp_path / "run").command == "choose"


def test_an_input_that_changed_is_told_of(tmp_path: Path) -> None:
    data = tmp_path / "events.csv"
    data.write_text("a,b\n1,2\n")
    with RunFolder(tmp_path / "run", manifest("choose", [str(data)], {}, seed=7)):
        pass
    data.write_text("a,b\n1,3\n")
    with pytest.raises(Stop, match="is another file"):
        recorded(tmp_path / "run")
    data.unlink()
    with pytest.raises(Stop, match="is not there any more"):
        recorded(tmp_path / "run")
