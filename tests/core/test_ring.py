"""The walk: whoever has a visit in an interval stands on its arcs, and nobody else does."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_seg.core.definition import DAY, HOUR
from stream_seg.core.engine import compile_engine
from stream_seg.core.instants import next_visit
from stream_seg.core.record import HASH, HEADER
from stream_seg.core.ring import RING, arcs, position_of
from tests.core import drawing

PERIODS = st.sampled_from([DAY, HOUR, 7, 1, 86_399_999]) | st.integers(1, 400 * DAY)
HASHES = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, -1, 2**63 - 1, -(2**63), 2**32 - 1, 2**32])


def visits(hashed: int, after: int, period: int) -> int:
    """The first visit later than `after`, by the definition: a fixed fraction of every period."""
    phase = position_of(hashed) * period // RING
    return next(t for t in (after // period * period + phase + n * period for n in (0, 1)) if t > after)


@given(HASHES, st.integers(0, 10**14), st.integers(0, 10**11), PERIODS)
def test_a_visit_in_an_interval_is_a_place_on_its_arcs(hashed: int, after: int, length: int, period: int) -> None:
    until = after + length
    here = [lo < position_of(hashed) <= hi for lo, hi in arcs(after, until, period)]
    assert sum(here) == (visits(hashed, after, period) <= until)


@given(HASHES, st.integers(0, 10**14), PERIODS)
def test_the_arc_up_to_a_visit_ends_with_it_and_the_one_before_does_not_hold_it(
    hashed: int, after: int, period: int
) -> None:
    t, position = visits(hashed, after, period), position_of(hashed)
    assert any(lo < position <= hi for lo, hi in arcs(t - 1, t, period))
    assert not any(lo < position <= hi for lo, hi in arcs(after, t - 1, period))


@given(st.integers(0, 10**13), st.lists(st.integers(0, 3 * DAY), max_size=6), st.sampled_from([DAY, HOUR]))
def test_arcs_of_intervals_that_follow_each_other_make_the_arcs_of_the_whole(
    start: int, lengths: list[int], period: int
) -> None:
    places = np.linspace(0, RING - 1, 97, dtype=np.int64).tolist()
    for place in places:
        times, at = 0, start
        for length in lengths:
            times += sum(lo < place <= hi for lo, hi in arcs(at, at + length, period))
            at += length
        assert (times > 0) == any(lo < place <= hi for lo, hi in arcs(start, at, period))


@settings(deadline=None, max_examples=200)
@given(drawing.definitions(1), HASHES, st.integers(10**11, 10**14), PERIODS)
def test_the_fold_visits_when_the_walk_comes_by(definition: object, hashed: int, after: int, period: int) -> None:
    plan = compile_engine([drawing.activation(definition)]).plan  # type: ignore[arg-type]  # drawn
    settings_ = plan.arrays.settings.copy()
    settings_[1] = period
    words = np.zeros((1, HEADER), np.int64)
    words[0, HASH] = hashed
    assert next_visit(plan.arrays._replace(settings=settings_), words, 0, after) == visits(hashed, after, period)
