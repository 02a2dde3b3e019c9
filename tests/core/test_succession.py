"""From one definition to the next: the old model goes on as if nothing had happened, the new features begin."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_seg.core.activation import Activation
from stream_seg.core.definition import DAY, Definition, Feature, feature_set_version
from stream_seg.core.engine import compile_engine
from stream_seg.core.model import ModelVersion
from stream_seg.core.succession import columns_in, meaning, succeed
from stream_seg.errors import Stop
from tests.core import drawing

VISITS = Feature(name="visits", aggregate="count", window=7 * DAY, tiles=7)
SPEND = Feature(name="spend", aggregate="sum", field="properties.price", window=7 * DAY, tiles=7)
BASKET = Feature(name="basket", aggregate="ratio", of=("spend", "visits"))
PLAN = Feature(
    name="plan", aggregate="latest", field="traits.plan", encode="one_hot", categories=("free", "pro=plus")
)  # fmt: skip


TASTE = Feature(name="taste", aggregate="projection", of=("visits", "spend", "basket"), weights=(0.5, -0.5, 1.0))


def definition(*features: Feature) -> Definition:
    return Definition(name="shop", features=features, lateness=DAY, forget_after=97 * DAY)


def model(of: Definition, *columns: str) -> ModelVersion:
    n = len(columns)
    return ModelVersion(
        version=1, tier="all", feature_set_version=feature_set_version(of), learner="none", columns=columns,
        centers=((0.0,) * n, (1.0,) * n), mean=(0.0,) * n, scale=(1.0,) * n, clip_low=(None,) * n,
        clip_high=(None,) * n, segments=("a", "b"), samples=2, trained_at=0,
    ).sealed()  # fmt: skip


def then(current: Activation, *features: Feature) -> Activation:
    return succeed(current, definition(*features), who="test", at=0, why="test")


def first(*features: Feature, columns: tuple[str, ...]) -> Activation:
    d = definition(*features)
    return drawing.activation(d, model=model(d, *columns))


def test_an_unchanged_feature_set_keeps_its_layout_and_needs_no_alias() -> None:
    current = first(VISITS, SPEND, columns=("visits", "spend"))
    louder = msgspec.structs.replace(current.definition, margin=0.3)
    following = succeed(current, louder, who="test", at=0, why="test")
    assert (following.number, following.layout) == (2, 1)
    assert following.retained == ()
    assert following.aliases == {}


def test_what_the_model_needs_and_the_definition_lost_is_retained_under_its_own_name() -> None:
    following = then(first(VISITS, SPEND, columns=("visits", "spend")), VISITS)
    assert [f.name for f in following.retained] == ["spend~1"]
    assert following.aliases == {"spend": "spend~1"}
    assert following.layout == 2


def test_a_name_that_is_given_to_something_else_does_not_feed_the_old_model() -> None:
    other = msgspec.structs.replace(SPEND, name="visits")
    following = then(first(VISITS, columns=("visits",)), other)
    assert [f.name for f in following.features] == ["visits", "visits~1"]
    assert columns_in(following, following) == {"visits": "visits~1"}


def test_a_ratio_changes_its_meaning_with_what_it_is_made_of() -> None:
    longer = msgspec.structs.replace(VISITS, window=14 * DAY)
    following = then(first(VISITS, SPEND, BASKET, columns=("basket",)), longer, SPEND, BASKET)
    assert {f.name: f.of for f in following.retained} == {"visits~1": None, "basket~1": ("spend", "visits~1")}
    assert following.aliases == {"basket": "basket~1"}
    compile_engine([following])  # every name that it needs is there, and before what is derived from it


def test_a_projection_is_retained_with_all_that_it_is_made_of_and_with_other_weights_is_another_feature() -> None:
    everything = (VISITS, SPEND, BASKET, TASTE)
    longer = msgspec.structs.replace(VISITS, window=14 * DAY)
    following = then(first(*everything, columns=("taste",)), longer, SPEND, BASKET, TASTE)
    assert {f.name: f.of for f in following.retained} == {
        "visits~1": None, "basket~1": ("spend", "visits~1"), "taste~1": ("visits~1", "spend", "basket~1"),
    }  # fmt: skip
    compile_engine([following])
    heavier = msgspec.structs.replace(TASTE, weights=(0.5, -0.5, 2.0))
    again = then(first(*everything, columns=("taste",)), VISITS, SPEND, BASKET, heavier)
    assert [f.name for f in again.retained] == ["taste~1"]
    assert feature_set_version(definition(*everything)) != feature_set_version(definition(*everything[:3], heavier))


def test_encoded_columns_keep_their_part_whatever_is_in_it() -> None:
    following = then(first(PLAN, VISITS, columns=("plan=pro=plus", "plan=unknown", "visits")), VISITS)
    assert following.aliases == {"plan=pro=plus": "plan~1=pro=plus", "plan=unknown": "plan~1=unknown"}
    assert set(following.aliases.values()) <= set(compile_engine([following]).plan.names)


def test_what_was_retained_once_keeps_that_name_through_further_changes() -> None:
    second = then(first(SPEND, columns=("spend",)), VISITS)
    third = then(second, VISITS, PLAN)
    assert third.aliases == {"spend": "spend~1"}
    assert [f.name for f in third.features] == ["visits", "plan", "spend~1"]
    assert third.layout == 3


def test_a_model_of_the_new_features_ends_what_was_retained_for_the_old_one() -> None:
    second = then(first(SPEND, columns=("spend",)), msgspec.structs.replace(VISITS, name="spend"))
    learned = msgspec.structs.replace(second, number=3, model=model(second.definition, "spend"), aliases={})
    assert columns_in(learned, learned) == {"spend": "spend"}
    fourth = then(learned, PLAN)
    assert fourth.aliases == {"spend": "spend~3"}
    retained = next(f for f in fourth.retained if f.name == "spend~3")
    assert meaning(retained, {}) == meaning(VISITS, {})


def test_two_features_that_measure_the_same_each_find_their_own() -> None:
    twin = msgspec.structs.replace(VISITS, name="twin")
    current = first(VISITS, twin, columns=("visits", "twin"))
    assert columns_in(then(current, twin, VISITS), current) == {"visits": "visits", "twin": "twin"}
    engine = compile_engine([current, drawing.activation(definition(VISITS), 2)])
    assert engine.cut_off  # one cannot stand for two


def test_a_changed_window_is_another_measure_and_words_are_not() -> None:
    said = msgspec.structs.replace(VISITS, role="outcome", name="calls")
    assert meaning(said, {}) == meaning(VISITS, {})
    assert meaning(msgspec.structs.replace(VISITS, tiles=14), {}) != meaning(VISITS, {})


def test_the_newest_activation_must_measure_what_its_model_needs() -> None:
    bad = drawing.activation(definition(VISITS), model=model(definition(VISITS, SPEND), "visits", "spend"))
    with pytest.raises(Stop, match="spend"):
        compile_engine([bad])


def test_an_older_model_whose_columns_are_gone_is_cut_off_and_labels_nobody() -> None:
    old = first(VISITS, SPEND, columns=("visits", "spend"))
    new = drawing.activation(definition(PLAN), 2)
    engine = compile_engine([old, new])
    assert engine.cut_off
    assert engine.models.k.tolist() == [0, 0]
    assert not compile_engine([old, then(old, PLAN)]).cut_off


@settings(deadline=None, max_examples=150)
@given(drawing.definitions(5), st.lists(drawing.feature_sets(4), min_size=1, max_size=3), st.integers(0, 999))
def test_through_any_changes_the_model_reads_what_it_was_learned_on(
    start: Definition, changes: list[tuple[Feature, ...]], seed: int
) -> None:
    current = drawing.activation(start, model=drawing.model(start, 1, seed))
    assert current.model is not None
    in_use = [current]
    for features in changes:
        following = succeed(in_use[-1], msgspec.structs.replace(start, features=features), who="t", at=0, why="t")
        in_use.append(following)
    newest = in_use[-1]
    names = columns_in(newest, newest)
    assert names is not None
    plan = compile_engine(in_use).plan
    old, new = {f.name: f for f in start.features}, {f.name: f for f in newest.features}
    for column, name in names.items():
        assert name in plan.names
        mine, theirs = column.partition("="), name.partition("=")
        assert mine[2] == theirs[2]
        assert meaning(old[mine[0]], old) == meaning(new[theirs[0]], new)
    assert not compile_engine(in_use).cut_off
