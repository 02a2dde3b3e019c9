"""What the live tests feed: shoppers with habits of their own, and a definition that tells them apart."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np

from stream_seg.config import Config
from stream_seg.core.activation import Activation
from stream_seg.core.definition import DAY, feature_set_version
from stream_seg.core.model import Int64, ModelVersion

# Bounded input over weeks; models are learned on the way.
WEEKS = """
input: {clock: event}
features:
- {name: orders, aggregate: count, where: 'event == "Order Completed"', window: 4d, tiles: 4}
- {name: spend, aggregate: sum, field: properties.total, window: 4d, tiles: 8, transform: [log1p]}
- {name: silence, aggregate: recency, transform: [log1p]}
- {name: habit, aggregate: decayed_sum, half_life: 2d}
time: {evaluate_every: 1h, lateness: 2d}
segments: {k: 3, warm_start: 30, publish_gain: 10, publish_every: 4d, margin: 0.05}
"""

# Live input within a minute; a model is in force from the start (`given`).
SECONDS = """
input: {clock: append}
features:
- {name: orders, aggregate: count, where: 'event == "Order Completed"', window: 8s, tiles: 4}
- {name: spend, aggregate: sum, field: properties.total, window: 8s, tiles: 8}
- {name: silence, aggregate: recency}
time: {evaluate_every: 2s, lateness: 1h, learn_every: 1m}
segments: {k: 3, warm_start: 5000, margin: 0.05}
"""
START = 1_700_006_400_000 // DAY * DAY
SHIFTS_AT = 35  # the day from which everybody spends ten times as much


@dataclass
class Events:
    """Events in order of time, as a feeder takes them."""

    values: list[bytes]
    keys: list[bytes | None]
    times: Int64


def weeks(seed: int, customers: int = 100, days: int = 20, orders: float = 2.0) -> list[Events]:
    """About customers × days × orders events; some shoppers fall silent half way, some repeat a message."""
    draw = random.Random(seed)
    made: list[tuple[int, bytes, bytes]] = []
    for number in range(customers):
        customer = f"shopper-{number}"
        rate, until = orders * draw.choice((0.2, 1, 2)), days * draw.choice((0.4, 1, 1))
        at = draw.random() / rate
        while at < until:
            when = START + int(at * DAY)
            message = f"{customer}-{len(made)}"
            made.append((when, customer.encode(), event(customer, when, round(draw.expovariate(0.05), 2), message)))
            if draw.random() < 0.03:
                made.append((when, customer.encode(), made[-1][2]))
            at += draw.expovariate(rate)
    made.sort(key=lambda one: one[:2])
    half = len(made) // 2
    return [
        Events([v for _, _, v in part], [k for _, k, _ in part], np.array([t for t, _, _ in part], np.int64))
        for part in (made[:half], made[half:])
    ]


def shifted(parts: list[Events], day: int = SHIFTS_AT) -> list[Events]:
    """The same purchases, ten times as dear from a day on."""

    def dearer(value: bytes, at: int) -> bytes:
        body = json.loads(value)
        if at >= START + day * DAY:
            body["properties"]["total"] *= 10
        return json.dumps(body).encode()

    return [
        Events([dearer(v, t) for v, t in zip(part.values, part.times.tolist(), strict=True)], part.keys, part.times)
        for part in parts
    ]


def event(customer: str, at: int, total: float = 1.0, message: str | None = None, **more: Any) -> bytes:
    """One order of a customer, as Segment-spec JSON."""
    return json.dumps(
        {
            "type": "track",
            "event": "Order Completed",
            "userId": customer,
            "messageId": message or f"{customer}-{at}-{total}",
            "timestamp": datetime.fromtimestamp(at / 1000, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "properties": {"total": total},
            **more,
        }
    ).encode()


def now() -> int:
    return time.time_ns() // 1_000_000


class Orders:
    """Orders that are placed now: ``stack.produce(orders.some(50))``. Every one is different."""

    def __init__(self, seed: int = 1, customers: int = 60) -> None:
        self._draw = random.Random(seed)
        self._customers = customers
        self.sent = 0

    def some(self, count: int) -> list[tuple[bytes, bytes]]:
        return [self._one() for _ in range(count)]

    def _one(self) -> tuple[bytes, bytes]:
        self.sent += 1
        customer = f"shopper-{int(self._draw.triangular(0, self._customers, 0))}"
        total = round(self._draw.expovariate(0.05), 2)
        return customer.encode(), event(customer, now(), total, f"m-{self.sent}")


def given(config: Config, **more: Any) -> Activation:
    """A first activation with a model in force, for definitions with the features of `SECONDS`."""
    definition = config.definition
    version = feature_set_version(definition)
    model = ModelVersion(
        version=1,
        tier=definition.tier,
        feature_set_version=version,
        learner=definition.learning.learner,
        columns=("orders", "spend", "silence"),
        centers=((-0.5, -0.5, 1.5), (0.5, 0.3, 0.0), (2.0, 2.0, -0.5)),
        mean=(2.0, 30.0, 3.0),
        scale=(2.0, 40.0, 4.0),
        clip_low=(None, None, None),
        clip_high=(None, None, None),
        segments=("silent", "steady", "busy"),
        samples=100,
        trained_at=START,
    ).sealed()
    activation = Activation(
        number=1, definition=definition, feature_set_version=version, model=model, who="test", at=START, why="given"
    )
    return msgspec.structs.replace(activation, **more)


def pieces(records: Sequence[tuple[bytes, bytes]], size: int) -> Iterator[Sequence[tuple[bytes, bytes]]]:
    for at in range(0, len(records), size):
        yield records[at : at + size]
