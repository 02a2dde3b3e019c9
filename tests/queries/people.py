"""Sixty-six customers whose six weeks are known: who is drifting away, growing, new."""

from __future__ import annotations

from pathlib import Path

import orjson

from stream_seg.config import load
from stream_seg.core.definition import DAY, HOUR
from stream_seg.core.views import View
from stream_seg.pipeline.answers import WhoAnswer
from stream_seg.pipeline.who import Ranking
from stream_seg.ports import Slot
from stream_seg.wire.timestamps import rfc3339
from tests.queries.shop import BEGAN, Events, Shop

DAYS = 42
FEATURES = """
features:
  - {name: orders, aggregate: count, window: 7d, tiles: 7, transform: [log1p],
     words: {high: order often, low: order rarely}}
  - {name: spend, aggregate: sum, field: properties.paid, window: 14d, tiles: 7, transform: [log1p],
     words: {high: spend a lot, low: spend little}}
  - {name: silence, aggregate: recency, transform: [log1p], words: {high: have gone silent, low: were here lately}}
  - {name: plan, aggregate: latest, field: properties.plan, encode: one_hot, categories: [free, plus],
     role: outcome}
  - {name: items, aggregate: count, window: 7d, tiles: 7, role: outcome}
"""
REST = """
input: {clock: event}
time: {lateness: 1d, forget_after: 60d}
segments: {k: 3, learner: river, warm_start: 20, publish_gain: 10, publish_every: 14d, margin: 0.1}
levers: [{segment: 0, name: Zero, lever: thank them}, {segment: 5, name: Five}]
"""
GROUPS = {
    "steady": (20, dict.fromkeys(range(DAYS), 50.0)),
    "rare": (20, dict.fromkeys(range(0, DAYS, 7), 20.0)),
    "falling": (10, dict.fromkeys(range(34), 50.0)),
    "growing": (10, dict.fromkeys(range(0, 28, 7), 20.0) | dict.fromkeys(range(32, DAYS), 90.0)),
    "new": (6, {36: 5.0}),
}


def people() -> Events:
    """Everybody orders at an hour of their own; those of a group do the same on the same days."""
    drawn = []
    for group, (size, days) in GROUPS.items():
        for number in range(size):
            at = BEGAN + (number % 20) * HOUR
            plan = "plus" if number % 2 else "free"
            drawn += [(at + day * DAY, f"{group}-{number}", paid + number, plan) for day, paid in days.items()]
    found = Events()
    for time, customer, paid, plan in sorted(drawn):
        body = {"type": "track", "event": "Order", "userId": customer, "timestamp": rfc3339(time)}
        found.values.append(orjson.dumps(body | {"properties": {"paid": paid, "plan": plan}}))
        found.keys.append(customer.encode())
        found.at.append(time)
    return found


def views(folder: Path, text: str = "", features: str = FEATURES) -> dict[str, View]:
    """The views that a configuration has."""
    file = folder / "segmentation.yaml"
    file.write_text(f"name: shop\n{features}{REST}{text}")
    return {view.name: view for view in load(file, {}).views}


def asked(shop: Shop, view: View, limit: int = 20, page: int = 7) -> WhoAnswer:
    """The answer to a view, in small pages, as the command asks them of Redis."""
    ranking, slots = Ranking(view, limit), shop.replay.slots
    for slot in shop.slots():
        after = -1
        while found := slots.ring(slot, after, page):
            _look(shop, slot, [customer for customer, _ in found], ranking)
            after = found[-1][1]
    return ranking.answer()


def _look(shop: Shop, slot: Slot, ids: list[bytes], ranking: Ranking) -> None:
    slots = shop.replay.slots
    ranking.judge(slots.histories(slot, ranking.bring(ids, slots.records(slot, ids), slots.meta(slot))))
