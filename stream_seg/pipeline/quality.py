"""What the models of one learner were worth, day by day: near the optimum, steady, without dead segments.

The optimum is a batch fit on the newest vector of each customer seen in the last 90 days, in the scale of these
vectors. Customers out of reach of all others (`stream_seg.core.scaling`) shape no segment and count in neither.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from stream_seg.core.decision import nearest_segments
from stream_seg.core.evaluation import adjusted_rand, inertia_of, optimum, settled, silhouette
from stream_seg.core.keyed import rescaled
from stream_seg.core.kmeans import assign
from stream_seg.core.model import Float64, Int64, ModelVersion
from stream_seg.core.scaling import REACH, Scaler, scaler_of
from stream_seg.pipeline.daily import Day, Space
from stream_seg.pipeline.training import fitted_of

WEEK = 7
MATURE = 90  # days after the first model
MATTERS = 0.1  # model scales by which a shift must move a mean
JUDGED = 1_000  # customers of whom the silhouette is taken: those with the smallest hashes
SEED = 11


@dataclass(frozen=True)
class Batch:
    """The customers of a day in their own scale, and the best segments for them.

    kept: who of the day is within reach, and so a row of z
    """

    scaler: Scaler
    kept: npt.NDArray[np.bool_]
    z: Float64
    centers: Float64
    inertia: float
    labels: Int64


class Optima:
    """Batch fits: each is made once, however many learners are compared with it."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self._made: dict[tuple[Any, ...], Batch | None] = {}
        self._through = 0
        self._last: dict[int, Float64] = {}

    def of(self, day: Day, k: int, model: ModelVersion) -> Batch | None:
        """The batch fit of k centres to a day's customers, clipped as `model` says. None: too few differ."""
        if day.through != self._through:
            self._made, self._through = {}, day.through
        low, high = model.clip_low, model.clip_high
        key = (id(day), k, low, high)
        if key not in self._made:
            x = np.clip(self.space.seen(day.raw), _limits(low, -np.inf), _limits(high, np.inf))
            self._made[key] = self._fit(x, k)
        return self._made[key]

    def _fit(self, x: Float64, k: int) -> Batch | None:
        if not len(x):
            return None
        scaler = scaler_of(x)
        z = scaler.transform(x)
        kept: npt.NDArray[np.bool_] = np.all(np.abs(z) <= REACH, axis=1)
        z = z[kept]
        if len(np.unique(z, axis=0)) <= k:
            return None
        # Of the same shop a week earlier: one more place to begin, whatever the scale was then.
        centers, inertia = optimum(z, k, SEED, [self._last[k]] if k in self._last else [])
        self._last[k] = centers
        return Batch(scaler, kept, z, centers, inertia, assign(z, centers)[0])


def _limits(clips: tuple[float | None, ...], none: float) -> Float64:
    return np.array([none if clip is None else clip for clip in clips])


def ratio(batch: Batch, model: ModelVersion) -> float:
    """The inertia of a published version over that of the batch fit; 1 is as good as it gets."""
    return assign(batch.z, centers_in(batch, model))[1] / batch.inertia


def centers_in(batch: Batch, model: ModelVersion) -> Float64:
    """The centres of a version, those of its segments that there are, in the scale of a batch fit."""
    return rescaled(fitted_of(model), batch.scaler).centers


@dataclass
class Course:
    """What one learner's models did from day to day. Take the figures whenever you like.

    k            segments that were asked for
    ratios, held  at each week's end: inertia over the optimum, by the nearest segment and by the one that customers
                 keep until another is nearer by the margin
    dead         segments that nobody was nearest to, summed over the weeks
    silhouettes  at each week's end: that of the model minus that of the batch fit
    agreement    at each week's end: adjusted Rand index of the model's segments with the batch fit's
    flips        of each day since the first model: (customers whose nearest segment changed, active customers)
    """

    optima: Optima
    k: int
    model: ModelVersion | None = None
    versions: int = 0
    ratios: list[float] = field(default_factory=list)
    held: list[float] = field(default_factory=list)
    dead: int = 0
    silhouettes: list[float] = field(default_factory=list)
    agreement: list[float] = field(default_factory=list)
    flips: list[tuple[int, int]] = field(default_factory=list)
    _who: Int64 = field(default_factory=lambda: np.empty(0, np.int64))
    _labels: Int64 = field(default_factory=lambda: np.empty(0, np.int64))

    @property
    def age(self) -> int:
        """Days since the first model."""
        return len(self.flips)

    def day(self, day: Day, model: ModelVersion | None) -> None:
        """Takes a day, and the model in force after it."""
        before, self.model = self.model, model
        if model is None or not len(day.hashes):
            return
        self.versions += before is not model
        if before is not None:
            self._count_flips(day, before, model)
        self._keep_labels(day, model)
        if day.number % WEEK == 0:
            self._weigh(day, model)

    def _count_flips(self, day: Day, before: ModelVersion, model: ModelVersion) -> None:
        active = day.raw[day.active]
        changed = 0
        if before is not model:
            changed = int(np.count_nonzero(self.nearest(active, before) != self.nearest(active, model)))
        self.flips.append((changed, len(active)))

    def nearest(self, raw: Float64, model: ModelVersion) -> Int64:
        """The number of the segment that each raw vector is nearest to."""
        space = self.optima.space
        return nearest_segments(space.arrays(model), 0, space.transformed(raw))

    def _keep_labels(self, day: Day, model: ModelVersion) -> None:
        """The labels that customers have, moved on by a day: once at its end, where LABEL also looks at every event."""
        labels = np.full(len(day.hashes), -1, np.int64)
        if len(self._who):
            at = np.minimum(np.searchsorted(self._who, day.hashes), len(self._who) - 1)
            known = self._who[at] == day.hashes
            labels[known] = self._labels[at[known]]
        space = self.optima.space
        self._who, self._labels = day.hashes, settled(space.arrays(model), space.transformed(day.raw), labels)

    def _weigh(self, day: Day, model: ModelVersion) -> None:
        batch = self.optima.of(day, self.k, model)
        if batch is None:
            return
        centers = centers_in(batch, model)
        labels, inertia = assign(batch.z, centers)
        self.ratios.append(inertia / batch.inertia)
        self.dead += len(centers) - len(np.unique(labels))
        self.agreement.append(adjusted_rand(labels, batch.labels))
        some = min(len(labels), JUDGED)
        most = max(len(centers), self.k)
        ours, theirs = (silhouette(batch.z[:some], found[:some], most) for found in (labels, batch.labels))
        self.silhouettes.append(ours - theirs)
        rows = np.full(model.k, -1)
        rows[list(model.alive)] = np.arange(len(model.alive))
        self.held.append(inertia_of(batch.z, centers, rows[self._labels[batch.kept]]) / batch.inertia)

    def figures(self) -> dict[str, float | int | None]:
        """The measures; None where there is nothing to measure."""
        mature = self.flips[MATURE:]
        return {
            "inertia_ratio_median": _quantile(self.ratios, 0.5),
            "inertia_ratio_p95": _quantile(self.ratios, 0.95),
            "inertia_ratio_with_margin": _quantile(self.held, 0.5),
            "dead_clusters": self.dead if self.ratios else None,
            "silhouette_minus_batch_min": min(self.silhouettes, default=None),
            "model_flips_per_1000": _per_1000(self.flips),
            "model_flips_per_1000_mature": _per_1000(mature),
            "ari_batch": _quantile(self.agreement, 0.5),
            "models": self.versions,
        }


def _quantile(values: list[float], q: float) -> float | None:
    return float(np.quantile(values, q)) if values else None


def _per_1000(flips: list[tuple[int, int]]) -> float | None:
    active = sum(count for _, count in flips)
    return 1_000 * sum(changed for changed, _ in flips) / active if active else None


def matters_in(space: Space, day: Day, model: ModelVersion) -> dict[str, int]:
    """Features whose mean a shift of x1.5 moves, and their columns of the raw vectors."""
    before, found = space.seen(day.raw).mean(axis=0), {}
    for f, (name, column) in enumerate(zip(space.names, space.columns, strict=True)):
        moved = space.seen(day.times(column, 1.5).raw).mean(axis=0)[f] - before[f]
        if abs(moved) >= MATTERS * model.scale[f] > 0.0:
            found[name] = column
    return found
