"""Ranges of topics, read to their end and no further: what a replay of a live log takes."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from stream_seg.adapters.kafka.admin import Admin
from stream_seg.adapters.kafka.connection import Broker, connecting, kafka_errors
from stream_seg.errors import Stop
from stream_seg.ports import Record

POLL_MS = 200
PIECE = 20_000  # records of a `piece`, or some more
QUIET_POLLS = 10  # polls without a record after which a log whose end cannot be reached (an open transaction) is read
_RANGE = re.compile(r"(?P<topic>[A-Za-z0-9._-]+?)(:(?P<partition>\d+)(:(?P<first>\d*)-(?P<end>\d*))?)?")


@dataclass(frozen=True, slots=True)
class Asked:
    """``topic``, ``topic:partition`` or ``topic:partition:first-end``; `end` is not included, both may be left out.

    >>> Asked.read("shop.events.v1:2:100-")
    Asked(topic='shop.events.v1', partition=2, first=100, end=None)
    """

    topic: str
    partition: int | None = None
    first: int | None = None
    end: int | None = None

    @classmethod
    def read(cls, text: str) -> Asked:
        """Raises `Stop` where the text is none of the three."""
        found = _RANGE.fullmatch(text)
        if found is None:
            raise Stop(f"{text!r} is no range of a topic, write TOPIC, TOPIC:PARTITION or TOPIC:PARTITION:FIRST-END")
        numbers = {name: int(found[name]) if found[name] else None for name in ("partition", "first", "end")}
        return cls(found["topic"], **numbers)


@dataclass(frozen=True, slots=True)
class Range:
    """Part of one partition: offsets from `first` to before `end`. `guard`, `partitions`: of the whole topic."""

    topic: str
    partition: int
    first: int
    end: int
    guard: str
    partitions: int

    def __str__(self) -> str:
        return f"{self.topic}:{self.partition}"


async def ranges(broker: Broker, asked: Asked) -> list[Range]:
    """The ranges that are asked for, as the topic has them now. Raises `Stop` for what it does not have."""
    async with Admin(broker) as admin:
        facts = await admin.topic(asked.topic)
        if facts is None:
            raise Stop(f"there is no topic {asked.topic} at {broker.bootstrap}")
        if asked.partition is not None and asked.partition >= facts.partitions:
            raise Stop(
                f"{asked.topic} has {facts.partitions} partitions, numbered from 0; there is no {asked.partition}"
            )
        numbers = range(facts.partitions) if asked.partition is None else [asked.partition]
        firsts = await admin.firsts([TopicPartition(asked.topic, number) for number in numbers])
    found = []
    for log, first in sorted(firsts.items()):
        if asked.first is not None and asked.first < first:
            raise Stop(f"{asked.topic}:{log.partition} begins at {first}; what came before, {asked.first} too, is gone")
        start = first if asked.first is None else asked.first
        end = sys.maxsize if asked.end is None else asked.end
        found.append(Range(asked.topic, log.partition, start, end, facts.guard, facts.partitions))
    return found


async def length(broker: Broker, parts: Sequence[Range]) -> int:
    """How many records the ranges hold at most. An embedded broker tells too few: for a bar, it decides nothing."""
    async with Admin(broker) as admin:
        ends = await admin.ends([TopicPartition(part.topic, part.partition) for part in parts])
    return sum(max(min(part.end, ends[TopicPartition(part.topic, part.partition)]) - part.first, 0) for part in parts)


def records_of(broker: Broker, part: Range) -> Iterator[Sequence[ConsumerRecord]]:
    """The records of a range in batches, up to its end or to where the partition ends when reading begins.

    That end is the high watermark of a fetch answer: the one place where every broker tells it right. Raises
    `Unavailable` or `Stop`.
    """
    with asyncio.Runner() as runner:
        reader = _Reader(broker, part)
        try:
            runner.run(reader.start())
            while records := runner.run(reader.next()):
                yield records
        finally:
            runner.run(reader.stop())


async def first_of(broker: Broker, part: Range, wanted: Callable[[Record], bool]) -> ConsumerRecord | None:
    """The first record of a range that is wanted; None: there is none. Raises `Unavailable` or `Stop`."""
    reader = _Reader(broker, part)
    try:
        await reader.start()
        while records := await reader.next():
            found = next((record for record in records if wanted(record)), None)
            if found is not None:
                return found
        return None
    finally:
        await reader.stop()


async def piece(broker: Broker, asked: Asked) -> list[ConsumerRecord]:
    """Some records from where a range of one partition begins; none: it ends there. Raises `Unavailable` or `Stop`."""
    (part,) = await ranges(broker, asked)
    reader = _Reader(broker, part)
    found: list[ConsumerRecord] = []
    try:
        await reader.start()
        while len(found) < PIECE and (records := await reader.next()):
            found += records
        return found
    finally:
        await reader.stop()


class _Reader:
    def __init__(self, broker: Broker, part: Range) -> None:
        self._broker = broker
        self._range = part
        self._log = TopicPartition(part.topic, part.partition)
        self._end: int | None = None

    async def start(self) -> None:
        self._consumer = AIOKafkaConsumer(
            **self._broker.client,
            auto_offset_reset="none",
            enable_auto_commit=False,
            fetch_max_wait_ms=POLL_MS // 4,
            isolation_level="read_committed",  # as the stages read it
        )
        async with connecting(self._broker):
            await self._consumer.start()
        self._consumer.assign([self._log])
        self._consumer.seek(self._log, self._range.first)

    async def next(self) -> list[ConsumerRecord]:
        """The next records; none: this is the end."""
        quiet = 0
        with kafka_errors(f"reading {self._range}"):
            while self._end is None or await self._consumer.position(self._log) < self._end:
                batches = await self._consumer.getmany(self._log, timeout_ms=POLL_MS)
                records: list[ConsumerRecord] = batches.get(self._log, [])
                now = self._consumer.highwater(self._log)
                if self._end is None and now is not None:
                    self._end = min(now, self._range.end)
                if records and self._end is not None:
                    records = [record for record in records if record.offset < self._end]
                if records:
                    return records
                quiet = 0 if batches else quiet + 1
                if quiet > QUIET_POLLS:
                    break
        return []

    async def stop(self) -> None:
        await self._consumer.stop()
