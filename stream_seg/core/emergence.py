"""Emergence: what customers that fit no segment have in common.

The outliers of the last two weeks are kept, those with the smallest hashes where there are many. There always are
some, so the group is looked for where there are most new ones beyond the old: around one of them, then around the mean
of what is there, until that stays (mean shift with a flat kernel). It is described, never split off: a person decides.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from stream_seg.core.model import Float64
from stream_seg.core.numerics import compiled

KEPT = 256  # outliers
KEPT_FOR = 14  # days
FRESH = 7  # days
STEPS = 20
LEAST = 5  # customers that make a group


class Outlier(msgspec.Struct, frozen=True, array_like=True):
    """A customer (hash, unsigned) far from every centre: on which day first, on which last, and that day's vector."""

    rank: int
    since: int
    day: int
    x: list[float]


class Group(msgspec.Struct, frozen=True):
    """Customers who are alike and belong nowhere.

    size        of those who became outliers in the last days and are kept; share: of all of those
    center      mean of each column, as the model's input (after clip and log1p); population: of all customers
    z           how far the center is from the population, in the model's scale
    """

    size: int
    share: float
    center: tuple[float, ...]
    population: tuple[float, ...]
    z: tuple[float, ...]


def remember(kept: list[Outlier], new: list[Outlier], day: int) -> list[Outlier]:
    """The outliers after a day: each customer once, none too old, the smallest hashes; in order of the hash.

    >>> kept = [Outlier(3, 1, 1, []), Outlier(1, 80, 90, [])]
    >>> [(o.rank, o.since) for o in remember(kept, [Outlier(2, 100, 100, []), Outlier(1, 100, 100, [])], 100)]
    [(1, 80), (2, 100)]
    """
    known = {outlier.rank: outlier for outlier in kept if outlier.day > day - KEPT_FOR}
    for outlier in new:
        since = known[outlier.rank].since if outlier.rank in known else outlier.since
        known[outlier.rank] = msgspec.structs.replace(outlier, since=since)
    return [known[rank] for rank in sorted(known)[:KEPT]]


@compiled
def _within(z: Float64, point: Float64, reach: float) -> npt.NDArray[np.bool_]:
    """The rows of z at most the root of `reach` from a point."""
    found = np.zeros(z.shape[0], np.bool_)
    for i in range(z.shape[0]):
        d = 0.0
        for f in range(z.shape[1]):
            gap = z[i, f] - point[f]
            d += gap * gap
        found[i] = d <= reach
    return found


@compiled
def _mean_of(z: Float64, chosen: npt.NDArray[np.bool_]) -> Float64:
    total, n = np.zeros(z.shape[1]), 0
    for i in range(z.shape[0]):
        if chosen[i]:
            n += 1
            for f in range(z.shape[1]):
                total[f] += z[i, f]
    return total / n


@compiled
def densest(z: Float64, fresh: npt.NDArray[np.bool_], reach: float, least: int) -> npt.NDArray[np.bool_]:
    """The fresh rows of z where there are most of them beyond the others: within the root of `reach` of their mean.

    None where nowhere `least` more of them are than of the others.

    >>> z = np.array([[0.0], [5.0], [5.2], [5.1], [0.1], [5.9]])
    >>> densest(z, np.array([True, True, True, False, False, False]), 0.25, 1).tolist()
    [False, True, True, False, False, False]
    """
    best, most = np.zeros(z.shape[0], np.bool_), least - 1
    for i in range(z.shape[0]):
        if fresh[i]:
            around = _within(z, z[i], reach)
            excess = (around & fresh).sum() - (around & ~fresh).sum()
            if excess > most:
                best, most = around & fresh, excess
    for _ in range(STEPS):
        if not best.any():
            break
        again = _within(z, _mean_of(z, best), reach) & fresh
        if again.sum() <= best.sum():
            break
        best = again
    return best


def group_of(
    x: Float64, z: Float64, fresh: npt.NDArray[np.bool_], reach: float, mean: Float64, scale: Float64
) -> Group | None:
    """The largest crowd of outliers that was not there before, or None where no `LEAST` of them are alike.

    x, z   (outliers, columns) as the model's input and in its scale; reach: squared radius of a segment, in z
    fresh  (outliers,) whether they became outliers in the last days
    mean, scale  of all customers: the model's
    """
    chosen = densest(z, fresh, reach, LEAST)
    size = int(chosen.sum())
    if size < LEAST:
        return None
    center = _mean_of(x, chosen)
    away = np.zeros(len(scale))
    used = scale > 0.0
    away[used] = (center[used] - mean[used]) / scale[used]
    share = size / int(fresh.sum())
    return Group(size, share, tuple(center.tolist()), tuple(mean.tolist()), tuple(away.tolist()))
