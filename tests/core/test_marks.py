"""Marks against a plain set of the offsets that were taken."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from stream_seg.core.marks import WINDOW, Marks

STEPS = st.lists(
    st.integers(-40, 40) | st.sampled_from([-WINDOW, 1 - WINDOW, -WINDOW - 1, WINDOW - 1, WINDOW, 3 * WINDOW])
)


@given(st.integers(0, 10**9), STEPS, st.booleans())
def test_a_record_is_new_once_and_what_is_below_the_window_is_old(
    start: int,
    steps: list[int],
    stored: bool,  # noqa: FBT001 - drawn
) -> None:
    marks, taken, high, at = Marks(), set[int](), -1, start
    for step in steps:
        at = max(at + step, 0)
        assert marks.taken(at) == (at in taken or at <= high - WINDOW)
        taken.add(at)
        high = max(high, at)
        assert marks.high == high
        if stored:
            marks = Marks.load(marks.dump())


@given(st.integers(0, 2**62))
def test_marks_stay_small_however_far_offsets_jump(offset: int) -> None:
    marks = Marks()
    marks.taken(5)
    marks.taken(offset)
    assert len(marks.dump()) <= 8 + WINDOW // 8
    assert marks.taken(offset)
    assert marks.taken(5)


def test_an_offset_from_long_ago_costs_no_memory() -> None:
    marks = Marks(high=10**10)
    tracemalloc.start()
    try:
        assert marks.taken(1)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
