"""``stream-seg quality``: every figure, the same each time; what cannot be measured is null and says why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from stream_seg.cli import call
from stream_seg.cli.quality import MEANINGS
from stream_seg.pipeline.verdict import KEYS
from tests.queries.shop import FEATURES, events

REST = """
time: {lateness: 1d, forget_after: 120d}
segments: {k: 3, warm_start: 20}
"""
MAPPING = "input: {mapping: {customer: who, time: at, event: '=Order', properties: {paid: paid}}}\n"
SHORT = [*events(days=12).values]


def config(folder: Path, rest: str = REST) -> str:
    file = folder / "segmentation.yaml"
    file.write_text(f"name: shop\n{FEATURES}{rest}")
    return str(file)


def written(folder: Path, lines: list[bytes], name: str = "events.ndjson") -> str:
    file = folder / name
    file.write_bytes(b"\n".join(lines) + b"\n")
    return str(file)


def measured(capsys: pytest.CaptureFixture[str], settings: str, *inputs: str) -> dict[str, Any]:
    named = [word for name in inputs for word in ("--input", name)]
    assert call(["quality", *named, "--config", settings, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("season")
    written(folder, events(days=125).values)
    config(folder)
    return folder


def test_a_season_gives_every_figure_and_the_same_ones_each_time(
    season: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, given = str(season / "segmentation.yaml"), str(season / "events.ndjson")
    found = measured(capsys, settings, given)
    assert found.keys() >= set(KEYS)
    assert [key for key in KEYS if found[key] is None] == []
    assert found["why"] == {}
    assert found["events"] == found["accepted"] == len(events(days=125).values)
    assert (found["days"], found["customers"], found["k"]) == (125, 60, 3)
    assert 0.999 <= found["inertia_ratio_median"] <= found["inertia_ratio_p95"] < 1.4
    assert found["shift_inertia_ratio_max"] >= 0.999
    assert found["dead_clusters"] == 0
    assert 0 < found["ari_seeds_min"] <= 1
    assert measured(capsys, settings, given) == found


def test_as_text_every_figure_has_a_line_that_says_what_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["quality", "--input", written(tmp_path, SHORT), "--config", config(tmp_path)]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith(f"{len(SHORT):,} of {len(SHORT):,} events, 60 customers at once, 12 days, k = 3")
    for name, meaning in MEANINGS.items():
        assert any(line.startswith(name) and line.endswith(meaning) for line in shown)
    assert set(MEANINGS) >= set(KEYS)


def test_of_a_few_days_what_needs_months_is_null_and_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = measured(capsys, config(tmp_path), written(tmp_path, SHORT))
    missing = {key for key in KEYS if found[key] is None}
    assert missing == {key for key in KEYS if key.startswith(("drift", "emergence"))} | {
        "model_flips_per_1000_mature",
        "shift_inertia_ratio_max",
    }
    assert set(found["why"]) == missing
    assert "90 days after the first; there are 11" in found["why"]["model_flips_per_1000_mature"]


@pytest.mark.parametrize(("lines", "days"), [(SHORT[:40], 1), (SHORT[:1], 1)])
def test_of_too_few_customers_there_is_no_figure_and_no_crash(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lines: list[bytes], days: int
) -> None:
    found = measured(capsys, config(tmp_path, REST.replace("20", "500")), written(tmp_path, lines))
    assert [key for key in KEYS if found[key] is not None] == []
    assert set(found["why"]) == set(KEYS)
    assert f"segments.warm_start, or too few that differ ({days} days)" in found["why"]["inertia_ratio_median"]


def test_of_an_empty_file_there_is_no_figure_and_no_crash(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = measured(capsys, config(tmp_path), written(tmp_path, [], "none.ndjson"))
    assert (found["events"], found["days"]) == (0, 0)
    assert set(found["why"]) == set(KEYS)


def test_a_broken_line_is_counted_and_changes_no_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = measured(capsys, config(tmp_path), written(tmp_path, SHORT))
    broken = written(tmp_path, [*SHORT[:30], b'{"type": "track"', b"[]", *SHORT[30:]], "broken.ndjson")
    found = measured(capsys, config(tmp_path), broken)
    assert (found["events"], found["dead_letters"]) == (len(SHORT) + 2, 2)
    assert {key: found[key] for key in KEYS} == {key: whole[key] for key in KEYS}


def test_lines_of_a_table_in_two_files_give_what_the_events_give(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bodies = [orjson.loads(value) for value in SHORT]
    rows = [f"{one['timestamp']},{one['userId']},{one['properties']['paid']}".encode() for one in bodies]
    first = written(tmp_path, [b"at,who,paid", *rows[200:]], "b.csv")
    second = written(tmp_path, [b"at,who,paid", *rows[:200]], "a.csv")
    found = measured(capsys, config(tmp_path, MAPPING + REST), first, second)
    assert found == measured(capsys, config(tmp_path), written(tmp_path, SHORT))


def test_a_column_that_is_missing_and_a_file_that_is_missing_are_told_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = written(tmp_path, [b"at,paid", b"2024-01-01T00:00:00Z,3"], "events.csv")
    assert call(["quality", "--input", table, "--config", config(tmp_path, MAPPING + REST), "--json"]) == 2
    shown = capsys.readouterr()
    assert "who" in shown.err
    assert "events.csv" in shown.err
    assert "who" in json.loads(shown.out)["error"]["message"]
    assert call(["quality", "--input", str(tmp_path / "nothing.csv"), "--config", config(tmp_path)]) == 2
    assert "no such file" in capsys.readouterr().err
    assert call(["quality", "--input", written(tmp_path, SHORT), "--config", str(tmp_path / "none.yaml")]) == 2


def test_tiers_are_left_out_and_that_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = written(tmp_path, SHORT)
    without = measured(capsys, config(tmp_path), given)
    tiers = "tiers: [{name: dear, where: properties.paid > 50}, {name: fair, where: properties.paid > 20}]\n"
    settings = config(tmp_path, REST + tiers)
    assert call(["quality", "--input", given, "--config", settings, "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == without
    assert without["models"] > 0
    assert "the tiers (dear, fair) are left out: everybody is measured together" in said.err
