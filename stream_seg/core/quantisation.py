"""How well centres stand for customers: who is nearest to which, how far, and how far is far. Compiled.

Centres, mean and scale are a published model's, as plain arrays. Sums run row by row, so the order of the rows is part
of the input and the bits are the same everywhere.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stream_seg.core.model import Float64, Int64
from stream_seg.core.numerics import compiled, log

FAR = 0.99  # quantile of a segment's squared distances beyond which a customer is an outlier
OWN = 100  # customers of a segment that make a quantile of its own; with fewer it is that of all
BLUR = 0.01  # added to a squared distance before its logarithm: nearer than that is no nearer


class Centers(NamedTuple):
    """A model's arrays: z = (x - mean) / scale, (columns,); centers (k, columns) in z.

    A scale of 0 leaves a column out. A centre whose row is NaN is absent: nobody belongs to it.
    """

    mean: Float64
    scale: Float64
    centers: Float64


@compiled
def scaled(x: Float64, mean: Float64, scale: Float64) -> Float64:
    """X (customers, columns) as the model measures distances; 0 in a column that it leaves out.

    >>> scaled(np.array([[3.0, 8.0]]), np.array([1.0, 1.0]), np.array([2.0, 0.0])).tolist()
    [[1.0, 0.0]]
    """
    z = np.zeros_like(x)
    for i in range(x.shape[0]):
        for f in range(x.shape[1]):
            if scale[f] > 0.0:
                z[i, f] = (x[i, f] - mean[f]) / scale[f]
    return z


@compiled
def assign(z: Float64, centers: Float64, scale: Float64) -> tuple[Int64, Float64]:
    """The nearest centre of each row of z (the lowest number on a tie) and the squared distance to it.

    >>> near, far = assign(np.array([[1.0], [9.0]]), np.array([[np.nan], [0.0], [8.0]]), np.ones(1))
    >>> near.tolist(), far.tolist()
    ([1, 2], [1.0, 1.0])
    """
    near = np.zeros(z.shape[0], np.int64)
    far = np.full(z.shape[0], np.inf)
    for i in range(z.shape[0]):
        for j in range(centers.shape[0]):
            d = 0.0
            for f in range(z.shape[1]):
                if scale[f] > 0.0:
                    gap = z[i, f] - centers[j, f]
                    d += gap * gap
            if d < far[i]:  # never with NaN
                near[i], far[i] = j, d
    return near, far


@compiled
def total(values: Float64) -> float:
    """The sum in order of the rows; numpy's order depends on the processor.

    >>> total(np.array([1.0, 2.0, 4.0]))
    7.0
    """
    added = 0.0
    for value in values:
        added += value
    return added


@compiled
def log_sum(far: Float64) -> float:
    """The sum of the logarithms of squared distances.

    >>> log_sum(np.array([0.99])), log_sum(np.empty(0))
    (0.0, 0.0)
    """
    total = 0.0
    for d in far:
        total += log(d + BLUR)
    return total


@compiled
def member_sums(z: Float64, near: Int64, k: int) -> tuple[Int64, Float64]:
    """Customers of each of k segments, and the sums of their z, (k, columns).

    >>> counts, sums = member_sums(np.array([[1.0], [2.0], [5.0]]), np.array([1, 1, 0]), 2)
    >>> counts.tolist(), sums.tolist()
    ([1, 2], [[5.0], [3.0]])
    """
    counts = np.zeros(k, np.int64)
    sums = np.zeros((k, z.shape[1]))
    for i in range(z.shape[0]):
        counts[near[i]] += 1
        for f in range(z.shape[1]):
            sums[near[i], f] += z[i, f]
    return counts, sums


def radii(near: Int64, far: Float64, k: int) -> Float64:
    """The squared distance, (k,), beyond which a customer is an outlier of its segment.

    >>> radii(np.zeros(200, np.int64), np.arange(200.0), 2).tolist()
    [197.0, 197.0]
    """
    limits = np.full(k, _quantile(far))
    for j in range(k):
        own = far[near == j]
        if len(own) >= OWN:
            limits[j] = _quantile(own)
    return limits


def _quantile(values: Float64) -> float:
    """An order statistic: no interpolation, whose last bit might differ."""
    return float(np.sort(values)[int(FAR * (len(values) - 1))])
