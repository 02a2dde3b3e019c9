"""Folds one log with every kind of feature in it and prints what came out, byte for byte: run in other processes.

``python -m tests.pipeline.bits`` prints JSON: how the code was run, every record as hex, every movement.
"""

from __future__ import annotations

import hashlib
import random
import struct
import sys
from typing import Any

import numba
import numpy as np
import orjson

from stream_seg.core.definition import DAY, HOUR, MINUTE, SECOND, Definition, Feature
from stream_seg.core.kmeans import fit
from stream_seg.core.numerics import halved, log, log1p
from stream_seg.pipeline.label_settings import LabelSettings
from tests.core import drawing
from tests.pipeline.partition import Log, Partition

EVENTS = 450
PRICE, SKU = "properties.price", "properties.sku"
BOUGHT = 'event == "Bought" and properties.price > 1'


def features() -> tuple[Feature, ...]:
    """Every aggregate, floats that do not come out even, and every transform."""
    week: dict[str, Any] = {"window": 7 * DAY, "tiles": 7}
    price: dict[str, Any] = {"field": PRICE, **week}
    return (
        Feature(name="count", aggregate="count", where="weekday in [sat, sun]", **week),
        Feature(name="sum", aggregate="sum", log1p=True, **price),
        Feature(name="mean", aggregate="mean", where=BOUGHT, **price),
        Feature(name="max", aggregate="max", **price),
        Feature(name="min", aggregate="min", clip=(-5.0, 30.0), log1p=True, **price),
        Feature(name="decayed", aggregate="decayed_sum", field=PRICE, half_life=3 * DAY),
        Feature(name="days", aggregate="distinct_days", window=28 * DAY),
        Feature(name="distinct", aggregate="distinct", field=SKU, **week),
        Feature(name="recency", aggregate="recency", where=BOUGHT, log1p=True),
        Feature(name="tenure", aggregate="tenure", log1p=True),
        Feature(name="gap", aggregate="mean_gap"),
        Feature(name="sessions", aggregate="sessions", gap=30 * MINUTE, **week),
        Feature(name="on_site", aggregate="time_on_site", gap=30 * MINUTE, log1p=True, **week),
        Feature(name="latest", aggregate="latest", field=PRICE),
        Feature(name="plan", aggregate="latest", field="traits.plan", encode="one_hot", categories=("free", "pro")),
        Feature(name="city", aggregate="latest", field="traits.city", encode="hashed", buckets=3),
        Feature(name="share", aggregate="ratio", of=("mean", "max")),
        Feature(name="trend", aggregate="trend", of=("sum", "decayed")),
        Feature(name="taste", aggregate="projection", of=("count", "sum", "distinct"), weights=(0.7, -0.1, 3.0)),
        Feature(name="mixed", aggregate="diversity", of=("count", "sum", "days")),
    )


def story(log: Log) -> None:
    """The same log in every process: random numbers without the C library's log and exp, which differ."""
    definition = Definition(
        name="shop", features=features(), utc_offset=90, lateness=2 * DAY, learn_every=DAY, forget_after=20 * DAY,
        margin=0.01, dwell=10 * MINUTE,
    )  # fmt: skip
    rng = random.Random(5)
    now = drawing.START
    log.activate(drawing.activation(definition, 1, _model(definition, 1)), now)
    for i in range(EVENTS):
        now += rng.choice([0, SECOND, 7 * MINUTE, 41 * MINUTE])
        if i == EVENTS // 2:
            log.activate(drawing.activation(definition, 2, _model(definition, 2)), now)
        values = {
            "event": rng.choice(["Bought", "Opened"]),
            PRICE: rng.randrange(-200, 4_000) / rng.randrange(3, 100),
            SKU: f"sku-{rng.randrange(300)}",
            "traits.plan": rng.choice(["free", "pro", "other"]),
            "traits.city": rng.choice(["Graz", "Oslo", "Łódź"]),
        }
        late = rng.choice([0, 0, 0, 90_001, 3 * HOUR])
        log.event(f"customer-{rng.randrange(1 + rng.randrange(40))}", now - late, now, values, f"m{rng.randrange(400)}")
    log.control("tick", None, now + 6 * DAY)


def _model(definition: Definition, version: int) -> Any:
    """A model over all columns in which everything decides a little."""
    models = (drawing.model(definition, version, seed, k=6) for seed in range(100 * version, 100 * version + 100))
    return max(models, key=lambda m: sum(scale > 0 for scale in m.scale))


def arithmetic() -> str:
    """What our own functions make of many numbers: those that a C library rounds differently are few."""
    rng = random.Random(8)
    found = hashlib.sha256()
    for _ in range(10_000):
        x = rng.random() * 4.0
        found.update(struct.pack("<3d", log(x + 1e-9), log1p(x - 0.9), halved(x)))
    return found.hexdigest()


def main() -> None:
    log = Log()
    story(log)
    partition = Partition(LabelSettings(origin="replay"))
    for at in range(0, len(log.records), 64):
        partition.run(log.records[at : at + 64])
    snapshot = partition.snapshot()
    vectors = np.array([sample["vector"] for sample in snapshot.samples.values()])
    centers, inertia = fit(vectors / (1.0 + np.abs(vectors).max(axis=0)), k=5, seed=3)
    said = {
        "jit": not numba.config.DISABLE_JIT,  # type: ignore[attr-defined]  # set by numba at import
        "cpu": numba.config.CPU_NAME,  # type: ignore[attr-defined]  # as above
        "records": {customer.decode(): value.hex() for customer, value in snapshot.records.items()},
        "movements": snapshot.movements,
        "centers": [centers.tobytes().hex(), inertia.hex()],
        "arithmetic": arithmetic(),
        "samples": list(snapshot.samples.values()),
    }
    sys.stdout.buffer.write(orjson.dumps(said))


if __name__ == "__main__":
    main()
