"""Which segment of a new model goes on as which one of the model before, and what became of the others.

A segment goes on under its number when at least half of either side, the old customers or the new, are shared. So a
number never comes to mean other people: what shares less is a new segment with a number that was never used.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from stream_seg.core.model import Int64

Kind = Literal["created", "updated", "split", "merged", "emerged", "retired"]


class Change(NamedTuple):
    """What became of one segment. of: the segment it was split from or merged into; customers: how many it concerns."""

    kind: Kind
    segment: int
    of: tuple[int, ...]
    customers: int


class Lineage(NamedTuple):
    """numbers: of each new row, its segment; changes: one per segment of either model, by number."""

    numbers: tuple[int, ...]
    changes: tuple[Change, ...]


def shared(old: Int64, new: Int64, rows: int, columns: int) -> Int64:
    """How many customers are in old segment i and new row j, (rows, columns); -1: in none."""
    table = np.zeros((rows, columns), np.int64)
    both = (old >= 0) & (new >= 0)
    np.add.at(table, (old[both], new[both]), 1)
    return table


def matched(table: Int64) -> list[tuple[int, int]]:
    """The pairs (old, new) that together share most customers of a table as `shared` gives it.

    Kuhn's assignment method (1955), over whole numbers; between equals the same number goes on.

    >>> matched(np.array([[0, 2], [1, 1]]))
    [(0, 1), (1, 0)]
    """
    weights = table * (min(table.shape) + 1)
    np.fill_diagonal(weights, weights.diagonal() + 1)
    rows, columns = linear_sum_assignment(weights, maximize=True)
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


def lineage(old: Int64, new: Int64, alive: tuple[int, ...], k: int, free: int) -> Lineage:
    """Numbers for the k rows of a new model.

    old, new  the segment (number) and the row of each customer of the table, (customers,); -1: none
    alive     the numbers in force; none: everything is `created`; free: the first number that was never used

    Half of segment 1 became row 2:

    >>> old, new = np.array([0, 0, 1, 1, 1, 1]), np.array([0, 0, 1, 1, 2, 2])
    >>> found = lineage(old, new, alive=(0, 1), k=3, free=2)
    >>> found.numbers
    (0, 1, 2)
    >>> found.changes[2]
    Change(kind='split', segment=2, of=(1,), customers=2)
    """
    counts = shared(old, new, max(alive, default=-1) + 1, k)[list(alive)].reshape(len(alive), k)
    before, after = counts.sum(axis=1), np.bincount(new[new >= 0], minlength=k)
    numbers = dict[int, int]()
    for i, j in matched(counts) if alive else ():
        if 2 * counts[i, j] >= min(before[i], after[j]) and counts[i, j] > 0:
            numbers[j] = alive[i]
    changes = []
    for j in range(k):
        customers = int(after[j])
        if j in numbers:
            changes.append(Change("updated", numbers[j], (), customers))
            continue
        numbers[j], free = free, free + 1
        origin = _most(counts[:, j], customers, alive)
        kind: Kind = "split" if origin else "emerged" if alive else "created"
        changes.append(Change(kind, numbers[j], origin, customers))
    for i, number in enumerate(alive):
        if number not in numbers.values():
            target = _most(counts[i], int(before[i]), tuple(numbers[j] for j in range(k)))
            changes.append(Change("merged" if target else "retired", number, target, int(before[i])))
    in_order = tuple(sorted(changes, key=lambda change: change.segment))
    return Lineage(tuple(numbers[j] for j in range(k)), in_order)


def _most(counts: Int64, of: int, numbers: tuple[int, ...]) -> tuple[int, ...]:
    """The one segment that holds at least half of them, if there is one."""
    most = int(np.argmax(counts)) if len(counts) else 0
    return (numbers[most],) if len(counts) and of and 2 * counts[most] >= of else ()


def by_number(old: Int64, new: Int64, before: tuple[int, ...], after: tuple[int, ...]) -> tuple[Change, ...]:
    """The changes between two versions whose numbers mean the same, as when an earlier one comes back.

    old, new: the segment of each customer under either, (customers,); before, after: the numbers that each has.
    """
    changes = []
    for number in sorted({*before, *after}):
        if number not in after:
            changes.append(Change("retired", number, (), int(np.count_nonzero(old == number))))
        else:
            kind: Kind = "updated" if number in before else "emerged" if before else "created"
            changes.append(Change(kind, number, (), int(np.count_nonzero(new == number))))
    return tuple(changes)
