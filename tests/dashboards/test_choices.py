"""What is chosen at the top of a dashboard reaches every panel whose metric has that label."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from deploy.dashboards.__main__ import PAGES
from deploy.dashboards.panels import Page
from stream_seg.adapters.prometheus.catalogue import CATALOGUE
from tests.dashboards.named import PARTS, SELECTOR, rules

RECORDED = {  # the labels that each recorded series has to choose by; names of segments are joined to what was chosen
    "stream_seg:segment_customers:named": {"tier", "segment"},
    "stream_seg:segment_name:from": set[str](),
    "stream_seg:segment_name:to": set[str](),
    "stream_seg:movements_back:ratio1h": {"within"},
    "stream_seg:dead_letters:ratio5m": {"stage"},
    "stream_seg:cache:hit_ratio5m": {"stage", "instance"},
    "stream_seg:redis_memory:ratio": set[str](),
    "stream_seg:learned:age_seconds": set[str](),
}
SEGMENT = ("segment", "from", "to")  # labels that hold one


def labels_of(metric: str) -> set[str]:
    known = {one.full_name: {"stage", *one.labels} for one in CATALOGUE}
    known |= {one.full_name + part: {"stage", *one.labels} for one in CATALOGUE for part in PARTS}
    if metric.startswith("process_"):
        return set()  # of the process: `stage` is joined to it
    return known.get(metric) or RECORDED[metric]


def unreached(page: Page) -> Iterator[tuple[str, str, str]]:
    """Panel, metric and variable, where the metric has the variable's label and the query asks for any value of it."""
    for panel in page.panels:
        for query in panel.queries:
            for selector in SELECTOR.findall(query.expr):
                metric, _, matchers = selector.partition("{")
                asked = set(re.findall(r"(\w+)=", matchers))
                for variable in page.variables:
                    labels = set(SEGMENT if variable.of == "segment" else (variable.of,)) & labels_of(metric)
                    if labels and not labels & asked:
                        yield panel.title, metric, variable.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.uid)
def test_what_is_chosen_reaches_every_panel_whose_metric_has_the_label(page: Page) -> None:
    assert sorted(set(unreached(page))) == []


def test_the_recorded_series_are_named_with_their_labels() -> None:
    made = {rule["record"]: rule["expr"] for rule in rules() if "record" in rule}
    assert RECORDED.keys() == made.keys() - {"stream_seg:segment_info"}
    for name, labels in RECORDED.items():
        assert all(re.search(rf"by \([^)]*\b{label}\b", made[name]) for label in labels), name
