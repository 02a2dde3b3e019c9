"""Builds one partition's state anew from the log: ``stream-seg rebuild``."""

from __future__ import annotations

import asyncio
from typing import TypedDict

import msgspec

from stream_seg.adapters.kafka.admin import Admin
from stream_seg.adapters.kafka.ranges import Asked, first_of, ranges
from stream_seg.adapters.kafka.topics import group_name, topic_name
from stream_seg.adapters.redis.snapshots import Meta, SlotFiles
from stream_seg.bootstrap.connect import broker_of
from stream_seg.bootstrap.resting import check_resting
from stream_seg.config import Config
from stream_seg.errors import Stop
from stream_seg.pipeline.label_state import STATE, LabelState
from stream_seg.pipeline.owner import GUARD
from stream_seg.ports import Slot
from stream_seg.wire.control import activates


class Rebuilt(TypedDict):
    """A partition that the next worker builds anew: from where, and how many records that are."""

    partition: int
    offset: int
    records: int


def rebuild_partition(config: Config, partition: int, offset: int | None) -> Rebuilt:
    """Forgets LABEL's state of a partition and has it begin at `offset` (None: where the log begins).

    Raises `Stop` where workers run, where something still waits to be published, where the log does not reach back, and
    where nothing was put in force from there on; before anything is changed.
    """
    return asyncio.run(_rebuild(config, partition, offset))


async def _rebuild(config: Config, partition: int, offset: int | None) -> Rebuilt:
    name, broker = config.definition.name, broker_of(config.kafka)
    topic, group, slot = topic_name(name, "events"), group_name(name, "label"), Slot("label", partition)
    (part,) = await ranges(broker, Asked(topic, partition, offset))
    async with Admin(broker) as admin:
        await check_resting(admin, name, "label")
        log = await admin.log_range(topic, partition, group)
    if part.first > log.next:
        raise Stop(f"{topic} partition {partition} ends at {log.next}; there is no offset {part.first}")
    if await first_of(broker, part, activates) is None:
        raise Stop(
            f"{topic} partition {partition} has no activation from {part.first} on: nothing would say how to label. "
            "Begin earlier, or put the definition in force again first (`stream-seg apply`)"
        )
    files = SlotFiles(config.redis.connection_url, name)
    try:
        if await files.waiting(slot):
            raise Stop(
                "movements of this partition wait to be published: start the workers, `stream-seg drain`, stop them, "
                "then rebuild; forgotten, nobody would ever hear of them"
            )
        claim = (await files.meta(slot)).get(b".claim", b"0")
        await files.clear(slot)
        state = msgspec.msgpack.encode(LabelState(offset=part.first))
        await files.write(
            slot, Meta({b".claim": claim, b".rev": b"1", GUARD.encode(): log.guard.encode(), STATE.encode(): state})
        )
    finally:
        await files.close()
    return Rebuilt(partition=partition, offset=part.first, records=log.next - part.first)
