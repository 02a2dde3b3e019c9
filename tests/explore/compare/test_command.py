"""``stream-seg compare``: a folder that can be made again to the byte; whatever goes wrong is one line."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stream_seg.cli import call
from stream_seg.explore.run import differing
from tests.queries.shop import FEATURES, events

ROOT = Path(__file__).parents[3]
REST = """
time: {lateness: 1d, forget_after: 120d}
segments: {k: 3, warm_start: 20}
"""
FILES = ["config.yaml", "labels.csv", "report.html", "report.json", "run.json", "timings.json"]


def settings(folder: Path, rest: str = REST) -> str:
    file = folder / "segmentation.yaml"
    file.write_text(f"name: shop\n{FEATURES}{rest}")
    return str(file)


def given(folder: Path, lines: list[bytes]) -> str:
    file = folder / "events.ndjson"
    file.write_bytes(b"\n".join(lines) + b"\n")
    return str(file)


ASKED = ["--k", "3", "--at", "2023-11-26T12:00:00Z", "--plan", "niche"]
PROGRAM = "import sys; {}from stream_seg.cli import call; sys.exit(call(sys.argv[1:]))"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was made, with its input and configuration beside it."""
    folder = tmp_path_factory.mktemp("shop")
    made = given(folder, [*events(days=12).values])
    assert call(["compare", made, "--config", settings(folder), "--out", str(folder / "run"), *ASKED]) == 0
    return folder


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = call(["compare", *arguments])
    return code, capsys.readouterr().err


def test_a_run_has_its_files_and_nothing_half_written_beside_it(shop: Path) -> None:
    assert sorted(path.name for path in (shop / "run").iterdir()) == FILES
    assert not (shop / "run.part").exists()


def test_a_run_made_again_by_another_process_is_the_same_to_the_byte_and_what_is_not_is_told_of(
    shop: Path, tmp_path: Path
) -> None:
    shutil.copytree(shop / "run", tmp_path / "run")
    (tmp_path / "run/labels.csv").write_text("customer\nsomebody else\n")
    again = tmp_path / "again"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(""), "compare", "--from", str(tmp_path / "run"), "--out", str(again)],
        cwd=ROOT, check=False, capture_output=True, text=True, env={**os.environ, "PYTHONHASHSEED": "11"},
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert f"not the same as {tmp_path / 'run'}: labels.csv\n" in done.stdout
    for name in FILES:
        if name != "timings.json":
            assert (again / name).read_bytes() == (shop / "run" / name).read_bytes(), name
    assert all(word not in done.stderr for word in ("Warning", "Traceback"))
    assert differing(shop / "run", again) == ([], [])


def test_every_customer_has_a_label_by_every_method(shop: Path) -> None:
    told = json.loads((shop / "run/report.json").read_text())
    with (shop / "run/labels.csv").open() as file:
        lines = [*csv.DictReader(file)]
    assert len(lines) == told["customers"]
    assert len({line["customer"] for line in lines}) == told["customers"]
    assert [*lines[0]][1:] == [
        "k_means", "agglomerative_ward", "birch", "em_gaussian_mixture", "mean_shift", "dbscan", "hdbscan",
        "river_kmeans", "river_streamkmeans", "river_clustream", "river_denstream", "river_dbstream",
        "tree_2", "tree_3", "tree_6",
    ]  # fmt: skip
    for method, column in zip(told["methods"], [*lines[0]][1:], strict=False):
        labels = [int(line[column]) for line in lines]
        assert [labels.count(group) for group in range(method["groups"])] == method["sizes"]
        assert labels.count(-1) == round(method["noise"] * len(lines))


def test_the_report_has_no_clock_in_it_and_the_timings_have(shop: Path) -> None:
    told = json.loads((shop / "run/report.json").read_text())
    assert "seconds" not in json.dumps({key: value for key, value in told.items() if key != "advice"})
    timings: dict[str, Any] = json.loads((shop / "run/timings.json").read_text())
    assert [*timings] == [one["method"] for one in told["methods"]]
    assert all(cost["seconds"] > 0 for cost in timings.values())


def test_what_is_served_as_centres_has_them_and_what_is_refused_has_a_reason(shop: Path) -> None:
    told = json.loads((shop / "run/report.json").read_text())
    for one in told["methods"]:
        serving = one["serving"]
        assert serving["reason"]
        if serving["verdict"] == "refused":
            assert serving["centres"] is None
        else:
            assert {len(centre) for centre in serving["centres"]} == {len(told["columns"])}
            assert len(serving["group_of_centre"]) == len(serving["centres"])


def test_the_page_is_one_file_with_every_method_on_it(shop: Path) -> None:
    page = (shop / "run/report.html").read_text()
    assert page.count("<svg") == 4
    assert "<script" not in page
    told = json.loads((shop / "run/report.json").read_text())
    assert all(one["method"] in page for one in told["methods"])
    assert len(page) < 5_000_000


def test_a_date_and_a_plan_and_a_number_are_kept(shop: Path) -> None:
    told = json.loads((shop / "run/report.json").read_text())
    assert (told["k"], told["at"], told["plan"]) == (3, "2023-11-26T12:00:00Z", "niche")
    assert json.loads((shop / "run/run.json").read_text())["options"] == {
        "form": None, "at": 1_701_000_000_000, "k": 3, "plan": "niche",
    }  # fmt: skip


LINES = [
    (["--out", "run"], 2, "name files of events, or an earlier run with --from"),
    (["nowhere.csv", "--out", "run"], 2, "no such file: nowhere.csv"),
    (["--from", "run", "--out", "run"], 2, "is the run itself"),
    (["--from", "nowhere", "--out", "run"], 1, "is not the folder of a run"),
    (["--from", "run", "--k", "4", "--out", "again"], 2, "an earlier run has its own --k: leave it out"),
    (["events.ndjson", "--out", "run", "--k", "1"], 2, "--k"),
    (["events.ndjson", "--out", "run", "--at", "soon"], 2, "'soon' is not an instant"),
]


@pytest.mark.parametrize(("words", "code", "line"), LINES, ids=[one[2] for one in LINES])
def test_a_mistake_in_the_call_is_one_line(
    words: list[str], code: int, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    settings(tmp_path)
    given(tmp_path, [*events(days=3).values])
    monkeypatch.chdir(tmp_path)
    ended, told = said(capsys, *words)
    assert ended == code
    assert line in told
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events.ndjson", "segmentation.yaml"]


def test_an_initial_model_that_is_gone_keeps_nobody_from_comparing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, run = settings(tmp_path, "segments: {k: 3, initial_model: gone.json}\n"), str(tmp_path / "run")
    assert said(capsys, given(tmp_path, [*events(days=12).values]), "-c", file, "--out", run)[0] == 0
    assert said(capsys, "--from", run, "--out", str(tmp_path / "again"))[0] == 0


def test_a_run_of_another_command_is_refused(shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(shop / "run", tmp_path / "run")
    made = (tmp_path / "run/run.json").read_text()
    (tmp_path / "run/run.json").write_text(made.replace('"command": "compare"', '"command": "choose"'))
    code, told = said(capsys, "--from", str(tmp_path / "run"), "--out", str(tmp_path / "again"))
    assert code == 1
    assert "was made by `stream-seg choose`" in told


@pytest.mark.parametrize(
    ("customers", "line"),
    [(1, "there is one customer at this instant"), (4, "4 customers are too few for k = 3: ask for fewer with --k")],
)
def test_too_few_customers_are_one_line_and_leave_nothing(
    customers: int, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [*events(days=12).values]
    some = sorted({json.loads(line)["userId"] for line in lines})[:customers]
    made = given(tmp_path, [line for line in lines if json.loads(line)["userId"] in some])
    code, told = said(capsys, made, "--config", settings(tmp_path), "--out", str(tmp_path / "run"))
    assert code == 1
    assert line in told
    assert "Warning" not in told
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events.ndjson", "segmentation.yaml"]


@pytest.mark.parametrize("when", ["reading", "computing features", "comparing methods", "drawing"])
def test_ctrl_c_leaves_nothing_half_written(shop: Path, tmp_path: Path, when: str) -> None:
    # Whoever runs tests in the background has processes that ignore SIGINT, unless they say otherwise.
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    words = ["compare", str(shop / "events.ndjson"), "-c", settings(shop), "--out", str(tmp_path / "run")]
    with subprocess.Popen(
        [sys.executable, "-c", f"{heard}from stream_seg.cli import main; main()", *words],
        stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        assert any(line.startswith(when) for line in process.stderr)
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert process.returncode == 130
    assert "Traceback" not in rest
    assert [*tmp_path.iterdir()] == []
