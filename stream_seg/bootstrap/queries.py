"""Asking about customers and segments, read only: out of Redis, and profiles out of ``segment-definitions``."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from typing import Any

import orjson

from stream_seg.adapters.redis.inspection import RedisInspection
from stream_seg.bootstrap.paging import log_partitions, pages
from stream_seg.bootstrap.reading import whole_topic
from stream_seg.config import Config
from stream_seg.core.hashing import partition_of
from stream_seg.core.views import View
from stream_seg.errors import StreamSegError
from stream_seg.pipeline.answers import CustomerAnswer, SegmentsAnswer, WhoAnswer
from stream_seg.pipeline.queries import PartitionFacts, customer_answer, segments_answer
from stream_seg.pipeline.who import Ranking
from stream_seg.ports import Slot
from stream_seg.wire.output import DEFINITIONS

PAGE = 500  # customers of one question to Redis: some hundred kilobytes at most


def ask_customer(config: Config, customer_id: str) -> CustomerAnswer | None:
    """Who a customer is now; None: nobody of that id is known. Asks Redis alone."""
    try:
        customer = customer_id.encode()
    except UnicodeEncodeError:  # bytes of the command line that are no UTF-8: no event can bear them
        return None
    return asyncio.run(_customer(config, customer))


def ask_segments(config: Config) -> SegmentsAnswer:
    """Who is here, segment by segment. Without Kafka it answers too, with the model's centres for profiles."""
    return asyncio.run(_segments(config))


async def _customer(config: Config, customer: bytes) -> CustomerAnswer | None:
    inspection = RedisInspection(config.redis.connection_url, config.definition.name)
    try:
        slot = Slot("label", partition_of(customer, await log_partitions(inspection, config)))
        record = await inspection.record(slot, customer)
        history = await inspection.history(slot, customer)
        return customer_answer(customer, record, history, await inspection.meta(slot))
    finally:
        await inspection.close()


async def _segments(config: Config) -> SegmentsAnswer:
    inspection = RedisInspection(config.redis.connection_url, config.definition.name)
    try:
        slots = [Slot("label", p) for p in range(await log_partitions(inspection, config))]
        facts = [
            PartitionFacts(await inspection.meta(slot), await inspection.counts(slot), await inspection.customers(slot))
            for slot in slots
        ]
    finally:
        await inspection.close()
    return segments_answer(facts, await _definitions(config))


def ask_who(config: Config, view: View, limit: int) -> WhoAnswer:
    """Who is in a view, the first `limit` of them. Asks Redis alone, page by page."""
    return asyncio.run(_who(config, view, limit))


async def _who(config: Config, view: View, limit: int) -> WhoAnswer:
    inspection = RedisInspection(config.redis.connection_url, config.definition.name)
    ranking = Ranking(view, limit)
    try:
        async for slot, customers in pages(inspection, await log_partitions(inspection, config), PAGE):
            await _look(inspection, slot, customers, ranking)
    finally:
        await inspection.close()
    return ranking.answer()


async def _look(inspection: RedisInspection, slot: Slot, customers: Sequence[bytes], ranking: Ranking) -> None:
    """One page. What Redis took for it, it has at least as long for the workers before the next one."""
    began = time.monotonic()
    records = await inspection.records(slot, customers)
    meta = await inspection.meta(slot)
    read = time.monotonic()
    wanted = ranking.bring(customers, records, meta)
    again = time.monotonic()
    histories = await inspection.histories(slot, wanted)
    took = time.monotonic() - again + read - began
    judging = time.monotonic()
    ranking.judge(histories)
    await asyncio.sleep(max(took - (time.monotonic() - judging), 0))


async def _definitions(config: Config) -> dict[int, dict[str, Any]]:
    """The last definition of each segment; none, and a line that says why, where Kafka cannot be asked."""
    found: dict[int, dict[str, Any]] = {}
    try:
        async for record in whole_topic(config, DEFINITIONS):
            if record.value is not None:
                definition = orjson.loads(record.value)
                found[int(definition["segment"])] = definition
    except StreamSegError as error:
        sys.stderr.write(f"profiles are the model's centres, since the definitions cannot be read: {error}\n")
        return {}
    return found
