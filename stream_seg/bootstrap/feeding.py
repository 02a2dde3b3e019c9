"""Feeding bounded input into a live log: the feeder's step on Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import aclosing
from typing import Self

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from stream_seg.adapters.kafka.admin import Admin
from stream_seg.adapters.kafka.topics import topic_name
from stream_seg.bootstrap.connect import broker_of, producer_of, slots_of
from stream_seg.bootstrap.reading import whole_topic
from stream_seg.config import Config
from stream_seg.errors import Stop
from stream_seg.pipeline.feed import EVENTS, TimedEvents, feed
from stream_seg.ports import LogRange
from stream_seg.runtime.effects import Effects
from stream_seg.wire.control import kind_of
from stream_seg.wire.definitions import LEARN_PROGRESS

POLL_MS = 10
PATIENCE_SECONDS = 300.0  # nothing learned for so long: somebody is stuck


class LearnProgress:
    """Follows how far LEARN is. `check` is called while waiting, and raises when waiting is of no use."""

    def __init__(self, config: Config, check: Callable[[], None]) -> None:
        self._partition = TopicPartition(topic_name(config.definition.name, LEARN_PROGRESS), 0)
        self._consumer = AIOKafkaConsumer(
            **broker_of(config.kafka).client,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=POLL_MS,
        )
        self._check = check
        self.through = 0

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        self._consumer.assign([self._partition])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def passed(self, through: int) -> None:
        """Returns when LEARN is done with everything up to `through`."""
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while self.through < through:
            records = await self._consumer.getmany(timeout_ms=200)
            for record in records.get(self._partition, ()):
                self.through = max(self.through, orjson.loads(record.value)["through"])
            self._check()
            if asyncio.get_running_loop().time() > deadline:
                raise Stop(f"LEARN has not passed {through} for {PATIENCE_SECONDS:.0f} s; is `stream-seg run` running?")


async def feed_live(
    config: Config, batches: Iterable[TimedEvents], told: Callable[[int, int], None], check: Callable[[], None]
) -> int:
    """Feeds `batches` (in order of time) into the events log; returns how many events.

    `told(events, ms)` hears of each finished day. `check` raises when the workers are gone.
    """
    async with Admin(broker_of(config.kafka)) as admin:
        facts = await admin.topic(topic_name(config.definition.name, EVENTS))
    if facts is None:
        raise Stop("there is no events topic; create the topics with `stream-seg topics create`")
    async with producer_of(config) as producer, LearnProgress(config, check) as learned:
        effects = Effects(slots_of(config), producer, _no_log, learned.passed)
        return await effects.run(feed(batches, facts.partitions, config.definition.learn_every, told))


async def was_fed(config: Config) -> bool:
    """Whether the events log holds any event, whatever became of it: a part that was fed must not be fed again."""
    async with aclosing(whole_topic(config, EVENTS)) as records:
        async for record in records:
            if kind_of(record) is None:
                return True
    return False


async def _no_log(_partition: int) -> LogRange:
    raise AssertionError("a feeder owns no partition")
