"""`stream-seg explore`: one folder, the same bytes again, and figures that say what is in the data."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from stream_seg.cli import call
from stream_seg.config import load
from stream_seg.core.definition import DAY
from tests.explore.report.shop import BEGINNING, START, events, explore, written

ORDERS = "{name: orders, aggregate: count, window: 60d}"


@pytest.fixture
def figures(made: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((made / "report.json").read_bytes())
    return found


def test_the_same_run_again_is_the_same_to_the_byte(made: Path, tmp_path: Path) -> None:
    assert call(["explore", "--from", str(made), "--out", str(tmp_path / "again")]) == 0
    files = sorted(one.name for one in made.iterdir())
    assert set(files) == {
        "report.html", "report.json", "table.parquet", "config.yaml", "run.json", "segmentation.yaml", "model.json",
        "proposed.yaml",
    }  # fmt: skip
    assert sorted(one.name for one in (tmp_path / "again").iterdir()) == files
    for name in files:
        assert (made / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


def test_an_input_that_changed_is_refused(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path, events(30))
    assert explore(tmp_path) == 0
    written(tmp_path, events(31))
    assert call(["explore", "--from", str(tmp_path / "run"), "--out", str(tmp_path / "again")]) == 1
    assert "is another file" in capsys.readouterr().err
    assert not (tmp_path / "again").exists()


def test_what_is_proposed_loads_and_says_why(made: Path, figures: dict[str, Any]) -> None:
    assert [(one["kept"], one["other"]) for one in figures["redundancy"]["pairs"]] == [("orders", "spend")]
    proposal = load(made / "proposed.yaml", {}).definition.features
    assert {one.name: one.role for one in proposal}["spend"] == "outcome"
    assert proposal[-1].of == ("spend", "orders")
    text = (made / "proposed.yaml").read_text()
    assert "# spend: it says the same as orders" in text
    assert "# how often" in text  # what a person wrote is kept
    assert call(["config", "check", str(made / "proposed.yaml")]) == 0


def test_no_figure_is_a_number_that_json_cannot_say(made: Path) -> None:
    assert b"null" not in (made / "report.json").read_bytes().replace(b'"out": null', b"")  # orjson writes NaN and ∞ so


def test_the_table_has_every_customer_in_real_units(made: Path, figures: dict[str, Any]) -> None:
    table = pyarrow.parquet.read_table(made / "table.parquet")
    assert table.num_rows == figures["customers"] == 120
    assert table.column_names[:4] == ["customer", "segment", "orders", "spend"]
    orders = dict(zip(table["customer"].to_pylist(), table["orders"].to_pylist(), strict=True))
    assert orders["c3"] > 10 > orders["c1"]


def test_what_is_missing_is_known_from_what_is_zero(figures: dict[str, Any]) -> None:
    missing = figures["missing"]
    assert missing["features"]["age"]["share"] == missing["features"]["plan"]["share"] == 0.5
    assert missing["features"]["price"]["share"] == 1 / 120  # of one the window forgot all orders
    named = [one["choice"] for one in missing["choices"]["plan"]]
    assert named == ["“unknown” as a category", "most frequent (free)", "indicator alone", "left out"]
    assert [one["choice"] for one in missing["choices"]["age"]][1] == "median and indicator"
    # one-hot with a column for unknown is what the configuration does already: nobody moves
    assert missing["choices"]["plan"][0]["moved"] == 0.0
    assert max(one["moved"] for one in missing["choices"]["plan"]) > 0.1


def test_each_way_to_fill_says_to_whom_it_makes_the_unknown_alike(figures: dict[str, Any], made: Path) -> None:
    own, *_ = figures["missing"]["choices"]["plan"]
    assert (own["segment"], own["unknown_there"]) == (0, 1.0)
    assert "100 % in 0 (mostly unknown, low age)" in (made / "report.html").read_text()


def test_categories_that_are_not_listed_are_named(figures: dict[str, Any]) -> None:
    assert figures["categories"]["plan"]["categories"]["plus"]["customers"] == 20
    assert figures["categories"]["town"]["distinct"] == 12


def test_who_comes_at_weekends_is_found_and_is_so_in_other_weeks_too(figures: dict[str, Any]) -> None:
    group = figures["engagement"]["groups"]["weekend explorers"]
    assert group["customers"] == 8  # every fifth, of those with enough events
    assert group["same_in_other_weeks"] > 0.8
    assert group["by_chance"] < 0.3


def test_a_habit_comes_with_the_condition_that_counts_it(made: Path) -> None:
    """There are more weekday workers, but in the weeks between they are others."""
    page = (made / "report.html").read_text()
    assert "Weekend explorers are 20 %, and 89 % of them are so in the other weeks too" in page
    assert "<code>where: weekday in [sat, sun]</code>" in page


def test_every_encoder_is_tried_with_its_columns_and_its_weight(figures: dict[str, Any]) -> None:
    town = {one["encoder"]: one for one in figures["encoders"]["town"]["encoders"]}
    assert town["label"]["columns"] == 1
    assert town["one-hot"]["columns"] == 13
    assert town["hashed"]["columns"] == 5
    assert town["hashed"]["unequal"] == 0.0  # 12 towns in 4 buckets: some are not told apart
    assert town["hashed"]["agreement"] == 1.0  # it is what the configuration does
    assert town["left out"]["alone"] == 1.0


def test_maps_are_drawn_at_several_settings_and_agree_or_not(figures: dict[str, Any], made: Path) -> None:
    maps = figures["maps"]
    assert [(one["perplexity"], one["start"]) for one in maps["maps"]] == [
        (perplexity, start)
        for perplexity in (10, 30) for start in ("principal components", "random", "random, next seed")
    ]  # fmt: skip
    page = (made / "report.html").read_text()
    assert "islands appear in pure noise, too" in page
    assert "Do the islands survive other settings?" in page
    assert maps["verdict"] in page
    assert maps["together_again"] > maps["together_by_chance"]


def test_json_prints_the_figures_of_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path, events(10))
    assert explore(tmp_path, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    out = said.pop("out")
    assert said == json.loads((tmp_path / "run" / "report.json").read_bytes())
    assert sorted(out) == sorted(str(one) for one in (tmp_path / "run").iterdir())


def test_the_terminal_warns_of_the_map_and_says_whether_its_islands_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, events(40))
    assert explore(tmp_path) == 0
    said = capsys.readouterr().out
    assert "sizes and distances of islands mean nothing" in said
    assert json.loads((tmp_path / "run" / "report.json").read_bytes())["maps"]["verdict"] in said


def test_too_many_categories_for_a_list_are_reported_and_counted_instead(tmp_path: Path) -> None:
    spent = "{name: paid, aggregate: latest, field: properties.price, encode: hashed, buckets: 8}"
    written(tmp_path, events(60), f"{BEGINNING}\nfeatures:\n  - {ORDERS}\n  - {spent}\n")
    assert explore(tmp_path) == 0
    proposed = {one.name: one for one in load(tmp_path / "run" / "proposed.yaml", {}).definition.features}
    assert proposed["paid"].role == "outcome"
    assert proposed["paid_different"].aggregate == "distinct"
    assert proposed["paid_different"].window == 60 * DAY
    assert "a list would not help" in (tmp_path / "run" / "report.html").read_text()


def test_a_short_list_that_was_declared_stays_whole_and_in_its_order(tmp_path: Path) -> None:
    """Rare ones, too: not listed they would be taken for unknown."""
    plans = [f"p{i}" for i in range(8)]
    lines = [
        {"customer": f"c{i}", "time": START + i, "event": "order", "price": 1, "plan": plans[i % 7 if i < 138 else 7]}
        for i in range(140)
    ]
    kind = f"{{name: plan, aggregate: latest, field: traits.plan, encode: binary, categories: [{', '.join(plans)}]}}"
    written(tmp_path, lines, f"{BEGINNING}\nfeatures:\n  - {ORDERS}\n  - {kind}\n")
    assert explore(tmp_path) == 0
    plan = load(tmp_path / "run" / "proposed.yaml", {}).definition.features[1]
    assert (plan.encode, list(plan.categories)) == ("one_hot", plans)
    figures = json.loads((tmp_path / "run" / "report.json").read_bytes())
    assert list(figures["categories"]["plan"]["categories"]) == plans


def test_at_a_date_nothing_later_is_in_the_report(tmp_path: Path) -> None:
    written(tmp_path, events(12))
    assert explore(tmp_path, "--at", "2023-12-01") == 0
    figures = json.loads((tmp_path / "run" / "report.json").read_bytes())
    assert figures["at"] == "2023-12-01T00:00:00+00:00"
    assert figures["last"] < figures["at"]
    assert sum(figures["engagement"]["by_weekday"].values()) == pytest.approx(1.0)
    assert figures["engagement"]["events"] == figures["accepted"] < len(events(12))
