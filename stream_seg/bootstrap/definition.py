"""Putting a definition in force: the first one into every log, a changed one through LEARN, which numbers it."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple
from uuid import uuid4

import msgspec

from stream_seg.adapters.kafka.admin import Admin
from stream_seg.adapters.kafka.topics import topic_name
from stream_seg.adapters.redis.inspection import RedisInspection
from stream_seg.bootstrap import sources
from stream_seg.bootstrap.backfilling import folded
from stream_seg.bootstrap.connect import broker_of, now, producer_of
from stream_seg.bootstrap.recorded import EVENTS, SAMPLES, first_written, recorded
from stream_seg.config import Config
from stream_seg.core.activation import Activation, Fill, first_activation
from stream_seg.core.definition import Definition, feature_set_version
from stream_seg.errors import Stop
from stream_seg.pipeline.label_state import newest
from stream_seg.ports import Message, Slot
from stream_seg.wire.control import ACTIVATE, Apply, control
from stream_seg.wire.timestamps import rfc3339


def begin(config: Config, *, who: str, why: str) -> str | None:
    """Puts the definition in force where nothing is; otherwise says, in a line, how the file differs from the log."""
    return asyncio.run(_begin(config, who=who, why=why))


async def _begin(config: Config, *, who: str, why: str) -> str | None:
    current = await in_force(config)
    if current is None:
        found = await recorded(config, await partitions(config, EVENTS))
        if found.nothing:
            return _another(config, await put_first(config, _first(config, who=who, why=why)))
        if found.first is not None and found.whole:
            return _another(config, found.first)
        return (
            f"Redis holds nothing of {config.definition.name!r}, and its logs have forgotten what was in force. Look "
            "first whether redis.url is right; `stream-seg apply` begins again with what the logs still hold"
        )
    changes = await changes_of(config, current)
    if changes:
        said = "; ".join(changes)
        return f"{config.path} differs from what is in force ({said}); the log decides. `stream-seg apply` changes it"
    return None


async def changes_of(config: Config, current: Activation) -> list[str]:
    """How the file differs from what is in force, in words."""
    changes = differences(current.definition, config.definition)
    try:
        return changes + await _other_sources(config)
    except Stop as missing:  # no reason to keep the other stages from running
        return [*changes, str(missing)]


async def in_force(config: Config) -> Activation | None:
    """The newest activation that any events partition follows; None where no worker ever ran."""
    inspection = RedisInspection(config.redis.connection_url, config.definition.name)
    try:
        return newest([await inspection.meta(Slot("label", p)) for p in range(await partitions(config, EVENTS))])
    finally:
        await inspection.close()


async def put_in_force(
    config: Config, *, why: str, who: str, dry_run: bool, wait: float, backfilled: bool = False
) -> dict[str, Any]:
    """`stream-seg apply`: see `stream_seg.bootstrap.apply`."""
    current = await in_force(config)
    version = feature_set_version(config.definition)
    if current is None:
        if backfilled:
            raise Stop(
                "nothing is in force yet, and a first definition holds for the whole log: leave out --backfilled"
            )
        beginning = await _beginning(config, who=who, why=why)
        if not dry_run:
            await _put(config, beginning)
        return _answer(beginning.first.number, version, beginning.said, 0, dry_run=dry_run)
    fill = await folded(config, current) if backfilled else None
    changes = differences(current.definition, config.definition, fill)
    number = current.number + 1 if changes else current.number
    customers = await _customers(config)
    other_sources = await _other_sources(config)
    if not dry_run:
        named = await sources.configured(config) if other_sources else ()
        also = sources.messages(named, await partitions(config, EVENTS))
        if changes:
            number = await _changed(config, also, fill, who=who, why=why, wait=wait)
        elif also:
            await publish(config, also)
    return _answer(number, version, changes + other_sources, customers, dry_run=dry_run)


def _answer(number: int, version: str, changes: list[str], customers: int, *, dry_run: bool) -> dict[str, Any]:
    return {
        "activation": number,
        "feature_set_version": version,
        "changes": changes,
        "customers": customers,
        "dry_run": dry_run,
    }


class _Beginning(NamedTuple):
    """Where Redis holds nothing: what comes into force, what that is in words, and only where it is lacking."""

    first: Activation
    said: list[str]
    lacking: list[int]


async def _beginning(config: Config, *, who: str, why: str) -> _Beginning:
    found = await recorded(config, await partitions(config, EVENTS))
    if found.nothing:
        return _Beginning(_first(config, who=who, why=why), ["the first definition"], [])
    if found.first is None:
        from stream_seg.bootstrap.restoring import restored  # noqa: PLC0415  # as in `_changed`

        again = await restored(config, who=who, why=why)
        return _Beginning(again.activation, again.said, [])
    if found.whole:
        raise Stop(
            "a first definition is in the log already, and no worker has read it yet; start one "
            "(stream-seg run --stages label), then apply"
        )
    where = ", ".join(map(str, found.lacking))
    said = f"activation {found.first.number}, which LEARN's log still holds, again in events partitions {where}"
    return _Beginning(found.first, [said], found.lacking)


async def _put(config: Config, beginning: _Beginning) -> None:
    first = beginning.first
    if beginning.lacking:
        await publish(config, [control(EVENTS, ACTIVATE, first, p) for p in beginning.lacking])
        return
    quicker = _another(config, await put_first(config, first))
    if quicker is not None:
        raise Stop(f"{quicker}; start the workers, then apply this one")


async def put_first(config: Config, activation: Activation) -> Activation:
    """Puts a first activation in force, and gives the one that holds: this one, or that of somebody who was quicker.

    What stands first in LEARN's log holds. It is read back after writing, so everybody who begins at the same moment
    writes the same into the events partitions.
    """
    await publish(config, [message for message in await everywhere(config, activation) if message.topic == SAMPLES])
    holds = await first_written(config) or activation
    await publish(config, [message for message in await everywhere(config, holds) if message.topic == EVENTS])
    return holds


def _another(config: Config, holds: Activation) -> str | None:
    """A line where what holds is not the file's definition."""
    if holds.definition == config.definition:
        return None
    return f"{holds.who} put another first definition in force ({holds.why}), and that one holds"


def _first(config: Config, *, who: str, why: str) -> Activation:
    """The first activation: nobody is there yet to number it."""
    return first_activation(config.definition, config.initial, who=who, at=now(), why=why)


async def everywhere(config: Config, activation: Activation) -> list[Message]:
    """A first activation for every partition of both logs, and the sources that make the clock if INGEST does.

    LEARN's log has it before any other: where it is not, nobody began (`recorded`).
    """
    count = await partitions(config, EVENTS)
    learn = [control(SAMPLES, ACTIVATE, activation, p) for p in range(await partitions(config, SAMPLES))]
    label = [control(EVENTS, ACTIVATE, activation, p, barrier=p == 0) for p in range(count)]
    return [*learn, *label, *sources.messages(await sources.configured(config), count)]


async def _other_sources(config: Config) -> list[str]:
    """How the partitions of the product topics differ from those that the clock waits for, in words."""
    names = await sources.configured(config)
    return sources.changes(await sources.recorded(config, await partitions(config, EVENTS)), names) if names else []


async def _changed(config: Config, also: list[Message], fill: Fill | None, *, who: str, why: str, wait: float) -> int:
    """A wish to LEARN, which numbers it and writes it into every events partition. Returns the number."""
    from stream_seg.bootstrap.answering import ask  # noqa: PLC0415  # with scipy, which no worker but LEARN loads

    wish = Apply(uuid4().hex, await partitions(config, EVENTS), config.definition, who, now(), why, fill)
    return (await ask(config, wish, wait, also)).number


async def publish(config: Config, messages: list[Message]) -> None:
    """Publishes a few messages and waits until Kafka has them."""
    async with producer_of(config) as producer:
        await producer.publish(messages)


async def partitions(config: Config, log: str) -> int:
    """How many partitions one of the logs has."""
    name = topic_name(config.definition.name, log)
    async with Admin(broker_of(config.kafka)) as admin:
        facts = await admin.topic(name)
    if facts is None:
        raise Stop(f"there is no topic {name}; create the topics with `stream-seg topics create`")
    return facts.partitions


async def _customers(config: Config) -> int:
    inspection = RedisInspection(config.redis.connection_url, config.definition.name)
    try:
        slots = [Slot("label", p) for p in range(await partitions(config, EVENTS))]
        return sum([await inspection.customers(slot) for slot in slots])
    finally:
        await inspection.close()


def differences(old: Definition, new: Definition, fill: Fill | None = None) -> list[str]:
    """What a changed definition changes, in words, and what that will do. `fill`: new features were backfilled.

    >>> from stream_seg.core.definition import DAY, Feature
    >>> a = Definition(
    ...     name="shop", features=(Feature(name="n", aggregate="count", window=DAY),), lateness=1, forget_after=9
    ... )
    >>> differences(a, msgspec.structs.replace(a, margin=0.2))
    ['margin 0.1 -> 0.2: customers adopt it at their next daily visit']
    """
    said = []
    before, after = ({f.name: f for f in d.features} for d in (old, new))
    for name in [*before, *(name for name in after if name not in before)]:
        if name not in after:
            said.append(f"feature {name} goes; the model in force keeps it until the next one")
        elif name not in before:
            begins = "it warms up for its window" if fill is None else f"it knows what the log holds{_since(fill)}"
            said.append(f"feature {name} is new: {begins}, then a new model takes it in")
        elif msgspec.structs.replace(before[name], words=None) != msgspec.structs.replace(after[name], words=None):
            said.append(f"feature {name} changes: the old one works until a model is learned on the new one")
    for field in Definition.__struct_fields__:
        was, will = getattr(old, field), getattr(new, field)
        if field != "features" and was != will:
            shown = f"{was} -> {will}" if not isinstance(was, msgspec.Struct | tuple) else "changes"
            what = (
                "customers adopt it at their next daily visit" if field in ("margin", "dwell") else "in force at once"
            )
            said.append(f"{field} {shown}: {what}")
    return said


def _since(fill: Fill) -> str:
    return f", since {rfc3339(fill.since)[:16]}" if fill.since else ""
