"""What people order of LEARN: into the samples log, and its answer out of the slot's state."""

from __future__ import annotations

import asyncio
import time
from typing import Literal, TypeAlias
from uuid import uuid4

from stream_seg.adapters.redis.inspection import RedisInspection
from stream_seg.bootstrap.connect import now
from stream_seg.bootstrap.definition import EVENTS, SAMPLES, partitions, publish
from stream_seg.bootstrap.models import LEARN, registered
from stream_seg.config import Config
from stream_seg.core.definition import BASE
from stream_seg.core.model import ModelVersion
from stream_seg.errors import Stop, Unavailable
from stream_seg.pipeline.history import rolled_back_to
from stream_seg.pipeline.learn_state import Memory, Request
from stream_seg.pipeline.model_answers import OrderAnswer
from stream_seg.pipeline.models import Registered
from stream_seg.wire.control import ORDER, Order, control

LOOK_AGAIN = 0.2  # seconds between two looks for LEARN's answer

Ramp: TypeAlias = Literal["walk", "now"]
Kind: TypeAlias = Literal["promote", "rollback", "freeze", "thaw", "retrain"]


def meant(config: Config, kind: Kind, version: int | None, tier: str | None = None) -> tuple[int | None, ModelVersion]:
    """The version in force in a tier, and the one that `promote` or `rollback` (None: the one before) would put there.

    Raises `Stop` as `put_where` does.
    """
    return put_where(asyncio.run(registered(config)), kind, version, tier)


def put_where(
    known: Registered, kind: Kind, version: int | None, tier: str | None = None
) -> tuple[int | None, ModelVersion]:
    """The same, of what is known of the versions.

    A version is of one tier; where none is named, the tier is. Raises `Stop` where there is no such version, none
    before, or where the one that is named is of another tier.
    """
    if version is not None:
        of = known.version(version).tier
        if tier not in (None, of):
            raise Stop(f"version {version} is of the tier {of}, not of {tier}; `stream-seg model list` shows all")
        tier = of
    history = [entry for entry in known.history if entry.tier == (tier or BASE)]
    wanted = rolled_back_to(history, version) if kind == "rollback" else version
    assert wanted is not None  # promote names one
    model = known.version(wanted)
    in_force = known.in_force(model.tier)
    return in_force.version if in_force else None, model


def order(
    config: Config,
    kind: Kind,
    *,
    who: str,
    why: str,
    wait: float,
    model: ModelVersion | None = None,
    ramp: Ramp = "walk",
    tier: str | None = None,
) -> OrderAnswer:
    """Sends an order to LEARN and waits for its answer, `wait` seconds at most.

    Raises `Stop` where LEARN refuses or has never run, and `Unavailable` where no answer came in time.
    """
    return asyncio.run(_order(config, kind, who, why, wait, model, ramp, tier))


async def _order(
    config: Config, kind: Kind, who: str, why: str, wait: float, model: ModelVersion | None, ramp: Ramp,
    tier: str | None,
) -> OrderAnswer:  # fmt: skip
    inspection = RedisInspection(config.redis.connection_url, config.definition.name)
    request = uuid4().hex
    try:
        if not await inspection.meta(LEARN):
            raise Stop(
                f"LEARN has never run on {config.definition.name!r}, and it alone decides about versions; start it: "
                "stream-seg run --stages learn"
            )
        wish = Order(request, kind, await partitions(config, EVENTS), who, now(), why, tier, model, ramp)
        await publish(config, [control(SAMPLES, ORDER, wish, p) for p in range(await partitions(config, SAMPLES))])
        answer = await _answer(inspection, request, wait)
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
    return OrderAnswer(order=kind, version=model.version if model else None, request=request, answer=answer.said)


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
