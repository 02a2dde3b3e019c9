"""The live shell in miniature: how a worker holds a partition, one effect at a time.

The same order as `stream_seg.runtime.partition`: open with a new work, relay beside the next batch, wait for the
relay where too much is waiting, open again after `Fenced` or `Unavailable` while still assigned.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from stream_seg.adapters.memory.log import Member, MemoryLog
from stream_seg.adapters.memory.slots import MemorySlots
from stream_seg.errors import Fenced, StreamSegError, Unavailable
from stream_seg.pipeline.ingest import Ingest
from stream_seg.pipeline.owner import SlotOwner
from stream_seg.ports import Commit, Committed, Effect, Record, Slot, Step


class Work(Protocol):
    """A stage's work on one partition: `Labeller` or `Learn`."""

    owner: SlotOwner

    def open(self) -> Step[int]: ...
    def process(self, records: Sequence[Record]) -> Step[int]: ...


@dataclass(frozen=True)
class Until:
    """Not an effect: nothing to do before `holds` does."""

    holds: Callable[[], bool]


Life: TypeAlias = Generator[Effect | Until, Any, None]
ALWAYS = Until(lambda: True)


@dataclass(frozen=True)
class Parts:
    """What the simulation is built of; a mutant replaces one of them.

    resume  where a worker goes on reading: (offset that Redis holds, offset the group committed, if any) -> offset
    """

    slots: type[MemorySlots] = MemorySlots
    owner: type[SlotOwner] = SlotOwner
    ingest: type[Ingest] = Ingest
    resume: Callable[[int, int | None], int] = lambda applied, _: applied


class Actor:
    """Something that goes on one step at a time: a tenure, its relay, the feeder, a message still on its way."""

    def __init__(self, name: str, life: Life, member: Member, speed: float) -> None:
        self.name = name
        self.member = member
        self.speed = speed
        self.sleeps_until = 0
        self.frail = True  # faults may strike its effects
        self._life = life
        self.asks: Effect | Until | None = next(life, None)

    def ready(self) -> bool:
        """Whether it could go on now, sleep aside."""
        asks = self.asks
        return asks is not None and (not isinstance(asks, Until) or asks.holds())

    def go_on(self, result: Any = None, error: StreamSegError | None = None) -> None:
        """Resumes it with the result of what it asked for."""
        try:
            self.asks = self._life.send(result) if error is None else self._life.throw(error)
        except StopIteration:
            self.asks = None

    def stop(self) -> None:
        """It does nothing more."""
        self.asks = None
        self._life.close()


class Tenure:
    """One worker's hold on one partition, from the assignment until it learns that it lost it."""

    def __init__(
        self,
        name: str,
        slot: Slot,
        topic: str,
        log: MemoryLog,
        member: Member,
        work: Callable[[], Work],
        limits: tuple[int, Callable[[], int]],
        relay: Callable[[Tenure, Life], Actor],
        drop: Callable[[Actor], None],
        parts: Parts,
    ) -> None:
        self.name = name
        self.slot, self.topic, self.log, self.member = slot, topic, log, member
        self.work: Work | None = None
        self.relaying: Actor | None = None
        self.offset = 0
        self._new_work = work
        self._outbox_limit, self._batch = limits
        self._new_relay = relay
        self._drop = drop
        self._parts = parts
        self._failed: StreamSegError | None = None

    def life(self) -> Life:
        while True:
            self._drop_relay()
            self.work = self._new_work()
            try:
                committed = self.log.execute(Committed(self.topic, self.slot.partition), self.member).committed
                self.offset = self._parts.resume((yield from self.work.open()), committed)
                yield from self._batches(self.work)
            except (Fenced, Unavailable):
                if not self.log.owns(self.member, self.topic, self.slot.partition):
                    self._drop_relay()
                    return
                yield ALWAYS

    def _batches(self, work: Work) -> Life:
        partition = self.slot.partition
        while True:
            self._relay(work)
            yield Until(lambda: self._failed is not None or self._behind())
            if work.owner.waiting > self._outbox_limit:
                yield Until(lambda: self.relaying is None)
            if self._failed is not None:
                raise self._failed
            if not self._behind():
                continue
            records = self.log.read(self.topic, partition, self.offset, self._batch())
            self.offset = yield from self._relaying_beside(work, work.process(records))
            yield Commit(self.topic, partition, self.offset)

    def _relaying_beside(self, work: Work, step: Step[int]) -> Step[int]:
        """Runs a step and starts a relay, which goes on beside it, as soon as there is something to publish."""
        try:
            effect = next(step)
            while True:
                try:
                    result = yield effect
                except StreamSegError as error:
                    effect = step.throw(error)
                else:
                    effect = step.send(result)
                    self._relay(work)
        except StopIteration as end:
            done: int = end.value
            return done

    def _behind(self) -> bool:
        return self.offset < self.log.next_offset(self.topic, self.slot.partition)

    def _relay(self, work: Work) -> None:
        if self.relaying is None and work.owner.pending:
            self.relaying = self._new_relay(self, self._relay_life(work))

    def _relay_life(self, work: Work) -> Life:
        try:
            yield from work.owner.relay()
        except (Fenced, Unavailable) as error:
            self._failed = error
        self.relaying = None

    def _drop_relay(self) -> None:
        self._failed = None
        if self.relaying is not None:
            self._drop(self.relaying)
            self.relaying = None

    def finished(self) -> bool:
        """Whether everything in the log is applied and everything decided is with Kafka."""
        return not self._behind() and self.work is not None and not self.work.owner.pending
