"""A model version: the immutable thing that labels customers, and its arrays for the fold.

Centres, scaler and quantile clips are one published unit: a scaler that moved under fixed centres would move labels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from stream_seg.errors import Damaged, Stop

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


class ModelVersion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One published version. Vectors are the columns of `columns`, after clip and log1p.

    centers      of segment 0, 1 …, in scaled space: z = (clamp(x, clip_low, clip_high) - mean) / scale; empty where
                 a segment of an earlier version is no more, since its number is never given to another
    mean, scale  of x, per column; a scale of 0 leaves the column out
    segments     the names of segments 0, 1 …; empty for those that are no more
    samples      customers it was learned from; trained_at: ms, the boundary it was learned at
    checksum     of everything else (`sealed`); `verify` raises when it does not hold
    """

    version: int
    tier: str
    feature_set_version: str
    learner: str
    columns: tuple[str, ...]
    centers: tuple[tuple[float, ...], ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    clip_low: tuple[float | None, ...]
    clip_high: tuple[float | None, ...]
    segments: tuple[str, ...]
    samples: int
    trained_at: int
    checksum: str = ""

    @property
    def k(self) -> int:
        """One more than the greatest number of a segment."""
        return len(self.centers)

    @property
    def alive(self) -> tuple[int, ...]:
        """The numbers of the segments that there are."""
        return tuple(number for number, center in enumerate(self.centers) if center)

    def sealed(self) -> ModelVersion:
        """The same version with its checksum."""
        return msgspec.structs.replace(self, checksum=self._digest())

    @property
    def intact(self) -> bool:
        """Whether its checksum holds."""
        return self.checksum == self._digest()

    def verify(self) -> ModelVersion:
        """Itself, or `Damaged` where a byte of it was changed or lost."""
        if not self.intact:
            raise Damaged(f"model version {self.version} does not match its checksum; what was in force stays")
        return self

    def _digest(self) -> str:
        bare = msgspec.structs.replace(self, checksum="")
        return hashlib.sha256(msgspec.json.encode(bare, order="sorted")).hexdigest()


class ModelArrays(NamedTuple):
    """The models in use, one row per activation (a), over the columns of the current plan (f); centres (a, f, k).

    An activation has a row for each tier, ``all`` first: tier is the `tier_key`. number: activation numbers; first and
    k: the lowest segment and one past the highest (k is 0 without a model); absent (a, k): infinite where a segment is
    no more or of another tier, else 0.
    """

    number: Int64
    tier: Int64
    first: Int64
    k: Int64
    version: Int64
    dwell: Int64
    margin: Float64
    mean: Float64
    inverse: Float64
    low: Float64
    high: Float64
    absent: Float64
    centers: Float64


class InForce(NamedTuple):
    """What one activation lays down about labelling the customers of a tier (`tier_key`)."""

    number: int
    model: ModelVersion | None
    margin: float
    dwell: int
    tier: int = 0


def model_arrays(activations: Sequence[InForce], columns: Sequence[str]) -> ModelArrays:
    """The arrays for the fold. Raises `Stop` when a model needs a column that the plan does not have."""
    a, f = len(activations), len(columns)
    most = max((x.model.k for x in activations if x.model), default=1)
    arrays = ModelArrays(
        number=np.array([x.number for x in activations], np.int64),
        tier=np.array([x.tier for x in activations], np.int64),
        first=np.array([min(x.model.alive, default=0) if x.model else 0 for x in activations], np.int64),
        k=np.array([x.model.k if x.model else 0 for x in activations], np.int64),
        version=np.array([x.model.version if x.model else 0 for x in activations], np.int64),
        dwell=np.array([x.dwell for x in activations], np.int64),
        margin=np.array([x.margin for x in activations], np.float64),
        mean=np.zeros((a, f)),
        inverse=np.zeros((a, f)),
        low=np.full((a, f), -np.inf),
        high=np.full((a, f), np.inf),
        absent=np.zeros((a, most)),
        centers=np.zeros((a, f, most)),
    )
    at = {name: i for i, name in enumerate(columns)}
    for row, x in enumerate(activations):
        if x.model is None:
            continue
        arrays.absent[row, [j for j in range(x.model.k) if j not in x.model.alive]] = np.inf
        missing = [name for name in x.model.columns if name not in at]
        if missing:
            raise Stop(f"model version {x.model.version} needs columns that are not computed: {', '.join(missing)}")
        for i, name in enumerate(x.model.columns):
            f = at[name]
            low, high, scale = x.model.clip_low[i], x.model.clip_high[i], x.model.scale[i]
            arrays.mean[row, f] = x.model.mean[i]
            arrays.inverse[row, f] = 1.0 / scale if scale > 0 else 0.0
            arrays.low[row, f] = -np.inf if low is None else low
            arrays.high[row, f] = np.inf if high is None else high
            for j in x.model.alive:
                arrays.centers[row, f, j] = x.model.centers[j][i] if scale > 0 else 0.0
    return arrays
