"""How much customers move: by what they do, under a version that stays as it is; and because a learner goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from stream_seg.core.clustering import Clusterer, learner
from stream_seg.core.definition import Learning
from stream_seg.core.evaluation import settled
from stream_seg.core.keyed import Fitted
from stream_seg.core.kmeans import assign
from stream_seg.core.lineage import lineage
from stream_seg.core.model import Float64, Int64, ModelArrays
from stream_seg.core.operation import UNLIMITED, Limits, limits_of
from stream_seg.core.plan import Column
from stream_seg.pipeline.daily import Day, Space
from stream_seg.pipeline.training import begins, refit_due, worth_publishing

T = TypeVar("T", bound=np.generic)
MONTH = 30
WEEK = 7


def monthly_moves(days: Sequence[Day], space: Space, models: ModelArrays) -> float | None:
    """The share of the customers who are in another segment at some time within 30 days, on average over the months.

    Looked at once a day, where LABEL looks at every event: who goes and comes back within a day is not seen. None:
    there are less than 30 days.
    """
    shares: list[float] = []
    known, labels, moved = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.bool_)
    since = 0
    for day in days:
        before, were = _carried(known, labels, day.hashes, -1), _carried(known, moved, day.hashes, False)  # noqa: FBT003 — a value to fill with
        now = settled(models, space.transformed(day.raw), before)
        moved = were | ((before >= 0) & (now != before))
        known, labels = day.hashes, now
        if since == MONTH:
            shares.append(float(moved.mean()) if len(moved) else 0.0)
            moved, since = np.zeros_like(moved), 0
        since += 1
    return float(np.mean(shares)) if shares else None


def _carried(known: Int64, values: npt.NDArray[T], wanted: Int64, otherwise: object) -> npt.NDArray[T]:
    """What is known of those who are wanted; both in order."""
    found = np.full(len(wanted), otherwise, values.dtype)
    if len(known):
        at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        same = known[at] == wanted
        found[same] = values[at[same]]
    return found


class Flips(NamedTuple):
    """What the live learner did to labels that the customers did nothing to.

    rate     of 1,000 active customers a day, those whose nearest segment a new version changed
    weeks    the same, week by week
    versions how many came into force
    """

    rate: float
    weeks: tuple[float, ...]
    versions: int


class _Version(NamedTuple):
    """Segments in force: the clips under which they were learned, the number of each row, and since when (ms)."""

    fitted: Fitted
    limits: Limits
    numbers: Int64
    since: int

    def nearest(self, x: Float64) -> Int64:
        """The number of the segment that each row is nearest to."""
        return self.numbers[assign(self.fitted.scaler.transform(self.limits.clip(x)), self.fitted.centers)[0]]


def learner_flips(
    days: Sequence[Day], x: Sequence[Float64], columns: Sequence[Column], rules: Learning, every: int
) -> Flips | None:
    """The live learner over these days by LEARN's own rules, from nothing; every version comes into force.

    It differs from LEARN in what a test beside it says (tests/explore/choose/test_moving.py): nobody is sampled at an
    hour of their own, and drift asks for no refit.

    x        of each day, (customers, columns) before the clips
    every    ms between the boundaries at which LEARN learns (`time.learn_every`)

    None: there were never enough customers to begin with.
    """
    live = _Live(columns, rules)
    counts: list[tuple[int, int]] = []
    passed = (days[0].through - 1) // every if days else 0
    for day, table in zip(days, x, strict=True):
        before, active = live.version, table[day.active]
        if day.through // every > passed:
            passed = day.through // every
            live.boundary(day.through, table, table[np.argsort(day.hashes.astype(np.uint64))])
        if before is not None and live.version is not None:
            changed = (
                0 if before is live.version else int((before.nearest(active) != live.version.nearest(active)).sum())
            )
            counts.append((changed, len(active)))
    if live.version is None:
        return None
    weeks = tuple(_rate(counts[at : at + WEEK]) for at in range(0, len(counts), WEEK))
    return Flips(_rate(counts), weeks, live.versions)


class _Live:
    """`stream_seg.pipeline.training.Training` over arrays: without samples, drift and people."""

    def __init__(self, columns: Sequence[Column], rules: Learning) -> None:
        self.columns, self.rules = columns, rules
        self.learner: Clusterer | None = None
        self.version: _Version | None = None
        self.versions = self.free = self.began = self.refitted = 0
        self.limits = UNLIMITED

    def boundary(self, day: int, news: Float64, table: Float64) -> None:
        """Learns from everybody's newest vector, and puts in force what is worth it.

        Twice the same: as they are learned, and in the order of LEARN's table.
        """
        rules = self.rules
        if self.learner is None:
            if not begins(rules, len(table)):
                return
            limits = limits_of(self.columns, table)
            if len(np.unique(limits.clip(table), axis=0)) < rules.k:
                return
            self.limits, self.learner = limits, learner(table.shape[1], rules)
            self.learner.begin(limits.clip(table))
            self.began = self.refitted = day
        elif len(table):
            self.learner.learn(self.limits.clip(news), self.limits.clip(table))
            if refit_due(rules, self.began, self.refitted, day):
                self.limits, self.refitted = limits_of(self.columns, table), day
                self.learner.refit(self.limits.clip(table))
        else:
            return
        fitted, known, now = self.learner.fitted(), self.limits.clip(table), self.version
        if now is None or worth_publishing(now.fitted, fitted, known, rules, day - now.since):
            self.version = self._numbered(fitted, table, day)
            self.versions += 1

    def _numbered(self, fitted: Fitted, table: Float64, day: int) -> _Version:
        """The learned segments as a version, those that go on under their numbers."""
        new = _Version(fitted, self.limits, np.arange(len(fitted.centers)), day)
        rows = new.nearest(table)
        now = self.version
        old, alive = (now.nearest(table), tuple(now.numbers.tolist())) if now else (np.full(len(table), -1), ())
        numbers = lineage(old, rows, tuple(sorted(alive)), len(fitted.centers), self.free).numbers
        self.free = max(self.free, *(number + 1 for number in numbers))
        return new._replace(numbers=np.array(numbers, np.int64))


def _rate(counts: Sequence[tuple[int, int]]) -> float:
    active = sum(count for _, count in counts)
    return 1_000.0 * sum(changed for changed, _ in counts) / active if active else 0.0
