"""How far a value may be from the truth: what the definitions promise, over true event times."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_seg.core.definition import DAY, HOUR, MINUTE, Definition, Feature
from stream_seg.core.hashing import customer_hash
from stream_seg.core.measures import _distinct, grid_point, read_columns
from stream_seg.core.state import scratch
from stream_seg.wire.text_hash import hash_texts
from tests.core import drawing
from tests.core.drawing import START
from tests.pipeline.partition import Log, Partition

WHO = "ann"
Paid = list[tuple[int, float]]  # (time, price) of each event
PAID = st.lists(
    st.tuples(st.sampled_from([0, 1, 7, 40 * MINUTE, 3 * HOUR, 2 * DAY]), st.integers(0, 80).map(lambda n: n / 4)),
    min_size=1,
    max_size=15,
)  # fmt: skip
SILENCES = st.integers(0, 10 * DAY)


def values(features: list[Feature], paid: Paid, t: int) -> dict[str, float]:
    """What LABEL says at `t` of a customer who paid so."""
    definition = Definition(name="shop", features=tuple(features), lateness=400 * DAY, forget_after=400 * DAY)
    log = Log()
    log.activate(drawing.activation(definition), START)
    for time, price in paid:
        log.event(WHO, time, time, {"event": "Paid", "properties.price": price})
    partition = Partition()
    partition.run(log.records)
    engine, words = partition.labeller.customers.engine, partition.row(WHO.encode()).copy()
    work = scratch(engine.plan.arrays, engine.models)
    read_columns(engine.plan.arrays, words, words.view(np.float64), 0, t, work)
    return dict(zip(engine.plan.names, work.raw.tolist(), strict=True))


def dated(gaps: Paid) -> Paid:
    times = np.cumsum([gap for gap, _ in gaps]) + START
    return list(zip(times.tolist(), [price for _, price in gaps], strict=True))


@settings(deadline=None, max_examples=150)
@given(PAID, SILENCES, st.sampled_from([(HOUR, 1), (6 * HOUR, 6), (DAY, 24), (7 * DAY, 7), (100 * MINUTE, 100)]))
def test_a_window_is_exact_to_one_tile(gaps: Paid, silence: int, shape: tuple[int, int]) -> None:
    window, tiles = shape
    paid = dated(gaps)
    t = paid[-1][0] + silence
    inner = [price for time, price in paid if time > t - (window - window // tiles)]
    outer = [price for time, price in paid if time > t - window]
    paths = {"count": None, **dict.fromkeys(("sum", "max", "min", "mean"), "properties.price")}
    found = values(
        [Feature(name=a, aggregate=a, field=f, window=window, tiles=tiles, empty=-1.0) for a, f in paths.items()],  # type: ignore[arg-type]  # the names are aggregates
        paid, t,
    )  # fmt: skip
    assert len(inner) <= found["count"] <= len(outer)
    assert sum(inner) <= found["sum"] <= sum(outer)
    if found["count"]:
        assert found["mean"] == found["sum"] / found["count"]
        assert max(inner, default=0.0) <= found["max"] <= max(outer)
        assert min(outer) <= found["min"] <= min(inner, default=math.inf)
    else:
        assert [found[name] for name in ("mean", "max", "min")] == [-1.0] * 3
        assert not inner


@settings(deadline=None, max_examples=60)
@given(PAID, SILENCES, st.sampled_from([1, 7, 30]))
def test_days_are_counted_exactly_over_whole_local_days(gaps: Paid, silence: int, days: int) -> None:
    paid = dated(gaps)
    t = paid[-1][0] + silence
    found = values([Feature(name="days", aggregate="distinct_days", window=days * DAY)], paid, t)
    assert found["days"] == len({time // DAY for time, _ in paid if time // DAY > t // DAY - days})


@settings(deadline=None, max_examples=100)
@given(PAID, SILENCES, st.sampled_from([5 * MINUTE, 2 * HOUR]))
def test_silence_is_read_less_than_a_seventeenth_of_it_late(gaps: Paid, silence: int, every: int) -> None:
    paid = dated(gaps)
    last = paid[-1][0]
    definition = Definition(
        name="shop", features=(Feature(name="recency", aggregate="recency"),), evaluate_every=every, lateness=DAY,
        forget_after=400 * DAY,
    )  # fmt: skip
    log = Log()
    log.activate(drawing.activation(definition), START)
    for time, _ in paid:
        log.event(WHO, time, time, {"event": "Paid"})
    partition = Partition()
    partition.run(log.records)
    engine, words = partition.labeller.customers.engine, partition.row(WHO.encode()).copy()
    work = scratch(engine.plan.arrays, engine.models)
    _, following = grid_point(engine.plan.arrays, words, 0, last + silence)
    for at in (silence, following - 1 - last):  # the last instant of a step is the worst one
        read_columns(engine.plan.arrays, words, words.view(np.float64), 0, last + at, work)
        # Steps are a sixteenth of the silence at their beginning: at their end that is a seventeenth.
        late = at - round(work.raw[0] * 1000)
        assert 0 <= late < max(every, at / 17)


def test_what_is_divided_by_almost_nothing_is_held_within_1e300() -> None:
    price = "properties.price"
    fading = Feature(name="fading", aggregate="decayed_sum", half_life=HOUR)
    sizes = [Feature(name=name, aggregate="latest", field=price) for name in ("size", "again")]
    quotients = [
        Feature(name="ratio", aggregate="ratio", of=("size", "fading")),
        Feature(name="trend", aggregate="trend", of=("size", "fading")),
    ]
    for sign in (1.0, -1.0):
        found = values([fading, *sizes, *quotients], [(START, sign * 1e200)], START + 1_060 * HOUR)
        assert 0.0 < found["fading"] < 1e-300
        assert found["ratio"] == found["trend"] == sign * 1e300


def test_shares_of_the_largest_and_the_smallest_numbers_are_shares() -> None:
    price = "properties.price"
    week: dict[str, Any] = {"window": 7 * DAY, "tiles": 7}
    parts = [
        Feature(name="all", aggregate="sum", field=price, **week),
        Feature(name="one", aggregate="count", **week),
        Feature(name="late", aggregate="recency"),
    ]
    of = ("all", "one", "late")
    shares = [
        Feature(name="taste", aggregate="projection", of=of, weights=(2.0, -1.0, 5.0), empty=7.0),
        Feature(name="mixed", aggregate="diversity", of=of, empty=7.0),
    ]
    for amount, taste, mixed in ((1e200, 2.0, 1.0), (1e-200, -1.0, 1.0), (-5.0, -1.0, 1.0), (1.0, 0.5, 2.0)):
        found = values([*parts, *shares], [(START, amount)], START)
        assert (found["taste"], found["mixed"]) == (taste, mixed), amount
    nothing = values([*parts, *shares], [(START, 1.0)], START - 1 + 30 * DAY)
    assert (nothing["all"], nothing["one"], nothing["late"] > 0) == (0.0, 0.0, True)
    assert (nothing["taste"], nothing["mixed"]) == (5.0, 1.0)
    empty = values([*parts[:2], *(msgspec.structs.replace(f, of=of[:2], weights=f.weights[:2]) for f in shares)],
                   [(START, 1.0)], START + 30 * DAY)  # fmt: skip
    assert (empty["taste"], empty["mixed"]) == (7.0, 7.0)


def test_sums_of_the_largest_numbers_stay_finite() -> None:
    price = "properties.price"
    features = [
        Feature(name="sum", aggregate="sum", window=DAY, field=price),
        Feature(name="mean", aggregate="mean", window=DAY, field=price),
        Feature(name="decayed", aggregate="decayed_sum", half_life=DAY, field=price),
    ]
    paid = [(START, 1e200)] * 30
    found = values(features, paid, START)
    assert found == pytest.approx({"sum": 3e201, "mean": 1e200, "decayed": 3e201})


def test_tiles_and_grid_points_of_a_population_do_not_fall_together() -> None:
    definition = Definition(
        name="shop", lateness=DAY, forget_after=97 * DAY,
        features=(Feature(name="n", aggregate="count", window=8 * DAY), Feature(name="r", aggregate="recency")),
    )  # fmt: skip
    model = drawing.model(definition, 1, seed=1)
    model = msgspec.structs.replace(
        model, columns=("n",), centers=((0.0,), (1.0,)), mean=(0.0,), scale=(1.0,), clip_low=(None,), clip_high=(1.0,),
        segments=("gone", "here"),
    ).sealed()  # fmt: skip
    log = Log()
    log.activate(drawing.activation(definition, model=model), START)
    for i in range(60):
        log.event(f"customer-{i}", START, START, {"event": "Paid"})
    log.control("tick", None, START + 20 * DAY)
    partition = Partition()
    partition.run(log.records)
    left = [m["event_time"] for m in partition.snapshot().movements.values() if m["cause"] == "time"]
    assert len(left) == 60
    assert len(set(left)) == 60


def sketched(registers: int, texts: list[str]) -> float:
    words = np.zeros((1, registers), np.int64)
    for value in hash_texts(texts).tolist():
        words[0, value % 2**63 % registers] = 5  # hit in tile 4
    assert _distinct(words, 0, 0, registers, 5) == 0.0
    return _distinct(words, 0, 0, registers, 4)


@pytest.mark.parametrize(("registers", "load"), [(16, 1.0), (64, 0.5), (64, 1.0), (64, 2.0), (256, 2.0)])
def test_a_sketch_counts_within_its_standard_error(registers: int, load: float) -> None:
    n = round(load * registers)
    error = math.sqrt(registers * (math.exp(load) - load - 1.0))  # Whang, Vander-Zanden and Taylor, 1990
    found = [sketched(registers, [f"sku-{sample}-{i}" for i in range(n)]) - n for sample in range(300)]
    assert abs(sum(found) / len(found)) < 0.05 * n
    assert math.sqrt(sum(x * x for x in found) / len(found)) < 1.25 * error


def test_customers_are_spread_over_the_phases() -> None:
    halves = [customer_hash(b"customer-%d" % i) & 0xFFFFFFFF for i in range(2_000)]
    counts = np.bincount([half * 8 >> 32 for half in halves], minlength=8)
    assert counts.min() > 190
