"""Where customers and segments stand among everybody, as one model in use sees it: in standard deviations."""

from __future__ import annotations

import numpy as np

from stream_seg.core.activation import Activation
from stream_seg.core.engine import Engine
from stream_seg.core.model import Float64
from stream_seg.core.views import ACTIVITY
from stream_seg.pipeline.queries import scaled

MOST = 3.0  # standard deviations that one feature counts at most: one heavy tail is not a whole customer


class Standings:
    """One row of the model arrays, which is that of `activation`.

    used      (columns,) bool: the model knows how everybody stands in this column
    activity  column -> +1 or -1: what it says about how active a customer is
    trends    columns that compare a customer with itself
    """

    def __init__(self, engine: Engine, row: int, activation: Activation) -> None:
        self._engine = engine
        self.row = row
        self.activation = activation
        self.used = engine.models.inverse[row] != 0.0
        known = [
            (f, column.feature)
            for f, column in enumerate(engine.plan.columns)
            if self.used[f] and column.feature.role == "feature" and column.feature.encode is None
        ]
        self.activity = {f: ACTIVITY[feature.aggregate] for f, feature in known if feature.aggregate in ACTIVITY}
        self.trends = {f: 1 for f, feature in known if feature.aggregate == "trend"}

    def of(self, x: Float64) -> Float64:
        """How each column stands, for values after clip and log1p; 0 where the model does not use it."""
        return scaled(self._engine, self.row, x)

    def centre(self, segment: int) -> Float64 | None:
        """How the typical customer of a segment stands; None where the model has no such segment (any more)."""
        model = self.activation.model
        if model is None or not 0 <= segment < model.k or not model.centers[segment]:
            return None
        centre: Float64 = self._engine.models.centers[self.row, :, segment]
        return centre

    def real(self, f: int, z: float) -> float:
        """A standing in column f, back in the feature's own unit.

        With ``log1p``, 0 is the mean of the logarithms brought back: nearer the typical customer than the plain mean.
        """
        models = self._engine.models
        x = z / float(models.inverse[self.row, f]) + float(models.mean[self.row, f])
        if self._engine.plan.columns[f].feature.log1p:
            x = float(np.sign(x) * np.expm1(abs(x)))
        return x


def parts_of(z: Float64, signs: dict[int, int]) -> dict[int, float]:
    """What each of these columns adds to their mean.

    >>> parts_of(np.array([1.0, 9.0, 0.5]), {0: 1, 1: -1})
    {0: 0.5, 1: -1.5}
    """
    return {f: sign * min(max(float(z[f]), -MOST), MOST) / len(signs) for f, sign in signs.items()}


def mean_of(z: Float64, signs: dict[int, int]) -> float | None:
    """The mean standing over some columns; None where there are none."""
    return sum(parts_of(z, signs).values()) if signs else None
