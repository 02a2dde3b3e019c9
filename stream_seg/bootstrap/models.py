"""What there is to know about the model versions: out of the topics that LEARN writes and out of Redis. Read only."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import msgspec

from stream_seg.adapters.redis.inspection import RedisInspection
from stream_seg.bootstrap.answering import LEARN
from stream_seg.bootstrap.paging import log_partitions, pages
from stream_seg.bootstrap.reading import whole_topic
from stream_seg.config import Config
from stream_seg.core.activation import Activation
from stream_seg.core.model import ModelVersion
from stream_seg.errors import Stop
from stream_seg.pipeline.history import in_order
from stream_seg.pipeline.label_state import Memory as LabelMemory
from stream_seg.pipeline.learn_state import Memory as LearnMemory
from stream_seg.pipeline.model_answers import DiffAnswer, ModelAnswer, ModelsAnswer, ReproduceAnswer
from stream_seg.pipeline.models import Registered, model_answer, models_answer
from stream_seg.pipeline.moves import Comparison
from stream_seg.ports import Slot
from stream_seg.progress import Tell
from stream_seg.wire.activations import ACTIVATIONS, read_activated
from stream_seg.wire.output import MODELS

PAGE = 500  # customers of one question to Redis: some hundred kilobytes at most
COMPARING = "comparing customers"


def list_models(config: Config) -> ModelsAnswer:
    """Every version, and everything that was in force."""
    return models_answer(asyncio.run(registered(config)))


def show_model(config: Config, version: int) -> ModelAnswer:
    """One version. Raises `Stop` where there is none."""
    return model_answer(asyncio.run(registered(config)), version)


def compare_models(config: Config, before: int | None, after: int | None, sample: int, tell: Tell) -> DiffAnswer:
    """What `after` (None: the newest) would change for everybody whom `before` (None: the one in force) labels."""
    return asyncio.run(_compare(config, before, after, sample, tell))


def reproduce_model(config: Config, version: int) -> ReproduceAnswer:
    """Makes a version again and compares. Raises `Stop` where it is not known, or not how it was made."""
    return asyncio.run(_reproduce(config, version))


async def _reproduce(config: Config, version: int) -> ReproduceAnswer:
    from stream_seg.pipeline.reproduction import reproduced  # noqa: PLC0415  # river is needed here only

    model = (await registered(config)).version(version)
    theirs = b"%s:%d:" % (model.tier.encode(), version)
    return reproduced(
        model,
        [r.value async for r in whole_topic(config, "trainings") if r.value and (r.key or b"").startswith(theirs)],
    )


async def registered(config: Config) -> Registered:
    """Everything that is known of the versions now."""
    models, damaged = await _models(config)
    inspection = RedisInspection(config.redis.connection_url, config.definition.name)
    try:
        meta = await inspection.meta(LEARN)
        learn = LearnMemory(meta, 0) if meta else None
        in_use = await _in_use(inspection, config, learn.activation if learn else None)
    finally:
        await inspection.close()
    return Registered(
        models=models,
        damaged=damaged,
        history=in_order([read_activated(r.value) async for r in whole_topic(config, ACTIVATIONS) if r.value]),
        in_use=in_use,
        proposals=[tier.proposal for tier in learn.tiers.values() if tier.proposal] if learn else [],
        frozen=[name for name, tier in learn.tiers.items() if tier.state.held] if learn else None,
    )


async def _models(config: Config) -> tuple[dict[int, ModelVersion], dict[int, str]]:
    """The versions of the topic, and those whose record cannot be used, with what is wrong."""
    models, damaged = dict[int, ModelVersion](), dict[int, str]()
    async for record in whole_topic(config, MODELS):
        number = int((record.key or b"").rpartition(b":")[2])
        models.pop(number, None)
        damaged.pop(number, None)
        try:
            model = msgspec.json.decode(record.value or b"", type=ModelVersion)
        except msgspec.DecodeError as error:
            damaged[number] = f"its record cannot be read ({error})"
            continue
        if model.intact:
            models[number] = model
        else:
            damaged[number] = "its record does not match its checksum"
    return models, damaged


async def _in_use(inspection: RedisInspection, config: Config, newest: Activation | None) -> Sequence[Activation]:
    """The activations that customers are under, and the one that LEARN made last, oldest first."""
    found = {} if newest is None else {newest.number: newest}
    meta = await inspection.meta(Slot("label", 0))
    count = await log_partitions(inspection, config) if meta else 0
    for partition in range(count):
        meta = await inspection.meta(Slot("label", partition))
        found |= {activation.number: activation for activation in (LabelMemory(meta, 0).activations if meta else ())}
    return [found[number] for number in sorted(found)]


async def _compare(config: Config, before: int | None, after: int | None, sample: int, tell: Tell) -> DiffAnswer:
    known = await registered(config)
    old, new = _chosen(known, before, after)
    comparison = Comparison(known, old, new, sample)
    inspection = RedisInspection(config.redis.connection_url, config.definition.name)
    try:
        count = await log_partitions(inspection, config)
        total, done = sum([await inspection.customers(Slot("label", p)) for p in range(count)]), 0
        tell(COMPARING, done, total)
        async for slot, customers in pages(inspection, count, PAGE):
            await _look(inspection, slot, customers, comparison)
            done += len(customers)
            tell(COMPARING, done, total)
    finally:
        await inspection.close()
    return comparison.answer()


def _chosen(known: Registered, before: int | None, after: int | None) -> tuple[ModelVersion, ModelVersion]:
    """The two versions. Raises `Stop` where one is missing or both are the same."""
    new = known.version(max(known.models, default=0) if after is None else after)
    old = known.version(before) if before is not None else known.in_force(new.tier)
    if old is None:
        raise Stop("no version is in force yet, so there is nothing to compare with; name two: stream-seg model list")
    if old.version == new.version:
        what = "is in force and the newest" if before is None and after is None else "is both of the two"
        raise Stop(f"version {old.version} {what}: there is nothing to compare; name two: stream-seg model list")
    return old, new


async def _look(inspection: RedisInspection, slot: Slot, customers: Sequence[bytes], comparison: Comparison) -> None:
    """One page. What Redis took for it, it has at least as long for the workers before the next one."""
    began = time.monotonic()
    records = await inspection.records(slot, customers)
    meta = await inspection.meta(slot)
    took = time.monotonic() - began
    judging = time.monotonic()
    comparison.look(customers, records, meta)
    await asyncio.sleep(max(took - (time.monotonic() - judging), 0))
