"""The `where` language: what it accepts, what it says about mistakes, and that columns give what a reader expects."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_seg.core.definition import DAY, Definition, Feature
from stream_seg.core.event import Decoded, Fields, TextField
from stream_seg.core.expression import ExpressionError, collect, compile_conditions, parse
from stream_seg.core.grammar import WEEKDAYS

NAN = float("nan")
FIELDS = Fields(
    numbers=("properties.price", "properties.discount"),
    texts=(
        TextField("event", ("Bought", "Opened")),
        TextField("traits.plan", ("free", "pro")),
        TextField("properties.gift", ("true", "false")),
        TextField("properties.coupon", ()),
    ),
    hashes=("properties.sku",),
)
Event = dict[str, Any]


def columns(events: list[Event]) -> Decoded:
    """Events as flat dictionaries path -> value, with `time` in ms, to the columns that decoding would give."""
    n = len(events)

    def code(text: TextField, value: object) -> int:
        return -1 if value is None else text.constants.index(str(value)) + 1 if value in text.constants else 0

    return Decoded(
        rows=np.arange(n),
        customers=[b"c"] * n,
        times=np.array([e["time"] for e in events], np.int64),
        messages=np.zeros(n, np.int64),
        numbers=np.array([[e.get(p, NAN) for e in events] for p in FIELDS.numbers], np.float64),
        codes=np.array([[code(t, e.get(t.path)) for e in events] for t in FIELDS.texts], np.int32),
        hashes=np.array([[e.get(p, 0) for e in events] for p in FIELDS.hashes], np.int64),
        rejected=[],
    )


def holds(where: str, event: Event, utc_offset: int = 0) -> bool:
    return bool(compile_conditions([where], FIELDS, utc_offset).masks(columns([{"time": 0} | event]))[0])


def definition(*features: Feature) -> Definition:
    return Definition(name="shop", features=features, lateness=DAY, forget_after=DAY)


def count(name: str, where: str) -> Feature:
    return Feature(name=name, aggregate="count", window=DAY, where=where)


@pytest.mark.parametrize(
    ("where", "event", "expected"),
    [
        ('event == "Bought"', {"event": "Bought"}, True),
        ("event == 'Bought'", {"event": "Opened"}, False),
        ('event == "Bought" and properties.discount > 0', {"event": "Bought", "properties.discount": 0.5}, True),
        ('event == "Bought" and properties.discount > 0', {"event": "Bought", "properties.discount": 0.0}, False),
        ("properties.price >= 10 and properties.price <= 1e1", {"properties.price": 10.0}, True),
        ("properties.price < -1.5", {"properties.price": -2.0}, True),
        ("properties.price in [1, 2.5]", {"properties.price": 2.5}, True),
        ("properties.price not in [1, 2.5]", {"properties.price": 2.0}, True),
        ('traits.plan in ["free", "pro"]', {"traits.plan": "pro"}, True),
        ('traits.plan not in ["free"]', {"traits.plan": "something else"}, True),
        ("properties.gift == true", {"properties.gift": "true"}, True),
        ("not properties.gift == true", {"properties.gift": "false"}, True),
        ("exists(properties.coupon)", {"properties.coupon": "X"}, True),
        ("exists(properties.coupon)", {}, False),
        ("exists(properties.price) or exists(properties.sku)", {"properties.sku": 7}, True),
        ("not (exists(properties.price) or exists(properties.sku))", {"properties.sku": 7}, False),
        ('event == "Opened" or event == "Bought" and properties.price > 5', {"event": "Opened"}, True),
        ('(event == "Opened" or event == "Bought") and properties.price > 5', {"event": "Opened"}, False),
        ("not not exists(event)", {"event": "x"}, True),
    ],
)
def test_a_condition_means_what_it_says(where: str, event: Event, *, expected: bool) -> None:
    assert holds(where, event) is expected


@pytest.mark.parametrize(
    "where",
    [
        "properties.price == 0",
        "properties.price != 0",
        "properties.price < 1",
        "properties.price > -1",
        "properties.price not in [5]",
        'traits.plan == "free"',
        'traits.plan != "free"',
        'traits.plan not in ["free"]',
    ],
)
def test_every_comparison_with_an_absent_field_is_false_and_not_turns_it_round(where: str) -> None:
    assert not holds(where, {})
    assert holds(f"not ({where})", {})


def test_calendar_parts_are_local_to_the_offset() -> None:
    saturday_late = {"time": int(datetime(2024, 3, 2, 23, 30, tzinfo=UTC).timestamp() * 1000)}
    assert holds("weekday in [sat, sun] and hour == 23 and day == 2 and month == 3", saturday_late)
    assert holds("weekday == sun and hour == 0 and day == 3", saturday_late, utc_offset=60)
    assert holds("weekday == sat and hour >= 22", saturday_late, utc_offset=-60)


@given(st.datetimes(datetime(1999, 1, 1), datetime(2101, 1, 1)), st.integers(-14 * 60, 14 * 60))  # noqa: DTZ001 - naive
def test_calendar_parts_equal_those_of_datetime(when: datetime, utc_offset: int) -> None:
    at = when.replace(tzinfo=UTC)
    local = at + timedelta(minutes=utc_offset)
    day = f"weekday == {WEEKDAYS[local.weekday()]} and hour == {local.hour}"
    time = (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert holds(f"{day} and day == {local.day} and month == {local.month}", {"time": time}, utc_offset)


@pytest.mark.parametrize(
    ("where", "column", "words"),
    [
        ("", 1, "a field is expected"),
        ("evnt == 'x'", 1, "did you mean event?"),
        ("price > 3", 1, "did you mean properties.price?"),
        ("propertes.price > 3", 1, "did you mean properties.price?"),
        ("properties > 3", 1, "name a field of it"),
        ("event.name == 'x'", 1, "write event alone"),
        ("event = 'x'", 7, "did you mean ==?"),
        ("event == 'x' && hour > 3", 14, "did you mean and?"),
        ("event == 'x' AND hour > 3", 14, "did you mean and?"),
        ("event == Bought", 10, 'did you mean the text "Bought"?'),
        ("properties.coupon == null", 22, "write not exists(field)"),
        ("properties.gift == True", 20, "did you mean true?"),
        ("event > 'x'", 9, "compares numbers"),
        ("event == 3", 10, "is a text"),
        ("weekday == friday", 12, "did you mean fri?"),
        ("weekday > mon", 11, "use ==, !="),
        ("hour == 24", 9, "from 0 to 23"),
        ("hour == 1.5", 9, "whole number"),
        ("exists(hour)", 1, "always exists"),
        ("type == 'trak'", 9, 'did you mean "track"?'),
        ("properties.price in [1, 'a']", 25, "texts and numbers"),
        ("properties.price in []", 22, "a text in quotes, a number"),
        ("properties.price in [1", 23, "] is missing"),
        ("(event == 'x'", 14, ") is missing"),
        ("event == 'x' event", 14, "join conditions"),
        ("event == 'x", 10, "close it with '"),
        ("event == 'x' and # 3", 18, "means nothing here"),
        ("3 < properties.price", 1, "left of the comparison"),
        ("properties.price", 17, "a comparison is missing"),
        ("properties.price == 1e999", 21, "too large"),
        ("__import__('os') == 1", 1, "is not a field"),
        ("__import__('os').system('x')", 17, "means nothing here"),
        ("not " * 500 + "event == 'x'", 205, "inside each other"),
        ("(" * 5000 + "event == 'x'", 52, "inside each other"),
    ],
)
def test_a_mistake_is_named_with_its_column_and_a_remedy(where: str, column: int, words: str) -> None:
    with pytest.raises(ExpressionError) as error:
        parse(where)
    assert error.value.column == column
    assert words in error.value.message


PIECES = [
    *"ab.\"'\\ ()[]<>=!&|,0123eE-+_$é\n",
    " and ",
    " or ",
    "not ",
    "event",
    "hour",
    " in ",
    "exists",
    "properties.x",
]


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_any_text_is_a_tree_or_an_expression_error(text: str) -> None:
    try:
        parse(text)
    except ExpressionError as error:
        assert 1 <= error.column <= len(text) + 1  # noqa: PT017 - most texts are mistakes, some are not


def test_fields_are_collected_in_the_order_of_first_mention() -> None:
    assert collect(
        definition(
            count(
                "a", 'event == "B" and properties.price > 0 and exists(properties.coupon) and exists(properties.sku)'
            ),
            count("b", 'event in ["A", "B"] and exists(properties.price) and properties.gift == true'),
            Feature(name="c", aggregate="sum", window=DAY, field="properties.tax"),
            Feature(name="d", aggregate="distinct", window=DAY, field="properties.sku"),
            Feature(name="e", aggregate="latest", field="traits.plan", encode="one_hot", categories=("free", "pro")),
            Feature(name="f", aggregate="latest", field="traits.city", encode="hashed"),
            Feature(name="g", aggregate="latest", field="traits.age"),
            Feature(name="h", aggregate="ratio", of=("a", "b")),
        )
    ) == Fields(
        numbers=("properties.price", "properties.tax", "traits.age"),
        texts=(
            TextField("event", ("B", "A")),
            TextField("properties.gift", ("true",)),
            TextField("traits.plan", ("free", "pro")),
            TextField("properties.coupon", ()),
        ),
        hashes=("properties.sku", "traits.city"),
    )


@pytest.mark.parametrize(
    ("features", "feature", "words"),
    [
        ((count("a", "properties.x > 1"), count("b", 'properties.x == "1"')), "b", "a number in a"),
        ((count("a", 'properties.x == "1"'), count("b", "properties.x > 1")), "b", "a text in a"),
        ((Feature(name="a", aggregate="sum", window=DAY, field="event"),), "a", "event is a text"),
        ((Feature(name="a", aggregate="sum", window=DAY, field="prop.x"),), "a", "did you mean properties.x?"),
        ((count("a", "properties.x > 1"), count("b", "properties.x.y > 1")), "a", "cannot be both"),
        ((count("a", "evnt == 1"),), "a", "did you mean event?"),
    ],
)
def test_a_field_that_would_be_two_things_is_refused(features: tuple[Feature, ...], feature: str, words: str) -> None:
    with pytest.raises(ExpressionError) as error:
        collect(definition(*features))
    assert error.value.feature == feature
    assert words in error.value.message


def test_an_object_may_be_asked_for_existence_while_a_field_inside_it_is_compared() -> None:
    fields = collect(definition(count("a", "exists(properties.cart)"), count("b", "properties.cart.total > 1")))
    assert fields == Fields(numbers=("properties.cart.total",), texts=(TextField("properties.cart", ()),))


def test_equal_conditions_share_a_bit_and_no_condition_has_none() -> None:
    conditions = compile_conditions(['event == "Bought"', None, "hour > 3", 'event == "Bought"'], FIELDS)
    assert [conditions.index_of(w) for w in ('event == "Bought"', "hour > 3", None)] == [0, 1, -1]
    masks = conditions.masks(columns([{"time": 0, "event": "Bought"}, {"time": 5 * 3_600_000}]))
    assert masks.tolist() == [0b01, 0b10]


def test_the_63rd_condition_fits_and_the_64th_is_refused() -> None:
    wheres = [f"properties.price > {i}" for i in range(63)]
    masks = compile_conditions(wheres, FIELDS).masks(columns([{"time": 0, "properties.price": 1e9}]))
    assert masks.view(np.int64).tolist() == [2**63 - 1]
    with pytest.raises(ExpressionError, match="64 different conditions"):
        compile_conditions([*wheres, "hour > 1"], FIELDS)


def test_conditions_refuse_fields_that_were_collected_from_another_definition() -> None:
    with pytest.raises(KeyError):
        compile_conditions(['event == "Never listed"'], FIELDS)


# A plain evaluator: each condition is drawn as its text together with a Python function of one event.
Check = Callable[[Event], bool]
Drawn = tuple[str, Check]
NUMBERS = st.sampled_from([-1.0, 0.0, 0.5, 2.0])
ORDERS: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


def _number(path: str, sign: str, bound: float) -> Drawn:
    return f"{path} {sign} {bound!r}", lambda e: path in e and ORDERS[sign](e[path], bound)


def _one_of(path: str, constants: list[Any], *, negated: bool) -> Drawn:
    listed = ", ".join(f'"{c}"' if isinstance(c, str) else repr(c) for c in constants)
    word = "not in" if negated else "in"
    return f"{path} {word} [{listed}]", lambda e: path in e and (e[path] in constants) is not negated


def _hour(sign: str, bound: int) -> Drawn:
    return f"hour {sign} {bound}", lambda e: ORDERS[sign](e["time"] // 3_600_000 % 24, bound)


def _not(inner: Drawn) -> Drawn:
    return f"not ({inner[0]})", lambda e: not inner[1](e)


def _join(word: str, parts: list[Drawn]) -> Drawn:
    every = all if word == "and" else any
    return f" {word} ".join(f"({text})" for text, _ in parts), lambda e: every(check(e) for _, check in parts)


PATHS = st.sampled_from(FIELDS.numbers)
LEAVES = st.one_of(
    st.builds(_number, PATHS, st.sampled_from(list(ORDERS)), NUMBERS),
    st.builds(_one_of, PATHS, st.lists(NUMBERS, min_size=1), negated=st.booleans()),
    st.builds(
        _one_of, st.just("event"), st.lists(st.sampled_from(["Bought", "Opened"]), min_size=1), negated=st.booleans()
    ),
    st.builds(_hour, st.sampled_from(list(ORDERS)), st.integers(0, 23)),
    st.sampled_from([*FIELDS.numbers, "event", "properties.sku", "properties.coupon"]).map(
        lambda path: (f"exists({path})", lambda e: path in e)
    ),
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: (
        inner.map(_not) | st.builds(_join, st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3))
    ),
    max_leaves=8,
)
EVENTS = st.fixed_dictionaries(
    {"time": st.integers(946_684_800_000, 4_102_444_800_000)},
    optional={
        "event": st.sampled_from(["Bought", "Opened", "Other"]),
        "properties.price": NUMBERS,
        "properties.discount": NUMBERS,
        "properties.sku": st.integers(1, 9),
        "properties.coupon": st.just("x"),
    },
)


@settings(max_examples=200, deadline=None)
@given(st.lists(CONDITIONS, min_size=1, max_size=4), st.lists(EVENTS, max_size=6))
def test_columns_give_what_a_plain_evaluator_gives_for_each_event_alone(
    drawn: list[Drawn], events: list[Event]
) -> None:
    conditions = compile_conditions([text for text, _ in drawn], FIELDS)
    masks = conditions.masks(columns(events)).tolist()
    expected = [sum(1 << b for b in {conditions.index_of(t) for t, check in drawn if check(e)}) for e in events]
    assert masks == expected
    assert masks == [conditions.masks(columns([event])).tolist()[0] for event in events]
