"""Publishing on a real broker: in order, whole, by Java's partitioner, and honest about what failed."""

from __future__ import annotations

import asyncio
from collections import defaultdict

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord

from stream_seg.adapters.kafka.connection import Broker
from stream_seg.adapters.kafka.producer import Producer
from stream_seg.core.hashing import partition_of
from stream_seg.errors import Stop, Unavailable, Undeliverable
from stream_seg.ports import Message
from tests.kafka.recording import fresh, numbered
from tests.servers.kafka import KafkaServer

pytestmark = pytest.mark.servers


async def read(kafka: KafkaServer, topic: str, count: int) -> dict[int, list[ConsumerRecord]]:
    """All records by partition; fails if there are not exactly `count`."""
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest", max_partition_fetch_bytes=2**25
    )
    await consumer.start()
    found: dict[int, list[ConsumerRecord]] = defaultdict(list)
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        assert sum(ends.values()) == count
        async with asyncio.timeout(60):
            while sum(map(len, found.values())) < count:
                for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                    found[tp.partition] += records
    finally:
        await consumer.stop()
    return found


def producer(kafka: KafkaServer, topic: str, ack_seconds: float = 30.0) -> Producer:
    return Producer(Broker(kafka.bootstrap), {"movements": topic}.__getitem__, ack_seconds=ack_seconds)


async def test_messages_arrive_once_in_order_with_key_and_headers_where_java_would_send_them(
    kafka: KafkaServer,
) -> None:
    topic = kafka.create_topic(fresh("movements"), 4)
    headers = (("ce_id", b"1"), ("content-type", b"application/json"))
    sent = [Message("movements", b"customer-%d" % (n % 50), b"%06d" % n, headers) for n in range(20_000)]
    async with producer(kafka, topic) as out:
        await out.publish(sent[:1])
        await out.publish(sent[1:15_000])
        await out.publish(sent[15_000:])
        await out.publish([])
    found = await read(kafka, topic, len(sent))
    for partition in range(4):
        expected = [m.value for m in sent if m.key is not None and partition_of(m.key, 4) == partition]
        assert [r.value for r in found[partition]] == expected
    assert found[0][0].headers == headers


async def test_an_explicit_partition_is_obeyed_and_a_missing_one_refused(kafka: KafkaServer) -> None:
    topic = kafka.create_topic(fresh("movements"), 3)
    async with producer(kafka, topic) as out:
        await out.publish([Message("movements", b"k", b"%d" % p, partition=p) for p in range(3)])
        with pytest.raises(Stop, match="3 partitions"):
            await out.publish([Message("movements", b"k", b"x", partition=3)])
    found = await read(kafka, topic, 3)
    assert {p: [r.value for r in records] for p, records in found.items()} == {0: [b"0"], 1: [b"1"], 2: [b"2"]}


async def test_what_follows_a_barrier_is_sent_after_everything_before_it_is_acknowledged(kafka: KafkaServer) -> None:
    topic = kafka.create_topic(fresh("movements"), 2)
    before = [Message("movements", b"k", bytes(1000), partition=0) for _ in range(2000)]
    async with producer(kafka, topic) as out:
        await out.publish([*before, Message("movements", b"k", b"after", partition=1, barrier=True)])
        # What Kafka refuses before a barrier keeps what is behind it from being sent at all.
        refused = Message("movements", b"k", bytes(17_000_000), partition=0)
        with pytest.raises(Undeliverable) as caught:
            await out.publish([before[0], refused, Message("movements", b"k", b"never", partition=1, barrier=True)])
    assert caught.value.index == 1
    found = await read(kafka, topic, 2002)
    assert [r.value for r in found[1]] == [b"after"]
    assert found[1][0].timestamp >= max(r.timestamp for r in found[0][:2000])


async def test_a_record_of_ten_megabytes_is_published(kafka: KafkaServer) -> None:
    topic = kafka.create_topic(fresh("letters"))
    async with producer(kafka, topic) as out:
        await out.publish([Message("movements", b"k", bytes(10_000_000)), Message("movements", None, None)])
    found = await read(kafka, topic, 2)
    assert [len(r.value or b"") for r in found[0]] == [10_000_000, 0]


async def test_a_record_that_is_too_large_is_named_by_its_index_and_the_producer_goes_on(kafka: KafkaServer) -> None:
    topic = kafka.create_topic(fresh("movements"), max_message_bytes="10000")
    async with producer(kafka, topic) as out:
        with pytest.raises(Undeliverable) as caught:
            await out.publish([Message("movements", b"k", b"x"), Message("movements", b"k", bytes(20_000))])
        assert caught.value.index == 1
        with pytest.raises(Undeliverable) as caught:
            await out.publish([Message("movements", b"k", bytes(65 * 1024 * 1024))])
        assert caught.value.index == 0
        await out.publish([Message("movements", b"k", b"y")])
    found = await read(kafka, topic, 2)
    assert [r.value for r in found[0]] == [b"x", b"y"]


async def test_records_that_only_together_are_too_large_arrive_one_by_one(kafka: KafkaServer) -> None:
    topic = kafka.create_topic(fresh("movements"), max_message_bytes="10000")
    values = [value + bytes(500) for value in numbered(100)]
    async with producer(kafka, topic) as out:
        await out.publish([Message("movements", b"k", value) for value in values])
    found = await read(kafka, topic, 100)
    assert [r.value for r in found[0]] == values


async def test_a_missing_topic_is_unavailable_until_it_is_there(kafka: KafkaServer) -> None:
    topic = fresh("movements")
    async with producer(kafka, topic, ack_seconds=2.0) as out:
        with pytest.raises(Unavailable, match="topics create"):
            await out.publish([Message("movements", b"k", b"x")])
        kafka.create_topic(topic)
        await out.publish([Message("movements", b"k", b"x")])
    assert len((await read(kafka, topic, 1))[0]) == 1


@pytest.mark.slow
async def test_a_dead_or_silent_broker_is_unavailable_and_nothing_old_arrives_behind_something_new() -> None:
    with KafkaServer() as kafka:
        topic = kafka.create_topic(fresh("movements"))
        async with producer(kafka, topic, ack_seconds=2.0) as out:
            await out.publish([Message("movements", b"k", b"1")])
            kafka.kill()
            for _ in range(2):  # an established connection that broke, then none at all
                with pytest.raises(Unavailable):
                    await out.publish([Message("movements", b"k", b"given up")])
            kafka.start()
            await out.publish([Message("movements", b"k", b"2")])
            await asyncio.sleep(1)  # whatever was given up would arrive now
            assert [r.value for r in (await read(kafka, topic, 2))[0]] == [b"1", b"2"]
            kafka.pause()
            with pytest.raises(Unavailable):
                await out.publish([Message("movements", b"k", b"maybe")])
            kafka.resume()
            await out.publish([Message("movements", b"k", b"3")])
        # What was on its way when nobody answered may have arrived: before the next, never behind it.
        async with Producer(Broker(kafka.bootstrap), lambda _: topic) as out:
            await out.publish([Message("movements", b"k", b"4")])
        consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        values = []
        async with asyncio.timeout(30):
            while b"4" not in values:
                values.append((await consumer.getone()).value)
        await consumer.stop()
        assert [v for v in values if v != b"maybe"] == [b"1", b"2", b"3", b"4"]
        assert b"maybe" not in values[values.index(b"3") :]


async def test_many_callers_share_one_producer(kafka: KafkaServer) -> None:
    topic = kafka.create_topic(fresh("movements"), 2)
    async with producer(kafka, topic) as out:

        async def one(caller: int) -> None:
            for round_ in range(10):
                await out.publish([Message("movements", b"%d" % caller, b"%d:%02d" % (caller, round_), partition=0)])

        await asyncio.gather(*(one(caller) for caller in range(8)))
    found = await read(kafka, topic, 80)
    for caller in range(8):
        mine = [r.value for r in found[0] if r.value.startswith(b"%d:" % caller)]
        assert mine == sorted(mine)
