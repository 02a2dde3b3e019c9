"""Asking about customers and segments, read only: out of Redis, and profiles out of ``segment-definitions``."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import orjson

from stream_seg.adapters.redis.inspection import RedisInspection
from stream_seg.bootstrap.reading import whole_topic
from stream_seg.config import Config
from stream_seg.core.hashing import partition_of
from stream_seg.errors import Stop, StreamSegError
from stream_seg.pipeline.answers import CustomerAnswer, SegmentsAnswer
from stream_seg.pipeline.queries import PartitionFacts, customer_answer, partitions_of, segments_answer
from stream_seg.ports import Slot
from stream_seg.wire.output import DEFINITIONS


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
        slot = Slot("label", partition_of(customer, await _partitions(inspection, config)))
        record = await inspection.record(slot, customer)
        history = await inspection.history(slot, customer)
        return customer_answer(customer, record, history, await inspection.meta(slot))
    finally:
        await inspection.close()


async def _segments(config: Config) -> SegmentsAnswer:
    inspection = RedisInspection(config.redis.connection_url, config.definition.name)
    try:
        slots = [Slot("label", p) for p in range(await _partitions(inspection, config))]
        facts = [
            PartitionFacts(await inspection.meta(slot), await inspection.counts(slot), await inspection.customers(slot))
            for slot in slots
        ]
    finally:
        await inspection.close()
    return segments_answer(facts, await _definitions(config))


async def _partitions(inspection: RedisInspection, config: Config) -> int:
    """How many partitions the log has, as the first one's state says."""
    meta = await inspection.meta(Slot("label", 0))
    if not meta:
        raise Stop(
            f"Redis at {config.redis.url} holds nothing of {config.definition.name!r}: no worker has run yet, or "
            "redis.url or name is another one"
        )
    return partitions_of(meta)


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
