"""Figures on the pages are those that were measured; a wait is the sum of its parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.events import Workload
from benchmarks.figures import BLOCKS, filled, measured, table, waits
from benchmarks.waits import PARTS, Moved, events_of, parts, told
from stream_seg.core.model import Float64
from tests.docs.pages import ROOT, text_of

SOME = {"machine": {"cpu": "X", "cores": 2}, "date": "2030-01-01", "events": 10}


PAGES = [("README.md", ["figures"]), ("docs/benchmarks.md", ["waits", "exploring"]), ("docs/operating.md", ["sizing"])]


@pytest.mark.parametrize(("page", "blocks"), PAGES)
def test_figures_on_a_page_are_those_that_were_measured(page: str, blocks: list[str]) -> None:
    text = text_of(ROOT / Path(page))
    assert [found[2] for found in BLOCKS.finditer(text)] == blocks
    assert filled(text, measured()) == text


def test_what_was_not_measured_has_no_row_and_what_misses_its_bar_is_bold() -> None:
    figures = {"events_per_s": 39_999, "p99_ms": 250.0, "worker_rss_mb": 297.4, "worker_peak_rss_mb": 316.8}
    rows = table(SOME | figures).splitlines()[2:5]
    assert [row.split(" | ")[1:] for row in rows] == [
        ["**39,999**", "≥ 40,000 |"],
        ["250", "≤ 250 |"],
        ["297 / **317**", "≤ 300 |"],
    ]
    assert table(SOME | figures).splitlines()[5] == ""
    assert waits(SOME) == "Not measured yet."


def test_a_movement_is_found_by_customer_and_instant() -> None:
    workload = Workload(1_000, customers=7, uniform=True, begin=0, span=10_000, live=True)
    (chunk,) = workload.chunks()
    key, at = chunk.keys[500], int(chunk.times[500])
    exactly, after = Moved(key, at, 0.0, 0.0, 0.0), Moved(key, at + 1, 0.0, 0.0, 0.0)
    assert events_of(workload, [exactly], exact=True).tolist() == [500]
    assert events_of(workload, [after], exact=False).tolist() == [500]
    with pytest.raises(RuntimeError, match="belongs to no event"):
        events_of(workload, [after], exact=True)


def test_the_slowest_are_told_part_by_part_and_by_when_they_were_sent() -> None:
    sent: Float64 = np.linspace(0.0, 9_990.0, 1_000)
    moved = [Moved(b"ann", 0, at + 30.0, at + 40.0, at + 50.0) for at in sent.tolist()]
    moved[300:310] = [Moved(b"ann", 0, at + 230.0, at + 240.0, at + 250.0) for at in sent[300:310].tolist()]
    of = parts(sent, sent + 5.0, moved)
    assert of[0].tolist() == [5.0, 25.0, 10.0, 10.0]
    figures = told(of, sent, float(sent[0]))
    assert (figures["p50_ms"], figures["max_ms"], figures["movements"]) == (50.0, 250.0, 1_000)
    assert [figures["usual"][part] for part in PARTS] == [5.0, 25.0, 10.0, 10.0]
    slowest = figures["slowest"]
    assert [slowest[part] for part in PARTS] == [5.0, 225.0, 10.0, 10.0]
    assert (slowest["seconds_with_any"], slowest["worst_seconds"], slowest["share_in_worst_seconds"]) == (1, [3], 1.0)
    page = waits(SOME | {"latency": {"events_per_s": 100, **figures}})
    assert "| from sent to lying in the events log | 5 | 5 |" in page
    assert "`latency`: 1,000 movements at 100 events a second" in page
