"""Several learners over the same days, and what comes of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations

from stream_seg.adapters.memory.log import LogRecord
from stream_seg.adapters.memory.trial import Trial
from stream_seg.core.activation import Activation
from stream_seg.core.definition import DAY, Learning
from stream_seg.core.evaluation import adjusted_rand
from stream_seg.pipeline.daily import Day, Space, day_of, multiplied
from stream_seg.pipeline.drift_stage import Stage, centers_of
from stream_seg.pipeline.quality import WEEK, Course, Optima, matters_in, ratio

SHIFT_AFTER = 60  # days from the first model to the shift
SHIFT_DAYS = 28  # for which it is looked at
SHIFT_BY = 1.5


class Panel:
    """Learners side by side; the first is the one that is also shifted, and whose models drift is measured with.

    alike  names of those that should come to the same segments: they differ by the seed alone
    """

    def __init__(self, activation: Activation, trials: Mapping[str, Trial], alike: Iterable[str] = ()) -> None:
        self.space = Space(activation)
        self.optima = Optima(self.space)
        self.trials = dict(trials)
        self.courses = {name: Course(self.optima, trial.learning.k) for name, trial in trials.items()}
        self.stage = Stage(self.space)
        self.shifts = Shifts(self.optima, next(iter(trials.values())).learning.k)
        self.agreements: dict[tuple[str, str], list[float]] = {pair: [] for pair in combinations(alike, 2)}
        self.days = self.customers = 0
        self._yesterday: Day | None = None

    def take(self, records: list[LogRecord]) -> None:
        """One day, as LABEL sent it."""
        today = day_of(records)
        self.days += 1
        self.customers = max(self.customers, len(today.hashes))
        for name, trial in self.trials.items():
            self.courses[name].day(today, trial.day(_members(today, records, trial.learning)))
        self._compare(today)
        self._watch(today)
        first = next(iter(self.trials))
        if self.courses[first].age == SHIFT_AFTER and not self.shifts.begun:
            self.shifts.begin(today, self.trials[first])
        elif self.shifts.trials:
            self.shifts.take(today, records)
        self._yesterday = today

    def _compare(self, today: Day) -> None:
        """How far those agree that should, at a week's end."""
        if today.number % WEEK or not len(today.hashes):
            return
        for (one, other), found in self.agreements.items():
            a, b = self.courses[one], self.courses[other]
            if a.model is not None and b.model is not None:
                found.append(adjusted_rand(a.nearest(today.raw, a.model), b.nearest(today.raw, b.model)))

    def _watch(self, today: Day) -> None:
        """Notes what drift detection would see. While windows fill, everything drifts: no model counts until then."""
        stage, model = self.stage, next(iter(self.courses.values())).model
        stage.add(today, self._yesterday)
        newest = max((new.version for new in stage.models.values()), default=0)
        full = (today.number - stage.days[0]) * DAY >= self.space.windows
        if full and model is not None and model.version > newest:
            stage.publish(model.version, centers_of(model), today)


class Shifts:
    """What becomes of a learner when everybody suddenly shows half as much again of one feature, for each in turn."""

    def __init__(self, optima: Optima, k: int) -> None:
        self.optima, self.k = optima, k
        self.trials: dict[str, tuple[int, Trial]] = {}
        self.ratios: dict[str, list[float]] = {}
        self.begun = False

    def begin(self, today: Day, trial: Trial) -> None:
        """From tomorrow on, for every feature that is moved by it."""
        self.begun = True
        assert trial.model is not None
        columns = matters_in(self.optima.space, today, trial.model)
        self.trials = {name: (column, trial.fork()) for name, column in columns.items()}
        self.ratios = {name: [] for name in columns}

    def take(self, today: Day, records: list[LogRecord]) -> None:
        """One day with the shifts."""
        for name, (column, trial) in self.trials.items():
            model = trial.day(_shifted(_members(today, records, trial.learning), column))
            shifted = today.times(column, SHIFT_BY)
            batch = self.optima.of(shifted, self.k, model) if model is not None else None
            if batch is not None and model is not None:
                self.ratios[name].append(ratio(batch, model))
        if max(map(len, self.ratios.values())) >= SHIFT_DAYS:
            self.trials = {}  # room for others


def _members(today: Day, records: list[LogRecord], learning: Learning) -> list[LogRecord]:
    """What LEARN makes use of on a day: it would throw the samples of all greater hashes away one by one."""
    samples = [records[i] for i in today.smallest(learning.table).tolist()]
    return [*samples, *(record for record in records if record.headers)]


def _shifted(records: Iterable[LogRecord], column: int) -> Iterator[LogRecord]:
    for record in records:
        yield record if record.headers else _with(record, multiplied(record.value or b"", column, SHIFT_BY))


def _with(record: LogRecord, value: bytes) -> LogRecord:
    return LogRecord(record.topic, record.partition, record.offset, record.key, value, (), record.timestamp)
