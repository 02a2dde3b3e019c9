"""Automatic names: short, distinct, the same every time, and in words that a person would use."""

from __future__ import annotations

import random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stream_seg.core.definition import DAY, Feature, Lever, Words
from stream_seg.core.naming import MOST_WORDS, names_of
from stream_seg.core.plan import Column


def column(name: str, high: str | None = None, low: str | None = None, part: str | None = None) -> Column:
    words = Words(high=high, low=low) if high and low else None
    return Column(Feature(name=name, aggregate="count", window=DAY, words=words), part)


ORDERS = column("orders", "order often", "order rarely")
SPEND = column("spend", "spend a lot", "spend little")
MOMENTUM = column("momentum", "buy more than they used to", "buy less than they used to")
VISITS = column("visits", "visit often", "visit rarely")
ENDLESS = column("endless", "say many more words than a name can have", "are of few words")
PLUS = column("plan", part="plus or any other of the larger plans")
COLUMNS = [ORDERS, SPEND, MOMENTUM, VISITS, ENDLESS, PLUS]


def named(*centers: tuple[float, ...], levers: tuple[Lever, ...] = ()) -> tuple[str, ...]:
    return names_of([(*center, *(0.0,) * (len(COLUMNS) - len(center))) if center else () for center in centers],
                    COLUMNS, levers)  # fmt: skip


def test_a_name_is_the_two_phrases_that_say_most() -> None:
    assert named((1.0, -2.0, 0.0, 0.5), (-1.0, 0.2)) == ("spend little, order often", "order rarely")


def test_a_phrase_that_leaves_no_room_for_another_stands_alone() -> None:
    assert named((1.0, 0.0, 2.0)) == ("buy more than they used to",)


def test_a_phrase_that_is_too_long_for_a_name_is_said_plainly() -> None:
    assert named((0, 0, 0, 0, 2.0), (0, 0, 0, 0, 0, 1.0)) == ("high endless", "high plan plus or any other")


@pytest.mark.parametrize(
    ("one", "other", "names"),
    [
        ((2, 1.5, 0, 1), (2, 1.5), ("order often, visit often", "order often, spend a lot")),
        ((2, 0, 0, 1), (2, 0, 0, -1), ("order often, visit often", "order often, visit rarely")),
        ((1, 0, 2), (0, 1, 2), ("order often", "spend a lot")),
        ((2, 1), (3, 1), ("order often, less so", "order often, more so")),
        ((0, 0, 2), (0, 0, 3), ("high momentum, less so", "high momentum, more so")),
        ((2, 1), (2, 1), ("order often, spend a lot", "order often (1)")),
        ((0.1, 0.0), (0.0, 0.1), ("about average, order often", "about average, spend a lot")),
        ((0, 0), (0, 0), ("about average", "about average (1)")),
    ],
)
def test_two_segments_of_which_the_same_is_to_be_said_are_told_apart(
    one: tuple[float, ...], other: tuple[float, ...], names: tuple[str, str]
) -> None:
    assert named(one, other) == names
    assert named(other, one)[::-1] == names or one == other


def test_a_declared_name_is_kept_as_it_is_and_given_to_nobody_else() -> None:
    declared = "order often, spend a lot"
    long = "Those who have been with us since the very beginning"
    levers = (Lever(segment=0, name=declared), Lever(segment=2, name=long), Lever(segment=9, name="of another model"))
    assert named((-1.0, 0.0), (2.0, 1.0), (0.0, 1.0), levers=levers) == (declared, "order often", long)


def test_a_segment_that_does_not_exist_any_more_has_no_name() -> None:
    assert named((), (1.0, 0.0), ()) == ("", "order often", "")


centers = st.lists(
    st.one_of(
        st.just(()), st.tuples(*[st.one_of(st.sampled_from([-1.0, 0.0, 0.1, 1.0]), st.floats(-4, 4))] * len(COLUMNS))
    ),
    max_size=12,
)
texts = st.sampled_from(["order often", "order often, more so", "order often (1)", "about average", "high momentum"])
declared = st.dictionaries(st.integers(0, 12), texts, max_size=4).map(
    lambda names: tuple(Lever(segment=n, name=name) for n, name in names.items())
)


@settings(max_examples=300, deadline=None)
@given(centers, declared)
def test_names_are_distinct_and_of_six_words_at_most_and_the_same_every_time(
    rows: list[tuple[float, ...]], levers: tuple[Lever, ...]
) -> None:
    names = names_of(rows, COLUMNS, levers)
    assert names == names_of(rows, COLUMNS, levers)
    here = {n for n, row in enumerate(rows) if row}
    given_by_hand = {lever.segment: lever.name for lever in levers if lever.segment in here}
    automatic = [name for n, name in enumerate(names) if n in here and n not in given_by_hand]
    assert len(set(automatic)) == len(automatic)
    assert not set(automatic) & set(given_by_hand.values())
    assert all(0 < len(name.split()) <= MOST_WORDS for name in automatic)
    assert all(names[n] == name for n, name in given_by_hand.items())
    assert all(not name for name, row in zip(names, rows, strict=True) if not row)


@settings(max_examples=300, deadline=None)
@given(centers, st.randoms(use_true_random=False), st.permutations(range(len(COLUMNS))))
def test_a_name_follows_from_the_centres_and_not_from_their_order_or_that_of_the_features(
    rows: list[tuple[float, ...]], draw: random.Random, order: list[int]
) -> None:
    distinct = list(dict.fromkeys(row for row in rows if row))
    shuffled = list(distinct)
    draw.shuffle(shuffled)
    names = names_of(distinct, COLUMNS, ())
    assume(not any(name.endswith(")") for name in names))  # there the number decides, and nothing else was left
    again = names_of([tuple(row[f] for f in order) for row in shuffled], [COLUMNS[f] for f in order], ())
    assert dict(zip(shuffled, again, strict=True)) == dict(zip(distinct, names, strict=True))
