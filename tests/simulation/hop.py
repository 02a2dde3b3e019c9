"""INGEST in the simulation: product topics, and a worker's hold on one of their partitions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from stream_seg.adapters.memory.log import Member, MemoryLog
from stream_seg.core.activation import Activation
from stream_seg.core.definition import DAY, HOUR, MINUTE, Definition
from stream_seg.errors import Fenced, Unavailable
from stream_seg.pipeline.ingest import PROGRESS_EVERY, Ingest, source_name
from stream_seg.ports import Message
from stream_seg.wire import control
from tests.simulation.shell import ALWAYS, Life, Until

EVENTS = "events"
PRODUCTS = {"web": 2, "till": 1}  # product topic -> partitions


@dataclass(frozen=True)
class Source:
    """A partition of a product topic."""

    topic: str
    partition: int
    stage: Literal["ingest"] = "ingest"

    def __str__(self) -> str:
        return source_name(self.topic, self.partition)


def sources(products: dict[str, int]) -> list[Source]:
    """Every partition of some product topics."""
    return [Source(topic, partition) for topic, count in products.items() for partition in range(count)]


class Sourcing:
    """One worker's hold on one source partition: `stream_seg.runtime.source` in miniature.

    now  the wall clock: INGEST speaks whenever it has gone on for long enough
    """

    relaying = None  # INGEST has no outbox

    def __init__(
        self,
        source: Source,
        log: MemoryLog,
        member: Member,
        work: Callable[[], Ingest],
        first: tuple[Definition, int],
        now: Callable[[], int],
        batch: Callable[[], int],
    ) -> None:
        self.source, self.log, self.member = source, log, member
        self.offset = 0
        self._new_work, self._now, self._batch = work, now, batch
        self._first, self._partitions = first

    def life(self) -> Life:
        # The rules are asked for first: a log without an activation has none.
        yield Until(lambda: all(self.log.next_offset(EVENTS, p) for p in range(self._partitions)))
        while True:
            work = self._new_work()
            work.follow(self._first, self._partitions)
            try:
                self.offset = yield from work.open()
                yield from self._batches(work)
            except (Fenced, Unavailable):
                if not self.log.owns(self.member, self.source.topic, self.source.partition):
                    return
                yield ALWAYS

    def _batches(self, work: Ingest) -> Life:
        topic, partition = self.source.topic, self.source.partition
        while True:
            yield Until(lambda: self._behind() or self._now() - work.told_at >= PROGRESS_EVERY)
            if self._behind():
                self.offset = yield from work.process(self.log.read(topic, partition, self.offset, self._batch()))
            else:
                yield from work.idle()

    def _behind(self) -> bool:
        return self.offset < self.log.next_offset(self.source.topic, self.source.partition)

    def finished(self) -> bool:
        """Whether everything in the product topic is in the events log."""
        return not self._behind()


def script(
    random: Random,
    first: Activation,
    partitions: int,
    customers: Sequence[str],
    activations: Sequence[Activation],
    event: Callable[[str, int, str | None, Random], bytes],
    start: int,
) -> Iterator[tuple[int, Message]]:
    """What producers and people append where INGEST is between them and the events log."""
    now = start + random.randrange(DAY)
    names = tuple(map(str, sources(PRODUCTS)))
    for p in range(partitions):
        yield now, control.control(EVENTS, control.ACTIVATE, first, p)
        yield now, control.control(EVENTS, control.SOURCES, control.Sources(names), p)
    count = random.choice([30, 60, 90])
    changes = dict(zip(sorted(random.sample(range(count), len(activations))), activations, strict=True))
    for n in range(count):
        now += random.choice([0, 20 * MINUTE, HOUR, 4 * HOUR, random.randrange(DAY)])
        if n in changes:
            yield from ((now, control.control(EVENTS, control.ACTIVATE, changes[n], p)) for p in range(partitions))
        source = random.choice(sources(PRODUCTS))
        customer, chance = random.choice(customers), random.random()
        delay = random.choice([0, 0, 0, 2 * MINUTE, 5 * HOUR, DAY + HOUR, 4 * DAY])
        value: bytes | None = event(customer, now - delay, None if random.random() < 0.3 else f"m{n}", random)
        if chance < 0.03:
            value = b'{"type": '
        elif chance < 0.05:
            value = event(customer, now + DAY, None, random)  # its record is older
        elif chance < 0.06:
            value = None
        key = random.choice([None, b"any", customer.encode()])
        yield now, Message(source.topic, key, value, (), source.partition)
