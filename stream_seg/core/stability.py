"""The population stability index (PSI): how differently two groups of customers spread over the same bins.

Without any change it is (B - 1)(1/n + 1/N) on average for B bins and n and N customers, which is taken off
(Yurdakul, 2018), so that a small group is no drift.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stream_seg.core.model import Float64
from stream_seg.core.numerics import log

BINS = 10
MODERATE, LARGE = 0.1, 0.25  # the usual reading of a PSI


def edges(values: Float64) -> list[float]:
    """The deciles of values, each once: upper edges of all bins but the last, which has none.

    >>> edges(np.arange(100.0))
    [9.0, 19.0, 29.0, 39.0, 49.0, 59.0, 69.0, 79.0, 89.0]
    >>> edges(np.array([0.0] * 95 + [1.0] * 5))
    [0.0]
    """
    if not len(values):
        return []
    in_order = np.sort(values)
    n = len(in_order)
    chosen = {float(in_order[(b * n + BINS - 1) // BINS - 1]) for b in range(1, BINS)}
    return sorted(chosen)


def binned(values: Float64, upper: Sequence[float]) -> list[int]:
    """How many values fall into each bin.

    >>> binned(np.array([0.0, 0.5, 1.0, 7.0]), [0.0, 1.0])
    [1, 2, 1]
    """
    found = np.searchsorted(np.array(upper, np.float64), values, side="left")
    counts: list[int] = np.bincount(found, minlength=len(upper) + 1).tolist()
    return counts


def added(histograms: Sequence[Sequence[int]]) -> list[int]:
    """Several histograms of the same bins as one.

    >>> added([[1, 2], [3, 4]])
    [4, 6]
    """
    return [sum(column) for column in zip(*histograms, strict=True)]


def psi(now: Sequence[int], before: Sequence[int]) -> float:
    """The index of two histograms less what chance alone gives, 0 at least.

    An empty bin counts as half a customer.

    >>> psi([500, 500], [500, 500]), round(psi([300, 700], [500, 500]), 2)
    (0.0, 0.17)
    """
    n, m = sum(now), sum(before)
    if n == 0 or m == 0:
        return 0.0
    total, bins = 0.0, 0
    for a, b in zip(now, before, strict=True):
        if a or b:
            p, q = max(a, 0.5) / n, max(b, 0.5) / m
            total += (p - q) * log(p / q)
            bins += 1
    return max(0.0, total - (bins - 1) * (1.0 / n + 1.0 / m))
