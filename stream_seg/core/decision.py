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


ROWS = 8  # vectors side by side: as many as a processor takes at once


@compiled
def nearest_segments(models: ModelArrays, a: int, x: Float64) -> Int64:
    """The nearest segment of each row of x (rows, columns), without a memory; -1 where there is no model.

    As `distances` says, to the bit: for each vector the same sums in the same order.
    """
    found = np.full(x.shape[0], -1, np.int64)
    first, k = models.first[a], models.k[a]
    if k == 0:
        return found
    used = np.flatnonzero(models.inverse[a] != 0.0)
    centers = models.centers[a][used]
    z = np.zeros((len(used), ROWS))
    d, least = np.empty(ROWS), np.empty(ROWS)
    for start in range(0, x.shape[0], ROWS):
        rows = min(ROWS, x.shape[0] - start)
        for i in range(len(used)):
            f = used[i]
            for r in range(rows):
                z[i, r] = (min(max(x[start + r, f], models.low[a, f]), models.high[a, f]) - models.mean[a, f]) * (
                    models.inverse[a, f]
                )
        for j in range(first, k):
            _distances_of_eight(z, centers, j, models.absent[a, j], d)
            for r in range(rows):
                if j == first or d[r] < least[r]:
                    least[r] = d[r]
                    found[start + r] = j
    return found


@compiled
def _distances_of_eight(z: Float64, centers: Float64, j: int, absent: float, d: Float64) -> None:
    """Squared distances of `ROWS` scaled vectors, z (columns, rows), to centre j; written out: sums in registers."""
    d0 = d1 = d2 = d3 = d4 = d5 = d6 = d7 = absent
    for f in range(z.shape[0]):
        center = centers[f, j]
        g0, g1, g2, g3 = z[f, 0] - center, z[f, 1] - center, z[f, 2] - center, z[f, 3] - center
        g4, g5, g6, g7 = z[f, 4] - center, z[f, 5] - center, z[f, 6] - center, z[f, 7] - center
        d0, d1, d2, d3 = d0 + g0 * g0, d1 + g1 * g1, d2 + g2 * g2, d3 + g3 * g3
        d4, d5, d6, d7 = d4 + g4 * g4, d5 + g5 * g5, d6 + g6 * g6, d7 + g7 * g7
    d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7] = d0, d1, d2, d3, d4, d5, d6, d7
