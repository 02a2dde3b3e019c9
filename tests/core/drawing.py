"""Random definitions, models and events (hypothesis), and what the conditions among them mean in plain Python."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from hypothesis import reject
from hypothesis import strategies as st

from stream_seg.core.activation import Activation
from stream_seg.core.definition import (
    DAY,
    HOUR,
    MINUTE,
    Aggregate,
    Definition,
    Feature,
    InputRules,
    Tier,
    feature_set_version,
)
from stream_seg.core.engine import compile_engine
from stream_seg.core.model import ModelVersion
from stream_seg.core.succession import meaning
from stream_seg.wire.text_hash import hash_texts
from tests.core.reference_values import Condition, Happening, Value

START = 1_704_103_200_000  # 2024-01-01 10:00 UTC, a Monday
HASHED = ("properties.sku", "traits.city")  # fields that are read as hashes


def _local(h: Happening, offset: int) -> datetime:
    return datetime.fromtimestamp(h.time / 1000, UTC) + timedelta(minutes=offset)


def _price(h: Happening) -> float | None:
    return h.number("properties.price")


CONDITIONS: dict[str, Condition] = {
    'event == "Bought"': lambda h, _: h.values["event"] == "Bought",
    'event != "Bought" or properties.price >= 2': lambda h, _: (
        h.values["event"] != "Bought" or (_price(h) is not None and _price(h) >= 2)  # type: ignore[operator]  # not None
    ),
    "weekday in [mon, sat, sun]": lambda h, off: _local(h, off).weekday() in {0, 5, 6},
    "hour >= 12 and day != 2": lambda h, off: _local(h, off).hour >= 12 and _local(h, off).day != 2,
    'not traits.plan == "free"': lambda h, _: h.values.get("traits.plan") != "free",
    "exists(properties.sku)": lambda h, _: "properties.sku" in h.values,
}

# Whether an event puts its customer into a tier; None: it does not have what the rule asks for.
TIERS: dict[str, Callable[[Mapping[str, Value]], bool | None]] = {
    'traits.plan == "pro"': lambda v: v["traits.plan"] == "pro" if "traits.plan" in v else None,
    'traits.plan in ["team", "pro"] and properties.price > 3': lambda v: (
        v["traits.plan"] in {"team", "pro"} and float(v["properties.price"]) > 3
        if {"traits.plan", "properties.price"} <= v.keys()
        else None
    ),
    "exists(traits.city)": lambda v: "traits.city" in v,
}
FIRST = {"all": 0, "gold": 5, "red": 9, "blue": 14}  # segments of a tier have numbers from here on

VALUES: st.SearchStrategy[dict[str, Value]] = st.fixed_dictionaries(
    {"event": st.sampled_from(["Bought", "Opened", "Paid"])},
    optional={
        "properties.price": st.integers(-8, 40).map(lambda n: n / 4),
        "properties.items": st.integers(0, 5).map(float),
        "properties.sku": st.sampled_from([f"sku-{i}" for i in range(30)]),
        "traits.plan": st.sampled_from(["free", "pro", "team", "other"]),
        "traits.city": st.sampled_from(["Graz", "Oslo", "Łódź"]),
    },
)


def hashes_of(values: Mapping[str, Value]) -> dict[str, int]:
    """What decoding makes of fields that are only compared for equality."""
    return {path: int(hash_texts([str(values[path])])[0]) for path in HASHED if path in values}


WINDOWED: tuple[Aggregate, ...] = ("count", "sum", "mean", "max", "min", "distinct", "sessions", "time_on_site")
LOOSE: tuple[Aggregate, ...] = ("decayed_sum", "distinct_days", "recency", "tenure", "mean_gap", "latest")
TILINGS = [(10 * MINUTE, 6), (HOUR, 1), (HOUR, 24), (6 * HOUR, 8), (DAY, 7), (DAY, 61), (1_000, 130)]
WHERES = st.none() | st.sampled_from(list(CONDITIONS))
EMPTY = st.sampled_from([0.0, -1.0, 7.5])


@st.composite
def features(draw: st.DrawFn, name: str) -> Feature:
    """One feature that is not derived from others."""
    aggregate = draw(st.sampled_from([*WINDOWED, *LOOSE]))
    shape: dict[str, object] = {"where": draw(WHERES)}
    if aggregate in WINDOWED:
        width, tiles = draw(st.sampled_from(TILINGS))
        shape |= {"window": width * tiles, "tiles": tiles}
    match aggregate:
        case "sum" | "mean" | "max" | "min":
            shape |= {"field": draw(st.sampled_from(["properties.price", "properties.items"])), "empty": draw(EMPTY)}
        case "count":
            shape["field"] = draw(st.none() | st.just("properties.price"))
        case "decayed_sum":
            shape |= {
                "field": draw(st.none() | st.just("properties.price")),
                "half_life": draw(st.sampled_from([HOUR, 9 * DAY])),
            }
        case "distinct":
            shape |= {"field": "properties.sku", "registers": draw(st.sampled_from([8, 64]))}
        case "distinct_days":
            shape["window"] = draw(st.sampled_from([DAY, 7 * DAY, 28 * DAY]))
        case "sessions" | "time_on_site":
            shape["gap"] = draw(st.sampled_from([5 * MINUTE, 2 * HOUR]))
        case "tenure":
            shape["empty"] = draw(EMPTY)
        case "latest":
            shape |= draw(LATEST)
        case _:
            pass
    if shape.get("encode") is None:
        shape |= {"log1p": draw(st.booleans()), "clip": draw(st.sampled_from([None, None, (0.0, 5.0), (-1.5, 1e7)]))}
    role = draw(st.sampled_from(["feature", "feature", "feature", "outcome"]))
    return Feature(name=name, aggregate=aggregate, role=role, **shape)  # type: ignore[arg-type]  # drawn to fit


LATEST: st.SearchStrategy[dict[str, object]] = st.one_of(
    st.fixed_dictionaries({"field": st.just("properties.items"), "empty": EMPTY}),
    st.fixed_dictionaries(
        {"field": st.just("traits.city"), "encode": st.just("hashed"), "buckets": st.sampled_from([2, 5])}
    ),
    st.fixed_dictionaries({
        "field": st.just("traits.plan"),
        "encode": st.sampled_from(["ordinal", "one_hot", "binary"]),
        "categories": st.sampled_from([("free", "pro"), ("pro", "team", "free"), ("team",)]),
    }),
)  # fmt: skip


@st.composite
def feature_sets(draw: st.DrawFn, most: int = 6) -> tuple[Feature, ...]:
    """Some features, a few of them derived from earlier ones; at least one takes part in the distance."""
    found = [draw(features(f"f{i}")) for i in range(draw(st.integers(1, most)))]
    for i in range(draw(st.integers(0, 2))):
        found.append(draw(_derived(f"d{i}", found)))
    if all(f.role == "outcome" for f in found):
        found.append(Feature(name="always", aggregate="recency"))
    return tuple(found)


@st.composite
def _derived(draw: st.DrawFn, name: str, earlier: list[Feature]) -> Feature:
    """One feature made of earlier ones."""
    aggregate: Aggregate = draw(st.sampled_from(["ratio", "trend", "projection", "diversity"]))
    numbers = [f.name for f in earlier if f.encode in {None, "ordinal"}]
    if aggregate in {"ratio", "trend"} or len(numbers) < 2:
        a, b = draw(st.sampled_from(earlier)), draw(st.sampled_from(earlier))
        aggregate = "trend" if aggregate == "trend" else "ratio"
        return Feature(name=name, aggregate=aggregate, of=(a.name, b.name), empty=draw(EMPTY))
    of = draw(st.lists(st.sampled_from(numbers), min_size=2, unique=True))
    weights = tuple(draw(st.sampled_from([-1.0, 0.0, 0.25, 3.0])) for _ in of) if aggregate == "projection" else ()
    return Feature(name=name, aggregate=aggregate, of=tuple(of), weights=weights, empty=draw(EMPTY))


@st.composite
def definitions(draw: st.DrawFn, most: int = 6, clock: str = "append") -> Definition:
    """A whole definition; times are short enough that days and forgetting happen within a drawn log."""
    return Definition(
        name="shop",
        features=draw(feature_sets(most)),
        input=InputRules(clock=clock),  # type: ignore[arg-type]  # one of the literals
        utc_offset=draw(st.sampled_from([0, 330, -480])),
        lateness=draw(st.sampled_from([0, HOUR, 3 * DAY, 400 * DAY])),
        max_skew=5 * MINUTE,
        evaluate_every=draw(st.sampled_from([5 * MINUTE, HOUR])),
        learn_every=draw(st.sampled_from([DAY, 6 * HOUR])),
        forget_after=draw(st.sampled_from([5 * DAY, 20 * DAY, 400 * DAY])),
        margin=draw(st.sampled_from([0.0, 0.1, 0.5])),
        dwell=draw(st.sampled_from([0, 30 * MINUTE, 2 * DAY])),
        tiers=draw(tiers()),
    )


@st.composite
def tiers(draw: st.DrawFn) -> tuple[Tier, ...]:
    """Rules in some order, or none."""
    names = draw(st.lists(st.sampled_from([name for name in FIRST if name != "all"]), max_size=2, unique=True))
    return tuple(Tier(name=name, where=draw(st.sampled_from(list(TIERS)))) for name in names)


def activation(definition: Definition, number: int = 1, model: ModelVersion | None = None) -> Activation:
    """An activation that a person writes."""
    version = feature_set_version(definition)
    return Activation(
        number=number, definition=definition, feature_set_version=version, model=model, who="test", at=0, why="test"
    )


TYPICAL = {"recency": DAY / 1000, "tenure": 3 * DAY / 1000, "mean_gap": DAY / 1000, "time_on_site": 600.0}


def model(definition: Definition, version: int, seed: int, k: int = 3) -> ModelVersion:
    """A model over some of a definition's columns, with centres where customers pass by: of the definition's tier."""
    first = FIRST[definition.tier]
    rng = random.Random(seed)
    plan = compile_engine([activation(definition)]).plan
    features = {f.name: f for f in definition.features}
    measured = {meaning(f, features): f.name for f in definition.features if f.role == "feature"}  # of twins, one
    used = zip(plan.columns, plan.distance, strict=True)
    all_columns = [c for c, in_distance in used if in_distance and c.feature.name in measured.values()]
    if not all_columns:
        reject()
    columns = rng.sample(all_columns, rng.randint(1, len(all_columns)))
    typical = [1.0 if c.feature.log1p else TYPICAL.get(c.feature.aggregate, 2.0) for c in columns]
    clips = [rng.choice([None, None, 0.5]) for _ in columns]
    return ModelVersion(
        version=version,
        tier=definition.tier,
        feature_set_version=feature_set_version(definition),
        learner="drawn",
        columns=tuple(c.name for c in columns),
        centers=((),) * first + tuple(tuple(rng.uniform(-0.7, 2.5) for _ in columns) for _ in range(k)),
        mean=tuple(rng.uniform(-0.2, 0.2) * size for size in typical),
        scale=tuple(size * rng.choice([1.0, 0.7, 1.9, 0.0 if len(columns) > 1 else 1.0]) for size in typical),
        clip_low=tuple(None if clip is None else clip * size for clip, size in zip(clips, typical, strict=True)),
        clip_high=tuple(None if clip is None else 40 * size for clip, size in zip(clips, typical, strict=True)),
        segments=("",) * first + tuple(f"segment {first + j}" for j in range(k)),
        samples=100,
        trained_at=START,
    ).sealed()
