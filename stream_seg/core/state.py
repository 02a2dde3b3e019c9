"""What the fold works on: events of a run, the customers at hand, room to compute in. Types, no decisions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stream_seg.core.model import Float64, Int64, ModelArrays
from stream_seg.core.plan import PlanArrays

ACCEPTED, DUPLICATE, LATE = 0, 1, 2  # what became of a row
UNKNOWN = -1  # `due` of a customer whose future has not been looked at


class Rows(NamedTuple):
    """Accepted events of one run of the log, n rows. slot: row of the customer's state; clock: the partition's (ms)."""

    slot: Int64
    offset: Int64
    time: Int64
    clock: Int64
    mask: Int64
    message: Int64
    numbers: Float64
    codes: Int64
    hashes: Int64


class People(NamedTuple):
    """State of the customers at hand, one row each.

    words, floats  the records: the same memory twice, (customers, words)
    seen           the vector in real units at the customer's last change, (customers, columns)
    due            nothing about the customer changes before this instant without an event; or `UNKNOWN`
    changed        1 where the record must be written
    """

    words: Int64
    floats: Float64
    seen: Float64
    due: Int64
    changed: Int64


class Scratch(NamedTuple):
    """Working space: `span`, `sums` as `look_at` fills them; the vector `raw` and `x`; `d`, distances to centres."""

    span: Int64
    sums: Float64
    raw: Float64
    x: Float64
    d: Float64


def scratch(plan: PlanArrays, models: ModelArrays) -> Scratch:
    """Working space for one fold."""
    columns = models.mean.shape[1]
    spans = np.zeros((plan.groups.shape[0], 3), np.int64)
    return Scratch(
        spans, np.zeros(plan.cells.shape[0]), np.zeros(columns), np.zeros(columns), np.zeros(models.centers.shape[2])
    )
