"""Folding the retained log beside the workers, for new features: ``stream-seg backfill``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import repeat
from typing import TypedDict

from stream_seg.adapters.kafka.admin import Admin
from stream_seg.adapters.kafka.topics import group_name, topic_name
from stream_seg.adapters.redis.inspection import RedisInspection
from stream_seg.bootstrap.connect import broker_of, piece_of, producer_of, slots_of
from stream_seg.config import Config
from stream_seg.core.activation import Activation, Fill
from stream_seg.core.definition import Definition
from stream_seg.core.engine import compile_engine, shared_cells
from stream_seg.errors import Stop
from stream_seg.pipeline.filling import Filler, Unheard, begun_by
from stream_seg.pipeline.label import Labeller
from stream_seg.pipeline.label_settings import LabelSettings
from stream_seg.pipeline.label_state import Memory, newest, offset_in
from stream_seg.ports import LogRange, Slot
from stream_seg.runtime.effects import Effects
from stream_seg.wire.timestamps import rfc3339

STRIDE = 50_000  # records between two looks at how far it is
NEAR = 1_000  # records that a partition may be behind: seconds later it would be as many again
# Records that LABEL folds by itself when the definition comes into force. It labels nobody meanwhile.
FOR_LABEL = 100_000


class Folded(TypedDict):
    """One partition: which offsets are folded, since when that is (RFC 3339), how many records have come meanwhile."""

    partition: int
    first: int
    next: int
    since: str | None
    behind: int


def run_backfill(
    config: Config, partitions: Sequence[int], tell: Callable[[str, int, int | None], None]
) -> list[Folded]:
    """Folds what the log holds under the file's definition until it has come near the end of each partition.

    `partitions`: none: all of them. It goes on where it was stopped. Raises `Stop` where nothing is in force, where the
    definition measures nothing new, or where customers are still being given what was folded before.
    """
    return asyncio.run(_run(config, partitions, tell))


async def _run(config: Config, partitions: Sequence[int], tell: Callable[[str, int, int | None], None]) -> list[Folded]:
    topic = topic_name(config.definition.name, "events")
    async with Admin(broker_of(config.kafka)) as admin:
        facts = await admin.topic(topic)
        if facts is None:
            raise Stop(f"there is no topic {topic}; create the topics with `stream-seg topics create`")
        wrong = [p for p in partitions if p >= facts.partitions]
        if wrong:
            raise Stop(f"{topic} has {facts.partitions} partitions, numbered from 0; there is no {wrong[0]}")
        await _check_new(config, facts.partitions)
        wanted = sorted(set(partitions)) or list(range(facts.partitions))
        return [await _near(config, admin, topic, partition, tell) for partition in wanted]


async def _check_new(config: Config, partitions: int) -> None:
    inspection = RedisInspection(config.redis.connection_url, config.definition.name)
    try:
        metas = [await inspection.meta(Slot("label", p)) for p in range(partitions)]
    finally:
        await inspection.close()
    current = newest(metas)
    if current is None:
        raise Stop("nothing is in force yet, and a first definition holds for the whole log: `stream-seg run`")
    if any(Memory(meta, 0).state.filling for meta in metas):
        raise Stop("workers still give customers what was folded before; wait until they have (`stream-seg status`)")
    if not measures_new(current, config.definition):
        raise Stop(f"{config.path} measures nothing that is not measured already: `stream-seg apply` is enough")


def measures_new(current: Activation, definition: Definition) -> bool:
    """Whether a definition needs any state that customers do not have under `current`."""
    following = Activation(number=1, definition=definition, feature_set_version="", who="", at=0, why="")
    old, new = compile_engine([current]).plan, compile_engine([following]).plan
    return len(shared_cells(old, new)) < len(new.cells)


async def _near(
    config: Config, admin: Admin, topic: str, partition: int, tell: Callable[[str, int, int | None], None]
) -> Folded:
    group = group_name(config.definition.name, "label")

    async def log_range(number: int) -> LogRange:
        return await admin.log_range(topic, number, group)

    slots = slots_of(config)
    effects = Effects(
        slots,
        producer_of(config),  # never started: nothing is published
        log_range,
        again=lambda p, at, until: piece_of(config, topic, p, at, until),
    )
    settings = LabelSettings(cache_bytes=config.run.cache_mb * 1_000_000)
    owner = Unheard(Slot("fill", partition), "events")
    filler = Filler(Labeller("events", partition, settings, repeat(0), owner), owner, config.definition, None)
    try:
        await effects.run(filler.open())
        start, end = filler.offset, (await log_range(partition)).next
        while filler.offset < end:
            before = filler.offset
            await effects.run(filler.fold(min(end, before + STRIDE)))
            now_at = (await log_range(partition)).next
            tell(f"partition {partition}", filler.offset - start, now_at - start)
            if now_at - end > NEAR:
                end = now_at
            if filler.offset == before:  # what is left are marks of transactions
                break
        behind = (await log_range(partition)).next - filler.offset
        since = rfc3339(filler.begun.since) if filler.begun.since else None
        return Folded(partition=partition, first=filler.begun.first, next=filler.offset, since=since, behind=behind)
    finally:
        await slots.close()


async def folded(config: Config, current: Activation) -> Fill:
    """What a backfill of the file's definition has come to. Raises `Stop` where it is not there, or is far behind."""
    if not measures_new(current, config.definition):
        raise Stop(f"{config.path} measures nothing that is not measured already: leave out --backfilled")
    name = config.definition.name
    topic, remedy = topic_name(name, "events"), f"`stream-seg backfill {config.path}`"
    inspection = RedisInspection(config.redis.connection_url, name)
    found, late = [], 0
    try:
        async with Admin(broker_of(config.kafka)) as admin:
            facts = await admin.topic(topic)
            for partition in range(facts.partitions if facts else 0):
                log = await admin.log_range(topic, partition, group_name(name, "label"))
                meta = await inspection.meta(Slot("fill", partition))
                begun = begun_by(meta, log.guard, config.definition)
                if begun is None:
                    raise Stop(f"partition {partition} was not backfilled for this file's features: {remedy}")
                late = log.next - offset_in(meta)
                if late > FOR_LABEL:
                    raise Stop(
                        f"partition {partition}: {late:,} records came after the backfill, and LABEL would read them "
                        f"before it goes on; again {remedy}, it begins where it ended"
                    )
                found.append(begun)
    finally:
        await inspection.close()
    return Fill(tuple(begun.first for begun in found), max((begun.since for begun in found), default=0))
