"""What a Kafka cluster says of itself: how many brokers, how new they are, when it last appended. Read only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.client import AIOKafkaClient

from stream_seg.adapters.kafka.connection import Broker, connecting, kafka_errors

FETCH = 1  # Kafka's number of the request that reads records
# The newest version of that request grew with these releases, so it tells how new a broker is at least.
FETCH_SINCE = {12: "2.7", 13: "3.1", 15: "3.5", 16: "3.7", 17: "3.9", 18: "4.1"}
REQUEST_MS = 10_000


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """`release`: the brokers are at least this new, as far as the protocol tells."""

    brokers: int
    release: str


async def cluster_facts(broker: Broker) -> ClusterFacts:
    """Asks any broker of the cluster. Raises `Unavailable` when none answers and `Stop` when it refuses."""
    client = AIOKafkaClient(**broker.client, request_timeout_ms=REQUEST_MS)
    async with connecting(broker):
        try:
            await client.bootstrap()
            node = client.get_random_node()
            await client.ready(node)
            connection = await client._get_conn(node)  # aiokafka shows the versions nowhere else
            newest = connection._versions.get(FETCH, (0, 0))[1]  # as above
            brokers = len(client.cluster.brokers())
        finally:
            await client.close()
    known = max((version for version in FETCH_SINCE if version <= newest), default=None)
    return ClusterFacts(brokers, f"{FETCH_SINCE[known]} or later" if known else "older than 2.7")


async def newest_append(broker: Broker, topic: str, partitions: int) -> int | None:
    """When the newest record of any partition was appended, ms since 1970; None: they are empty.

    Raises `Unavailable` or `Stop`.
    """
    consumer = AIOKafkaConsumer(**broker.client, request_timeout_ms=REQUEST_MS, enable_auto_commit=False)
    with kafka_errors(f"reading the newest record of {topic}"):
        try:
            await consumer.start()
            logs = [TopicPartition(topic, number) for number in range(partitions)]
            consumer.assign(logs)
            return await _newest(consumer, logs)
        finally:
            await consumer.stop()


async def _newest(consumer: AIOKafkaConsumer, logs: Sequence[TopicPartition]) -> int | None:
    firsts, ends = await consumer.beginning_offsets(logs), await consumer.end_offsets(logs)
    found = []
    for log in logs:
        if ends[log] <= firsts[log]:
            continue
        consumer.seek(log, ends[log] - 1)
        records = (await consumer.getmany(log, timeout_ms=REQUEST_MS // 5, max_records=1)).get(log, [])
        found += [record.timestamp for record in records]
    return max(found, default=None)
