"""What people order of LEARN: which version they mean, and the order itself."""

from __future__ import annotations

import asyncio
from typing import Literal, TypeAlias
from uuid import uuid4

from stream_seg.bootstrap.answering import ask
from stream_seg.bootstrap.connect import now
from stream_seg.bootstrap.definition import partitions
from stream_seg.bootstrap.models import registered
from stream_seg.bootstrap.recorded import EVENTS
from stream_seg.config import Config
from stream_seg.core.definition import BASE
from stream_seg.core.model import ModelVersion
from stream_seg.errors import Stop
from stream_seg.pipeline.history import rolled_back_to
from stream_seg.pipeline.model_answers import OrderAnswer
from stream_seg.pipeline.models import Registered
from stream_seg.wire.control import Order

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
    wish = Order(uuid4().hex, kind, await partitions(config, EVENTS), who, now(), why, tier, model, ramp)
    answer = await ask(config, wish, wait)
    return OrderAnswer(order=kind, version=model.version if model else None, request=answer.id, answer=answer.said)
