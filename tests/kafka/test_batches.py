"""What a stage is given, on a real broker: whole, in order, from where it says, one batch at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from confluent_kafka import Producer

from stream_seg.adapters.kafka.admin import Admin
from stream_seg.adapters.kafka.connection import Broker
from stream_seg.adapters.kafka.transport import BatchSettings, Consumer
from stream_seg.errors import Fenced, Unavailable
from stream_seg.ports import Record
from tests.kafka.recording import Recorder, RecordingPartition, fresh, numbered, running, send, settings
from tests.servers.kafka import KafkaServer

pytestmark = pytest.mark.servers


async def committed(kafka: KafkaServer, group: str, topic: str, partition: int = 0) -> int | None:
    async with Admin(Broker(kafka.bootstrap)) as admin:
        return (await admin.log_range(topic, partition, group)).committed


async def until_committed(kafka: KafkaServer, group: str, topic: str, offset: int) -> None:
    async with asyncio.timeout(60):
        while await committed(kafka, group, topic) != offset:  # noqa: ASYNC110 — the broker does not call back
            await asyncio.sleep(0.1)


async def test_records_arrive_whole_and_in_order_from_the_offset_that_the_stage_names(kafka: KafkaServer) -> None:
    topic = kafka.create_topic(fresh("events"), 2)
    await send(kafka, topic, numbered(5000), partition=0)
    await send(kafka, topic, numbered(100), partition=1)
    stage = Recorder(start={0: 1234, 1: 0})
    async with running(settings(kafka, topic), stage):
        await stage.until(lambda: len(stage.values()) >= 5000 - 1234 + 100)
        await send(kafka, topic, numbered(10, first=5000), partition=0)
        await stage.until(lambda: len(stage.values(0)) >= 5010 - 1234)
    assert stage.values(0) == numbered(5010)[1234:]
    assert stage.values(1) == numbered(100)
    assert stage.claims == [True, True]


async def test_a_batch_is_bounded_in_records_and_in_bytes(kafka: KafkaServer) -> None:
    topic = kafka.create_topic(fresh("events"), 2)
    await send(kafka, topic, numbered(3000), partition=0)
    await send(kafka, topic, [bytes(1000)] * 3000, partition=1)
    stage = Recorder()
    batch = BatchSettings(max_batch=700, max_batch_bytes=300_000)
    async with running(settings(kafka, topic, batch=batch), stage):
        await stage.until(lambda: len(stage.values()) == 6000)
    assert max(len(b) for b in stage.batches[0]) == 700
    # Pieces of 256 are added until the bound is passed, so it is passed by one piece at most.
    assert max(len(b) for b in stage.batches[1]) <= 300 + 256


async def test_a_record_of_ten_megabytes_passes(kafka: KafkaServer) -> None:
    topic = kafka.create_topic(fresh("events"))
    large = bytes(10_000_000)
    await send(kafka, topic, [b"before", large, b"after"])
    stage = Recorder()
    async with running(settings(kafka, topic, batch=BatchSettings(max_batch_bytes=1_000_000)), stage):
        await stage.until(lambda: len(stage.values(0)) == 3)
    assert stage.values(0) == [b"before", large, b"after"]


@pytest.mark.parametrize("compression", ["gzip", "lz4", "snappy", "zstd"])
async def test_records_may_be_compressed_in_any_way_that_kafka_knows(kafka: KafkaServer, compression: str) -> None:
    topic = kafka.create_topic(fresh("events"))
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "compression.type": compression, "linger.ms": 50})
    for value in numbered(500):
        producer.produce(topic, value, partition=0)
    assert producer.flush(30) == 0
    stage = Recorder()
    async with running(settings(kafka, topic), stage):
        await stage.until(lambda: len(stage.values(0)) == 500)
    assert stage.values(0) == numbered(500)


async def test_a_slow_partition_holds_up_no_other_and_has_one_batch_in_flight(kafka: KafkaServer) -> None:
    topic = kafka.create_topic(fresh("events"), 2)
    release, at_once, most = asyncio.Event(), 0, 0

    async def wait_in_partition_0(partition: int, _: Sequence[Record]) -> None:
        nonlocal at_once, most
        if partition == 0:
            at_once += 1
            most = max(most, at_once)
            await release.wait()
            at_once -= 1

    stage = Recorder(during=wait_in_partition_0)
    await send(kafka, topic, numbered(2000), partition=0)
    async with running(settings(kafka, topic, batch=BatchSettings(max_batch=500)), stage):
        for round_ in range(5):
            await send(kafka, topic, numbered(100, first=100 * round_), partition=1)
            await stage.until(lambda: len(stage.values(1)) == 100 * (round_ + 1))  # noqa: B023 — awaited in this round
        assert stage.values(0) == []
        release.set()
        await stage.until(lambda: len(stage.values(0)) == 2000)
    assert most == 1


async def test_transaction_markers_and_aborted_records_do_not_stall_offsets(kafka: KafkaServer) -> None:
    topic, group = kafka.create_topic(fresh("events")), fresh("group")
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id=fresh("writer"))
    await producer.start()
    for number in range(5):
        async with producer.transaction():
            await producer.send(topic, b"kept-%d" % number, partition=0)
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"aborted-%d" % number, partition=0)
        await producer.abort_transaction()
    await producer.stop()
    stage = Recorder()
    async with running(settings(kafka, topic, group), stage):
        await stage.until(lambda: len(stage.values(0)) == 5)
        await until_committed(kafka, group, topic, 20)  # each record and each marker takes one offset
    assert stage.values(0) == [b"kept-%d" % number for number in range(5)]


@pytest.mark.slow
async def test_offsets_that_compaction_removed_do_not_stall_anything(kafka: KafkaServer) -> None:
    topic = kafka.create_topic(
        fresh("table"),
        cleanup_policy="compact",
        segment_ms="200",
        min_cleanable_dirty_ratio="0.01",
        max_compaction_lag_ms="200",
    )
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
    await producer.start()
    for number in range(50):
        await producer.send_and_wait(topic, b"%d" % number, key=b"same")
    await asyncio.sleep(0.5)  # a segment must be older than segment.ms to be rolled by the next write
    await producer.send_and_wait(topic, b"other", key=b"other")
    await producer.stop()

    async def offsets() -> list[int]:
        stage = Recorder()
        async with running(settings(kafka, topic), stage):
            await stage.until(lambda: b"other" in stage.values(0))
        return [r.offset for batch in stage.batches[0] for r in batch]

    async with asyncio.timeout(60):
        while len(found := await offsets()) > 5:  # noqa: ASYNC110 — as above
            await asyncio.sleep(1)
    assert found[-1] == 50


async def test_a_start_that_the_log_does_not_hold_stops_that_partition_with_an_alarm_and_no_other(
    kafka: KafkaServer,
) -> None:
    topic = kafka.create_topic(fresh("events"), 2)
    await send(kafka, topic, numbered(10), partition=1)
    stage = Recorder(start={0: 1_000_000})
    async with running(settings(kafka, topic), stage) as task:
        await stage.until(lambda: bool(stage.stopped))
        await send(kafka, topic, numbered(10, first=10), partition=1)
        await stage.until(lambda: len(stage.values(1)) == 20)
        assert not task.done()
    (tp, stop), *others = stage.stopped
    assert (tp.partition, others) == (0, [])
    assert "does not hold" in str(stop)


async def test_when_every_partition_stopped_the_process_ends_with_1(kafka: KafkaServer) -> None:
    topic = kafka.create_topic(fresh("events"))
    stage = Recorder(start={0: 1_000_000})
    async with running(settings(kafka, topic), stage) as task, asyncio.timeout(60):
        assert await task == 1


@pytest.mark.parametrize("error", [Fenced("overtaken"), Unavailable("no Redis")])
async def test_a_fenced_or_unavailable_store_makes_the_partition_open_again(
    kafka: KafkaServer, error: Exception
) -> None:
    topic = kafka.create_topic(fresh("events"))
    errors = [error]

    async def fail_once(*_: object) -> None:
        if errors:
            raise errors.pop()

    stage = Recorder(during=fail_once)
    await send(kafka, topic, numbered(10))
    async with running(settings(kafka, topic), stage):
        await stage.until(lambda: len(stage.values(0)) == 10)
    assert [call for call, _ in stage.calls if call != "idle"] == ["open", "open", "process", "close"]


async def test_an_unforeseen_error_ends_the_process_before_anything_is_acknowledged(kafka: KafkaServer) -> None:
    topic, group = kafka.create_topic(fresh("events")), fresh("group")

    async def fail(*_: object) -> None:
        raise ZeroDivisionError

    stage = Recorder(during=fail)
    await send(kafka, topic, numbered(10))
    async with running(settings(kafka, topic, group), stage) as task, asyncio.timeout(60):
        assert await task == 1
    assert await committed(kafka, group, topic) == 0


async def test_a_batch_that_was_applied_in_part_is_read_again_from_there(kafka: KafkaServer) -> None:
    topic = kafka.create_topic(fresh("events"))

    class HalfPartition(RecordingPartition):
        async def process(self, records: Sequence[Record]) -> int:
            return await super().process(records[: (len(records) + 1) // 2])

    class Half(Recorder):
        def partition(self, topic: str, partition: int) -> RecordingPartition:  # noqa: ARG002 — as above
            return HalfPartition(self, partition)

    stage = Half()
    await send(kafka, topic, numbered(100))
    async with running(settings(kafka, topic), stage):
        await stage.until(lambda: len(stage.values(0)) >= 100)
    assert stage.values(0) == numbered(100)


async def test_records_that_wait_while_nothing_is_applied_end_the_process(kafka: KafkaServer) -> None:
    topic = kafka.create_topic(fresh("events"))

    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    stage = Recorder(during=hang)
    await send(kafka, topic, numbered(10))
    async with running(settings(kafka, topic, stall_seconds=2.0, finish_seconds=0.2), stage) as task:
        async with asyncio.timeout(60):
            assert await task == 1


async def test_idle_is_called_while_nothing_arrives(kafka: KafkaServer) -> None:
    topic = kafka.create_topic(fresh("events"))
    stage = Recorder()
    async with running(settings(kafka, topic), stage):
        await stage.until_called("idle", times=2)
    assert stage.calls[0] == ("open", 0)


async def test_an_error_that_the_group_coordinator_reports_is_survived(kafka: KafkaServer) -> None:
    topic = kafka.create_topic(fresh("events"))
    stage = Recorder()

    async with running(settings(kafka, topic), stage) as task:
        await stage.until_called("open")
        consumer: Consumer = stage.commits[0].__self__._consumer  # type: ignore[attr-defined]  # Lease.commit

        async def report() -> None:
            coordinator = consumer.fetch_thread._ensure_consumer()._coordinator
            await coordinator._push_error_to_user(KafkaError("Unexpected exception in heartbeat task"))

        await consumer.in_thread(report())
        await stage.until_called("open", times=2)
        await send(kafka, topic, numbered(10))
        await stage.until(lambda: len(stage.values(0)) == 10)
        assert not task.done()
