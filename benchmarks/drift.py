"""How soon drift is found and how often it is cried: ``python -m benchmarks.drift [set ...]`` prints JSON.

Real samples (`benchmarks.recording`), models refitted weekly and put in force when they are clearly better, and changes
injected from some day on. Every alarm on the samples as they are counts as a false one, whatever the shop really did.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.recording import SETS, Recording, recorded
from stream_seg.core.control_chart import HOLD
from stream_seg.core.definition import DAY
from stream_seg.core.drift import Detector, DriftMonitor
from stream_seg.core.findings import Finding
from stream_seg.core.kmeans import fit
from stream_seg.core.model import Float64, Int64
from stream_seg.core.quantisation import Centers, assign, scaled

TABLE = 5_000  # customers that a model is learned from: those with the smallest hashes
BETTER = 1.05  # a new model's inertia must be so many times smaller
WEEK = 7
AFTER = 60  # days from the first model to the first change that is injected
EVERY = 29  # days between those: every weekday gets its turn
PATIENCE = 14  # days for which a change is waited for
MATTERS = 0.1  # model scales by which x1.5 must move a feature's mean
SEED = 7
CHARTS = ("feature_share", "feature_mean", "feature_change", "quantisation_error", "outlier_mass")
ALARMS = (*CHARTS, "adwin", "page_hinkley", "kswin")
RIVER: tuple[Detector, ...] = ("adwin", "page_hinkley")  # KSWIN takes a second a day

Given = tuple[Float64, Int64, Float64]  # what a monitor observes: x, hashes, before


@dataclass(frozen=True)
class Published:
    """A model, in force after the day of its index, and the customers it is judged by."""

    version: int
    model: Centers
    reference: Float64


@dataclass
class Stage:
    """A recording day by day (active customers only), its models, and a monitor's state before each starting day."""

    recording: Recording
    days: list[int]
    raw: list[Float64]
    before: list[Float64]
    hashes: list[Int64]
    models: dict[int, Published]
    base: list[list[Finding]]
    states: dict[int, bytes]

    @property
    def first(self) -> int:
        """Index of the first day that is measured."""
        return min(self.models) + 1


def staged(recording: Recording, detector: Detector = "ewma", *, paired: bool = True) -> Stage:
    """Fits the models and runs a monitor over the samples as they are.

    `paired`: it is told what each customer's vector was a day earlier. Without that it sees what the days' means show,
    which is what a change that comes slowly is found by.
    """
    days = np.arange(recording.day.min(), recording.day.max() + 1)
    begin = np.searchsorted(recording.day, days)
    end = np.searchsorted(recording.day, days, side="right")
    parts = [np.arange(a, b)[recording.active[a:b]] for a, b in zip(begin, end, strict=True)]
    stage = Stage(
        recording, days.tolist(), [recording.raw[part] for part in parts], _before(recording, begin, end, parts),
        [recording.hash[part] for part in parts],
        _models(recording, begin, end, parts), [], {},
    )  # fmt: skip
    if not paired:
        stage.before = [np.full_like(before, np.nan) for before in stage.before]
    monitor = DriftMonitor(recording.names, detector)
    for i in range(len(days)):
        if i >= stage.first + AFTER and (i - stage.first - AFTER) % EVERY == 0 and i + PATIENCE <= len(days):
            stage.states[i] = monitor.dump()
        stage.base.append(_day(stage, monitor, i, *_as_is(stage, i)))
    return stage


def _before(recording: Recording, begin: Int64, end: Int64, parts: list[Int64]) -> list[Float64]:
    """The raw vectors of each day's active customers a day earlier; NaN where there is none."""
    found = []
    for i, part in enumerate(parts):
        raw = np.full((len(part), recording.raw.shape[1]), np.nan)
        if i:
            yesterday = recording.hash[begin[i - 1] : end[i - 1]]
            at = np.searchsorted(yesterday, recording.hash[part])
            known = yesterday[np.minimum(at, len(yesterday) - 1)] == recording.hash[part]
            raw[known] = recording.raw[begin[i - 1] + at[known]]
        found.append(raw)
    return found


def _as_is(stage: Stage, i: int) -> Given:
    seen = stage.recording.seen
    return seen(stage.raw[i]), stage.hashes[i], seen(stage.before[i])


def _day(stage: Stage, monitor: DriftMonitor, i: int, x: Float64, hashes: Int64, before: Float64) -> list[Finding]:
    findings = monitor.observe(stage.days[i], x, hashes, before)
    if i in stage.models:
        new = stage.models[i]
        monitor.adopt(new.version, new.model)
    return findings


def _models(recording: Recording, begin: Int64, end: Int64, parts: list[Int64]) -> dict[int, Published]:
    """Models as LEARN would publish them: index of the day -> model."""
    learning = recording.activation.definition.learning
    # While windows fill, everything drifts: nothing is watched until the longest is full.
    filled = max(feature.window or 0 for feature in recording.activation.definition.features)
    found: dict[int, Published] = {}
    current: Centers | None = None
    for i in range(WEEK - 1, len(begin), WEEK):
        rows = np.arange(begin[i], end[i])
        rows = rows[np.argsort(recording.hash[rows].astype(np.uint64))][:TABLE]
        if len(rows) < learning.warm_start or i * DAY < filled:
            continue
        x = recording.seen(recording.raw[rows])
        mean, scale = x.mean(axis=0), x.std(axis=0)
        z = scaled(x, mean, scale)
        centers, inertia = fit(z, learning.k, learning.seed)
        if current is not None:
            used = scale > 0
            moved = np.zeros_like(current.centers)
            moved[:, used] = ((current.centers * current.scale + current.mean - mean) / np.where(used, scale, 1))[
                :, used
            ]
            if assign(z, moved, scale)[1].sum() < BETTER * inertia:
                continue
        current = Centers(mean, scale, centers)
        lately = np.unique(np.concatenate([recording.hash[part] for part in parts[max(0, i - WEEK + 1) : i + 1]]))
        found[i] = Published(len(found) + 1, current, x[np.isin(recording.hash[rows], lately)])
    return found


# --- the bars


def false_alarms_per_30d(stage: Stage, metrics: tuple[str, ...] = ALARMS, apart: int = HOLD) -> float:
    """Alarms on the samples as they are, since charts can judge.

    `apart`: days within which further ones are the same incident (0: every day with a new alarm counts)
    """
    judged = stage.base[stage.first :]
    first = next((i for i, found in enumerate(judged) if any(f.deviation is not None for f in found)), 0)
    alarms, last = 0, -apart
    for i, found in enumerate(judged):
        if _raised(found, metrics):
            alarms += i - last >= apart
            last = i
    return 30.0 * alarms / max(1, len(judged) - first)


def _raised(findings: list[Finding], metrics: tuple[str, ...] = ALARMS) -> set[tuple[str, str]]:
    """New alarms of a day; what one grew into is not another one."""
    return {(f.metric, f.subject) for f in findings if f.new and f.severity != "none" and f.metric in metrics}


def drift_days(stage: Stage, factor: float) -> dict[str, Any]:
    """Days until a feature that is multiplied by `factor` from a day on raises an alarm that was not there without."""
    matters = _matters(stage)
    days = {name: [_days_until(stage, i, _scaled_by(stage, i, column, factor)) for i in stage.states]
            for name, column in matters.items()}  # fmt: skip
    told = [d for of_one in days.values() for d in of_one]
    return {
        "median": statistics.median(told), "worst": max(told), "trials": len(told),
        **{f"found_within_{most}": round(sum(d <= most for d in told) / len(told), 3) for most in (3, 7, PATIENCE)},
        "worst_by_feature": {name: max(of_one) for name, of_one in days.items()},
    }  # fmt: skip


def _matters(stage: Stage) -> dict[str, int]:
    """Features whose mean a shift of x1.5 moves, and their columns of the raw vectors."""
    recording = stage.recording
    raw = np.concatenate(stage.raw[stage.first :])
    scale = np.mean([new.model.scale for new in stage.models.values()], axis=0)
    before, found = recording.seen(raw).mean(axis=0), {}
    for f, column in enumerate(np.flatnonzero(recording.plan.distance).tolist()):
        shifted = raw.copy()
        shifted[:, column] *= 1.5
        if abs(recording.seen(shifted).mean(axis=0)[f] - before[f]) >= MATTERS * scale[f]:
            found[recording.names[f]] = column
    return found


def _scaled_by(stage: Stage, start: int, column: int, factor: float) -> Callable[[int], Given]:
    def day(i: int) -> Given:
        raw, before = stage.raw[i].copy(), stage.before[i].copy()
        raw[:, column] *= factor
        if i > start:
            before[:, column] *= factor
        return stage.recording.seen(raw), stage.hashes[i], stage.recording.seen(before)

    return day


def _days_until(stage: Stage, start: int, day: Callable[[int], Given]) -> int:
    for i, findings in _from(stage, start, day):
        if _raised(findings) - _raised(stage.base[i]):
            return i - start + 1
    return PATIENCE + 1


def _from(stage: Stage, start: int, day: Callable[[int], Given]) -> Iterator[tuple[int, list[Finding]]]:
    monitor = DriftMonitor.load(stage.states[start])
    for i in range(start, min(start + PATIENCE, len(stage.days))):
        yield i, _day(stage, monitor, i, *day(i))


def emergence(stage: Stage, share: float = 0.05, each: int = 10) -> dict[str, Any]:
    """Far groups of new customers, `each` of them for each starting day: how many are found, when, and how exactly."""
    delays, errors = [], []
    random = np.random.default_rng(SEED)
    for start in stage.states:
        for _ in range(each):
            trial = _Group(stage, start, share, random)
            for i, findings in _from(stage, start, trial.day):
                group = next((f.group for f in findings if f.metric == "emergence"), None)
                if group is not None:
                    delays.append(i - start + 1)
                    errors.append(trial.away(np.array(group.center)))
                    break
            else:
                delays.append(PATIENCE + 1)
    found = [d for d in delays if d <= PATIENCE]
    return {
        "emergence_found": len(found) / len(delays), "emergence_median_days": statistics.median(delays),
        "emergence_trials": len(delays),
        "emergence_center_error": round(statistics.median(errors), 2) if errors else None,
    }  # fmt: skip


class _Group:
    """New customers who are alike and twice as far from every centre as an outlier begins; they come as others do."""

    def __init__(self, stage: Stage, start: int, share: float, random: np.random.Generator) -> None:
        self.stage, self.share, self.random = stage, share, random
        new = stage.models[max(i for i in stage.models if i < start)]
        self.model = new.model
        z = scaled(new.reference, *new.model[:2])
        near, far = assign(z, new.model.centers, new.model.scale)
        spread = np.sqrt(((z - new.model.centers[near]) ** 2).mean(axis=0))
        way = np.where(new.model.scale > 0, random.normal(size=z.shape[1]), 0.0)
        length, reach = 1.0, 4.0 * np.quantile(far, 0.99)
        unit = way / np.sqrt((way * way).sum())
        while assign((length * unit)[None], new.model.centers, new.model.scale)[1][0] < reach:
            length += 0.25
        self.center: Float64 = length * unit
        pool = max(5, int(share / (1 - share) * len(new.reference)))
        self.people = self.center + random.normal(size=(pool, z.shape[1])) * spread
        self.hashes = random.integers(-(2**62), 2**62, pool)

    def day(self, i: int) -> Given:
        x, hashes, before = _as_is(self.stage, i)
        count = min(len(self.people), round(self.share / (1 - self.share) * len(x)))
        who = self.random.choice(len(self.people), count, replace=False)
        new = self.people[who] * self.model.scale + self.model.mean
        unknown = np.full_like(new, np.nan)
        return np.concatenate([x, new]), np.concatenate([hashes, self.hashes[who]]), np.concatenate([before, unknown])

    def away(self, center: Float64) -> float:
        used = self.model.scale > 0
        gap = ((center - self.model.mean)[used] / self.model.scale[used]) - self.center[used]
        return float(np.sqrt((gap * gap).sum()))


def figures(stage: Stage) -> dict[str, Any]:
    """All bars of one set."""
    by_metric = {metric: round(false_alarms_per_30d(stage, (metric,)), 3) for metric in CHARTS}
    return {
        "days": len(stage.days),
        "customers_a_day": round(statistics.median(len(raw) for raw in stage.raw[stage.first :])),
        "models": len(stage.models),
        "drift_false_alarms_per_30d": round(false_alarms_per_30d(stage), 3),
        "drift_alarm_days_per_30d": round(false_alarms_per_30d(stage, apart=0), 3),
        "by_metric": by_metric,
        "drift_1_5_days": drift_days(stage, 1.5),
        "drift_1_2_days": drift_days(stage, 1.2),
        **emergence(stage),
        "emergence_false_alarms_per_30d": round(false_alarms_per_30d(stage, ("emergence",)), 3),
    }


def alone(recording: Recording) -> dict[str, Any]:
    """What the charts of means find without the charts of changes, and how often river's detectors alarm."""
    stage = staged(recording, paired=False)
    return {
        "without_yesterday": {"drift_1_5_days": drift_days(stage, 1.5), "drift_1_2_days": drift_days(stage, 1.2)},
        "river_alarm_days_per_30d": {
            name: round(false_alarms_per_30d(staged(recording, name), (name,), apart=0), 2) for name in RIVER
        },
    }


if __name__ == "__main__":
    for name in sys.argv[1:] or SETS:
        samples = recorded(name)
        print(json.dumps({name: {**figures(staged(samples)), **alone(samples)}}), flush=True)
