"""A made-up clickstream: about 600 customers over 200 days, the same events on every run.

A week has its rhythm, customers behave in one of five ways, and they join and leave at rates that balance: nothing
drifts on purpose, so every alarm on it is a false one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson

from stream_seg.core.definition import DAY, MINUTE, SECOND
from stream_seg.core.model import Int64

DEFINITION = Path(__file__).parent / "clickstream.yaml"
BEGIN = 1_767_571_200_000  # 2026-01-05, a Monday, UTC
DAYS = 200
AT_FIRST = 320  # customers on the first day
LIFE = 200.0  # days that a customer stays, on average
SEED = 20_260_105
ROWS = 8_192
WEEK = (0.95, 0.9, 0.9, 1.0, 1.1, 1.15, 1.0)  # Monday first


@dataclass(frozen=True, slots=True)
class Behaviour:
    """share of customers; sessions a day; pages a session; odds to search, add, order in a session; order value;
    emails opened a day; how much more (or less) happens at weekends.
    """

    share: float
    sessions: float
    pages: float
    search: float
    add: float
    order: float
    value: float
    emails: float
    weekend: float


BEHAVIOURS = (
    Behaviour(0.35, 0.25, 6.0, 0.3, 0.15, 0.02, 35.0, 0.02, 1.0),  # look around
    Behaviour(0.25, 0.35, 4.0, 0.5, 0.6, 0.35, 40.0, 0.05, 0.9),  # buy regularly
    Behaviour(0.15, 0.30, 8.0, 0.2, 0.4, 0.20, 18.0, 0.25, 1.0),  # wait for offers
    Behaviour(0.10, 0.10, 9.0, 0.7, 0.5, 0.30, 180.0, 0.04, 1.1),  # seldom and much
    Behaviour(0.15, 0.30, 10.0, 0.1, 0.2, 0.10, 30.0, 0.01, 2.5),  # at weekends
)


@dataclass(frozen=True, slots=True)
class Chunk:
    """keys: customer ids; values: Segment-spec JSON; times: event times, ms."""

    keys: list[bytes]
    values: list[bytes]
    times: Int64


@dataclass(frozen=True, slots=True)
class _Event:
    time: int
    customer: bytes
    kind: str
    properties: dict[str, float]


def chunks(days: int = DAYS) -> Iterator[Chunk]:
    """All events in order of time."""
    random = np.random.default_rng(SEED)
    events: list[_Event] = []
    for number, (joined, left) in enumerate(_lives(random, days)):
        events += _customer(random, b"visitor-%04d" % number, joined, left)
    events.sort(key=lambda event: (event.time, event.customer))
    for start in range(0, len(events), ROWS):
        part = events[start : start + ROWS]
        values = [_json(event, number) for number, event in enumerate(part, start)]
        yield Chunk([event.customer for event in part], values, np.array([event.time for event in part], np.int64))


def _lives(random: np.random.Generator, days: int) -> list[tuple[float, float]]:
    """When each customer joins and leaves, in days: as many come as go."""
    joined = np.concatenate([np.zeros(AT_FIRST), np.sort(random.random(int(AT_FIRST * days / LIFE)) * days)])
    left = np.minimum(joined + random.exponential(LIFE, len(joined)), days)
    return list(zip(joined.tolist(), left.tolist(), strict=True))


def _customer(random: np.random.Generator, customer: bytes, joined: float, left: float) -> Iterator[_Event]:
    behaviour = BEHAVIOURS[int(random.choice(len(BEHAVIOURS), p=[b.share for b in BEHAVIOURS]))]
    own = random.gamma(4.0, 0.25)  # some do more of the same than others
    for day in range(int(joined), int(np.ceil(left))):
        rate = behaviour.sessions * own * WEEK[day % 7] * (behaviour.weekend if day % 7 >= 5 else 1.0)
        for _ in range(random.poisson(rate)):
            at = day + random.beta(3.0, 2.0)  # afternoons more than mornings
            if joined <= at < left:
                yield from _session(random, customer, behaviour, BEGIN + int(at * DAY))
        for _ in range(random.poisson(behaviour.emails)):
            at = day + random.random()
            if joined <= at < left:
                yield _Event(BEGIN + int(at * DAY), customer, "Email Opened", {})


def _session(random: np.random.Generator, customer: bytes, behaviour: Behaviour, time: int) -> Iterator[_Event]:
    def later() -> int:
        return int(random.exponential(MINUTE)) + SECOND

    if random.random() < behaviour.search:
        yield _Event(time, customer, "Products Searched", {})
    for _ in range(1 + random.poisson(behaviour.pages)):
        time += later()
        yield _Event(time, customer, "Product Viewed", {"price": round(float(random.lognormal(3.4, 0.6)), 2)})
    if random.random() < behaviour.add:
        for _ in range(1 + random.poisson(1.0)):
            time += later()
            yield _Event(time, customer, "Product Added", {})
    if random.random() < behaviour.order:
        time += later()
        revenue = round(float(behaviour.value * random.lognormal(0.0, 0.5)), 2)
        yield _Event(time, customer, "Order Completed", {"revenue": revenue})


def _json(event: _Event, number: int) -> bytes:
    stamp = f"{np.datetime64(event.time, 'ms')}Z"
    return orjson.dumps({
        "type": "track", "event": event.kind, "messageId": f"click-{number}", "userId": event.customer.decode(),
        "timestamp": stamp, "properties": event.properties,
    })  # fmt: skip
