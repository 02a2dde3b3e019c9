"""Asking how a segmentation stands, and waiting until nothing is left to do. Read only."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

from stream_seg.adapters.kafka.admin import Admin
from stream_seg.adapters.kafka.topics import group_name, topic_name
from stream_seg.adapters.redis.inspection import RedisInspection
from stream_seg.bootstrap.connect import broker_of, now
from stream_seg.bootstrap.snapshot import LOGS
from stream_seg.config import Config
from stream_seg.errors import Stop
from stream_seg.pipeline.queries import PartitionFacts, segments_answer
from stream_seg.pipeline.status import StatusAnswer, StoredPartition, status_answer
from stream_seg.ports import Slot, Stage

LOOK_SECONDS = 1.0
SURE = 2  # looks one after the other that must find nothing left: what LABEL publishes is LEARN's to read


def looks(config: Config) -> Iterator[StatusAnswer]:
    """Look after look, as often as it is asked; each knows the one before."""
    before: tuple[int, StatusAnswer] | None = None
    while True:
        at = now()
        answer = asyncio.run(_look(config, at, before))
        before = at, answer
        yield answer


def wait_until_drained(config: Config, seconds: float, told: Callable[[StatusAnswer], None]) -> StatusAnswer:
    """The last look: the one that found nothing left twice in a row, or the one after which time was up."""
    give_up = time.monotonic() + seconds
    empty = 0
    for answer in looks(config):
        told(answer)
        empty = empty + 1 if answer["drained"] else 0
        if empty >= SURE or time.monotonic() >= give_up:
            return answer
        time.sleep(min(LOOK_SECONDS, max(0.0, give_up - time.monotonic())))
    raise AssertionError("looks do not end")


async def _look(config: Config, at: int, before: tuple[int, StatusAnswer] | None) -> StatusAnswer:
    inspection = RedisInspection(config.redis.connection_url, config.definition.name)
    try:
        async with Admin(broker_of(config.kafka)) as admin:
            stages = await stored(config, admin, inspection)
        slots = [Slot("label", part.number) for part in stages["label"]]
        facts = [
            PartitionFacts(part.meta, await inspection.counts(slot), await inspection.customers(slot))
            for slot, part in zip(slots, stages["label"], strict=True)
        ]
    finally:
        await inspection.close()
    return status_answer(config.definition.name, at, stages, segments_answer(facts), before)


async def stored(config: Config, admin: Admin, inspection: RedisInspection) -> dict[str, list[StoredPartition]]:
    """How each stage's partitions stand. Raises `Stop` where one of the logs is not there."""
    name = config.definition.name
    stages: dict[str, list[StoredPartition]] = {}
    if config.input_topics:
        stages["ingest"] = [
            StoredPartition("ingest", topic, number, log)
            for topic in config.input_topics
            for number, log in enumerate(await admin.log_ranges(topic, group_name(name, "ingest")))
        ]
    for stage, log in LOGS.items():
        stages[stage] = await _stored(admin, inspection, stage, topic_name(name, log), group_name(name, stage))
    return stages


async def _stored(
    admin: Admin, inspection: RedisInspection, stage: Stage, topic: str, group: str
) -> list[StoredPartition]:
    # The end is asked first: what is applied meanwhile makes it look less behind, never more.
    logs = await admin.log_ranges(topic, group)
    if not logs:
        raise Stop(f"Kafka has no topic {topic}; make the topics with `stream-seg topics create`")
    found = []
    for number, log in enumerate(logs):
        slot = Slot(stage, number)
        meta = await inspection.meta(slot)
        found.append(StoredPartition(stage, topic, number, log, meta, await inspection.outbox_length(slot)))
    return found
