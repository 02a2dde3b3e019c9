"""The ring: everybody of a partition on a circle, walked once per period.

A customer's position is the upper half of its hash, and the walk comes by at the same fraction of every period
(`stream_seg.core.instants.next_visit`). So an interval of time is an interval of positions, and the index is written
once, when the customer is first seen.
"""

from __future__ import annotations

RING = 1 << 32


def position_of(hashed: int) -> int:
    """Where a customer stands, from its 64-bit hash (signed or not)."""
    return (hashed >> 32) & (RING - 1)


def _last_position(into_period: int, period: int) -> int:
    """The greatest position that is visited at or before this instant of the period."""
    return (((into_period + 1) << 32) - 1) // period


def arcs(after: int, until: int, period: int) -> list[tuple[int, int]]:
    """The positions visited in (after, until], as (lo, hi] arcs in the order of the walk.

    >>> arcs(0, 1000, 1000)
    [(-1, 4294967295)]
    >>> arcs(400, 500, 1000) == [(_last_position(400, 1000), _last_position(500, 1000))]
    True
    """
    if until <= after:
        return []
    if until - after >= period:
        return [(-1, RING - 1)]
    lo, hi = _last_position(after % period, period), _last_position(until % period, period)
    if after // period == until // period:
        return [(lo, hi)] if lo < hi else []
    return [(lo, RING - 1), (-1, hi)]
