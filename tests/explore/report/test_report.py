"""`stream-seg explore`: one folder, the same bytes again, and a page that says what is in the data."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from stream_seg.cli import call
from stream_seg.config import load
from stream_seg.core.definition import DAY

START = 1_700_006_400_000  # midnight of a Wednesday (UTC)
CONFIG = """
name: shop
input: {mapping: {customer: customer, time: time, time_format: epoch_ms, event: event,
                  properties: {price: price}, traits: {plan: plan, age: age, town: town}}}
segments: {k: 3}
features:
  - {name: orders, aggregate: count, where: event == "order", window: 60d, transform: [log1p]}  # how often
  - {name: spend, aggregate: sum, field: properties.price, window: 60d, transform: [log1p]}
  - {name: price, aggregate: mean, field: properties.price, window: 60d}
  - {name: silence, aggregate: recency}
  - {name: plan, aggregate: latest, field: traits.plan, encode: one_hot, categories: [free, plus]}
  - {name: town, aggregate: latest, field: traits.town, encode: hashed, buckets: 4}
  - {name: age, aggregate: latest, field: traits.age}
"""


def shop(tmp_path: Path, customers: int = 120) -> Path:
    """Two kinds of customers, half of them with traits; 12 towns in two countries."""
    rng = np.random.default_rng(5)
    lines = list[dict[str, Any]]()
    for i in range(customers):
        often = i % 3 == 0
        if i % 2:
            traits = {
                "plan": "plus" if often else "free",
                "age": 20 + i % 40,
                "town": f"{'de' if i % 4 == 1 else 'fr'}-{i % 12}",
            }
            lines.append({"customer": f"c{i}", "time": START, "event": "traits", **traits})
        for _ in range(int(rng.poisson(18 if often else 3)) + 1):
            day = int(rng.integers(0, 60))
            day -= (day + 2) % 7 - 5 if i % 5 == 0 and (day + 2) % 7 < 5 else 0
            at = START + max(day, 0) * DAY + int(rng.integers(9, 17)) * 3_600_000
            lines.append(
                {"customer": f"c{i}", "time": at, "event": "order", "price": round(float(rng.lognormal(2)), 2)}
            )
    path = tmp_path / "events.ndjson"
    path.write_bytes(b"\n".join(orjson.dumps(line) for line in sorted(lines, key=lambda line: line["time"])))
    (tmp_path / "segmentation.yaml").write_text(CONFIG)
    return path


def run(*arguments: str) -> int:
    return call(["explore", *arguments])


def explored(tmp_path: Path, *more: str) -> Path:
    given = shop(tmp_path)
    assert run(str(given), "-c", str(tmp_path / "segmentation.yaml"), "--out", str(tmp_path / "run"), *more) == 0
    return tmp_path / "run"


def test_the_same_run_again_is_the_same_to_the_byte(tmp_path: Path) -> None:
    first = explored(tmp_path)
    assert run("--from", str(first), "--out", str(tmp_path / "again")) == 0
    files = sorted(one.name for one in first.iterdir())
    assert {"report.html", "report.json", "table.parquet", "config.yaml", "run.json"} <= set(files)
    assert sorted(one.name for one in (tmp_path / "again").iterdir()) == files
    for name in files:
        assert (first / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


def test_what_is_proposed_loads_and_says_why(tmp_path: Path) -> None:
    made = explored(tmp_path)
    figures = json.loads((made / "report.json").read_bytes())
    assert [(one["kept"], one["other"]) for one in figures["redundancy"]["pairs"]] == [("orders", "spend")]
    proposal = load(made / "segmentation.yaml", {})
    assert {one.name: one.role for one in proposal.definition.features}["spend"] == "outcome"
    text = (made / "segmentation.yaml").read_text()
    assert "# spend: it says the same as orders" in text
    assert "# how often" in text  # what a person wrote is kept
    assert call(["config", "check", str(made / "segmentation.yaml")]) == 0


def test_json_prints_the_figures_of_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = explored(tmp_path, "--json")
    said = json.loads(capsys.readouterr().out)
    out = said.pop("out")
    assert said == json.loads((made / "report.json").read_bytes())
    assert sorted(out) == sorted(str(one) for one in made.iterdir())
    assert said["customers"] == 120


def test_no_figure_is_a_number_that_json_cannot_say(tmp_path: Path) -> None:
    assert b"null" not in (explored(tmp_path) / "report.json").read_bytes()  # orjson writes NaN and ∞ so
