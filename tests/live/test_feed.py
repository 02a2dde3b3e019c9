"""``stream-seg feed``: nothing is counted twice where it was broken off, and what is no event is set aside."""

from __future__ import annotations

import signal

import pytest

from tests.live.conftest import StackMaker

pytestmark = [pytest.mark.servers, pytest.mark.slow]

TEXT = """
input: {clock: event, mapping: {customer: who, time: at, time_zone: UTC, event: '=order', properties: {paid: paid}}}
features: [{name: orders, aggregate: count, window: 7d}, {name: silence, aggregate: recency}]
segments: {k: 2, warm_start: 2}
"""
ROWS = "who,at,paid\nann,2026-01-05,5\nbob,someday,7\ncid,2026-01-05,9\n"


def test_a_past_that_was_begun_is_not_fed_again_and_what_is_no_event_is_a_dead_letter(stack_of: StackMaker) -> None:
    stack = stack_of(TEXT, partitions=1)
    stack.activate()
    orders = stack.directory / "orders.csv"
    orders.write_text(ROWS)
    words = ("feed", str(orders), "--config", str(stack.file))

    feeding = stack.command(*words)  # nobody learns: it waits at the end of the first day, which never comes
    stack.until(lambda: sum(b"2026-01-05" in (record.value or b"") for record in stack.read("events")) >= 2)
    feeding.signal(signal.SIGTERM)
    feeding.process.wait(60)
    fed = len(stack.read("events"))

    again = stack.command(*words)
    assert again.process.wait(60) == 1, again.output()
    assert again.says("holds events already", "give the segmentation another name")
    assert len(stack.read("events")) == fed

    stack.start("label")
    stack.until(lambda: sum(state.accepted for state in stack.states()) == 2)
    (letter,) = stack.read("dead-letters")
    assert b"bob,someday,7" in (letter.value or b"")
