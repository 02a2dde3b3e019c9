"""Batch k-means, seeded and the same to the bit everywhere: how a learner gets its first centres.

k-means++ seeding (Arthur and Vassilvitskii, 2007) and Lloyd's iterations, over arrays, without a linear algebra
library whose sums differ between processors.
"""

from __future__ import annotations

import numpy as np

from stream_seg.core.model import Float64, Int64
from stream_seg.core.numerics import compiled, kernel

RESTARTS = 10
ITERATIONS = 100
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@kernel
def draw(state: Int64) -> float:
    """The next number in [0, 1) of a splitmix64 generator whose state is ``state[0]``."""
    state[0] = state[0] + np.int64(-7046029254386353131)
    z = np.uint64(state[0])
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return np.float64(z >> np.uint64(11)) / 9007199254740992.0


@kernel
def nearest(x: Float64, i: int, centers: Float64, k: int) -> tuple[int, float]:
    """The nearest of the first k centres to row i (lowest index on a tie), and the squared distance."""
    best, least = 0, np.inf
    for j in range(k):
        d = 0.0
        for f in range(x.shape[1]):
            gap = x[i, f] - centers[j, f]
            d += gap * gap
        if d < least:
            best, least = j, d
    return best, least


@compiled
def _seeded(x: Float64, k: int, state: Int64) -> Float64:
    """k-means++: each next centre is a row drawn with odds of its squared distance to the centres so far."""
    n = x.shape[0]
    centers = np.zeros((k, x.shape[1]))
    centers[0] = x[min(int(draw(state) * n), n - 1)]
    distance = np.empty(n)
    for j in range(1, k):
        total = 0.0
        for i in range(n):
            distance[i] = nearest(x, i, centers, j)[1]
            total += distance[i]
        target = draw(state) * total
        chosen = n - 1
        for i in range(n):
            target -= distance[i]
            if target < 0.0:
                chosen = i
                break
        centers[j] = x[chosen]
    return centers


@compiled
def lloyd(x: Float64, centers: Float64, iterations: int) -> tuple[Float64, float]:
    """Lloyd's iterations until nothing moves; an empty cluster takes the row farthest from its centre.

    Returns the centres (k, columns) and the inertia: the sum of squared distances to the nearest.
    """
    k = centers.shape[0]
    centers = centers.copy()
    distance = np.empty(x.shape[0])
    inertia = np.inf
    for _ in range(iterations):
        sums = np.zeros_like(centers)
        counts = np.zeros(k)
        total = 0.0
        for i in range(x.shape[0]):
            j, d = nearest(x, i, centers, k)
            distance[i] = d
            counts[j] += 1.0
            total += d
            for f in range(x.shape[1]):
                sums[j, f] += x[i, f]
        for j in range(k):
            if counts[j] > 0.0:
                for f in range(x.shape[1]):
                    centers[j, f] = sums[j, f] / counts[j]
            else:
                farthest = np.argmax(distance)
                centers[j] = x[farthest]
                distance[farthest] = 0.0  # a second empty cluster takes another row
        if not total < inertia:
            break
        inertia = total
    return centers, inertia


@compiled
def nearest_to(x: Float64, mean: Float64, inverse: Float64, centers: Float64) -> int:
    """The nearest of the centres, which are in units of a scale, to one vector x (columns,), which is not."""
    z = np.empty((1, x.shape[0]))
    for f in range(x.shape[0]):
        z[0, f] = (x[f] - mean[f]) * inverse[f]
    return nearest(z, 0, centers, centers.shape[0])[0]


@compiled
def assign(x: Float64, centers: Float64) -> tuple[Int64, float]:
    """The nearest centre of each row of x (lowest on a tie), (rows,), and the inertia."""
    found = np.empty(x.shape[0], np.int64)
    total = 0.0
    for i in range(x.shape[0]):
        found[i], d = nearest(x, i, centers, centers.shape[0])
        total += d
    return found, total


def fit(x: Float64, k: int, seed: int, restarts: int = RESTARTS) -> tuple[Float64, float]:
    """The best of several seeded fits of k centres to the rows of x (customers, columns): (centres, inertia).

    >>> x = np.array([[0.0], [0.1], [9.9], [10.0]])
    >>> centers, inertia = fit(x, 2, seed=1)
    >>> sorted(round(float(c), 2) for c in centers[:, 0]), round(inertia, 3)
    ([0.05, 9.95], 0.01)
    """
    state = np.array([seed], np.int64)
    with np.errstate(over="ignore"):  # the generator wraps around; compiled code does so without a word
        fits = [lloyd(x, _seeded(x, k, state), ITERATIONS) for _ in range(restarts)]
    return min(fits, key=lambda found: found[1])
