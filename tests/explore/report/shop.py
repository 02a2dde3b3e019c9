"""A small shop: events with everything that the report looks at, the same ones every time."""

from pathlib import Path
from typing import Any

import numpy as np
import orjson

from stream_seg.cli import call
from stream_seg.core.definition import DAY

START = 1_700_006_400_000  # midnight of a Wednesday (UTC)
BEGINNING = """
name: shop
input: {mapping: {customer: customer, time: time, time_format: epoch_ms, event: event,
                  properties: {price: price}, traits: {plan: plan, age: age, town: town}}}
segments: {k: 3}
"""
CONFIG = f"""{BEGINNING}
features:
  - {{name: orders, aggregate: count, where: event == "order", window: 60d, transform: [log1p]}}  # how often
  - {{name: spend, aggregate: sum, field: properties.price, window: 60d, transform: [log1p]}}
  - {{name: price, aggregate: mean, field: properties.price, window: 60d}}
  - {{name: silence, aggregate: recency}}
  - {{name: plan, aggregate: latest, field: traits.plan, encode: one_hot, categories: [free, plus]}}
  - {{name: town, aggregate: latest, field: traits.town, encode: hashed, buckets: 4}}
  - {{name: age, aggregate: latest, field: traits.age}}
"""


def events(customers: int = 120) -> list[dict[str, Any]]:
    """Two kinds of customers, half of them with traits: 24 towns in two countries. Every fifth comes at weekends "
    "alone."""
    rng = np.random.default_rng(5)
    found = list[dict[str, Any]]()
    for i in range(customers):
        often = i % 3 == 0
        if i % 2:
            town = f"{'de' if i % 4 == 1 else 'fr'}-{i % 24}"
            traits = {"plan": "plus" if often else "free", "age": 20 + i % 40, "town": town}
            found.append({"customer": f"c{i}", "time": START, "event": "traits", **traits})
        for _ in range(int(rng.poisson(18 if often else 3)) + 1):
            day = int(rng.integers(0, 60))
            if i % 5 == 0:
                day = 7 * (day // 7) + 3 + day % 2  # Saturday or Sunday
            at = START + day * DAY + int(rng.integers(9, 17)) * 3_600_000
            price = round(float(rng.lognormal(2)), 2)
            found.append({"customer": f"c{i}", "time": at, "event": "order", "price": price})
    return sorted(found, key=lambda one: one["time"])


def written(folder: Path, lines: list[dict[str, Any]], config: str = CONFIG) -> Path:
    """The events and the configuration as files."""
    path = folder / "events.ndjson"
    path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    (folder / "segmentation.yaml").write_text(config)
    return path


def explore(folder: Path, *more: str) -> int:
    """The exit code of the command over what was written."""
    given, config = str(folder / "events.ndjson"), str(folder / "segmentation.yaml")
    return call(["explore", given, "-c", config, "--out", str(folder / "run"), *more])
