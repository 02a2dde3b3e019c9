"""Asking how a segmentation stands, and waiting until nothing is left to do. Read only."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from stream_seg.adapters.kafka.admin import Admin
from stream_seg.adapters.kafka.topics import group_name, topic_name
from stream_seg.adapters.redis.inspection import RedisInspection
from stream_seg.bootstrap.connect import broker_of, now
from stream_seg.config import Config
from stream_seg.errors import Stop
from stream_seg.pipeline.queries import PartitionFacts, segments_answer
from stream_seg.pipeline.status import StatusAnswer, StoredPartition, status_answer
from stream_seg.ports import Slot

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
    name = config.definition.name
    inspection = RedisInspection(config.redis.connection_url, name)
    try:
        async with Admin(broker_of(config.kafka)) as admin:
            label = await _stored(admin, inspection, name, "label", "events")
            stages = {"label": label, "learn": await _stored(admin, inspection, name, "learn", "samples")}
            if config.input_topics:
                stages["ingest"] = await _sources(admin, group_name(name, "ingest"), config.input_topics)
        facts = [
            PartitionFacts(one.meta, await inspection.counts(slot), await inspection.customers(slot))
            for slot, one in [(Slot("label", number), one) for number, one in enumerate(label)]
        ]
    finally:
        await inspection.close()
    return status_answer(name, at, stages, segments_answer(facts), before)


async def _stored(
    admin: Admin, inspection: RedisInspection, name: str, stage: Literal["label", "learn"], log: str
) -> list[StoredPartition]:
    topic = topic_name(name, log)
    # The end is asked first: what is applied meanwhile makes it look less behind, never more.
    committed = await admin.committed(group_name(name, stage), [topic])
    if not committed:
        raise Stop(f"Kafka has no topic {topic}; make the topics with `stream-seg topics create`")
    ends = await admin.ends(committed)
    found = []
    for tp in sorted(committed):
        slot = Slot(stage, tp.partition)
        meta = await inspection.meta(slot)
        found.append(StoredPartition(meta, await inspection.outbox_length(slot), committed[tp], ends[tp]))
    return found


async def _sources(admin: Admin, group: str, topics: Sequence[str]) -> list[StoredPartition]:
    committed = await admin.committed(group, topics)
    ends = await admin.ends(committed)
    return [StoredPartition({}, 0, committed[tp], ends[tp]) for tp in sorted(committed)]
