"""Days to try drift detection on: real ones, with the models that were in force, and what the monitor said of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from stream_seg.core.definition import DAY
from stream_seg.core.drift import Detector, DriftMonitor
from stream_seg.core.findings import Finding
from stream_seg.core.model import Float64, Int64, ModelVersion
from stream_seg.core.quantisation import Centers
from stream_seg.pipeline.daily import Day, Space

TABLE = 5_000  # customers that tell what is usual where a group is made up: those with the smallest hashes
WEEK = 7 * DAY
AFTER = 60  # days from the first model to the first change that is injected
EVERY = 29  # days between those: every weekday gets its turn
PATIENCE = 14  # days for which a change is waited for

Given = tuple[Float64, Int64, Float64]  # what a monitor observes: x, hashes, before
Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Published:
    """A model, in force after the day of its index, and the customers it is judged by."""

    version: int
    model: Centers
    reference: Float64


@dataclass
class Stage:
    """Days one after the other: of each its active customers alone, so that many fit into memory.

    raw, before  (customers, columns) in real units, on the day and a day earlier; NaN where that is not known
    models       index of the day -> the model that came into force at its end
    base         what the monitor said of each day as it was; states: what it knew before a day on which a change begins
    """

    space: Space
    days: list[int] = field(default_factory=list)
    raw: list[Float32] = field(default_factory=list)
    before: list[Float32] = field(default_factory=list)
    hashes: list[Int64] = field(default_factory=list)
    models: dict[int, Published] = field(default_factory=dict)
    base: list[list[Finding]] = field(default_factory=list)
    states: dict[int, bytes] = field(default_factory=dict)

    @property
    def first(self) -> int:
        """Index of the first day that is measured; as many as there are days where no model came."""
        return min(self.models, default=len(self.days) - 1) + 1

    def add(self, today: Day, yesterday: Day | None) -> None:
        """Takes the next day."""
        active = today.where(today.active)
        self.days.append(today.number)
        self.raw.append(active.raw.astype(np.float32))
        self.hashes.append(active.hashes)
        self.before.append(_before(active, yesterday).astype(np.float32))

    def publish(self, version: int, model: Centers, today: Day) -> None:
        """A model comes into force at the end of the newest day."""
        table = np.argsort(today.hashes.astype(np.uint64))[:TABLE]
        lately = table[today.silence[table] < WEEK]
        self.models[len(self.days) - 1] = Published(version, model, self.space.seen(today.raw[lately]))

    def run(self, detector: Detector = "ewma") -> None:
        """Lets a monitor watch the days as they are."""
        self.base, self.states = [], {}
        monitor = DriftMonitor(self.space.names, detector)
        for i in range(len(self.days)):
            if i >= self.first + AFTER and (i - self.first - AFTER) % EVERY == 0 and i + PATIENCE <= len(self.days):
                self.states[i] = monitor.dump()
            self.base.append(self._day(monitor, i, *self.as_is(i)))

    def as_is(self, i: int) -> Given:
        """A day without any change."""
        return self.seen(self.raw[i]), self.hashes[i], self.seen(self.before[i])

    def seen(self, raw: npt.NDArray[np.floating]) -> Float64:
        """Raw vectors as a model sees them."""
        return self.space.seen(raw.astype(np.float64))

    def scaled_by(self, start: int, column: int, factor: float, i: int) -> Given:
        """Day i, had one raw column been `factor` times as much from day `start` on."""
        raw, before = self.raw[i].copy(), self.before[i].copy()
        raw[:, column] *= factor
        if i > start:
            before[:, column] *= factor
        return self.seen(raw), self.hashes[i], self.seen(before)

    def monitor(self, start: int) -> DriftMonitor:
        """As it was before a day on which a change begins."""
        return DriftMonitor.load(self.states[start])

    def changed(self, start: int) -> Iterator[int]:
        """The days for which a change that begins at `start` is waited for."""
        yield from range(start, min(start + PATIENCE, len(self.days)))

    def _day(self, monitor: DriftMonitor, i: int, x: Float64, hashes: Int64, before: Float64) -> list[Finding]:
        findings = monitor.observe(self.days[i], x, hashes, before)
        if i in self.models:
            monitor.adopt(self.models[i].version, self.models[i].model)
        return findings

    def observe(self, monitor: DriftMonitor, i: int, given: Given) -> list[Finding]:
        """What a monitor says of a day."""
        return self._day(monitor, i, *given)


def _before(active: Day, yesterday: Day | None) -> Float64:
    """The raw vectors of the same customers a day earlier; NaN where there is none."""
    raw = np.full(active.raw.shape, np.nan)
    if yesterday is not None and len(yesterday.hashes) and len(active.hashes):
        at = np.minimum(np.searchsorted(yesterday.hashes, active.hashes), len(yesterday.hashes) - 1)
        known = yesterday.hashes[at] == active.hashes
        raw[known] = yesterday.raw[at[known]]
    return raw


def centers_of(model: ModelVersion) -> Centers:
    """A published version as drift measures with it: NaN where a segment is no more."""
    centers = np.full((model.k, len(model.columns)), np.nan)
    for number in model.alive:
        centers[number] = model.centers[number]
    return Centers(np.array(model.mean), np.array(model.scale), centers)
