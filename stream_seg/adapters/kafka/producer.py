"""Publishes messages in order and returns when Kafka has them all.

Records are packed into whole batches per partition with aiokafka's batch builder, one future per batch instead of
one per record. The producer is idempotent with ``acks=all``, so a retry by aiokafka itself never duplicates. After a
failure it is thrown away with all it still holds: nothing of an earlier call may arrive behind a later one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaProducer
from aiokafka.codec import has_lz4, has_zstd
from aiokafka.errors import (
    CorruptRecordException,
    InvalidTimestampError,
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    ProducerClosed,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from mode import get_logger

from stream_seg.adapters.kafka.connection import Broker, connecting, kafka_errors
from stream_seg.core.hashing import partition_of
from stream_seg.errors import Stop, Unavailable, Undeliverable
from stream_seg.ports import Message

log = get_logger(__name__)

BATCH_BYTES = 512 * 1024
LARGEST_BYTES = 64 * 1024 * 1024
ACK_SECONDS = 30.0
ABORT_SECONDS = 2.0
TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)
REFUSED = (
    *TOO_LARGE,
    CorruptRecordException,
    InvalidTimestampError,
    InvalidTopicError,
    PolicyViolationError,
    TopicAuthorizationFailedError,
)


def best_compression() -> str | None:
    """lz4 or zstd if they are installed (``cramjam``); gzip costs more CPU than it saves here."""
    return "lz4" if has_lz4() else "zstd" if has_zstd() else None


class Producer:
    """An idempotent producer: ``async with Producer(broker, partial(topic_name, "shop")) as producer: …``.

    `real_name` gives the real topic of a logical one. One producer may serve many callers at once; the order is kept
    within each call, and between calls that wait for each other.
    """

    def __init__(
        self,
        broker: Broker,
        real_name: Callable[[str], str],
        *,
        compression: str | None = None,
        ack_seconds: float = ACK_SECONDS,
    ) -> None:
        self._broker = broker
        self._real_name = real_name
        self._compression = compression
        self._ack_seconds = ack_seconds
        self._driver: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._discarding: set[asyncio.Task[None]] = set()
        self._turn = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends it. Calls that are under way fail as `Unavailable`; finish them before."""
        self._discard(self._driver)
        while self._discarding:
            await asyncio.wait(self._discarding)

    async def publish(self, messages: Sequence[Message]) -> None:
        """Returns when Kafka has acknowledged every message; what comes after a `barrier` is sent after what is before.

        Raises `Unavailable` (any part may have arrived: publish all again), `Undeliverable` with the index of a
        message that Kafka refuses for good, `Stop` if Kafka refuses us.
        """
        for first, piece in _between_barriers(messages):
            await self._publish(first, piece)

    async def _publish(self, first: int, messages: Sequence[Message]) -> None:
        lanes: list[_Lane] = []
        alone = False
        while True:
            driver = await self._started()
            try:
                async with asyncio.timeout(self._ack_seconds):
                    with kafka_errors("publishing"):
                        lanes = lanes or await self._lanes(driver, messages, first)
                    async with asyncio.TaskGroup() as group:
                        for lane in lanes:
                            group.create_task(lane.send(driver, alone=alone))
            except BaseExceptionGroup as failures:
                self._discard(driver)
                worst = _worst(failures)
                if not isinstance(worst, _BatchTooLarge):
                    raise worst from failures
                alone = True  # one record a batch tells which one is refused, if any is
            except TimeoutError as error:
                self._discard(driver)
                raise Unavailable(f"Kafka acknowledged nothing for {self._ack_seconds:.0f} s") from error
            except BaseException:
                self._discard(driver)
                raise
            else:
                return

    async def _lanes(self, driver: AIOKafkaProducer, messages: Sequence[Message], first: int) -> list[_Lane]:
        """The messages of each (real topic, partition), in order."""
        counts: dict[str, tuple[str, int]] = {}
        lanes: dict[tuple[str, int], _Lane] = {}
        for index, message in enumerate(messages, first):
            logical, key, partition = message.topic, message.key, message.partition
            known = counts.get(logical)
            if known is None:
                known = counts[logical] = await self._partitions(driver, logical)
            real, count = known
            if partition < 0:
                partition = self._any(count) if key is None else partition_of(key, count)
            elif partition >= count:
                raise Stop(f"{real} has {count} partitions, a message is for partition {partition}")
            if message.value is not None and len(message.value) > LARGEST_BYTES:
                raise Undeliverable(f"{real}: a record of {len(message.value)} bytes fits into no request", index)
            lane = lanes.get((real, partition))
            if lane is None:
                lane = lanes[real, partition] = _Lane(real, partition)
            lane.messages.append(message)
            lane.indices.append(index)
        return list(lanes.values())

    async def _partitions(self, driver: AIOKafkaProducer, logical: str) -> tuple[str, int]:
        real = self._real_name(logical)
        try:
            async with asyncio.timeout(self._ack_seconds / 2):
                return real, len(await driver.partitions_for(real))
        except (TimeoutError, UnknownTopicOrPartitionError) as error:
            raise Unavailable(f"Kafka says nothing about {real}; is it there (stream-seg topics create)?") from error

    def _any(self, count: int) -> int:
        self._turn += 1
        return self._turn % count

    # ------------------------------------------------------------------ the driver under it

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._driver is None:
                driver = AIOKafkaProducer(
                    **self._broker.client,
                    acks="all",
                    enable_idempotence=True,
                    compression_type=self._compression,
                    max_batch_size=BATCH_BYTES,
                    request_timeout_ms=int(self._ack_seconds * 1000),
                )
                try:
                    async with connecting(self._broker):
                        async with asyncio.timeout(self._ack_seconds):
                            await driver.start()
                except BaseException:
                    await _abort(driver)
                    raise
                self._driver = driver
            return self._driver

    def _discard(self, driver: AIOKafkaProducer | None) -> None:
        if driver is not None and driver is self._driver:
            self._driver = None
            task = asyncio.create_task(_abort(driver))
            self._discarding.add(task)
            task.add_done_callback(self._discarding.discard)


class _BatchTooLarge(Exception):
    """Kafka refuses a batch of several records; each of them may be fine."""


class _Lane:
    """What one call has for one partition, and how much of it is acknowledged."""

    def __init__(self, topic: str, partition: int) -> None:
        self.topic = topic
        self.partition = partition
        self.messages: list[Message] = []
        self.indices: list[int] = []
        self.acknowledged = 0

    async def send(self, driver: AIOKafkaProducer, *, alone: bool) -> None:
        """Sends the rest in as few batches as it fits into; each is acknowledged before the next is sent."""
        messages, now = self.messages, int(time.time() * 1000)
        while self.acknowledged < len(messages):
            at, builder = self.acknowledged, driver.create_batch()
            append = builder.append
            end = at + 1 if alone else len(messages)
            while at < end:
                message = messages[at]
                if append(timestamp=now, key=message.key, value=message.value, headers=list(message.headers)) is None:
                    break  # the batch is full
                at += 1
            try:
                await (await driver.send_batch(builder, self.topic, partition=self.partition))
            except REFUSED as error:
                if at - self.acknowledged > 1 and isinstance(error, TOO_LARGE):
                    raise _BatchTooLarge from error
                what = f"{self.topic}: Kafka refuses a record: {error}"
                raise Undeliverable(what, self.indices[self.acknowledged]) from error
            self.acknowledged = at


def _between_barriers(messages: Sequence[Message]) -> Iterator[tuple[int, Sequence[Message]]]:
    """Runs of messages that may be sent together, each with the index of its first."""
    begin = 0
    for index, message in enumerate(messages):
        if message.barrier and index > begin:
            yield begin, messages[begin:index]
            begin = index
    if begin < len(messages):
        yield begin, messages[begin:]


def _worst(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """Of what went wrong on several partitions at once, what the caller must hear."""
    errors = failures.exceptions
    for kind in (Stop, _BatchTooLarge):
        for error in errors:
            if isinstance(error, kind):
                return error
    error = errors[0]
    return Unavailable(f"publishing: {error}") if isinstance(error, KafkaError) else error


async def _abort(driver: AIOKafkaProducer) -> None:
    """Ends a producer without delivering what it holds; its own `stop` would wait for that."""
    driver._closed = True  # else it complains when it is collected
    await driver.client.close()
    sender: Any = driver._sender
    try:
        async with asyncio.timeout(ABORT_SECONDS):
            await sender.close()
    except (KafkaError, TimeoutError) as error:
        log.info("a discarded producer did not end in order: %r", error)
    accumulator: Any = driver._message_accumulator
    left = {batch for queue in accumulator._batches.values() for batch in queue}
    for batch in left | accumulator._pending_batches:
        accumulator._pending_batches.add(batch)  # where its callback looks for it
        for waiter in (batch.future, batch._drain_waiter):
            if not waiter.done():
                waiter.set_exception(ProducerClosed())
                waiter.exception()  # who still waits hears it; if nobody does, that is no error
