"""The raw rows of the three data sets, and the events that are made of them; rows never pass through our own code.

What a recipe says of a customer is worked out from `Row`s in plain Python, and compared with what the features say.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, NamedTuple

import orjson

from stream_seg.core.hashing import customer_hash

DAY = 86_400_000


class Row(NamedTuple):
    """Something that a customer did: when (ms), what, and with which properties and traits."""

    customer: str
    time: int
    event: str
    properties: dict[str, Any]
    traits: dict[str, Any] = {}  # noqa: RUF012  # nobody writes into it

    def json(self, number: int) -> bytes:
        """As a Segment call."""
        kind = {"type": "identify"} if self.event == "identify" else {"type": "track", "event": self.event}
        return orjson.dumps({
            **kind, "userId": self.customer, "messageId": f"row-{number}", "properties": self.properties,
            "timestamp": f"{datetime.fromtimestamp(self.time / 1000, UTC):%Y-%m-%dT%H:%M:%S}.{self.time % 1000:03}Z",
            "traits": self.traits,
        })  # fmt: skip


def instant(day: str) -> int:
    """Midnight (UTC) of a day, in ms."""
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 1_000


@dataclass(frozen=True)
class DataSet:
    """rows: in order of time; at: the features are as of here, what comes later is what customers did then (ms)."""

    rows: list[Row]
    at: int
    until: int
    utc_offset: int = 0  # minutes

    @cached_property
    def customers(self) -> list[str]:
        """Those seen before `at`, sorted."""
        return sorted(self.of)

    @cached_property
    def of(self) -> dict[str, list[Row]]:
        """Customer -> what it did before `at`."""
        return _grouped(row for row in self.rows if row.time < self.at)

    @cached_property
    def afterwards(self) -> dict[str, list[Row]]:
        """Customer -> what it did from `at` to `until`."""
        return _grouped(row for row in self.rows if self.at <= row.time < self.until)

    def within(self, customer: str, days: int, tiles: int = 8) -> list[Row]:
        """What a customer did inside a window."""
        begin = self.begin(customer, days, tiles)
        return [row for row in self.of[customer] if row.time >= begin]

    def begin(self, customer: str, days: int, tiles: int = 8) -> int:
        """Where a window of whole tiles begins, the last of which holds `at`.

        docs/features.md: tiles of a customer begin at a phase of its own, from the hash of its id.
        """
        width = days * DAY // tiles
        shift = (customer_hash(customer.encode()) & 0xFFFFFFFF) * (width // 256) // 2**32 * 256
        return ((self.at + shift) // width - tiles + 1) * width - shift


def _grouped(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row.customer].append(row)
    return dict(found)


def total(rows: Iterable[Row], name: str, where: Callable[[Row], bool] = lambda _: True) -> float:
    """The sum of a property over the rows that have it."""
    return float(sum(row.properties[name] for row in rows if name in row.properties and where(row)))


def matching(rows: Iterable[Row], *events: str, **wanted: Any) -> Iterator[Row]:
    """Rows of some events whose properties are as wanted."""
    for row in rows:
        if row.event in events and all(row.properties.get(name) == value for name, value in wanted.items()):
            yield row
