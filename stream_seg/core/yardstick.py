"""The model in force as a yardstick: what it says of some customers, and who is far from every centre of it."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from stream_seg.core.model import Float64, Int64
from stream_seg.core.quantisation import Centers, assign, radii, scaled


class Measured(NamedTuple):
    """Some customers under a yardstick: z, nearest segments, squared distances, whether they are beyond the radius."""

    z: Float64
    near: Int64
    far: Float64
    beyond: npt.NDArray[np.bool_]


class Yardstick(msgspec.Struct, frozen=True):
    """A model version and its arrays (absent centres: empty rows), and the squared radii of its segments.

    Without radii nobody is beyond them.

    >>> yardstick = yardstick_of(1, Centers(np.zeros(1), np.ones(1), np.array([[0.0], [np.nan]])))
    >>> yardstick.centers, yardstick.calibrated(np.array([[1.0], [2.0]])).radii
    ([[0.0], []], [1.0, 1.0])
    """

    version: int
    mean: list[float]
    scale: list[float]
    centers: list[list[float]]
    radii: list[float] = []

    def measure(self, x: Float64) -> Measured:
        """What it says of x (customers, columns)."""
        missing = [np.nan] * len(self.mean)
        scale = np.array(self.scale)
        centers = np.array([row or missing for row in self.centers])
        z = scaled(x, np.array(self.mean), scale)
        near, far = assign(z, centers, scale)
        limits = np.array(self.radii or [np.inf] * len(centers))
        return Measured(z, near, far, far > limits[near])

    def calibrated(self, x: Float64) -> Yardstick:
        """With the radii that these customers give."""
        found = self.measure(x)
        return msgspec.structs.replace(self, radii=radii(found.near, found.far, len(self.centers)).tolist())


def yardstick_of(version: int, model: Centers) -> Yardstick:
    """A yardstick without radii."""
    centers = [[] if np.isnan(row).any() else row.tolist() for row in model.centers]
    return Yardstick(version, model.mean.tolist(), model.scale.tolist(), centers)
