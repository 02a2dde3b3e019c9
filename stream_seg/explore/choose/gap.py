"""The gap statistic: whether there is more structure than in a cloud of the same shape without any.

Tibshirani, Walther and Hastie (2001): the logarithm of the inertia of k segments, against its mean over reference
sets drawn evenly from the box around the customers, turned along their principal axes. Checked against the values of
R's ``clusGap`` (tests/explore/choose/test_gap.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from stream_seg.core.kmeans import fit
from stream_seg.core.model import Float64
from stream_seg.explore.threads import on_all_cores

REFERENCES = 20
RESTARTS = 10  # of a reference fit: a worse fit there than of the customers would make a gap of nothing


class Gap(NamedTuple):
    """For k = 1, 2 …: log inertia, its mean over the reference sets, the gap between them and its standard error."""

    logs: tuple[float, ...]
    expected: tuple[float, ...]
    gaps: tuple[float, ...]
    errors: tuple[float, ...]

    @property
    def best(self) -> int:
        """The smallest k whose gap is not beaten by the next one's by more than its standard error; 1: no segments.

        >>> Gap((0, 0, 0), (0, 0, 0), (0.2, 0.9, 0.8), (0.1, 0.1, 0.1)).best
        2
        """
        for i in range(len(self.gaps) - 1):
            if self.gaps[i] >= self.gaps[i + 1] - self.errors[i + 1]:
                return i + 1
        return len(self.gaps)


def gap_of(
    z: Float64,
    inertias: Sequence[float],
    seed: int,
    *,
    references: int = REFERENCES,
    told: Callable[[int, int], None] = lambda *_: None,
) -> Gap:
    """The gap for 1, 2 … segments of z (customers, columns), whose `inertias` were found before.

    `told(done, of)` hears of progress.
    """
    most = len(inertias)
    center = z.mean(axis=0)
    axes = np.linalg.svd(z - center, full_matrices=False)[2]
    turned = (z - center) @ axes.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    draw = np.random.default_rng(seed)
    logs = np.empty((references, most))
    clouds = (np.ascontiguousarray(draw.uniform(low, high, turned.shape) @ axes) for _ in range(references))
    for b, own_logs in enumerate(on_all_cores(lambda one: _logs(one[1], most, seed + one[0]), enumerate(clouds))):
        logs[b] = own_logs
        told(b + 1, references)
    own = tuple(_log(inertia) for inertia in inertias)
    mean, spread = logs.mean(axis=0), logs.std(axis=0)
    errors = spread * (1.0 + 1.0 / references) ** 0.5
    gaps = tuple(float(e) - o for e, o in zip(mean, own, strict=True))
    return Gap(own, tuple(map(float, mean)), gaps, tuple(map(float, errors)))


def _logs(cloud: Float64, most: int, seed: int) -> list[float]:
    return [_log(_inertia(cloud, k, seed)) for k in range(1, most + 1)]


def _inertia(z: Float64, k: int, seed: int) -> float:
    if k == 1:
        return float(((z - z.mean(axis=0)) ** 2).sum())
    return fit(z, k, seed, restarts=RESTARTS)[1]


def _log(inertia: float) -> float:
    """Of nothing left to explain, the logarithm of the least number there is."""
    return float(np.log(max(inertia, np.finfo(np.float64).tiny)))
