"""With what `stream-seg explore` writes a run begins: the given file with the report's segments, and their model."""

from __future__ import annotations

import json
from pathlib import Path

import orjson
import pyarrow.parquet
import pytest

from stream_seg.cli import call
from stream_seg.config import load
from tests.explore.report.shop import BEGINNING, CONFIG, events, explore, written

SAID = """
question: Who comes back?
good: {min_share: 5%, must_separate: [spend]}
levers: [{segment: 0, name: Of another version}]
"""
NAMED = BEGINNING.replace("{k: 3}", "{k: 3, margin: 0, initial_model: gone.json}")


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run over a shop whose file says what it is for, and names a model that is not there any more."""
    folder = tmp_path_factory.mktemp("begun")
    written(folder, events(), CONFIG.replace(BEGINNING, NAMED) + SAID)
    assert explore(folder) == 0
    return folder


def test_the_file_is_the_given_one_with_the_segments_of_the_report(begun: Path) -> None:
    given, found = load(begun / "segmentation.yaml", {}, model=False), load(begun / "run/segmentation.yaml", {})
    told = json.loads((begun / "run/report.json").read_bytes())
    names = [one["name"] for one in told["segments"]["segments"]]
    assert "# how often" in (begun / "run/segmentation.yaml").read_text()
    assert found.definition.features == given.definition.features
    assert (found.question, found.good, found.definition.learning.k) == (given.question, given.good, 3)
    assert found.initial is not None
    assert [*found.initial.segments] == [lever.name for lever in found.definition.levers] == names
    assert "Of another version" not in names


def test_labels_of_a_run_of_the_same_events_are_those_of_the_table(begun: Path, tmp_path: Path) -> None:
    file = str(begun / "run/segmentation.yaml")
    assert call(["replay", str(begun / "events.ndjson"), "-c", file, "--out", str(tmp_path / "replayed")]) == 0
    lines = (tmp_path / "replayed/labels.ndjson").read_bytes().splitlines()
    said = {one["customer_id"]: one["segment"] for one in map(orjson.loads, lines)}
    table = pyarrow.parquet.read_table(begun / "run/table.parquet").to_pydict()
    assert said == dict(zip(table["customer"], map(str, table["segment"]), strict=True))


def test_a_proposal_names_no_model_since_its_features_are_others(begun: Path) -> None:
    proposed = begun / "run/proposed.yaml"
    assert load(proposed, {}).initial is None
    assert "segments: {k: 3, margin: 0}" in proposed.read_text()


def test_the_run_is_made_again_where_the_model_it_began_with_is_gone(begun: Path, tmp_path: Path) -> None:
    assert call(["explore", "--from", str(begun / "run"), "--out", str(tmp_path / "again")]) == 0
    for path in (begun / "run").iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes(), path.name


def test_with_tiers_there_is_no_model_and_the_file_says_what_a_run_can_do(tmp_path: Path) -> None:
    written(tmp_path, events(60), CONFIG + 'tiers: [{name: plus, where: traits.plan == "plus"}]\n')
    assert explore(tmp_path) == 0
    assert not (tmp_path / "run/model.json").exists()
    found = load(tmp_path / "run/segmentation.yaml", {})
    assert (found.initial, found.definition.learning.k) == (None, 3)
    assert "a model cannot be given to a tier" in (tmp_path / "run/report.html").read_text()


def test_where_all_are_alike_there_is_nothing_to_begin_with(tmp_path: Path) -> None:
    written(tmp_path, [one for one in events(60) if one["customer"] == "c7"])
    assert explore(tmp_path) == 0
    assert not (tmp_path / "run/model.json").exists()
    assert not (tmp_path / "run/segmentation.yaml").exists()
