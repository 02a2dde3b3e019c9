"""Under which model, in which segment, and whether to move, compiled."""

from __future__ import annotations

import numpy as np

from stream_seg.core.model import Float64, Int64, ModelArrays
from stream_seg.core.numerics import compiled, inlined, kernel
from stream_seg.core.record import CANDIDATE, CANDIDATE_SINCE, SEGMENT

STAY, WAIT, MOVE = 0, 1, 2


@inlined
def activation_row(models: ModelArrays, number: int, tier: int) -> int:
    """The row that a customer of `tier` is under who adopted `number`: of the greatest activation not above that.

    Where an activation does not have the tier (any more), it is that of ``all``.
    """
    row = 0
    for a in range(models.number.shape[0]):
        if models.number[a] <= number and (models.tier[a] == 0 or models.tier[a] == tier):
            row = a
    return row


@kernel
def distances(models: ModelArrays, a: int, x: Float64, out: Float64) -> int:
    """Squared distances of x to the centres of activation row a, into `out`; returns the nearest (lowest on a tie)."""
    first, k = models.first[a], models.k[a]
    for j in range(first, k):
        out[j] = models.absent[a, j]
    for f in range(x.shape[0]):
        inverse = models.inverse[a, f]
        if inverse != 0.0:
            z = (min(max(x[f], models.low[a, f]), models.high[a, f]) - models.mean[a, f]) * inverse
            for j in range(first, k):
                gap = z - models.centers[a, f, j]
                out[j] += gap * gap
    best = first
    for j in range(first + 1, k):
        if out[j] < out[best]:
            best = j
    return best


@kernel
def decide(models: ModelArrays, a: int, words: Int64, s: int, t: int, best: int, d: Float64) -> int:
    """What becomes of row s at instant t: `STAY`, `WAIT` (its candidate changes) or `MOVE` to `best`.

    A customer without a segment, or of one that is no more or of another tier, takes the nearest at once. Another moves
    when the nearest is nearer by the margin, for the whole dwell.
    """
    k = models.k[a]
    if k == 0:
        return STAY
    current = words[s, SEGMENT] - 1
    if current < models.first[a] or current >= k or models.absent[a, current] != 0.0:
        return MOVE
    if best == current or not d[best] < (1.0 - models.margin[a]) * d[current]:
        return WAIT if words[s, CANDIDATE] != 0 else STAY
    if models.dwell[a] == 0:
        return MOVE
    if words[s, CANDIDATE] != best + 1:
        return WAIT
    return MOVE if t - words[s, CANDIDATE_SINCE] >= models.dwell[a] else STAY


@compiled
def nearest_segments(models: ModelArrays, a: int, x: Float64) -> Int64:
    """The nearest segment of each row of x (rows, columns), without a memory; -1 where there is no model."""
    found = np.full(x.shape[0], -1, np.int64)
    d = np.empty(models.centers.shape[2])
    if models.k[a] > 0:
        for i in range(x.shape[0]):
            found[i] = distances(models, a, x[i], d)
    return found
