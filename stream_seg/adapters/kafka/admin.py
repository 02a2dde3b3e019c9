"""What has to be known about, and done to, topics and consumer groups, outside of the stream itself."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code
from aiokafka.protocol.metadata import MetadataRequest

from stream_seg.adapters.kafka.connection import Broker, connecting, kafka_errors
from stream_seg.adapters.kafka.metadata import TopicFacts, TopicIdsRequest
from stream_seg.adapters.kafka.topics import Topic, topic_name
from stream_seg.errors import Stop, Unavailable
from stream_seg.ports import LogRange

REQUEST_MS = 10_000


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing about one topic that is not as needed. `key` None: the topic is missing."""

    topic: str
    key: str | None
    found: str
    needed: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.topic}: {self.key or 'topic'} is {self.found}, needed {self.needed}; {self.remedy}"


class Admin:
    """Use as ``async with Admin(broker) as admin``. Raises `Unavailable` or `Stop`, never a driver's error."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._offsets: AIOKafkaConsumer | None = None

    async def __aenter__(self) -> Self:
        self._admin = AIOKafkaAdminClient(**self._broker.client, request_timeout_ms=REQUEST_MS)
        try:
            async with connecting(self._broker):
                await self._admin.start()
        except BaseException:
            await self._admin.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._offsets is not None:
            await self._offsets.stop()
        await self._admin.close()

    # ------------------------------------------------------------------ topics

    async def topic(self, name: str) -> TopicFacts | None:
        """None: there is no such topic."""
        with kafka_errors(f"describing {name}"):
            try:
                answer = await self._admin._send_request(TopicIdsRequest([name]))  # see metadata.py
            except NotImplementedError:  # a broker that does not speak version 12
                answer = await self._admin._send_request(MetadataRequest([name], allow_auto_topic_creation=False))
            (facts,) = answer.to_object()["topics"]
            if facts["error_code"] == UnknownTopicOrPartitionError.errno:
                return None
            if facts["error_code"]:
                raise for_code(facts["error_code"])(name)
        known = facts.get("topic_id")
        partitions: list[Any] = facts["partitions"]
        replicas = min((len(p["replicas"]) for p in partitions), default=0)
        return TopicFacts(name, str(uuid.UUID(bytes=known)) if known else "", len(partitions), replicas)

    async def create(self, name: str, partitions: int, configs: Mapping[str, str], replicas: int = 0) -> bool:
        """False if it was there already. `replicas` 0: three, or as many as there are brokers."""
        with kafka_errors(f"creating {name}"):
            replicas = replicas or min(3, len((await self._admin.describe_cluster())["brokers"]))
            topic = NewTopic(name, partitions, replicas, topic_configs=dict(configs))
            answer = await self._admin.create_topics([topic])
            _, code, *reason = answer.topic_errors[0]
            if code == TopicAlreadyExistsError.errno:
                return False
            if code:
                error = for_code(code)
                if error.retriable:
                    raise error(reason)
                raise Stop(f"creating {name}: Kafka refuses: {error.__name__} {' '.join(map(str, reason))}")
        await self._until_visible(name)
        return True

    async def _until_visible(self, name: str) -> None:
        """The controller answers before every broker has heard of a new topic."""
        for _ in range(REQUEST_MS // 50):
            if await self.topic(name) is not None:
                return
            await asyncio.sleep(0.05)
        raise Unavailable(f"{name} was created, but no broker knows of it yet")

    async def configs(self, name: str) -> dict[str, str]:
        """The settings in force for a topic, defaults included."""
        return await self._configs(ConfigResourceType.TOPIC, name)

    async def broker_configs(self) -> dict[str, str]:
        """The settings in force on one broker (``message.max.bytes``, ``log.message.timestamp.type`` …)."""
        return await self._configs(ConfigResourceType.BROKER, str(self._admin._client.get_random_node()))

    async def _configs(self, kind: ConfigResourceType, name: str) -> dict[str, str]:
        with kafka_errors(f"describing the settings of {name}"):
            (answer,) = await self._admin.describe_configs([ConfigResource(kind, name)])
            error_code, message, _, _, entries = answer.resources[0]
            if error_code:
                raise for_code(error_code)(message)
        return {entry[0]: entry[1] for entry in entries if entry[1] is not None}

    async def differences(self, name: str, needed: Iterable[Topic], partitions: int) -> list[Difference]:
        """What about the topics of `name` is not as needed. More partitions than asked for are as good."""
        found: list[Difference] = []
        for topic in needed:
            real, wanted = topic_name(name, topic.name), topic.partitions or partitions
            facts = await self.topic(real)
            if facts is None:
                found.append(Difference(real, None, "missing", f"{topic.why}", "stream-seg topics create"))
                continue
            if facts.partitions < wanted:
                remedy = (
                    f"set kafka.partitions to {facts.partitions}, or begin under a new `name`; never add partitions: "
                    "the same keys would go elsewhere"
                )
                found.append(Difference(real, "partitions", str(facts.partitions), str(wanted), remedy))
            configs = await self.configs(real)
            for key, value in topic.configs.items():
                if not _as_good(key, configs.get(key, ""), value):
                    remedy = f"kafka-configs --alter --topic {real} --add-config {key}={value}"
                    found.append(Difference(real, key, configs.get(key, "unknown"), value, remedy))
        return found

    # ------------------------------------------------------------------ offsets

    async def log_range(self, topic: str, partition: int, group: str) -> LogRange:
        """Where a log begins and ends, how far `group` committed, and which log it is."""
        facts = await self.topic(topic)
        if facts is None:
            raise Unavailable(f"there is no topic {topic} (stream-seg topics create)")
        (found,) = await self._log_ranges(facts, [TopicPartition(topic, partition)], group)
        return found

    async def log_ranges(self, topic: str, group: str) -> list[LogRange]:
        """The same of every partition, in their order; none where there is no such topic."""
        facts = await self.topic(topic)
        tps = [TopicPartition(topic, number) for number in range(facts.partitions if facts else 0)]
        return await self._log_ranges(facts, tps, group) if facts else []

    async def _log_ranges(self, facts: TopicFacts, tps: Sequence[TopicPartition], group: str) -> list[LogRange]:
        firsts, ends, committed = await self.firsts(tps), await self.ends(tps), await self._committed(group, tps)
        return [LogRange(committed.get(tp), firsts[tp], ends[tp], facts.guard) for tp in tps]

    async def firsts(self, tps: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """The oldest offset that each log still holds (or would, if it is empty)."""
        if not tps:
            return {}
        reader = await self._reader()
        with kafka_errors("asking for first offsets"):
            firsts: dict[TopicPartition, int] = await reader.beginning_offsets(tps)
        return firsts

    async def ends(self, tps: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """The offset after the last record that can be read (open transactions end it)."""
        if not tps:  # aiokafka's consumer, ended as soon as it is started, would cancel us
            return {}
        reader = await self._reader()
        with kafka_errors("asking for last offsets"):
            ends: dict[TopicPartition, int] = await reader.end_offsets(tps)
        return ends

    async def since(self, topic: str, at: int) -> list[tuple[int, int]]:
        """Of each partition the first offset written at `at` (ms) or later, and the end; none: there is no such topic.

        An embedded broker gives the first offset of all.
        """
        facts = await self.topic(topic)
        tps = [TopicPartition(topic, number) for number in range(facts.partitions if facts else 0)]
        if not tps:
            return []
        ends = await self.ends(tps)
        reader = await self._reader()
        with kafka_errors(f"asking {topic} for offsets by time"):
            found = await reader.offsets_for_times(dict.fromkeys(tps, at))
        return [(found[tp].offset if found[tp] else ends[tp], ends[tp]) for tp in tps]

    async def members(self, group: str) -> int:
        """How many consumers are in a group now; a group that never was has none."""
        with kafka_errors(f"describing the group {group}"):
            (answer,) = await self._admin.describe_consumer_groups([group])
            (described,) = answer.to_object()["groups"]
            if described["error_code"]:
                raise for_code(described["error_code"])(group)
        return len(described["members"])

    async def committed(self, group: str, topics: Sequence[str]) -> dict[TopicPartition, int]:
        """How far `group` is on every partition of `topics`; where it never committed, the first offset."""
        tps = []
        for name in topics:
            facts = await self.topic(name)
            tps += [TopicPartition(name, p) for p in range(facts.partitions if facts else 0)]
        return await self.firsts(tps) | await self._committed(group, tps)

    async def _committed(self, group: str, tps: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        with kafka_errors(f"asking for the offsets of {group}"):
            found = await self._offsets_of(group, list(tps))
        return {tp: at.offset for tp, at in found.items() if at.offset >= 0}

    async def _offsets_of(self, group: str, tps: list[TopicPartition]) -> Any:
        """Patient for a while: the first question ever makes the broker create its topic for offsets."""
        until = asyncio.get_running_loop().time() + REQUEST_MS / 1000
        while True:
            try:
                return await self._admin.list_consumer_group_offsets(group, partitions=tps)
            except KafkaError as error:
                if not error.retriable or asyncio.get_running_loop().time() > until:
                    raise
            await asyncio.sleep(0.1)

    async def _reader(self) -> AIOKafkaConsumer:
        if self._offsets is None:
            self._offsets = AIOKafkaConsumer(
                **self._broker.client,
                request_timeout_ms=REQUEST_MS,
                isolation_level="read_committed",
                enable_auto_commit=False,
            )
            async with connecting(self._broker):
                await self._offsets.start()
        return self._offsets


def _as_good(key: str, found: str, needed: str) -> bool:
    if key == "retention.ms":
        return found == "-1" or (found.isdigit() and int(found) >= int(needed))
    if key == "max.message.bytes":
        return found.isdigit() and int(found) >= int(needed)
    return found == needed
