"""Replay: the live pipeline in this process, on memory, as a deterministic function of its input.

The same steps as the live stages, run one after the other until nobody has anything to do. It is what a live run
is held against, and how a definition is tried on data before it goes live.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from typing import Any, TypeVar

from stream_seg.adapters.memory.log import LogRecord, Member, MemoryLog
from stream_seg.adapters.memory.slots import MemorySlots
from stream_seg.adapters.memory.world import MemoryWorld
from stream_seg.core.activation import Activation
from stream_seg.errors import Stop
from stream_seg.pipeline.feed import TimedEvents, feed
from stream_seg.pipeline.label import Labeller, LabelSettings
from stream_seg.pipeline.learn import Learn, LearnSettings
from stream_seg.ports import Effect, Message, Passed, Publish, Record, Step
from stream_seg.wire.control import ACTIVATE, control

T = TypeVar("T")
EVENTS, SAMPLES = "events", "samples"
OUTPUTS = (
    "segment-changes", "customer-segments", "models", "segment-definitions", "drift-metrics", "dead-letters",
    "late-events", "learn-progress",
)  # fmt: skip
BATCH = 4_000
YEAR_2100 = 4_102_444_800_000  # as append time: nothing in the input is from the future


class Replay:
    """One replay. What comes out is read with `take`.

    partitions  of the events log; changes no label, only which offsets name incarnations
    batch       records given to LABEL at a time; changes nothing (a test holds it to that)
    """

    def __init__(self, partitions: int = 1, *, batch: int = BATCH, now: int = YEAR_2100) -> None:
        self.now = now
        self.log = MemoryLog({EVENTS: partitions, SAMPLES: 1, **dict.fromkeys(OUTPUTS, 1)}, clock=lambda: self.now)
        self.slots = MemorySlots()
        self.batch = batch
        self.partitions = partitions
        settings = LabelSettings(origin="replay")
        self.labels = [Labeller(EVENTS, p, settings, repeat(now)) for p in range(partitions)]
        self.learn = Learn(SAMPLES, 0, LearnSettings())
        self._worlds: dict[object, MemoryWorld] = {}
        self._at: dict[object, int] = {}
        self._taken: dict[str, int] = {}

    def start(self, activation: Activation) -> None:
        """Opens everything on an empty log and puts the first activation in force."""
        for worker, topic, partition in self._workers():
            member = Member(f"replay-{'learn' if worker is self.learn else 'label'}")
            self.log.assign(member, topic, partition)
            self._worlds[worker] = MemoryWorld(self.log, member, self.slots)
            self._at[worker] = self._run(worker, worker.open())
        everywhere = [(EVENTS, p) for p in range(self.partitions)] + [(SAMPLES, 0)]
        for topic, partition in everywhere:
            self._append(control(topic, ACTIVATE, activation, partition))
        self.pump()

    def run(
        self, batches: Iterable[TimedEvents], day: int, told: Callable[[int, int], None] = lambda *_: None
    ) -> int:
        """Feeds bounded input in order of time; returns how many events there were."""
        return self._drive(feed(batches, self.partitions, day, told))

    def follow(self, records: Iterable[Record]) -> None:
        """Takes records of an events log as they are, control records included, in the order given."""
        for record in records:
            self.log.append(
                EVENTS, record.key, record.value, record.headers, partition=record.partition,
                timestamp=record.timestamp, timestamp_type=record.timestamp_type or 0,
            )  # fmt: skip
        self.pump()

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
        at = self._taken.get(topic, 0)
        records = list(self.log.read(topic, 0, at))
        self._taken[topic] = at + len(records)
        self.log.expire(topic, 0, self._taken[topic])
        yield from records

    def _workers(self) -> Iterator[tuple[Any, str, int]]:
        for labeller in self.labels:
            yield labeller, EVENTS, labeller.partition
        yield self.learn, SAMPLES, 0

    def _run(self, worker: object, step: Step[T]) -> T:
        return self._worlds[worker].run(step)

    def _drive(self, step: Step[T]) -> T:
        """Runs the feeder's step: what it waits for is what the others do meanwhile."""
        try:
            effect: Effect = next(step)
            while True:
                effect = step.send(self._feeder_does(effect))
        except StopIteration as end:
            value: T = end.value
            return value

    def _feeder_does(self, effect: Effect) -> None:
        match effect:
            case Publish():
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
