"""Reading a finished log to its end."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from stream_seg.adapters.kafka.admin import Admin
from stream_seg.adapters.kafka.topics import topic_name
from stream_seg.bootstrap.connect import broker_of
from stream_seg.config import Config

QUIET_POLLS = 3  # polls without a record after which a partition without a high watermark is empty
POLL_MS = 200


async def whole_topic(config: Config, logical: str) -> AsyncGenerator[ConsumerRecord, None]:
    """Every record of a topic, partition by partition interleaved, up to where each partition ends now.

    The end is the high watermark of a fetch answer: the one place where every broker tells it right.
    """
    name = topic_name(config.definition.name, logical)
    async with Admin(broker_of(config.kafka)) as admin:
        facts = await admin.topic(name)
    if facts is None:
        return
    open_: set[TopicPartition] = {TopicPartition(name, partition) for partition in range(facts.partitions)}
    consumer = AIOKafkaConsumer(
        **broker_of(config.kafka).client, auto_offset_reset="earliest", fetch_max_wait_ms=POLL_MS // 4
    )
    await consumer.start()
    try:
        consumer.assign(list(open_))
        quiet = 0
        while open_:
            batches = await consumer.getmany(timeout_ms=POLL_MS)
            quiet = 0 if batches else quiet + 1
            for records in batches.values():
                for record in records:
                    yield record
            for partition in list(open_):
                end = consumer.highwater(partition)
                if (end is not None and await consumer.position(partition) >= end) or (
                    end is None and quiet > QUIET_POLLS
                ):
                    open_.discard(partition)
    finally:
        await consumer.stop()
