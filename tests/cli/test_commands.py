"""The command line: help that teaches, exit codes, one JSON document, errors as one clear line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from stream_seg.bootstrap import commands as bootstrap
from stream_seg.cli import call
from stream_seg.cli.reference import helps, reference
from stream_seg.errors import Unavailable

ROOT = Path(__file__).parents[2]
SMALL = "name: shop\nfeatures:\n- {name: orders, aggregate: count, window: 7d, tiles: 7}\n"
HELPS = dict(helps())


@pytest.fixture
def config(tmp_path: Path) -> str:
    file = tmp_path / "segmentation.yaml"
    file.write_text(SMALL)
    return str(file)


@pytest.mark.parametrize("command", HELPS)
def test_the_help_of_every_command_shows_an_example_of_itself(command: str) -> None:
    _, _, examples = HELPS[command].partition("Examples:\n")
    first = examples.splitlines()[0].strip()
    assert first.startswith(command)


def test_the_page_of_the_command_line_is_what_the_commands_say() -> None:
    page = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    assert page == reference(), "run: python -m stream_seg.cli.reference > docs/cli.md"


def test_every_command_of_the_project_is_there() -> None:
    names = {name.removeprefix("stream-seg ") for name in HELPS}
    assert names >= {
        "run",
        "apply",
        "demo",
        "replay",
        "quality",
        "affinity",
        "topics create",
        "config check",
        "customer",
        "segments",
        "who",
        "doctor",
        *(
            f"model {name}"
            for name in ["list", "show", "diff", "promote", "rollback", "freeze", "thaw", "retrain", "reproduce"]
        ),
    }


@pytest.mark.parametrize("arguments", [[], ["topics"], ["config"], ["model"]])
def test_without_a_command_the_help_is_shown(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert call(arguments) == 0
    assert capsys.readouterr().out.startswith("Usage: stream-seg")


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["--version"]) == 0
    assert capsys.readouterr().out.startswith("stream-seg 0.")


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; from stream_seg.cli import call; call(['run', '--help']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = set(done.stdout.split())
    heavy = {
        "numpy",
        "numba",
        "pydantic_settings",
        "stream_seg.config",
        "ruamel.yaml",
        "aiokafka",
        "faust",
        "redis",
        "river",
        "rich",
    }
    assert loaded & heavy == set()


def test_a_right_configuration_exits_with_0_and_says_what_is_in_it(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["config", "check", config]) == 0
    assert "fine. shop: 1 features" in capsys.readouterr().out
    assert call(["config", "check", config, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["features"] == ["orders"]


def test_a_wrong_configuration_exits_with_2_and_every_mistake_is_a_line(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(config).write_text(SMALL + "segments: {k: 1}\nrun: {wokers: 2}\n")
    assert call(["config", "check", config]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines() == [
        f"{config}:4:15: segments.k: 1 is out of range, use 2 to 64",
        f"{config}:5:7: run.wokers: is not a key here, did you mean `workers`?",
    ]


def test_with_json_an_error_is_one_document_too(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(config).write_text(SMALL + "segments: {k: 1}\n")
    for arguments in (["config", "check", config, "--json"], ["--json", "config", "check", config]):
        assert call(arguments) == 2
        shown = capsys.readouterr()
        error = json.loads(shown.out)["error"]
        assert error["kind"] == "ConfigError"
        assert error["problems"] == shown.err.splitlines()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["runn"], "No such command 'runn'"),
        (["run", "--wokers", "3"], "No such option: --wokers"),
        (["customer"], "Missing argument 'ID'"),
        (["apply", "segmentation.yaml"], "Missing option '--why'"),
        (["run", "--workers", "0"], "Invalid value for '--workers'"),
        (["replay", "nowhere.csv", "--out", "x"], "no such file: nowhere.csv"),
        (["replay", __file__, "--out", "x", "--from", "yesterday"], "'yesterday' is not an instant, write 2017-03-01"),
        (["replay", __file__, "--out", "x", "--from", "2017-03-02", "--to", "2017-03-01"], "is not after --from"),
        (["demo", "--data", "mine"], "Invalid value for '--data'"),
    ],
)
def test_wrong_usage_exits_with_2_and_names_the_help(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call([*arguments, "--json"]) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert "--help`." in shown.err
    assert message in json.loads(shown.out)["error"]["message"]


def test_stages_are_chosen_by_name_and_ingest_only_where_there_is_something_to_ingest(
    config: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[list[str], int, bool]] = []

    def run(_: object, stages: list[str], workers: int, *, embedded: bool) -> None:
        asked.append((stages, workers, embedded))

    monkeypatch.setattr(bootstrap, "run", run)
    assert call(["run", "--config", config, "--workers", "3", "--embedded", "--json"]) == 0
    shown = capsys.readouterr()
    assert "ingest is left out" in shown.err
    assert json.loads(shown.out) == {"stages": ["label", "learn"], "workers": 3, "finished": True}
    Path(config).write_text(SMALL + "input: {keyed_by_customer: false, clock: progress, topics: [web]}\n")
    assert call(["run", "--config", config]) == 0
    assert call(["run", "--config", config, "--stages", "learn, label"]) == 0
    assert asked == [
        (["label", "learn"], 3, True),
        (["ingest", "label", "learn"], 1, False),
        (["label", "learn"], 1, False),
    ]
    assert call(["run", "--config", config, "--stages", "lable"]) == 2
    assert "'lable' is not a stage, use ingest, label, learn" in capsys.readouterr().err


def test_a_server_that_does_not_answer_exits_with_1_in_one_line_and_a_traceback_only_with_debug(
    config: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def segments(_: object) -> None:
        raise Unavailable("Redis at 127.0.0.1:1: refused")

    monkeypatch.setattr(bootstrap, "segments", segments)
    assert call(["segments", "--config", config]) == 1
    assert capsys.readouterr().err == "stream-seg: Redis at 127.0.0.1:1: refused\n"
    assert call(["segments", "--config", config, "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_mistake_of_ours_is_a_line_that_asks_for_a_report(
    config: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def segments(_: object) -> None:
        raise KeyError("centre")

    monkeypatch.setattr(bootstrap, "segments", segments)
    assert call(["segments", "--config", config]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "KeyError: 'centre'" in line
    assert "--debug" in line


def test_an_unknown_customer_exits_with_1(
    config: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "customer", lambda *_: None)
    assert call(["customer", "--config", config, "--", "-42"]) == 1
    assert "nobody is known by the id '-42'" in capsys.readouterr().err


def test_the_configuration_is_also_named_by_the_environment(
    config: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAM_SEG_CONFIG", config)
    assert call(["config", "check", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["file"] == config


def test_a_closed_pipe_is_no_traceback(config: str) -> None:
    code = f"from stream_seg.cli import main; main(['config', 'check', {config!r}])"
    with subprocess.Popen(
        [sys.executable, "-u", "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
        assert b"Exception" not in process.stderr.read()
