"""What people ask of LEARN: into the samples log, and its answer out of the slot's state."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from stream_seg.adapters.redis.inspection import RedisInspection
from stream_seg.bootstrap.definition import partitions, publish
from stream_seg.bootstrap.recorded import SAMPLES
from stream_seg.config import Config
from stream_seg.errors import Stop, Unavailable
from stream_seg.pipeline.learn_state import Memory, Request
from stream_seg.ports import Message, Slot
from stream_seg.wire.control import APPLY, ORDER, Apply, Order, control

LEARN = Slot("learn", 0)
LOOK_AGAIN = 0.2  # seconds between two looks for LEARN's answer


async def ask(config: Config, wish: Apply | Order, wait: float, also: Sequence[Message] = ()) -> Request:
    """Sends a wish to LEARN, and `also` with it, and waits for the answer, `wait` seconds at most.

    Raises `Stop` where LEARN refuses or has never run, and `Unavailable` where no answer came in time.
    """
    inspection = RedisInspection(config.redis.connection_url, config.definition.name)
    try:
        if not await inspection.meta(LEARN):
            raise Stop(
                f"LEARN has never run on {config.definition.name!r}, and it alone decides about versions and numbers "
                "what comes into force; start it: stream-seg run --stages learn"
            )
        kind = APPLY if isinstance(wish, Apply) else ORDER
        sent = [control(SAMPLES, kind, wish, p) for p in range(await partitions(config, SAMPLES))]
        await publish(config, [*sent, *also])
        answer = await _answer(inspection, wish.request, wait)
    finally:
        await inspection.close()
    if answer is None:
        raise Unavailable(
            f"the order is in the log, and LEARN has not answered within {wait:g} seconds. It is not lost: it is "
            "carried out once, as soon as LEARN comes to it. Look whether LEARN runs (stream-seg run), then "
            "at what came of it (stream-seg model list); do not send it again"
        )
    if answer.refused:
        raise Stop(answer.said)
    return answer


async def _answer(inspection: RedisInspection, request: str, wait: float) -> Request | None:
    give_up = time.monotonic() + wait
    while True:
        memory = Memory(await inspection.meta(LEARN), 0)
        for one in memory.state.requests:
            if one.id == request:
                return one
        if time.monotonic() >= give_up:
            return None
        await asyncio.sleep(LOOK_AGAIN)
