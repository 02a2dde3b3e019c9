"""What a seed lets happen in the shop: a definition, models, customers, and the records they leave in the log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Literal

import msgspec
import numpy as np

from stream_seg.core.activation import Activation
from stream_seg.core.definition import (
    DAY,
    HOUR,
    MINUTE,
    Definition,
    Feature,
    InputRules,
    Learning,
    Tier,
    feature_set_version,
)
from stream_seg.core.engine import compile_engine
from stream_seg.core.hashing import partition_of
from stream_seg.core.model import Int64, ModelVersion
from stream_seg.core.succession import laid_out, succeed
from stream_seg.ports import Message
from stream_seg.wire import control
from stream_seg.wire.timestamps import rfc3339
from tests.simulation import hop

START = 19_600 * DAY
EVENTS, SAMPLES = "events", "samples"
SOURCES = ("web", "shop")

Loop = Literal["fixed", "append", "event"]

FEATURES = (
    Feature(name="orders", aggregate="count", window=2 * DAY, tiles=4),
    Feature(name="spent", aggregate="sum", field="properties.v", window=3 * DAY, tiles=3, log1p=True),
    Feature(name="silence", aggregate="recency", log1p=True),
    Feature(name="warmth", aggregate="decayed_sum", half_life=12 * HOUR),
    Feature(name="days", aggregate="distinct_days", window=4 * DAY, tiles=4),
    Feature(name="since", aggregate="tenure", log1p=True),
    Feature(name="bought", aggregate="count", where='event == "Buy"', window=DAY, tiles=6),
    Feature(
        name="way", aggregate="latest", field="properties.c", encode="one_hot", categories=("shop", "web")
    ),
)  # fmt: skip
SHOPPERS = Tier(name="shoppers", where='properties.c == "shop" and properties.v > 20')


@dataclass
class Batch:
    """Bounded input for the feeder (`stream_seg.pipeline.feed.TimedEvents`)."""

    values: list[bytes]
    keys: list[bytes | None]
    times: Int64


@dataclass
class Scenario:
    """One shop.

    loop    fixed: all activations are in the script, nobody learns; append, event: LABEL and LEARN close the loop,
            on the broker's time or behind a feeder
    script  what producers append, in order: (append time, message); empty with a feeder
    products  product topic -> partitions, where INGEST is between producers and the events log
    """

    loop: Loop
    partitions: int
    first: Activation
    script: list[tuple[int, Message]] = field(default_factory=list)
    feed: list[Batch] = field(default_factory=list)
    products: dict[str, int] = field(default_factory=dict)


def scenario(random: Random) -> Scenario:
    """The shop of one seed."""
    loops: list[Loop] = ["fixed", "append", "event"]
    loop = random.choices(loops, [5, 2, 3])[0]
    clock: Literal["append", "progress", "event"] = "append"
    if loop == "event":
        clock = "event"
    elif loop == "fixed" and random.random() < 0.4:
        clock = "progress"
    partitions = random.choice([1, 2, 2, 3])
    definition = _definition(random, clock)
    if loop != "fixed" and definition.learning.table > 4 and definition.dwell == 0:
        definition = msgspec.structs.replace(definition, tiers=(SHOPPERS,))  # nothing is drawn for it
    first = _first(definition)
    shop = Scenario(loop, partitions, first)
    customers = [f"c{random.randrange(10_000)}" for _ in range(random.choice([4, 7, 11]))]
    if loop == "event":
        shop.feed = [_bounded(random, customers)]
    else:
        activations = _successors(random, first) if loop == "fixed" else []
        if clock == "progress" and random.random() < 0.5:
            shop.products = hop.PRODUCTS
            shop.script = list(hop.script(random, first, partitions, customers, activations, _event, START))
        else:
            shop.script = list(_script(random, shop, customers, activations))
    return shop


def _definition(random: Random, clock: Literal["append", "progress", "event"]) -> Definition:
    return Definition(
        name="shop",
        features=tuple(random.sample(FEATURES, random.choice([2, 3, 4]))),
        input=InputRules(clock=clock),
        learning=Learning(
            k=2,
            warm_start=random.choice([2, 4]),
            publish_every=random.choice([1, 2]) * DAY,
            table=random.choice([4, 100]),
        ),
        lateness=DAY,
        evaluate_every=random.choice([10 * MINUTE, 3 * HOUR]),
        learn_every=random.choice([DAY, DAY, 12 * HOUR]) if clock != "event" else DAY,
        forget_after=random.choice([2, 3, 30]) * DAY,
        margin=0.05,
        dwell=random.choice([0, 0, 5 * HOUR]),
    )


def _first(definition: Definition) -> Activation:
    return Activation(
        number=1,
        definition=definition,
        feature_set_version=feature_set_version(definition),
        who="ann",
        at=0,
        why="first",
    )


# --- models, where nobody learns them


def _successors(random: Random, first: Activation) -> list[Activation]:
    """Some activations after the first: models, changed features, an emergency."""
    found, current = [], first
    for _ in range(random.choice([1, 2, 2, 4])):
        if current.model is not None and random.random() < 0.4:
            features = tuple(random.sample(FEATURES, random.choice([2, 3])))
            changed = msgspec.structs.replace(current.definition, features=features)
            current = succeed(current, changed, who="ann", at=current.number, why="other features")
        else:
            model = _model(random, current)
            following = msgspec.structs.replace(
                current, number=current.number + 1, model=model, retained=(), aliases={},
                ramp=random.choice(["walk", "walk", "now"]), who="learn", at=current.number, why="a version",
            )  # fmt: skip
            current = laid_out(current, following)
        found.append(current)
    return found


def _model(random: Random, current: Activation) -> ModelVersion:
    bare = msgspec.structs.replace(current, retained=(), aliases={}, model=None)
    plan = compile_engine([bare]).plan
    columns = [name for name, used in zip(plan.names, plan.distance.tolist(), strict=True) if used]
    k = random.choice([2, 3])
    return ModelVersion(
        version=1 + (current.model.version if current.model else 0),
        tier="all",
        feature_set_version=current.feature_set_version,
        learner="river",
        columns=tuple(columns),
        centers=tuple(tuple(random.uniform(-1.5, 1.5) for _ in columns) for _ in range(k)),
        mean=tuple(random.uniform(0.0, 3.0) for _ in columns),
        scale=tuple(random.choice([0.5, 2.0]) for _ in columns),
        clip_low=tuple(None for _ in columns),
        clip_high=tuple(None for _ in columns),
        segments=tuple(f"segment {i}" for i in range(k)),
        samples=7,
        trained_at=START,
    ).sealed()


# --- records


def _event(customer: str, at: int, message: str | None, random: Random) -> bytes:
    body = {
        "type": "track",
        "event": random.choice(["Buy", "View"]),
        "userId": customer,
        "timestamp": rfc3339(at),
        "properties": {"v": random.randrange(1, 60), "c": random.choice(["shop", "web", "phone"])},
    }
    return json.dumps(body if message is None else {"messageId": message, **body}).encode()


def _bounded(random: Random, customers: list[str]) -> Batch:
    """Some days of events in order of time. Some customers come late, some fall silent."""
    days = random.choice([3, 5])
    chosen: list[tuple[int, str]] = []
    for customer in customers:
        begins, ends = sorted(random.sample(range(days * 24), 2))
        hours = [random.uniform(begins, ends) for _ in range(random.choice([1, 3, 9]))]
        chosen += [(START + int(hour * HOUR), customer) for hour in hours]
    chosen.sort()
    values = [_event(customer, at, f"m{i}", random) for i, (at, customer) in enumerate(chosen)]
    times = np.array([at for at, _ in chosen], np.int64)
    return Batch(values, [customer.encode() for _, customer in chosen], times)


def _script(
    random: Random, shop: Scenario, customers: list[str], activations: list[Activation]
) -> Iterator[tuple[int, Message]]:
    """What producers, INGEST and people append, as far as it does not depend on what the pipeline does."""
    everywhere, now = range(shop.partitions), START + random.randrange(DAY)
    by_append = shop.first.definition.input.clock == "append"
    for p in everywhere:
        yield now, control.control(EVENTS, control.ACTIVATE, shop.first, p)
        if not by_append:
            yield now, control.control(EVENTS, control.SOURCES, control.Sources(SOURCES), p)
    count = random.choice([30, 60, 90])
    places = sorted(random.sample(range(count), len(activations)))
    changes = dict(zip(places, activations, strict=True))
    sent: list[Message] = []
    for n in range(count):
        now += random.choice([0, 20 * MINUTE, HOUR, 4 * HOUR, random.randrange(DAY)])
        if n in changes:
            yield from ((now, control.control(EVENTS, control.ACTIVATE, changes[n], p)) for p in everywhere)
        if random.random() < 0.3:
            for p in everywhere:
                if by_append:
                    yield now, control.control(EVENTS, control.TICK, None, p)
                else:
                    source = random.choice(SOURCES)
                    through = now - random.choice([0, 0, HOUR])
                    yield now, control.control(EVENTS, control.PROGRESS, control.Progress(source, through), p)
        message = _message(random, shop, customers, n, now, sent)
        sent.append(message)
        yield now, message


def _message(random: Random, shop: Scenario, customers: list[str], n: int, now: int, sent: list[Message]) -> Message:
    """One record of a customer: mostly a good one, sometimes one that was sent before, or that is of no use."""
    customer, chance = random.choice(customers), random.random()
    if chance < 0.08 and sent:  # a producer or INGEST sent it twice, or a client did
        return random.choice(sent[-20:])
    if chance < 0.10:
        return Message(EVENTS, customer.encode(), b'{"type": ')
    if chance < 0.12:
        right = partition_of(customer.encode(), shop.partitions)
        return Message(
            EVENTS, customer.encode(), _event(customer, now, None, random), (), (right + 1) % shop.partitions
        )
    delay = random.choice([0, 0, 0, 2 * MINUTE, 5 * HOUR, DAY + HOUR, 4 * DAY, -DAY])
    message_id = None if random.random() < 0.3 else f"m{n}"
    headers = ((control.SOURCE, b"t1:%d:%d" % (n % 2, n)),) if random.random() < 0.5 else ()
    return Message(EVENTS, customer.encode(), _event(customer, now - delay, message_id, random), headers)
