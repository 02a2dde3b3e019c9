"""How good segments are: measures over vectors, labels and centres, whichever learner they come from. Pure.

Vectors are a day's customers in one scale: z (customers, columns). The measure of everything is what a batch fit finds
for the same customers with many starts, as somebody would who had all of them at hand.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stream_seg.core.decision import distances
from stream_seg.core.kmeans import ITERATIONS, assign, fit, lloyd
from stream_seg.core.model import Float64, Int64, ModelArrays
from stream_seg.core.numerics import compiled

STARTS = 20  # of the batch fit; k-means++ starts as many, and as good, as scikit-learn's n_init=10


def optimum(z: Float64, k: int, seed: int, near: Sequence[Float64] = ()) -> tuple[Float64, float]:
    """The best that a batch fit finds for the rows of z: (centres (k, columns), inertia).

    `near`: centres to begin from as well; those of the same customers a week before are a good start.

    >>> z = np.array([[0.0], [0.2], [5.0], [5.2]])
    >>> centers, inertia = optimum(z, 2, seed=1, near=[np.array([[1.0], [4.0]])])
    >>> sorted(round(float(c), 2) for c in centers[:, 0]), round(inertia, 2)
    ([0.1, 5.1], 0.04)
    """
    found = [fit(z, k, seed, restarts=STARTS)[0], *(lloyd(z, start, ITERATIONS)[0] for start in near)]
    fits = [(centers, assign(z, centers)[1]) for centers in found]
    return min(fits, key=lambda one: one[1])


def inertia_of(z: Float64, centers: Float64, labels: Int64) -> float:
    """Sum of squared distances of the rows of z to the centres that they are labelled with.

    >>> inertia_of(np.array([[0.0], [3.0]]), np.array([[1.0], [3.0]]), np.array([0, 0]))
    5.0
    """
    gaps = z - centers[labels]
    return float((gaps * gaps).sum())


def adjusted_rand(a: Int64, b: Int64) -> float:
    """How far two labellings of the same customers agree, whatever the segments are called: 1 wholly, 0 by chance.

    Hubert and Arabie (1985). Where both put everybody together they agree.

    >>> adjusted_rand(np.array([0, 0, 1, 1]), np.array([5, 5, 2, 2]))
    1.0
    >>> round(adjusted_rand(np.array([0, 0, 1, 2]), np.array([0, 0, 1, 1])), 2)
    0.57
    """
    _, rows = np.unique(a, return_inverse=True)
    _, columns = np.unique(b, return_inverse=True)
    table = np.zeros((int(rows.max(initial=0)) + 1, int(columns.max(initial=0)) + 1))
    np.add.at(table, (rows, columns), 1.0)
    both, of_a, of_b, all_ = _pairs(table), _pairs(table.sum(axis=1)), _pairs(table.sum(axis=0)), _pairs(table.sum())
    by_chance = of_a * of_b / all_ if all_ else 0.0
    most = (of_a + of_b) / 2.0
    return 1.0 if most == by_chance else (both - by_chance) / (most - by_chance)


def _pairs(counts: Float64) -> float:
    return float((counts * (counts - 1.0) / 2.0).sum())


@compiled
def silhouette(z: Float64, labels: Int64, k: int) -> float:
    """The mean silhouette of the rows of z, labelled 0 … k - 1: near 1 apart, below 0 mixed up. Takes n² distances.

    Rousseeuw (1987). Who is alone in a segment counts 0, and so does everybody where there is only one.

    >>> z = np.array([[0.0], [1.0], [9.0], [10.0]])
    >>> round(silhouette(z, np.array([0, 0, 1, 1]), 2), 3)
    0.889
    """
    n = z.shape[0]
    counts = np.zeros(k)
    for i in range(n):
        counts[labels[i]] += 1.0
    total = 0.0
    sums = np.empty(k)
    for i in range(n):
        own = labels[i]
        if counts[own] < 2.0:
            continue
        sums[:] = 0.0
        for j in range(n):
            d = 0.0
            for f in range(z.shape[1]):
                gap = z[i, f] - z[j, f]
                d += gap * gap
            sums[labels[j]] += np.sqrt(d)
        inside = sums[own] / (counts[own] - 1.0)
        outside = np.inf
        for j in range(k):
            if j != own and counts[j] > 0.0:
                outside = min(outside, sums[j] / counts[j])
        most = max(inside, outside)
        if outside < np.inf and most > 0.0:
            total += (outside - inside) / most
    return total / n


@compiled
def settled(models: ModelArrays, x: Float64, labels: Int64) -> Int64:
    """Labels after one look at each row of x under the first model; `labels` are those before, -1: none.

    As LABEL decides without a dwell: to the nearest where there is no segment (any more), else only where it is nearer
    by the margin.
    """
    found = np.empty_like(labels)
    d = np.empty(models.centers.shape[2])
    for i in range(x.shape[0]):
        best = distances(models, 0, x[i], d)
        own = labels[i]
        gone = own < 0 or own >= models.k[0] or models.absent[0, own] != 0.0
        found[i] = best if gone or d[best] < (1.0 - models.margin[0]) * d[own] else own
    return found
