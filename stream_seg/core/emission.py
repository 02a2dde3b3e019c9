"""What was decided about customers: movements, visits of the daily walk, and those forgotten, as rows of arrays."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from stream_seg.core.model import Float64, Int64
from stream_seg.core.numerics import kernel
from stream_seg.core.record import INCARNATION, LAST_EVENT, SAMPLES, SEQUENCE, SINCE
from stream_seg.core.state import People, Scratch

MOVED, VISIT, FORGOTTEN = 0, 1, 2  # kinds of emission
BY_EVENT, BY_TIME, BY_MODEL, BY_BACKFILL, BY_FORGETTING, BY_TIER = range(6)  # causes
CAUSES = ("event", "time", "model", "backfill", "forgotten", "tier")
ROOM = 4  # the most emissions between two checks of the capacity


class Emissions(NamedTuple):
    """What was decided, in order. The fold pauses before `used[0]` could pass the capacity.

    ints     (capacity, 14): kind, slot, row (-1: no event), instant, previous, segment (of a visit: the current
             ones), sequence, cause, incarnation, activation row, sample number, last event, in the segment since, and
             of a return to the segment before: how long it was away (-1: no return)
    distance (capacity, 3): squared, to the new segment, to the runner-up, to the previous one (NaN: none)
    before, after  (capacity, columns) in real units
    """

    used: Int64
    ints: Int64
    distance: Float64
    before: Float64
    after: Float64


def emissions(capacity: int, columns: int) -> Emissions:
    """Empty room for `capacity` emissions."""
    return Emissions(
        np.zeros(1, np.int64),
        np.zeros((capacity, 14), np.int64),
        np.zeros((capacity, 3)),
        np.zeros((capacity, columns)),
        np.zeros((capacity, columns)),
    )


@kernel
def emit(
    people: People, out: Emissions, work: Scratch, kind: int, s: int, row: int, t: int, previous: int, segment: int,
    cause: int, a: int, second: int, away: int,
) -> None:  # fmt: skip
    """Adds an emission of row s, whose vector now is in `work`; row -1: without an event.

    a: the activation row it was decided under; second: the segment of the runner-up, -1: none; away: ms since it left
    the segment to which it returns, -1: no return.
    """
    words = people.words
    i = out.used[0]
    out.used[0] = i + 1
    ints = out.ints
    ints[i, 0], ints[i, 1], ints[i, 2], ints[i, 3] = kind, s, row, t
    ints[i, 4], ints[i, 5], ints[i, 6], ints[i, 7] = previous, segment, words[s, SEQUENCE], cause
    ints[i, 8], ints[i, 9], ints[i, 10], ints[i, 11] = (
        words[s, INCARNATION], a, words[s, SAMPLES], words[s, LAST_EVENT],
    )  # fmt: skip
    ints[i, 12], ints[i, 13] = words[s, SINCE], away
    out.distance[i, 0] = work.d[segment] if segment >= 0 else math.nan
    out.distance[i, 1] = work.d[second] if second >= 0 else math.nan
    known = segment >= 0 and previous >= 0 and previous < work.d.shape[0]
    out.distance[i, 2] = work.d[previous] if known else math.nan
    for f in range(work.raw.shape[0]):
        out.before[i, f] = people.seen[s, f]
        out.after[i, f] = work.raw[f]
