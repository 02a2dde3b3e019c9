"""A small shop, replayed: sixty customers of three kinds over three weeks, and then silence."""

from __future__ import annotations

import json
import random
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from stream_seg.adapters.memory.replay import Replay
from stream_seg.config import load
from stream_seg.core.activation import Activation
from stream_seg.core.definition import DAY, Definition, feature_set_version
from stream_seg.core.model import Int64
from stream_seg.pipeline.queries import PartitionFacts
from stream_seg.ports import Slot
from stream_seg.wire.timestamps import rfc3339

BEGAN = 1_700_006_400_000  # a midnight
FEATURES = """
features:
  - {name: orders, aggregate: count, window: 7d, tiles: 7, transform: [log1p],
     words: {high: order often, low: order rarely}}
  - {name: spend, aggregate: sum, field: properties.paid, window: 14d, tiles: 7, transform: [log1p],
     words: {high: spend a lot, low: spend little}}
  - {name: silence, aggregate: recency, words: {high: have gone silent, low: were here lately}}
  - {name: items, aggregate: count, window: 7d, tiles: 7, role: outcome}
"""
REST = """
input: {clock: event}
time: {lateness: 1d, forget_after: 60d}
segments: {k: 3, learner: river, warm_start: 20, publish_gain: 10, publish_every: 7d, margin: 0.1, dwell: 1d}
levers: [{segment: 1, name: The Ones, lever: thank them, owner: crm, question: Who stays?}]
"""


def definition(folder: Path, features: str = FEATURES, rest: str = REST) -> Definition:
    file = folder / "segmentation.yaml"
    file.write_text(f"name: shop\n{features}{rest}")
    return load(file, {}).definition


@dataclass
class Events:
    """Events in order of time, as a feeder takes them."""

    values: list[bytes] = field(default_factory=list)
    keys: list[bytes | None] = field(default_factory=list)
    at: list[int] = field(default_factory=list)

    @property
    def times(self) -> Int64:
        return np.array(self.at, np.int64)

    def between(self, begin: int, end: int) -> Events:
        """Those of the times [begin, end)."""
        part = slice(bisect_left(self.at, begin), bisect_left(self.at, end))
        return Events(self.values[part], self.keys[part], self.at[part])


def events(days: int = 21, customers: int = 60, seed: int = 5) -> Events:
    """A third orders daily and dearly, a third now and then, a third only in the first week."""
    draw = random.Random(seed)
    drawn: list[tuple[int, str, float]] = []
    for number in range(customers):
        kind = number % 3
        often, paid = (0.9, 0.3, 0.5)[kind], (90.0, 12.0, 30.0)[kind]
        came = [day for day in range(days if kind < 2 else 7) if day == 0 or draw.random() < often]
        twice = came * 2 if kind == 0 else came
        drawn += [(BEGAN + day * DAY + draw.randrange(DAY), f"c{number}", paid) for day in twice]
    found = Events()
    for time, customer, amount in sorted(drawn):
        body = {"type": "track", "event": "Order", "userId": customer, "timestamp": rfc3339(time)}
        found.values.append(orjson.dumps(body | {"properties": {"paid": amount + draw.randrange(10)}}))
        found.keys.append(customer.encode())
        found.at.append(time)
    return found


class Shop:
    """The replay of some events under a definition, and what came of it."""

    def __init__(self, shop: Definition, given: Events, partitions: int = 2, batch: int = 4_000) -> None:
        self.replay = Replay(partitions, batch=batch)
        self.partitions = partitions
        self.replay.start(
            Activation(
                number=1, definition=shop, feature_set_version=feature_set_version(shop), who="t", at=BEGAN, why="t"
            )
        )
        self.replay.run([given], DAY)
        self.movements = self._said("segment-changes")
        self.definitions = {int(one["segment"]): one for one in self._said("segment-definitions")}
        self.models = {int(one["version"]): one for one in self._said("models")}
        self.labels: dict[str, dict[str, Any]] = {}
        for label in self._said("customer-segments"):
            self.labels[label["customer_id"]] = label

    def _said(self, topic: str) -> list[dict[str, Any]]:
        return [json.loads(record.value or b"") for record in self.replay.take(topic)]

    def slots(self) -> Iterator[Slot]:
        yield from (Slot("label", p) for p in range(self.partitions))

    def facts(self) -> list[PartitionFacts]:
        slots = self.replay.slots
        return [PartitionFacts(slots.meta(slot), slots.counts(slot), slots.customers(slot)) for slot in self.slots()]
