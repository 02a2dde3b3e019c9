"""How soon drift is found and how often it is cried: changes injected into a `Stage`, and alarms without any.

Every alarm on the days as they are counts as a false one, whatever the shop really did.
"""

from __future__ import annotations

import statistics
from typing import Any

import numpy as np

from stream_seg.core.control_chart import HOLD
from stream_seg.core.findings import Finding
from stream_seg.core.model import Float64
from stream_seg.core.quantisation import assign, scaled
from stream_seg.pipeline.drift_stage import PATIENCE, Given, Stage

MATTERS = 0.1  # model scales by which x1.5 must move a feature's mean
SEED = 7
CHARTS = ("feature_share", "feature_mean", "feature_change", "quantisation_error", "outlier_mass")
ALARMS = (*CHARTS, "adwin", "page_hinkley", "kswin")


def judged_days(stage: Stage) -> int:
    """Days since charts can judge."""
    return len(stage.base) - _first_judged(stage)


def _first_judged(stage: Stage) -> int:
    days = range(stage.first, len(stage.base))
    return next((i for i in days if any(f.deviation is not None for f in stage.base[i])), len(stage.base))


def false_alarms_per_30d(stage: Stage, metrics: tuple[str, ...] = ALARMS, apart: int = HOLD) -> float:
    """Alarms on the days as they are, since charts can judge.

    `apart`: days within which further ones are the same incident (0: every day with a new alarm counts)
    """
    alarms, last = 0, -apart
    for i in range(stage.first, len(stage.base)):
        if raised(stage.base[i], metrics):
            alarms += i - last >= apart
            last = i
    return 30.0 * alarms / max(1, judged_days(stage))


def raised(findings: list[Finding], metrics: tuple[str, ...] = ALARMS) -> set[tuple[str, str]]:
    """New alarms of a day; what one grew into is not another one."""
    return {(f.metric, f.subject) for f in findings if f.new and f.severity != "none" and f.metric in metrics}


def drift_days(stage: Stage, factor: float) -> dict[str, Any]:
    """Days until a feature that is multiplied by `factor` from a day on raises an alarm that was not there without."""
    days = {
        name: [_days_until(stage, start, column, factor) for start in stage.states]
        for name, column in matters(stage).items()
    }
    told = [d for of_one in days.values() for d in of_one]
    if not told:
        return {"median": None, "worst": None, "trials": 0}
    return {
        "median": statistics.median(told), "worst": max(told), "trials": len(told),
        **{f"found_within_{most}": round(sum(d <= most for d in told) / len(told), 3) for most in (3, 7, PATIENCE)},
        "worst_by_feature": {name: max(of_one) for name, of_one in days.items()},
    }  # fmt: skip


def matters(stage: Stage) -> dict[str, int]:
    """Features whose mean a shift of x1.5 moves, and their columns of the raw vectors."""
    raw = np.concatenate(stage.raw[stage.first :]).astype(np.float64)
    scale = np.mean([new.model.scale for new in stage.models.values()], axis=0)
    before, found = stage.seen(raw).mean(axis=0), {}
    for f, (name, column) in enumerate(zip(stage.space.names, stage.space.columns, strict=True)):
        shifted = raw.copy()
        shifted[:, column] *= 1.5
        if abs(stage.seen(shifted).mean(axis=0)[f] - before[f]) >= MATTERS * scale[f]:
            found[name] = column
    return found


def _days_until(stage: Stage, start: int, column: int, factor: float) -> int:
    monitor = stage.monitor(start)
    for i in stage.changed(start):
        if raised(stage.observe(monitor, i, stage.scaled_by(start, column, factor, i))) - raised(stage.base[i]):
            return i - start + 1
    return PATIENCE + 1


def emergence(stage: Stage, share: float = 0.05, each: int = 10) -> dict[str, Any]:
    """Far groups of new customers, `each` of them for each starting day: how many are found, when, and how exactly."""
    delays, errors = [], []
    random = np.random.default_rng(SEED)
    for start in stage.states:
        for _ in range(each):
            delay, error = _found(stage, start, _Group(stage, start, share, random))
            delays.append(delay)
            errors += [] if error is None else [error]
    found = [d for d in delays if d <= PATIENCE]
    return {
        "emergence_found": len(found) / len(delays), "emergence_median_days": statistics.median(delays),
        "emergence_trials": len(delays),
        "emergence_center_error": round(statistics.median(errors), 2) if errors else None,
    }  # fmt: skip


def _found(stage: Stage, start: int, group: _Group) -> tuple[int, float | None]:
    monitor = stage.monitor(start)
    for i in stage.changed(start):
        findings = stage.observe(monitor, i, group.day(i))
        found = next((f.group for f in findings if f.metric == "emergence"), None)
        if found is not None:
            return i - start + 1, group.away(np.array(found.center))
    return PATIENCE + 1, None


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
        """A day with these among the others."""
        x, hashes, before = self.stage.as_is(i)
        count = min(len(self.people), round(self.share / (1 - self.share) * len(x)))
        who = self.random.choice(len(self.people), count, replace=False)
        new = self.people[who] * self.model.scale + self.model.mean
        unknown = np.full_like(new, np.nan)
        return np.concatenate([x, new]), np.concatenate([hashes, self.hashes[who]]), np.concatenate([before, unknown])

    def away(self, center: Float64) -> float:
        """How far from the group a found centre lies, in model scales."""
        used = self.model.scale > 0
        gap = ((center - self.model.mean)[used] / self.model.scale[used]) - self.center[used]
        return float(np.sqrt((gap * gap).sum()))
