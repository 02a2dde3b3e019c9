"""What a process cannot count as it works: Redis's memory, who is in which segment, whom silence is still to move."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import NoReturn

from stream_seg.adapters.prometheus import catalogue as metric
from stream_seg.adapters.prometheus.counting import PrometheusTelemetry
from stream_seg.adapters.prometheus.serving import Health
from stream_seg.adapters.redis.inspection import RedisInspection
from stream_seg.adapters.redis.server import server_facts
from stream_seg.config import Config
from stream_seg.errors import Stop, Unavailable
from stream_seg.ports import Slot

EVERY = 5.0  # seconds


async def poll(config: Config, stage: str, telemetry: PrometheusTelemetry, health: Health) -> NoReturn:
    """Asks Redis again and again, on connections of its own, and says whether it answers."""
    inspection = RedisInspection(config.redis.connection_url, config.definition.name)
    while True:
        try:
            await _memory(config.redis.connection_url, telemetry)
            if stage == "label":
                await _customers(inspection, telemetry)
        except (Stop, Unavailable) as error:
            health.redis = str(error)
        else:
            health.redis = True
        telemetry.meters[metric.REDIS_UP].at().set(health.redis is True)
        await asyncio.sleep(EVERY)


async def _memory(url: str, telemetry: PrometheusTelemetry) -> None:
    facts = await server_facts(url)
    telemetry.meters[metric.REDIS_MEMORY].at().set(facts.used_memory)
    telemetry.meters[metric.REDIS_LIMIT].at().set(facts.max_memory)


async def _customers(inspection: RedisInspection, telemetry: PrometheusTelemetry) -> None:
    """Of the partitions that work here. A segment that nobody is in shows 0 as long as the model in force has it."""
    sizes = Counter[str]()
    for part in list(telemetry.assigned.values()):
        if not part.open:
            continue
        slot = Slot("label", part.number)
        for field, count in (await inspection.counts(slot)).items():
            kind, _, number = field.decode().partition(":")
            if kind == "s":
                sizes[telemetry.segment(int(number))] += count
        telemetry.meters[metric.OVERDUE].at(part.number).set(await inspection.overdue(slot, part.clock))
    telemetry.sizes(sizes)
