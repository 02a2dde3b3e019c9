"""Would others have found the same segments? From other draws of the customers, and from another month.

Bootstrap: segments are learned from a draw with repetition, and everybody is put into the nearest. Agreement is the
adjusted Rand index; of a single segment it is the Jaccard index with the most alike one (Hennig 2007: below 0.6 it
is an accident, above 0.75 one may believe in it).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from stream_seg.core.evaluation import STARTS, adjusted_rand
from stream_seg.core.kmeans import assign, fit
from stream_seg.core.model import Float64, Int64
from stream_seg.explore.threads import on_all_cores

DRAWS = 20
RESTARTS = 5


class Stability(NamedTuple):
    """agreement: mean adjusted Rand index with the other draws; jaccard: of each segment, mean."""

    agreement: float
    jaccard: tuple[float, ...]


def bootstrap(z: Float64, labels: Int64, k: int, seed: int, draws: int = DRAWS) -> Stability:
    """How far the labels of z (customers, columns) are found again by other draws of the customers."""
    draw = np.random.default_rng(seed)
    drawn = [draw.integers(0, len(z), len(z)) for _ in range(draws)]

    def again(b: int) -> tuple[float, Float64]:
        found, _ = assign(z, fit(np.ascontiguousarray(z[drawn[b]]), k, seed + b, restarts=RESTARTS)[0])
        return adjusted_rand(labels, found), jaccard(labels, found, k).max(axis=1)

    found = list(on_all_cores(again, range(draws)))
    agreements, alike = [one[0] for one in found], np.array([one[1] for one in found])
    return Stability(float(np.mean(agreements)), tuple(map(float, alike.mean(axis=0))))


def jaccard(a: Int64, b: Int64, k: int) -> Float64:
    """Of segment i of a and segment j of b: customers in both over customers in either, (k, k).

    >>> jaccard(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).round(2).tolist()
    [[0.5, 0.33], [0.0, 0.5]]
    """
    both = np.zeros((k, k))
    np.add.at(both, (a, b), 1.0)
    either = both.sum(axis=1, keepdims=True) + both.sum(axis=0, keepdims=True) - both
    found: Float64 = np.divide(both, either, out=np.zeros_like(both), where=either > 0)
    return found


def between_months(months: Sequence[tuple[Float64, Float64]], k: int, seed: int) -> tuple[float, ...]:
    """Agreement of the segments that one month teaches with those that the next one does, on the next one's customers.

    months: (customers of the month, columns) of each, twice: in the scale of the month before, and in their own.
    """

    def taught(month: tuple[Float64, Float64]) -> Float64 | None:
        # As many starts as for the segments themselves: two bad fits of good months would disagree.
        return fit(month[1], k, seed, restarts=STARTS)[0] if len(month[1]) > k else None

    return tuple(
        adjusted_rand(assign(seen, before)[0], assign(own, now)[0])
        for (before, now), (seen, own) in zip(pairwise(on_all_cores(taught, months)), months[1:], strict=True)
        if before is not None and now is not None
    )
