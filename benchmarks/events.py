"""The events of the benchmark: the same ones on every run, about 480 bytes each, in order of event time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from stream_seg.core.model import Float64, Int64

BEGIN = 1_767_571_200_000  # 2026-01-05, a Monday, UTC
SPAN = 3 * 24 * 3_600_000  # ms of event time
CHUNK = 10_000
PARETO = 1.16  # four fifths of all events come from a fifth of the customers
SEED = 20_260_105

KINDS = (
    "Product Viewed", "Product List Viewed", "Products Searched", "Product Added", "Email Opened", "Order Completed",
)  # fmt: skip
SHARES = (0.40, 0.20, 0.14, 0.12, 0.10, 0.04)

_EVENT = (
    '{"type":"track","event":"%s","messageId":"ajs-%032x","userId":"%s","timestamp":"%sZ","properties":{"product_id":'
    '"sku-%06d","category":"garden","price":%.2f,"currency":"EUR","quantity":1},"context":{"library":{"name":'
    '"analytics.js","version":"2.11.1"},"ip":"10.2.3.4","locale":"de-DE","page":{"path":"/products","referrer":""},'
    '"userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/126.0"}}'
)


@dataclass(frozen=True, slots=True)
class Workload:
    """`count` events of `customers` customers over `span` from `begin` on (ms).

    `uniform`: each from another customer than the `customers` - 1 before it. `live`: sent at the time that they bear,
    at equal distances.
    """

    count: int
    customers: int = 20_000
    uniform: bool = False
    begin: int = BEGIN
    span: int = SPAN
    live: bool = False

    def shares(self) -> Float64:
        """Each customer's share of the events, the most active first."""
        middles = (np.arange(self.customers) + 0.5) / self.customers
        weights: Float64 = middles ** (-1 / PARETO)
        shares: Float64 = weights / weights.sum()
        return shares

    def chunks(self) -> Iterator[Chunk]:
        """All events, some thousands at a time."""
        random = np.random.default_rng(SEED)
        if self.uniform:
            who = np.arange(self.count) % self.customers
        else:
            names = random.permutation(self.customers)
            drawn = np.searchsorted(np.cumsum(self.shares()), random.random(self.count))
            who = names[drawn.clip(max=self.customers - 1)]
        if self.live:
            times = np.arange(self.count) * self.span // self.count + self.begin
        else:
            times = np.sort(random.integers(0, self.span, self.count)) + self.begin
        kinds = random.choice(len(KINDS), self.count, p=SHARES)
        for start in range(0, self.count, CHUNK):
            part = slice(start, min(start + CHUNK, self.count))
            yield _chunk(start, who[part], times[part], kinds[part])


@dataclass(frozen=True, slots=True)
class Chunk:
    """keys: customer ids; values: Segment-spec JSON; times: event times, ms."""

    keys: list[bytes]
    values: list[bytes]
    times: Int64


def _chunk(start: int, who: Int64, times: Int64, kinds: Int64) -> Chunk:
    texts = np.datetime_as_string(times.astype("datetime64[ms]")).tolist()
    keys, values = [], []
    for i, (customer, time, kind) in enumerate(zip(who.tolist(), texts, kinds.tolist(), strict=True), start):
        name = f"customer-{customer:07d}"
        price = 5 + i * 7919 % 9500 / 100
        keys.append(name.encode())
        values.append((_EVENT % (KINDS[kind], i, name, time, i * 31 % 4000, price)).encode())
    return Chunk(keys, values, times)
