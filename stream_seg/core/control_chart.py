"""A control chart for daily means: an exponentially weighted moving average (EWMA) against the weeks before.

A day is a number of customers and the sum of what each of them shows. It counts by its customers: the average is the
decayed sum over the decayed number, and its deviation follows from how far the days of the baseline lie apart (as in
Laney's p' and u' charts), so quiet days neither alarm nor hide anything. The last week is never part of the baseline:
what is to be found is not to be learned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import msgspec

from stream_seg.core.stability import added

Severity = Literal["none", "warn", "act"]

LAMBDA = 0.2  # weight of the newest day
BASELINE = 42  # days: six whole weeks
RECENT = 7  # newest days, which are compared and not compared with
LEAST = 28  # days of baseline with which a chart begins to judge
HOLD = 7  # days for which the baseline stays after an alarm, to see whether it grows worse
ALIKE = 0.9  # most that one day may resemble the next
ACT = 8.0  # deviations at which somebody should act


_ORDER: dict[Severity, int] = {"none": 0, "warn": 1, "act": 2}


class Day(msgspec.Struct, frozen=True, array_like=True):
    """n customers, the sum over them, and how many of them fell into each bin of the histogram (may be empty)."""

    n: int
    total: float
    bins: list[int] = []


class Baseline(msgspec.Struct, frozen=True, array_like=True):
    """What is usual.

    mean        over all customer-days; weight: how many they are
    dispersion  variance of a day's mean, times its customers
    inflation   of the moving average's variance, since neighbouring days resemble each other
    bins        the histogram of all customer-days
    """

    mean: float
    weight: float
    dispersion: float
    inflation: float
    bins: list[int]


class Reading(NamedTuple):
    """What a chart says of a day.

    level      the moving average; mean: of the baseline
    deviation  standard deviation of `level` where nothing changed
    severity   of this day; new: no day of this alarm was as bad
    """

    level: float
    mean: float
    deviation: float
    severity: Severity
    new: bool


class Chart(msgspec.Struct):
    """One EWMA chart.

    limit     deviations at which it warns
    upwards   only a rise is of interest
    smoothing  weight of the newest day
    days      since the last alarm, the newest last: the baseline and the recent week
    total, weight, square  decayed sums of: totals, customers, and customers with squared weights
    held      what an alarm was raised against, and `age`, the days since then; None: no alarm in the last days
    said      the worst of that alarm so far

    >>> chart = Chart(limit=4.5)
    >>> for n in range(60):
    ...     reading = chart.add(Day(100, 100.0 * (5.0 + 0.1 * (n % 3))), floor=0.01)
    >>> reading.severity, round(reading.level, 1)
    ('none', 5.1)
    >>> [chart.add(Day(100, 600.0), floor=0.01).severity for _ in range(3)]
    ['warn', 'act', 'act']
    """

    limit: float
    upwards: bool = False
    smoothing: float = LAMBDA
    days: list[Day] = []
    total: float = 0.0
    weight: float = 0.0
    square: float = 0.0
    held: Baseline | None = None
    age: int = 0
    said: Severity = "none"

    def add(self, day: Day, floor: float) -> Reading | None:
        """Takes a day with at least one customer. None: still learning what is usual.

        `floor`: a standard deviation of a day's mean below which nothing is worth an alarm.
        """
        keep, new = 1.0 - self.smoothing, self.smoothing
        self.total = keep * self.total + new * day.total
        self.weight = keep * self.weight + new * day.n
        self.square = keep * keep * self.square + new * new * day.n
        self.days = [*self.days[1 - BASELINE - RECENT :], day]
        baseline = self.baseline()
        if baseline is None:
            return None
        reading = self._read(baseline, floor)
        self._settle(baseline, reading.severity)
        return reading

    @property
    def level(self) -> float:
        """The moving average; 0 before the first day."""
        return self.total / self.weight if self.weight else 0.0

    def baseline(self) -> Baseline | None:
        """What is usual; None while too few days are known."""
        if self.held is not None:
            return self.held
        days = self.days[:-RECENT]
        if len(days) < LEAST:
            return None
        return _learned(days, 1.0 - self.smoothing)

    def carry_over(self, factor: float, shift: float) -> None:
        """Another yardstick: what measured m would have measured factor · m + shift."""
        self.days = [Day(day.n, factor * day.total + shift * day.n, day.bins) for day in self.days]
        self.total = factor * self.total + shift * self.weight
        if self.held is not None:
            mean, dispersion = factor * self.held.mean + shift, factor * factor * self.held.dispersion
            self.held = msgspec.structs.replace(self.held, mean=mean, dispersion=dispersion)

    def _read(self, baseline: Baseline, floor: float) -> Reading:
        level = self.level
        share = self.square / (self.weight * self.weight)  # 1 / customers that the level stands for
        least = floor * floor * self.smoothing / (2.0 - self.smoothing)
        variance = max(baseline.dispersion * (share * baseline.inflation + 1.0 / baseline.weight), least)
        deviation = math.sqrt(variance)
        gap = level - baseline.mean
        far = (gap if self.upwards else abs(gap)) / deviation
        severity: Severity = "act" if far > max(ACT, self.limit) else "warn" if far > self.limit else "none"
        return Reading(level, baseline.mean, deviation, severity, new=_ORDER[severity] > _ORDER[self.said])

    def _settle(self, baseline: Baseline, severity: Severity) -> None:
        """After an alarm another baseline is learned, from the days after it; until then the alarm may grow."""
        if self.held is None:
            self.said = severity
            if severity != "none":
                self.held, self.age, self.days = baseline, 0, []
            return
        self.said = max(self.said, severity, key=_ORDER.__getitem__)
        self.age += 1
        if self.age >= HOLD:
            self.held, self.said = None, "none"


def _learned(days: Sequence[Day], keep: float) -> Baseline:
    weight, total = 0.0, 0.0
    for day in days:
        weight += day.n
        total += day.total
    mean, spread, together, last = total / weight, 0.0, 0.0, 0.0
    for day in days:
        gap = (day.total / day.n - mean) * math.sqrt(day.n)
        spread += gap * gap
        together += gap * last
        last = gap
    # The variance of an EWMA of an AR(1) process (Schmid, 1997).
    likeness = min(max(together / spread, 0.0), ALIKE) * keep if spread > 0.0 else 0.0
    bins = added([day.bins for day in days])
    return Baseline(mean, weight, spread / (len(days) - 1), (1.0 + likeness) / (1.0 - likeness), bins)
