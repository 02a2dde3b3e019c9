"""What is known about topics and groups, on a real broker."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from stream_seg.adapters.kafka.admin import Admin
from stream_seg.adapters.kafka.connection import Broker
from stream_seg.adapters.kafka.topics import topic_name, topics
from stream_seg.errors import Stop, Unavailable
from stream_seg.ports import LogRange
from tests.kafka.recording import Recorder, fresh, numbered, running, send, settings
from tests.servers.kafka import KafkaServer

pytestmark = pytest.mark.servers


async def test_topics_made_as_the_table_says_differ_in_nothing(kafka: KafkaServer) -> None:
    name = fresh("shop")
    async with Admin(Broker(kafka.bootstrap)) as admin:
        missing = await admin.differences(name, topics().values(), 4)
        assert [d.key for d in missing] == [None] * len(topics())
        for topic in topics(30).values():
            assert await admin.create(topic_name(name, topic.name), topic.partitions or 4, topic.configs)
        assert await admin.differences(name, topics(7).values(), 4) == []
        assert not await admin.create(topic_name(name, "events"), 4, {})
        events = await admin.configs(topic_name(name, "events"))
        assert events["message.timestamp.type"] == "LogAppendTime"
        assert (await admin.configs(topic_name(name, "models")))["cleanup.policy"] == "compact"


async def test_what_is_not_as_needed_is_named_with_a_remedy(kafka: KafkaServer) -> None:
    name = fresh("shop")
    kafka.create_topic(topic_name(name, "events"), 2, retention_ms="1000", cleanup_policy="delete")
    async with Admin(Broker(kafka.bootstrap)) as admin:
        found = await admin.differences(name, [topics()["events"]], 4)
    assert [d.key for d in found] == ["partitions", "retention.ms", "message.timestamp.type"]
    assert found[0].remedy.startswith("set kafka.partitions to 2, or begin under a new `name`")
    assert str(found[2]).startswith(f"{name}.events.v1: message.timestamp.type is CreateTime, needed LogAppendTime; ")


async def test_a_log_range_tells_where_a_log_begins_ends_and_how_far_the_group_is(kafka: KafkaServer) -> None:
    topic, group = kafka.create_topic(fresh("events"), 2), fresh("group")
    async with Admin(Broker(kafka.bootstrap)) as admin:
        facts = await admin.topic(topic)
        assert facts is not None
        assert facts.guard == f"{facts.id}:2:murmur2"
        assert await admin.log_range(topic, 1, group) == LogRange(None, 0, 0, facts.guard)
        await send(kafka, topic, numbered(10), partition=1)
        stage = Recorder()
        async with running(settings(kafka, topic, group), stage):
            await stage.until(lambda: len(stage.values(1)) == 10)
        await send(kafka, topic, numbered(5, first=10), partition=1)
        await _delete_before(kafka, topic, 1, 4)
        assert await admin.log_range(topic, 1, group) == LogRange(10, 4, 15, facts.guard)


async def test_a_topic_made_anew_has_another_guard(kafka: KafkaServer) -> None:
    topic = kafka.create_topic(fresh("events"), 2)
    driver = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await driver.start()
    async with Admin(Broker(kafka.bootstrap)) as admin:
        before = await admin.topic(topic)
        await driver.delete_topics([topic])
        async with asyncio.timeout(30):
            while await admin.topic(topic) is not None:  # noqa: ASYNC110 — the broker does not call back
                await asyncio.sleep(0.1)
        kafka.create_topic(topic, 2)
        after = await admin.topic(topic)
    await driver.close()
    assert before is not None
    assert after is not None
    assert before.id
    assert before.guard != after.guard


async def test_a_refused_topic_stops_and_an_absent_broker_is_unavailable(kafka: KafkaServer) -> None:
    async with Admin(Broker(kafka.bootstrap)) as admin:
        with pytest.raises(Stop, match="InvalidConfiguration"):
            await admin.create(fresh("events"), 2, {"cleanup.policy": "sometimes"})
        with pytest.raises(Unavailable, match="topics create"):
            await admin.log_range(fresh("missing"), 0, "group")
        assert (await admin.broker_configs())["message.max.bytes"] == str(16 * 1024 * 1024)
    with pytest.raises(Unavailable):
        async with Admin(Broker("127.0.0.1:1")):
            pass


def test_events_kept_for_less_than_a_week_are_refused() -> None:
    with pytest.raises(ValueError, match="7 days"):
        topics(6)


async def _delete_before(kafka: KafkaServer, topic: str, partition: int, offset: int) -> None:
    from aiokafka import TopicPartition
    from aiokafka.admin.records_to_delete import RecordsToDelete

    driver = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await driver.start()
    await driver.delete_records({TopicPartition(topic, partition): RecordsToDelete(before_offset=offset)})
    await driver.close()


async def test_to_ask_about_no_partition_is_answered_and_cancels_nobody(kafka: KafkaServer) -> None:
    async with Admin(Broker(kafka.bootstrap)) as admin:
        assert await admin.ends([]) == await admin.firsts([]) == {}
