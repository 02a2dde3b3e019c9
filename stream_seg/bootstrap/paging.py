"""All customers of all partitions, page by page, as Redis has them."""

from __future__ import annotations

from collections.abc import AsyncIterator

from stream_seg.adapters.redis.inspection import RedisInspection
from stream_seg.config import Config
from stream_seg.errors import Stop
from stream_seg.pipeline.queries import partitions_of
from stream_seg.ports import Slot


async def pages(inspection: RedisInspection, partitions: int, size: int) -> AsyncIterator[tuple[Slot, list[bytes]]]:
    """Up to `size` customers of one partition at a time. The slower it is asked, the slower Redis is read."""
    for partition in range(partitions):
        slot, after = Slot("label", partition), -1
        while page := await inspection.ring(slot, after, size):
            ids = [customer for customer, _ in page]  # more than `size` where many share the last position
            for at in range(0, len(ids), size):
                yield slot, ids[at : at + size]
            after = page[-1][1]


async def log_partitions(inspection: RedisInspection, config: Config) -> int:
    """How many partitions the log has, as the first one's state says."""
    meta = await inspection.meta(Slot("label", 0))
    if not meta:
        raise Stop(
            f"Redis at {config.redis.url} holds nothing of {config.definition.name!r}: no worker has run yet, or "
            "redis.url or name is another one"
        )
    return partitions_of(meta)
