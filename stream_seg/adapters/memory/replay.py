"""Replay: the live pipeline in this process, on memory, as a deterministic function of its input.

The same steps as the live stages, run one after the other until nobody has anything to do. It is what a live run
is held against, and how a definition is tried on data before it goes live. `Replay` makes a log of bounded input;
`Following` takes a log that exists, with the control records in it.
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any, TypeVar

from stream_seg.adapters.memory.log import LogRecord, Member, MemoryLog
from stream_seg.adapters.memory.slots import MemorySlots
from stream_seg.adapters.memory.world import MemoryWorld
from stream_seg.core.activation import Activation
from stream_seg.errors import Stop
from stream_seg.pipeline.feed import TimedEvents, feed
from stream_seg.pipeline.label import Labeller
from stream_seg.pipeline.label_settings import LabelSettings
from stream_seg.pipeline.learn import Learn, LearnSettings
from stream_seg.ports import Again, Ahead, Commit, Committed, Effect, LogRange, Message, Passed, Publish, Record, Step
from stream_seg.wire import control

T = TypeVar("T")
EVENTS, SAMPLES = "events", "samples"
OUTPUTS = (
    "segment-changes", "customer-segments", "models", "segment-definitions", "drift-metrics", "dead-letters",
    "late-events", "learn-progress", "activations", "trainings",
)  # fmt: skip
BATCH = 4_000
YEAR_2100 = 4_102_444_800_000  # as append time: nothing in the input is from the future
GROUP = "replay"


class Replay:
    """One replay of bounded input. What comes out is read with `take`.

    partitions  of the events log; changes no label, only which offsets name incarnations
    batch       records given to LABEL at a time; changes nothing (a test holds it to that)
    now         append time of every record, and ``decided_at`` of every movement
    """

    def __init__(self, partitions: int = 1, *, batch: int = BATCH, now: int = YEAR_2100) -> None:
        self.now = now
        self.log = MemoryLog({EVENTS: partitions, SAMPLES: 1, **dict.fromkeys(OUTPUTS, 1)}, clock=lambda: self.now)
        self.slots = MemorySlots()
        self.batch = batch
        self.partitions = partitions
        settings = LabelSettings(origin=GROUP, group=GROUP)
        self.labels = [Labeller(EVENTS, p, settings, repeat(now)) for p in range(partitions)]
        self.learn = Learn(SAMPLES, 0, LearnSettings())
        self._worlds: dict[object, MemoryWorld] = {}
        self._at: dict[object, int] = {}
        self._outputs = Outputs(self.log)
        self._fed: list[tuple[int, int]] = []  # (first offset of partition 0, how many events before it)
        self._events = 0

    def start(self, activation: Activation) -> None:
        """Opens everything on an empty log and puts the first activation in force."""
        for worker, topic, partition in self._workers():
            member = Member(f"{GROUP}-{'learn' if worker is self.learn else 'label'}")
            self.log.assign(member, topic, partition)
            self._worlds[worker] = MemoryWorld(self.log, member, self.slots)
            self._at[worker] = self._run(worker, worker.open())
        everywhere = [(EVENTS, p) for p in range(self.partitions)] + [(SAMPLES, 0)]
        for topic, partition in everywhere:
            self._append(control.control(topic, control.ACTIVATE, activation, partition))
        self.pump()

    def run(self, batches: Iterable[TimedEvents], day: int, told: Callable[[int, int], None] = lambda *_: None) -> int:
        """Feeds bounded input in order of time; returns how many events there were.

        `told(events, ms)` hears of each day that is over. Everything up to then is decided: take it out there.
        """
        step = feed(batches, self.partitions, day, told)
        try:
            effect = next(step)
            while True:
                self._feeder_does(effect)
                effect = step.send(None)
        except StopIteration as end:
            count: int = end.value
            return count

    def pump(self) -> None:
        """Lets everybody work until nobody has anything to do."""
        busy = True
        while busy:
            busy = False
            for worker, topic, partition in self._workers():
                records = self.log.read(topic, partition, self._at[worker], self.batch)
                if records:
                    busy = True
                    self._at[worker] = self._run(worker, worker.process(records))
                    self._run(worker, worker.owner.relay())
                    self.log.expire(topic, partition, self._at[worker])

    def take(self, topic: str) -> Iterator[LogRecord]:
        """What was published on an output topic since the last time."""
        return self._outputs.take(topic)

    def event_at(self, offset: int) -> int:
        """Which event of the input, counted from 0, stands at an offset. Only with one partition is that one event."""
        first, before = self._fed[bisect_right(self._fed, (offset, sys.maxsize)) - 1]
        return before + offset - first

    def _workers(self) -> Iterator[tuple[Any, str, int]]:
        for labeller in self.labels:
            yield labeller, EVENTS, labeller.partition
        yield self.learn, SAMPLES, 0

    def _run(self, worker: object, step: Step[T]) -> T:
        return self._worlds[worker].run(step)

    def _feeder_does(self, effect: Effect) -> None:
        """What the feeder asks for. What it waits for is what the others do meanwhile."""
        match effect:
            case Publish():
                if control.HEADER not in dict(effect.messages[0].headers):
                    self._fed.append((self.log.next_offset(EVENTS, 0), self._events))
                    self._events += len(effect.messages)
                for message in effect.messages:
                    self._append(message)
                self.pump()
            case Passed():
                if self.learn.memory.state.learned < effect.through:
                    raise Stop(f"LEARN did not reach {effect.through}: it stands at {self.learn.memory.state.learned}")
            case _:
                raise AssertionError(effect)

    def _append(self, message: Message) -> None:
        self.log.append(message.topic, message.key, message.value, message.headers, partition=message.partition)


class Following:
    """LABEL over an events log as it is: its offsets, its times, its control records. LEARN's work is in the log.

    logs   partition -> what it holds; `first` is where to begin, `guard` names the log
    ahead  (partition, offset) -> the first activation from there on, where a log begins with events
    again  (partition, offset, until) -> some of the records from there on, where a new feature was backfilled
    """

    def __init__(
        self,
        logs: Sequence[LogRange],
        *,
        ahead: Callable[[int, int], Record | None] = lambda *_: None,
        again: Callable[[int, int, int], Sequence[Record]] = lambda *_: (),
        now: int = YEAR_2100,
    ) -> None:
        self.log = MemoryLog(dict.fromkeys((*OUTPUTS, SAMPLES), 1), clock=lambda: now)
        self.slots = MemorySlots()
        # The log's times are what they are, whoever stamped them.
        settings = LabelSettings(origin=GROUP, group=GROUP, trust_timestamps=True)
        self.labels = [Labeller(EVENTS, p, settings, repeat(now)) for p in range(len(logs))]
        self._worlds = [_Log(self.log, self.slots, log, ahead, again) for log in logs]
        self._outputs = Outputs(self.log)
        for labeller, world in zip(self.labels, self._worlds, strict=True):
            world.run(labeller.open())

    def process(self, partition: int, records: Sequence[Record]) -> None:
        """The next records of a partition, in order. Raises `Stop` where no activation is in force and none follows."""
        labeller, world = self.labels[partition], self._worlds[partition]
        world.run(labeller.process(records))
        world.run(labeller.owner.relay())
        for _ in self.take(SAMPLES):
            pass  # LEARN has had its own

    def take(self, topic: str) -> Iterator[LogRecord]:
        """What was published on an output topic since the last time."""
        return self._outputs.take(topic)


class Outputs:
    """Takes what was published, each record once, and lets it go."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log
        self._taken: dict[str, int] = {}

    def take(self, topic: str) -> Iterator[LogRecord]:
        at = self._taken.get(topic, 0)
        records = list(self._log.read(topic, 0, at))
        self._taken[topic] = at + len(records)
        self._log.expire(topic, 0, self._taken[topic])
        yield from records


class _Log(MemoryWorld):
    """The world of one partition's only reader, over a log that is elsewhere."""

    def __init__(
        self,
        outputs: MemoryLog,
        slots: MemorySlots,
        log: LogRange,
        ahead: Callable[[int, int], Record | None],
        again: Callable[[int, int, int], Sequence[Record]],
    ) -> None:
        super().__init__(outputs, Member(GROUP), slots)
        self._log = log
        self._ahead = ahead
        self._again = again

    def execute(self, effect: Effect) -> Any:
        match effect:
            case Committed():
                return LogRange(None, self._log.first, self._log.next, self._log.guard)
            case Commit():
                return True
            case Ahead():
                return self._ahead(effect.partition, effect.offset)
            case Again():
                return self._again(effect.partition, effect.offset, effect.until)
            case _:
                return super().execute(effect)
