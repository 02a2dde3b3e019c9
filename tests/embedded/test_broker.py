"""What the embedded broker does for aiokafka clients, and where it differs from Apache Kafka (docs/embedded.md).

The tests named "limit" hold a difference that we work around: when one fails, upstream has mended it and the
workaround can go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import NoOffsetForPartitionError, UnknownError
from aiokafka.protocol.transaction import InitProducerIdRequest, InitProducerIdRequest_v0

from stream_seg.adapters.embedded import CONSUMER_SETTINGS, PRODUCER_SETTINGS, EmbeddedServers
from stream_seg.adapters.embedded.idempotence import teach_init_producer_id
from stream_seg.bootstrap.connect import producer_of
from stream_seg.config import load
from stream_seg.ports import Message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    with EmbeddedServers() as servers:
        yield servers.kafka


@pytest.fixture
async def consumer(broker: str) -> AsyncIterator[Any]:
    client = AIOKafkaConsumer(
        bootstrap_servers=broker, group_id="readers", auto_offset_reset="none", enable_auto_commit=False,
        **CONSUMER_SETTINGS,
    )  # fmt: skip
    await client.start()
    yield client
    await client.stop()


@pytest.fixture
async def producer(broker: str) -> AsyncIterator[Any]:
    client = AIOKafkaProducer(bootstrap_servers=broker, acks="all", **PRODUCER_SETTINGS)
    await client.start()
    yield client
    await client.stop()


async def created(broker: str, name: str, partitions: int = 1, **configs: str) -> TopicPartition:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    named = {key.replace("_", "."): value for key, value in configs.items()}
    answer = await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=named)])
    await admin.close()
    assert [error[1] for error in answer.topic_errors] == [0]
    return TopicPartition(name, 0)


async def in_one_batch(producer: Any, topic: TopicPartition, values: list[bytes | None]) -> None:
    batch = producer.create_batch()
    for at, value in enumerate(values):
        assert batch.append(key=b"k", value=value, timestamp=1_000 + at) is not None
    await (await producer.send_batch(batch, topic.topic, partition=topic.partition))


async def read(consumer: Any, topic: TopicPartition, start: int) -> list[Any]:
    consumer.assign([topic])
    consumer.seek(topic, start)
    records: list[Any] = (await consumer.getmany(timeout_ms=5_000)).get(topic, [])
    return records


async def test_records_come_back_as_they_were_sent(broker: str, producer: Any, consumer: Any) -> None:
    topic = await created(broker, "as-sent")
    await producer.send_and_wait("as-sent", b"\xff", key=None, headers=[("h", b""), ("h", b"\x00")], timestamp_ms=77)
    await producer.send_and_wait("as-sent", None, key=b"gone")
    first, second = await read(consumer, topic, 0)
    assert (first.key, first.value, first.headers, first.timestamp) == (None, b"\xff", (("h", b""), ("h", b"\x00")), 77)
    assert (second.offset, second.key, second.value) == (1, b"gone", None)


async def test_a_group_without_commits_has_no_offset_to_start_from(broker: str, consumer: Any) -> None:
    topic = await created(broker, "uncommitted")
    consumer.assign([topic])
    assert await consumer.committed(topic) is None
    with pytest.raises(NoOffsetForPartitionError):
        await consumer.getmany(timeout_ms=5_000)
    await consumer.commit({topic: 5})
    assert await consumer.committed(topic) == 5


async def test_an_idempotent_producer_works_once_taught_and_repeats_are_dropped(broker: str, consumer: Any) -> None:
    topic = await created(broker, "idempotent")
    known, build = InitProducerIdRequest._CLASSES, InitProducerIdRequest.build
    teach_init_producer_id()
    try:
        producer = AIOKafkaProducer(bootstrap_servers=broker, enable_idempotence=True)
        await producer.start()
        numbers = producer._txn_manager._sequence_numbers
        await producer.send_and_wait("idempotent", b"1", partition=0)
        await producer.send_and_wait("idempotent", b"2", partition=0)
        numbers[topic] = 1  # the answer was lost: the client sends the second one again
        await producer.send_and_wait("idempotent", b"2", partition=0)
        await producer.send_and_wait("idempotent", b"3", partition=0)
        await producer.stop()
    finally:
        InitProducerIdRequest._CLASSES, InitProducerIdRequest.build = known, build
    assert [record.value for record in await read(consumer, topic, 0)] == [b"1", b"2", b"3"]


async def test_what_a_command_publishes_arrives_though_nobody_told_it_what_broker_this_is(
    broker: str, consumer: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    untaught(monkeypatch)
    topic = await created(broker, "told.events.v1")
    file = tmp_path / "told.yaml"
    rules = "features:\n- {name: orders, aggregate: count, window: 7d, tiles: 7}\n"
    file.write_text(f"name: told\nkafka: {{bootstrap: '{broker}'}}\n{rules}")
    async with producer_of(load(file, {})) as producer:
        await producer.publish([Message("events", b"ann", b"1")])
    assert [record.value for record in await read(consumer, topic, 0)] == [b"1"]


def untaught(monkeypatch: pytest.MonkeyPatch) -> None:
    """aiokafka as it comes."""
    monkeypatch.setattr(InitProducerIdRequest, "_CLASSES", (InitProducerIdRequest_v0,))


async def test_limit_an_untaught_idempotent_producer_cannot_start(broker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    untaught(monkeypatch)
    producer = AIOKafkaProducer(bootstrap_servers=broker, enable_idempotence=True)
    with pytest.raises(UnknownError):
        await producer.start()
    await producer.stop()


async def test_limit_append_time_is_accepted_as_a_setting_and_not_kept(
    broker: str, producer: Any, consumer: Any
) -> None:
    topic = await created(broker, "appended", message_timestamp_type="LogAppendTime")
    await in_one_batch(producer, topic, [b"a"])
    (record,) = await read(consumer, topic, 0)
    assert (record.timestamp, record.timestamp_type) == (1_000, 0)


async def test_limit_the_listed_end_ignores_the_length_of_the_last_batch_and_a_fetch_knows_it(
    broker: str, producer: Any, consumer: Any
) -> None:
    topic = await created(broker, "ends")
    await in_one_batch(producer, topic, [b"a"] * 3)
    await in_one_batch(producer, topic, [b"b"] * 10)
    assert (await consumer.end_offsets([topic]))[topic] == 4  # Kafka: 13
    assert len(await read(consumer, topic, 3)) == 10
    assert consumer.highwater(topic) == 13


async def test_limit_a_fetch_beyond_the_end_is_empty_rather_than_out_of_range(
    broker: str, producer: Any, consumer: Any
) -> None:
    topic = await created(broker, "beyond")
    await in_one_batch(producer, topic, [b"a"])
    consumer.assign([topic])
    consumer.seek(topic, 99)
    assert await consumer.getmany(timeout_ms=200) == {}
    assert consumer.highwater(topic) == 1
