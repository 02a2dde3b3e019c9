"""``stream-seg choose`` on a shop's events: the folder, again to the bit, and the run that begins with it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from stream_seg.adapters.memory.replay import Replay
from stream_seg.bootstrap.choosing import Choice, run_again, run_choose
from stream_seg.cli.app import app
from stream_seg.config import load
from stream_seg.core.activation import first_activation
from stream_seg.core.definition import DAY
from stream_seg.errors import ConfigError, Stop
from tests.live.oracle import compacted
from tests.live.workload import WEEKS, Events, weeks

GOOD = "question: Who comes back?\ngood: {min_share: 5%, must_separate: [spend]}\n"
LEVERS = "levers: [{segment: 0, name: Old, lever: an offer}]\n"
CHOICE = Choice(form=None, end=None, k=None, most=5)


def quiet(*_: object) -> None:
    """Nobody watches."""


def file_of(folder: Path, parts: Sequence[Events]) -> str:
    path = folder / "events.ndjson"
    path.write_bytes(b"\n".join(value for part in parts for value in part.values) + b"\n")
    return str(path)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("shop")
    config = folder / "shop.yaml"
    config.write_text(f"name: shop\n# our own words\n{WEEKS}{GOOD}{LEVERS}")
    return config, file_of(folder, weeks(5, days=50))


@pytest.fixture(scope="module")
def run(shop: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    config, events = shop
    out = tmp_path_factory.mktemp("runs") / "chosen"
    return out, run_choose(load(config, {}), [events], out, CHOICE, quiet)


def test_the_folder_holds_everything_and_nothing_half(run: tuple[Path, dict[str, Any]]) -> None:
    out, found = run
    assert sorted(path.name for path in out.iterdir()) == [
        "config.yaml", "labels.ndjson", "model.json", "report.html", "report.json", "run.json", "segmentation.yaml",
    ]  # fmt: skip
    assert [path.name for path in out.parent.iterdir()] == ["chosen"]
    assert {one["k"] for one in found["ranking"]} == {2, 3, 4, 5}
    assert all(one["moves_30d"] is not None and one["flips_per_1000"] is not None for one in found["ranking"])
    assert found["customers"] == 100
    assert orjson.loads((out / "report.json").read_bytes())["chosen"] == found["chosen"]
    share = next(one["separation"]["spend"] for one in found["ranking"] if one["k"] == found["chosen"])
    assert f"spend {share:.0%} of the variance" in (out / "report.html").read_text()


def test_the_same_run_again_is_the_same_to_the_bit(run: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    out, _ = run
    code, said = invoke("choose", "--from", str(out), "--out", str(tmp_path / "again"))
    assert code == 0
    assert f"the same as {out}, byte for byte" in said
    assert [path.name for path in sorted(out.iterdir())] == [
        path.name for path in sorted((tmp_path / "again").iterdir())
    ]
    for path in out.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_run_that_comes_out_differently_ends_with_three(run: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    shutil.copytree(run[0], tmp_path / "run")
    (tmp_path / "run/labels.ndjson").write_text("somebody else")
    code, said = invoke("choose", "--from", str(tmp_path / "run"), "--out", str(tmp_path / "again"))
    assert code == 3
    assert f"not the same as {tmp_path / 'run'}: labels.ndjson" in said
    assert invoke("choose", "--from", str(tmp_path / "run"), "--out", str(tmp_path / "run"))[0] == 2
    assert invoke("choose", "--from", str(tmp_path / "run"), "--k", "3", "--out", str(tmp_path / "three"))[0] == 2


def test_the_written_file_begins_a_run_with_the_chosen_segments(run: tuple[Path, dict[str, Any]]) -> None:
    out, found = run
    written = load(out / "segmentation.yaml", {})
    assert "# our own words" in (out / "segmentation.yaml").read_text()
    assert written.definition.learning.k == found["chosen"]
    assert written.initial is not None
    assert list(written.initial.segments) == found["names"]
    assert [lever.name for lever in written.definition.levers] == found["names"]
    assert written.good.must_separate == ("spend",)


def test_labels_are_those_of_a_run_of_the_same_events(run: tuple[Path, dict[str, Any]]) -> None:
    out, _ = run
    config = load(out / "segmentation.yaml", {})
    replay = Replay(4)
    replay.start(first_activation(config.definition, config.initial, who="test", at=0, why="test"))
    replay.run(weeks(5, days=50), DAY)
    live = {key: segment for key, (_, _, segment) in compacted(replay.log.read("customer-segments", 0, 0)).items()}
    said = [orjson.loads(line) for line in (out / "labels.ndjson").read_bytes().splitlines()]
    assert len(said) == 100
    assert {one["customer_id"].encode(): one["segment"] for one in said} == live


@pytest.mark.parametrize("command", [("choose", "--most", "3"), ("compare",), ("explore",)], ids=lambda one: one[0])
def test_a_configuration_may_name_its_initial_model_in_another_folder(
    command: Sequence[str], shop: tuple[Path, str], run: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "here/begin").mkdir(parents=True)
    shutil.copy(run[0] / "model.json", tmp_path / "here/begin")
    file = tmp_path / "here" / "shop.yaml"
    named = "initial_model: begin/model.json"
    file.write_text((run[0] / "segmentation.yaml").read_text().replace("initial_model: model.json", named))
    assert named in file.read_text()
    name, *options = command
    made, again = str(tmp_path / "made"), str(tmp_path / "again")
    code, told = invoke(name, shop[1], "--config", str(file), "--out", made, *options)
    assert code in {0, 3}, told
    code, told = invoke(name, "--from", made, "--out", again)
    assert code in {0, 3}, told
    assert "not the same" not in told


@pytest.mark.parametrize("command", ["choose", "compare", "explore"])
def test_what_the_environment_changes_is_refused_for_it_would_be_lost(
    command: str, shop: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAM_SEG_SEGMENTS__SEED", "8")
    with pytest.raises(ConfigError, match=r"the environment .*STREAM_SEG_SEGMENTS__SEED.* write it into the file"):
        CliRunner().invoke(
            app, [command, shop[1], "-c", str(shop[0]), "--out", str(tmp_path / "out")], catch_exceptions=False
        )
    assert list(tmp_path.iterdir()) == []


def test_another_k_is_a_persons_choice(shop: tuple[Path, str], tmp_path: Path) -> None:
    config, events = shop
    found = run_choose(load(config, {}), [events], tmp_path / "four", Choice(None, None, 4, 4), quiet)
    assert found["chosen"] == 4
    assert len(load(tmp_path / "four" / "segmentation.yaml", {}).definition.levers) == 4


def invoke(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(words))
    return result.exit_code, result.output


def test_what_ought_to_be_looked_at_ends_with_three(shop: tuple[Path, str], tmp_path: Path) -> None:
    config, events = shop
    strict = tmp_path / "strict.yaml"
    text = config.read_text().replace("min_share: 5%", "min_share: 60%").replace("question: Who comes back?\n", "")
    strict.write_text(text.replace("half_life: 2d}", "half_life: 2d, basis: psychographic}"))
    code, said = invoke("choose", events, "--config", str(strict), "--out", str(tmp_path / "out"), "--most", "3")
    assert code == 3
    assert "miss what was called good: the smallest segment holds" in said
    assert "mixes behavioural and psychographic features, and nobody said what the segments are for" in said


def test_too_few_customers_are_told_and_nothing_is_left(shop: tuple[Path, str], tmp_path: Path) -> None:
    config, _ = shop
    few = file_of(tmp_path, weeks(5, customers=1))
    with pytest.raises(Stop, match="1 different customers are too few for segments"):
        run_choose(load(config, {}), [few], tmp_path / "out", CHOICE, quiet)
    assert [path.name for path in tmp_path.iterdir()] == ["events.ndjson"]


@pytest.mark.parametrize("when", ["computing features", "stability", "live learner", "replaying"])
def test_ctrl_c_leaves_nothing_half_written(shop: tuple[Path, str], tmp_path: Path, when: str) -> None:
    config, events = shop
    # Whoever runs tests in the background has processes that ignore SIGINT, unless they say otherwise.
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = f"{heard}; from stream_seg.cli import main; main()"
    words = ["choose", events, "-c", str(config), "--out", str(tmp_path / "out")]
    with subprocess.Popen([sys.executable, "-c", program, *words], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any(line.startswith(when) for line in process.stderr)
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert process.returncode == 130
    assert "Traceback" not in rest
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra_the_remedy_is_told(shop: tuple[Path, str], tmp_path: Path) -> None:
    config, events = shop
    program = "import sys; sys.modules['matplotlib'] = None; from stream_seg.cli import main; main()"
    words = ["choose", events, "-c", str(config), "--out", str(tmp_path / "out")]
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install 'stream_seg[explore]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_wrong_usage_is_told(shop: tuple[Path, str], tmp_path: Path) -> None:
    config, events = shop
    out = ("--out", str(tmp_path / "out"))
    assert invoke("choose", *out)[0] == 2
    code, said = invoke("choose", events, "--from", str(tmp_path), "--k", "4", "--at", "2024-01-01", *out)
    assert code == 2
    assert "an earlier run has its own INPUT, --k, --at" in said
    code, said = invoke("choose", str(tmp_path / "gone.csv"), "--config", str(config), *out)
    assert (code, "no such file" in said) == (2, True)
    with pytest.raises(Stop, match="is not the folder of a run"):
        run_again(tmp_path, tmp_path / "out", quiet)


def test_with_tiers_the_run_learns_itself(shop: tuple[Path, str], tmp_path: Path) -> None:
    config, events = shop
    tiered = tmp_path / "tiered.yaml"
    tiered.write_text(config.read_text() + 'tiers: [{name: plus, where: traits.plan == "plus"}]\n')
    found = run_choose(load(tiered, {}), [events], tmp_path / "out", Choice(None, None, None, 3), quiet)
    assert any("a run with the written file begins without one" in one for one in found["findings"])
    assert not (tmp_path / "out/model.json").exists()
    written = load(tmp_path / "out/segmentation.yaml", {})
    assert (written.initial, written.definition.learning.k) == (None, found["chosen"])


def test_what_was_chosen_may_be_chosen_from_anew(run: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    out, _ = run
    (made,) = orjson.loads((out / "run.json").read_bytes())["inputs"]
    chosen, events = tmp_path / "segmentation.yaml", made["path"]
    chosen.write_text((out / "segmentation.yaml").read_text())  # without the model.json that it names
    code, said = invoke("choose", events, "-c", str(chosen), "--k", "4", "--most", "4", "--out", str(tmp_path / "four"))
    assert code in {0, 3}, said
    run_again(tmp_path / "four", tmp_path / "again", quiet)
    assert (tmp_path / "again/model.json").read_bytes() == (tmp_path / "four/model.json").read_bytes()


def test_what_the_environment_decides_could_not_be_made_again(
    shop: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, events = shop
    monkeypatch.setenv("STREAM_SEG_SEGMENTS__SEED", "99")
    with pytest.raises(ConfigError, match="STREAM_SEG_SEGMENTS__SEED"):
        run_choose(load(config, os.environ), [events], tmp_path / "out", CHOICE, quiet)
