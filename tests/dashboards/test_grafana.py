"""What can be known of the dashboards' JSON without a Grafana: that nothing in it is left to how Grafana guesses."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.dashboards import named

WIDTH = 24
KINDS = {"timeseries", "stat", "bargauge", "table", "state-timeline"}
UNITS = {"short", "none", "s", "ops", "bytes", "percentunit"}
COLOURED = {"stat", "bargauge", "state-timeline"}
DASHBOARDS = pytest.mark.parametrize("dashboard", named.dashboards(), ids=lambda one: one["uid"])


@DASHBOARDS
def test_the_sdk_reads_it_and_writes_the_same_again(dashboard: dict[str, Any]) -> None:
    assert json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(dashboard))) == dashboard


@DASHBOARDS
def test_every_panel_has_a_number_of_its_own_and_none_covers_another(dashboard: dict[str, Any]) -> None:
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    assert min(ids) > 0
    covered: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= WIDTH, panel["title"]
        columns, rows = range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])
        cells = set(itertools.product(columns, rows))
        assert not cells & covered, panel["title"]
        covered |= cells


@DASHBOARDS
def test_every_variable_in_it_is_one_of_its_own(dashboard: dict[str, Any]) -> None:
    own = {variable["name"] for variable in dashboard["templating"]["list"]}
    used = set(re.findall(r"\$\{?([A-Za-z_]\w*)", json.dumps(dashboard)))
    assert {name for name in used if not name.startswith("__")} <= own
    assert {name for name in used if name.startswith("__")} <= {"__rate_interval", "__range", "__all", "__auto"}


@DASHBOARDS
def test_every_choice_begins_with_all(dashboard: dict[str, Any]) -> None:
    chosen = [one["current"]["value"] for one in dashboard["templating"]["list"] if one["type"] == "query"]
    assert chosen
    assert all(value == ["$__all"] for value in chosen)


@DASHBOARDS
def test_kinds_and_units_are_ones_that_grafana_has(dashboard: dict[str, Any]) -> None:
    panels = named.panels(dashboard)
    assert {panel["type"] for panel in panels} <= KINDS
    assert {panel["fieldConfig"]["defaults"].get("unit", "none") for panel in panels} <= UNITS


@DASHBOARDS
def test_colours_are_said_and_never_those_that_grafana_gives_by_itself(dashboard: dict[str, Any]) -> None:
    """By itself a number is red from 80 on, whatever is counted, and a state has colours between green and red."""
    for panel in named.panels(dashboard):
        if panel["type"] in COLOURED:
            how = panel["fieldConfig"]["defaults"]
            first, *steps = how["thresholds"]["steps"]
            assert how["color"] == {"mode": "thresholds"}, panel["title"]
            assert first["value"] is None, panel["title"]
            values = [step["value"] for step in steps]
            assert values == sorted(values), panel["title"]
            colours = [step["color"] for step in (first, *steps)]
            assert len(set(colours)) == len(colours), f"{panel['title']}: a step that changes nothing"


def test_every_query_of_a_panel_has_a_letter_of_its_own() -> None:
    for dashboard in named.dashboards():
        for panel in named.panels(dashboard):
            letters = [target["refId"] for target in panel["targets"]]
            assert len(set(letters)) == len(letters), panel["title"]
