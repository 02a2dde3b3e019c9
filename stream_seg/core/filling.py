"""Merging a backfill: the cells that only a new definition has come from records that were folded under it alone."""

from __future__ import annotations

import numpy as np

from stream_seg.core.model import Int64
from stream_seg.core.numerics import kernel
from stream_seg.core.plan import HEAD, Plan, PlanArrays, occupancy_words
from stream_seg.core.windows import move_on


def fill(rows: Int64, filled: Int64, old: Plan, new: Plan, source: Plan) -> None:
    """Gives `rows` (customers, words of `new`), which were converted from `old`, what `old` did not have.

    filled  (customers, words of `source`) the same customers at the same place of the log; zeros: nothing is known

    Cells that `old` has too stay as they are: they may remember more than the log still holds. Both arrays change:
    tiles of one group must begin at the same one before they can stand side by side.
    """
    pairs = [
        (number, list(source.groups).index(group), occupancy_words(group[1]))
        for number, group in enumerate(new.groups)
        if group in source.groups
    ]
    _align(new.arrays, rows, source.arrays, filled, np.array(pairs, np.int64).reshape(-1, 3))
    for cell, (at, size) in new.cells.items():
        if cell in source.cells and cell not in old.cells:
            start = source.cells[cell][0]
            rows[:, at : at + size] = filled[:, start : start + size]


@kernel
def _align(new: PlanArrays, rows: Int64, source: PlanArrays, filled: Int64, pairs: Int64) -> None:
    """Moves the tiles of each pair of groups on to the later of both; what holds something in either, does."""
    for i in range(pairs.shape[0]):
        g, h, bits = pairs[i, 0], pairs[i, 1], pairs[i, 2]
        here, there = new.groups[g, HEAD], source.groups[h, HEAD]
        for s in range(rows.shape[0]):
            head = max(rows[s, here], filled[s, there])
            move_on(new, rows, s, g, head)
            move_on(source, filled, s, h, head)
            for b in range(1, bits + 1):
                rows[s, here + b] = rows[s, here + b] | filled[s, there + b]
