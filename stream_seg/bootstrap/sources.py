"""Which sources make the clock of an events log that INGEST writes: decided by a person, recorded in the log."""

from __future__ import annotations

from collections.abc import Sequence

from stream_seg.adapters.kafka.admin import Admin
from stream_seg.adapters.redis.inspection import RedisInspection
from stream_seg.bootstrap.connect import broker_of
from stream_seg.config import Config
from stream_seg.errors import Stop
from stream_seg.pipeline.ingest import source_name
from stream_seg.pipeline.label_state import Memory
from stream_seg.ports import Message, Slot
from stream_seg.wire.control import SOURCES, Sources, control

EVENTS = "events"


async def configured(config: Config) -> tuple[str, ...]:
    """Every partition of the product topics by name; none where something else makes the clock.

    Raises `Stop` for a topic that is not there.
    """
    if config.definition.input.clock != "progress":
        return ()
    names: list[str] = []
    async with Admin(broker_of(config.kafka)) as admin:
        for topic in config.input_topics:
            facts = await admin.topic(topic)
            if facts is None:
                raise Stop(f"there is no topic {topic}; create it, or take it out of input.topics")
            names += [source_name(topic, partition) for partition in range(facts.partitions)]
    return tuple(names)


async def recorded(config: Config, partitions: int) -> tuple[str, ...]:
    """The sources that LABEL waits for, by its state in Redis: those that any events partition lists."""
    inspection = RedisInspection(config.redis.connection_url, config.definition.name)
    try:
        found: dict[str, None] = {}
        for partition in range(partitions):
            meta = await inspection.meta(Slot("label", partition))
            found |= dict.fromkeys(Memory(meta, 0).state.waits if meta else ())
        return tuple(found)
    finally:
        await inspection.close()


def messages(names: Sequence[str], partitions: int) -> list[Message]:
    """The record for every events partition; none where there are no sources."""
    if not names:
        return []
    return [control(EVENTS, SOURCES, Sources(tuple(names)), partition) for partition in range(partitions)]


def changes(old: Sequence[str], new: Sequence[str]) -> list[str]:
    """How the list changes, in words, and what that will do.

    >>> changes(["web:0", "app:0"], ["web:0", "web:1"])
    ['source web:1 is new: the clock waits for it', 'source app:0 goes: the clock waits for it no longer']
    >>> changes(["feeder"], [])
    []
    """
    if not new:
        return []
    added = [f"source {name} is new: the clock waits for it" for name in new if name not in old]
    gone = [f"source {name} goes: the clock waits for it no longer" for name in old if name not in new]
    return [*added, *gone]
