"""A stage that remembers what it was given, and ways to run it beside a test."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiokafka import AIOKafkaProducer, TopicPartition

from stream_seg.adapters.kafka.connection import Broker
from stream_seg.adapters.kafka.partitions import Commit
from stream_seg.adapters.kafka.stage import StageApp, StageSettings
from stream_seg.adapters.kafka.transport import BatchSettings
from stream_seg.errors import Stop
from stream_seg.ports import Record
from stream_seg.telemetry import PartitionTelemetry, Telemetry
from tests.servers.kafka import KafkaServer

PATIENCE = 60.0  # bounds a wait; nothing is asserted about how long things take
_numbers = itertools.count(1)


def fresh(what: str) -> str:
    """A topic or group name that no other test, in this run or another, uses."""
    return f"{what}-{os.getpid()}-{next(_numbers)}"


async def nothing(*_: object) -> None:
    """Does nothing: what a `Recorder` does with a call unless a test says otherwise."""


@dataclass
class Recorder:
    """A stage with a store of its own: the next offset of each partition, kept over reassignments like Redis would.

    `during` is awaited inside each `process`, before the batch counts as applied.
    """

    start: dict[int, int] = field(default_factory=dict)
    batches: dict[int, list[Sequence[Record]]] = field(default_factory=lambda: defaultdict(list))
    calls: list[tuple[str, int]] = field(default_factory=list)
    claims: list[bool] = field(default_factory=list)
    commits: dict[int, Commit] = field(default_factory=dict)
    during: Callable[[int, Sequence[Record]], Awaitable[object]] = nothing
    stopped: list[tuple[TopicPartition, Stop]] = field(default_factory=list)

    def partition(self, topic: str, partition: int) -> RecordingPartition:  # noqa: ARG002 — StageHandler's signature
        return RecordingPartition(self, partition)

    def values(self, partition: int | None = None) -> list[bytes]:
        """The values in the order of arrival: of one partition, or sorted of all."""
        if partition is not None:
            return [r.value or b"" for batch in self.batches[partition] for r in batch]
        return sorted(value for p in list(self.batches) for value in self.values(p))

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not done():  # noqa: ASYNC110 — what is waited for may be in another process
                await asyncio.sleep(0.02)

    async def until_called(self, what: str, times: int = 1) -> None:
        await self.until(lambda: sum(call == what for call, _ in self.calls) >= times)


@dataclass
class RecordingPartition:
    recorder: Recorder
    number: int

    async def open(self, commit: Commit) -> int:
        offset = self.recorder.start.get(self.number, 0)
        self.recorder.commits[self.number] = commit
        self.recorder.claims.append(await commit(offset))
        self.recorder.calls.append(("open", self.number))
        return offset

    async def process(self, records: Sequence[Record]) -> int:
        await self.recorder.during(self.number, records)
        self.recorder.batches[self.number].append(records)
        self.recorder.start[self.number] = records[-1].offset + 1
        self.recorder.calls.append(("process", self.number))
        return records[-1].offset + 1

    async def idle(self) -> None:
        self.recorder.calls.append(("idle", self.number))

    async def close(self) -> None:
        self.recorder.calls.append(("close", self.number))


@dataclass
class Heard(Telemetry):
    """Which partitions stopped, and why."""

    recorder: Recorder

    def partition(self, topic: str, partition: int) -> PartitionTelemetry:
        return HeardPartition(self.recorder, TopicPartition(topic, partition))


@dataclass
class HeardPartition(PartitionTelemetry):
    recorder: Recorder
    tp: TopicPartition

    def stopped(self, why: Stop) -> None:
        self.recorder.stopped.append((self.tp, why))


def settings(kafka: KafkaServer, topic: str, group: str | None = None, **more: object) -> StageSettings:
    batch = more.pop("batch", BatchSettings())
    assert isinstance(batch, BatchSettings)
    given = {"session_seconds": 6.0, "heartbeat_seconds": 1.0, "commit_seconds": 0.3, **more}
    return StageSettings(group or fresh("group"), (topic,), Broker(kafka.bootstrap), batch, **given)  # type: ignore[arg-type]  # numbers, all of them


@asynccontextmanager
async def running(of: StageSettings, recorder: Recorder) -> AsyncIterator[asyncio.Task[int]]:
    """The stage beside the test; leaving the block ends it as SIGTERM would. Gives the task of its exit code."""
    app = StageApp(of, recorder, telemetry=Heard(recorder))
    task = asyncio.create_task(app.run(signals=False))
    try:
        yield task
    finally:
        app.leave()
        await task


async def send(kafka: KafkaServer, topic: str, values: Sequence[bytes], partition: int = 0, **how: str) -> None:
    """Plainly, by aiokafka: what is tested must not test itself."""
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap, max_request_size=2**25, acks="all", enable_idempotence=True, **how
    )
    await producer.start()
    try:
        sent = [await producer.send(topic, value, partition=partition) for value in values]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


def numbered(count: int, first: int = 0) -> list[bytes]:
    return [b"%08d" % number for number in range(first, first + count)]
