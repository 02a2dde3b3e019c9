"""Views over a small population whose answers are known, and what is said where one cannot be asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from stream_seg.core.definition import feature_set_version
from stream_seg.core.views import View
from stream_seg.errors import EngineTooOld, Stop
from stream_seg.pipeline.answers import Ground, Ranked, WhoAnswer
from stream_seg.pipeline.label_state import ACTIVATIONS
from stream_seg.pipeline.queries import customer_answer
from stream_seg.pipeline.who import Ranking
from stream_seg.ports import Message
from stream_seg.wire import control
from tests.queries.people import FEATURES, REST, asked, people, views
from tests.queries.shop import Shop, definition


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(definition(tmp_path_factory.mktemp("shop"), FEATURES, REST), people())


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> dict[str, View]:
    return views(tmp_path_factory.mktemp("ready"))


def ids(answer: WhoAnswer) -> list[str]:
    return [one["customer_id"] for one in answer["ranked"]]


def groups(customers: Sequence[str]) -> dict[str, int]:
    names = [one.partition("-")[0] for one in customers]
    return {name: names.count(name) for name in dict.fromkeys(names)}


def ground(one: Ranked, term: str) -> Ground:
    return next(reason for reason in one["reasons"] if reason["term"] == term)


def view(who: str, rank: dict[str, float] | None = None, **more: int) -> View:
    return View(name="asked", question="Who?", who=who, rank=rank or {"customer.age": 1.0}, **more)


def test_those_who_used_to_come_and_do_not_any_more_are_drifting_away_first(shop: Shop, ready: dict[str, View]) -> None:
    answer = asked(shop, ready["drifting-away"])
    assert list(groups(ids(answer)).items()) == [("falling", 10), ("new", 6)]
    assert (answer["customers"], answer["found"], answer["unranked"]) == (66, 16, 0)
    first = answer["ranked"][0]
    assert first["moved"] is not None
    assert (first["moved"]["before_name"], first["moved"]["cause"]) == ("Zero", "time")
    assert [reason["text"] for reason in first["reasons"]] == ["order rarely", "have gone silent", "lower spend"]
    orders, silence = ground(first, "orders"), ground(first, "silence")
    assert orders["before"] is not None
    assert (orders["before"] > 5, orders["value"], orders["unit"]) == (True, 0.0, None)
    assert silence["before"] is not None
    assert silence["before"] < 86_400 < 7 * 86_400 < float(silence["value"])
    assert silence["unit"] == "s"


def test_those_who_came_up_and_do_more_than_most_are_primed_for_upsell(shop: Shop, ready: dict[str, View]) -> None:
    assert groups(ids(asked(shop, ready["primed-for-upsell"]))) == {"growing": 10}


def test_those_who_began_lately_and_stayed_away_need_onboarding(shop: Shop, ready: dict[str, View]) -> None:
    answer = asked(shop, ready["needs-onboarding"])
    assert groups(ids(answer)) == {"new": 6}
    reasons = answer["ranked"][0]["reasons"]
    assert [(one["text"], one["unit"]) for one in reasons[:2]] == [("a customer for", "s"), ("silent for", "s")]
    assert all(one["before"] is None for one in reasons)
    assert 2.5 < (ground(answer["ranked"][0], "orders")["population"] or 0) < 2.7


def test_the_score_is_the_same_whatever_the_pages_and_the_limit(shop: Shop, ready: dict[str, View]) -> None:
    whole = asked(shop, ready["drifting-away"], limit=100, page=1_000)
    scores = [one["score"] for one in whole["ranked"]]
    assert scores == sorted(scores, reverse=True)
    for limit, page in ((100, 1), (5, 3), (16, 500)):
        assert asked(shop, ready["drifting-away"], limit, page) == whole | {"ranked": whole["ranked"][:limit]}


def test_of_equal_scores_the_lesser_id_comes_first(shop: Shop) -> None:
    answer = asked(shop, view("customer.age > 0s", {"items": 1.0}), limit=30)
    order = [(-one["score"], one["customer_id"]) for one in answer["ranked"]]
    assert order == sorted(order)
    assert len({score for score, _ in order}) < 10


@pytest.mark.parametrize(
    ("who", "found"),
    [
        ("orders >= 6", {"steady": 20, "growing": 10}),
        ("silence > 8d", {"falling": 10}),
        ("silence > 8d or customer.age < 10d", {"falling": 10, "new": 6}),
        ('plan == "plus" and customer.age < 10d', {"new": 3}),
        ('plan != "plus" and plan in ["free", "unknown"] and customer.age < 10d', {"new": 3}),
        ("items == 0 and spend > 150", {"falling": 10}),
        ("orders.standing > 0", {"steady": 20, "growing": 10}),
        ("spend.standing < -0.4", {"rare": 20, "new": 6}),
        ('segment == "Zero"', {"steady": 20, "growing": 10}),
        ("segment in [0, 5]", {"steady": 20, "growing": 10}),
        ('segment != 0 and not segment == "Five"', {"rare": 20, "falling": 10, "new": 6}),
        ('moved.from == "Zero" and moved.cause in ["event", "time"]', {"falling": 10}),
        ("moved.from == 2 and moved.ago < 10d and moved.change > 0", {"growing": 10}),
        ("exists(moved.from) and moved.change < 0", {"falling": 10, "new": 6}),
        ("customer.age < 10d and customer.silence >= 5d", {"new": 6}),
        ("customer.activity > 0.5 and segment.age > 20d", {"steady": 20}),
        ("segment.margin > 1 or segment.confidence < 0.1", {}),
        ("segment.confidence >= 0 and segment.margin > -1 and customer.age < 10d", {"new": 6}),
    ],
)
def test_a_condition_finds_whom_it_describes(shop: Shop, who: str, found: dict[str, int]) -> None:
    assert dict(sorted(groups(ids(asked(shop, view(who), limit=99))).items())) == dict(sorted(found.items()))


def test_every_value_is_the_one_that_the_customer_is_shown_with(shop: Shop) -> None:
    rank = {"orders": 1.0, "spend.standing": 100.0, "segment.margin": 10_000.0}
    for one in asked(shop, view("orders >= 0", rank), limit=99)["ranked"]:
        key = one["customer_id"].encode()
        slot = next(slot for slot in shop.slots() if shop.replay.slots.record(slot, key))
        slots = shop.replay.slots
        shown = customer_answer(key, slots.record(slot, key), slots.history(slot, key), slots.meta(slot))
        assert shown is not None
        features = {feature["name"]: feature for feature in shown["features"]}
        orders, standing = features["orders"]["value"], features["spend"]["in_distance"]
        assert isinstance(orders, float)
        assert one["score"] == pytest.approx(orders + 100 * (standing or 0) + 10_000 * (shown["margin"] or 0), abs=0.02)
        assert (one["segment"], one["segment_name"]) == (shown["segment"], shown["segment_name"])
        assert ground(one, "orders")["value"] == orders


def test_movements_before_lately_are_not_seen(shop: Shop) -> None:
    assert groups(ids(asked(shop, view("exists(moved.from)"), limit=99)))["falling"] == 10
    assert ids(asked(shop, view("exists(moved.from)", lately=3_600_000), limit=99)) == []


def test_what_is_absent_adds_nothing_and_who_has_nothing_to_rank_by_is_counted(shop: Shop) -> None:
    some = asked(shop, view("customer.age >= 0s", {"moved.change": -1.0}), limit=99)
    moved = ids(asked(shop, view("exists(moved.change)"), limit=99))
    assert groups(sorted(moved)) == {"falling": 10, "growing": 10, "new": 6}
    assert (some["found"], some["unranked"], sorted(ids(some))) == (66, 40, sorted(moved))
    every = asked(shop, view("customer.age >= 0s", {"moved.change": -1.0, "orders": 0.001}), limit=99)
    assert (len(every["ranked"]), every["unranked"]) == (66, 0)
    steady = next(one for one in every["ranked"] if one["customer_id"] == "steady-0")
    assert [reason["term"] for reason in steady["reasons"]] == ["customer.age", "orders"]


def test_before_the_first_model_only_what_needs_none_is_answered(tmp_path: Path) -> None:
    rest = REST.replace("warm_start: 20", "warm_start: 500")
    early = Shop(definition(tmp_path, FEATURES, rest), people())
    answer = asked(early, view("orders >= 6 and customer.silence < 30d", {"spend": 1.0}))
    assert answer["ranked"][0]["segment"] is None
    spend = ground(answer["ranked"][0], "spend")
    assert (spend["text"], spend["value"], spend["population"]) == ("", answer["ranked"][0]["score"], None)
    for who in ("segment == 1", "orders.standing > 1", "exists(moved.from)", "customer.activity > 0"):
        with pytest.raises(Stop, match=r"and there is no model yet: the first comes .* that has 500 customers"):
            asked(early, view(who))


def test_a_segment_that_the_model_does_not_have_is_told_with_those_that_it_has(shop: Shop) -> None:
    with pytest.raises(Stop, match=r"asks for segment 'Regulars', and the model has none of that name: 0 'Zero'"):
        asked(shop, view('moved.from == "Regulars"'))
    with pytest.raises(Stop, match=r"asks for segment 7\.0"):
        asked(shop, view("segment == 7"))


def test_a_feature_that_is_in_the_file_and_not_in_force_is_told(shop: Shop) -> None:
    with pytest.raises(Stop, match=r"baskets is no feature .* `stream-seg apply` puts it in force"):
        asked(shop, view("baskets > 3"))
    with pytest.raises(Stop, match=r"baskets is no feature"):
        asked(shop, view("orders > 3", {"baskets": 1.0}))


def test_records_of_the_layout_before_and_models_of_the_one_before_are_read(tmp_path: Path) -> None:
    shop = Shop(definition(tmp_path, FEATURES, REST), people())
    before = {name: asked(shop, one, 99) for name, one in views(tmp_path).items()}
    changed = FEATURES.replace("orders, aggregate: count, window: 7d", "orders, aggregate: count, window: 14d")
    wish = control.Apply("r1", 2, definition(tmp_path, changed, REST), "t", 0, "t")
    message: Message = control.control("samples", control.APPLY, wish, 0)
    shop.replay.log.append("samples", None, message.value, message.headers, partition=0)
    shop.replay.pump()
    after = {name: asked(shop, one, 99) for name, one in views(tmp_path, features=changed).items()}
    for name, was in before.items():
        assert [(one["customer_id"], one["score"]) for one in after[name]["ranked"]] == [
            (one["customer_id"], one["score"]) for one in was["ranked"]
        ]


def test_who_was_forgotten_between_two_questions_is_left_out(shop: Shop, ready: dict[str, View]) -> None:
    ranking, slots = Ranking(ready["drifting-away"], 5), shop.replay.slots
    slot = next(iter(shop.slots()))
    (customer, _), *_ = slots.ring(slot)
    assert ranking.bring([customer], [None], slots.meta(slot)) == []
    ranking.judge({})
    assert ranking.answer()["customers"] == 0


def test_a_log_that_a_newer_engine_decided_is_not_guessed_at(shop: Shop, ready: dict[str, View]) -> None:
    slot = next(iter(shop.slots()))
    meta = dict(shop.replay.slots.meta(slot))
    meta[ACTIVATIONS] = meta[ACTIVATIONS].replace(b'"engine":1', b'"engine":99')
    with pytest.raises(EngineTooOld, match="engine 99"):
        Ranking(ready["drifting-away"], 5).bring([], [], meta)


def test_views_change_nothing_that_decides(tmp_path: Path) -> None:
    without = definition(tmp_path, FEATURES, REST)
    with_one = definition(
        tmp_path, FEATURES, REST + "views: [{name: a, question: Who?, who: orders > 3, rank: spend}]\n"
    )
    assert with_one == without
    assert feature_set_version(with_one) == feature_set_version(without)
