"""The scale of the features: in what units a distance is measured, from a table of customers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stream_seg.core.model import Float64
from stream_seg.core.numerics import compiled, log

REACH = 20.0  # standard deviations of all the others beyond which a customer shapes no segment
MOVED, STRETCHED = 0.25, 0.2  # what a scale may drift: of a mean in standard deviations, of ln of a deviation


class Scaler(NamedTuple):
    """mean, scale (columns,): z = (x - mean) / scale. A scale of 0, where all are alike, leaves the column out."""

    mean: Float64
    scale: Float64

    def transform(self, x: Float64) -> Float64:
        """X (customers, columns) in units of the scale."""
        return np.ascontiguousarray((x - self.mean) * self.inverse)

    @property
    def inverse(self) -> Float64:
        """1 / scale; 0 where all are alike."""
        return np.divide(1.0, self.scale, out=np.zeros_like(self.scale), where=self.scale > 0)


@compiled
def _moments(x: Float64, kept: Float64, mean: Float64, scale: Float64) -> None:
    """Mean and standard deviation of the rows with ``kept[i] != 0``, column by column, safe up to 1e300."""
    n = 0
    for i in range(x.shape[0]):
        n += kept[i] != 0.0
    for f in range(x.shape[1]):
        most = 0.0
        for i in range(x.shape[0]):
            if kept[i] != 0.0:
                most = max(most, abs(x[i, f]))
        unit = most if most > 1e100 else 1.0
        total = 0.0
        for i in range(x.shape[0]):
            if kept[i] != 0.0:
                total += x[i, f] / unit
        center = total / n
        squares = 0.0
        for i in range(x.shape[0]):
            if kept[i] != 0.0:
                gap = x[i, f] / unit - center
                squares += gap * gap
        mean[f] = center * unit
        spread = np.sqrt(squares / n)
        # Rounding alone makes a constant column spread by some units in the last place.
        scale[f] = spread * unit if spread > 1e-12 * abs(center) else 0.0


def within_reach(x: Float64, scaler: Scaler) -> Float64:
    """The rows of x (customers, columns) that may shape segments: at most `REACH` deviations off in each column."""
    return x[(np.abs(scaler.transform(x)) <= REACH).all(axis=1)]


def scaler_of(x: Float64) -> Scaler:
    """The scale of a table (customers, columns), without the rows that are out of reach of all the others.

    A row widens the deviation that it is measured by: of n rows none is more than sqrt(n - 1) of it off. So what is
    asked is how far off it is in deviations of the n - 1 others, which comes to a limit for those of all n.

    >>> scaler = scaler_of(np.array([[1.0, 5.0], [3.0, 5.0]]))
    >>> scaler.mean.tolist(), scaler.scale.tolist()
    ([2.0, 5.0], [1.0, 0.0])
    """
    kept = np.ones(len(x))
    scaler = Scaler(np.zeros(x.shape[1]), np.zeros(x.shape[1]))
    while True:
        _moments(x, kept, scaler.mean, scaler.scale)
        n = kept.sum()
        limit = REACH * np.sqrt((n - 1.0) / (n + REACH * REACH))
        near = (np.abs(scaler.transform(x)) <= limit).all(axis=1) & (kept != 0)
        if near.sum() in (0, kept.sum()):
            return scaler
        kept = near.astype(np.float64)


def drifted(scaler: Scaler, new: Scaler) -> bool:
    """Whether the scale has moved so far that the old one would weigh features wrongly."""
    for mean, scale, new_mean, new_scale in zip(*scaler, *new, strict=True):
        if (scale > 0) != (new_scale > 0):
            return True
        if scale > 0 and (abs(new_mean - mean) > MOVED * scale or abs(log(new_scale / scale)) > STRETCHED):
            return True
    return False
