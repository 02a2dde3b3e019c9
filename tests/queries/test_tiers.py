"""A replayed shop with tiers, LABEL and LEARN together: who moves where and why, and what every question says of it."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import orjson
import pytest

from stream_seg.bootstrap.orders import put_where
from stream_seg.core.definition import DAY, Definition
from stream_seg.core.views import View
from stream_seg.errors import Stop
from stream_seg.pipeline.models import model_answer, models_answer
from stream_seg.pipeline.moves import Comparison
from stream_seg.pipeline.queries import PartitionFacts, customer_answer, segments_answer
from stream_seg.pipeline.who import Ranking
from stream_seg.ports import Slot
from stream_seg.wire.timestamps import rfc3339
from tests.models.registry import PARTITIONS, Shop
from tests.queries.shop import BEGAN, FEATURES, Events, definition

REST = """
input: {clock: event}
time: {lateness: 1d, forget_after: 60d}
segments: {k: 3, learner: river, warm_start: 20, publish_gain: 10, publish_every: 7d, margin: 0.1}
tiers:
  - {name: business, where: traits.plan == "business", k: 2}
"""
CUSTOMERS, DAYS, CHANGED = 90, 21, 14
MOVERS = {f"c{i}": "business" for i in (0, 3, 6)} | {f"c{i}": "free" for i in (60, 63, 66)}  # from day 14 on


def plan_of(number: int, day: int) -> str:
    before = "business" if number >= 60 else "free"
    return MOVERS.get(f"c{number}", before) if day >= CHANGED else before


def events() -> Events:
    """A third orders daily and dearly, the others now and then; business pays ten times as much."""
    draw = random.Random(3)
    drawn = []
    for number in range(CUSTOMERS):
        often, paid = ((0.9, 90.0), (0.3, 12.0), (0.6, 30.0))[number % 3]
        for day in range(DAYS):
            if day == 0 or draw.random() < often:
                at = BEGAN + day * DAY + draw.randrange(DAY)
                drawn.append((at, f"c{number}", paid + draw.randrange(9), plan_of(number, day)))
    found = Events()
    for time, customer, paid, plan in sorted(drawn):
        body = {
            "type": "track", "event": "Order", "userId": customer, "timestamp": rfc3339(time),
            "properties": {"paid": paid * (10 if plan == "business" else 1)}, "traits": {"plan": plan},
        }  # fmt: skip
        found.values.append(orjson.dumps(body))
        found.keys.append(customer.encode())
        found.at.append(time)
    return found


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Definition:
    return definition(tmp_path_factory.mktemp("rules"), FEATURES, REST)


@pytest.fixture(scope="module")
def shop(rules: Definition) -> Shop:
    return Shop(rules, events())


def tiers_of(shop: Shop) -> dict[str, str]:
    """Segment → its tier, of all versions that there ever were."""
    found: dict[str, str] = {}
    for model in shop.models.values():
        for segment in model.alive:
            assert found.setdefault(str(segment), model.tier) == model.tier
    return found


def facts(shop: Shop) -> list[PartitionFacts]:
    slots = shop.replay.slots
    return [
        PartitionFacts(slots.meta(slot), slots.counts(slot), slots.customers(slot))
        for slot in (Slot("label", p) for p in range(PARTITIONS))
    ]


def test_no_movement_crosses_from_one_tier_to_another_but_with_cause_tier(shop: Shop) -> None:
    tier_of = tiers_of(shop)
    assert set(tier_of.values()) == {"all", "business"}
    crossed = Counter[str]()
    for movement in shop.movements:
        before, after = movement["previous_segment"], movement["segment"]
        assert tier_of[after] == movement["tier"]
        assert shop.models[movement["model_version"]].tier == movement["tier"]
        if before is not None and tier_of[before] != tier_of[after]:
            assert movement["cause"] == "tier"
            crossed[movement["customer_id"]] += 1
        else:
            assert movement["cause"] != "tier"
    assert crossed == dict.fromkeys(MOVERS, 1)
    assert {m["cause"] for m in shop.movements} >= {"backfill", "tier", "time", "event"}


def test_everybody_is_in_the_tier_that_the_last_event_said(shop: Shop) -> None:
    tier_of, sizes = tiers_of(shop), Counter[int]()
    for partition in range(PARTITIONS):
        slot, slots = Slot("label", partition), shop.replay.slots
        for customer, _ in slots.ring(slot):
            answer = customer_answer(customer, slots.record(slot, customer), [], slots.meta(slot))
            assert answer is not None
            plan = plan_of(int(customer[1:]), DAYS)
            assert answer["tier"] == ("business" if plan == "business" else "all")
            assert tier_of[str(answer["segment"])] == answer["tier"]
            assert answer["runner_up"] is None or tier_of[str(answer["runner_up"])] == answer["tier"]
            assert shop.models[answer["model_version"] or 0].tier == answer["tier"]
            sizes[answer["segment"] or 0] += 1
    said = segments_answer(facts(shop))
    assert {one["segment"]: one["customers"] for one in said["segments"]} == sizes
    assert Counter(one["tier"] for one in said["segments"]) == {"all": 3, "business": 2}
    assert (said["customers"], said["unlabelled"]) == (CUSTOMERS, 0)
    in_force = shop.registered().newest
    assert said["tiers"] == {
        one.definition.tier: one.model.version for one in in_force.each if one.model is not None
    }  # fmt: skip
    assert all(one["name"] == shop.models[said["tiers"][one["tier"]] or 0].segments[one["segment"]]
               for one in said["segments"])  # fmt: skip


def test_a_segment_that_nobody_is_in_is_listed_in_its_tier_too(shop: Shop) -> None:
    empty = segments_answer([PartitionFacts(one.meta, {}, one.customers) for one in facts(shop)])
    assert Counter(one["tier"] for one in empty["segments"]) == {"all": 3, "business": 2}
    assert (empty["customers"], empty["unlabelled"]) == (CUSTOMERS, CUSTOMERS)


def test_a_view_finds_customers_of_a_tier_by_its_segments(shop: Shop) -> None:
    answer = segments_answer(facts(shop))
    (one, *_) = [s for s in answer["segments"] if s["tier"] == "business"]
    view = View(name="asked", question="Who?", who=f"segment in [{one['segment']}]", rank={"orders": 1.0})
    ranking, slots = Ranking(view, 200), shop.replay.slots
    for partition in range(PARTITIONS):
        slot = Slot("label", partition)
        ids = [customer for customer, _ in slots.ring(slot)]
        ranking.judge(slots.histories(slot, ranking.bring(ids, slots.records(slot, ids), slots.meta(slot))))
    found = ranking.answer()
    assert found["found"] == one["customers"] == len(found["ranked"])
    assert {ranked["segment_name"] for ranked in found["ranked"]} == {one["name"]}


def test_versions_are_listed_with_their_tier_and_compared_within_it_alone(shop: Shop) -> None:
    known = shop.registered()
    answer = models_answer(known)
    assert {one["version"]: one["tier"] for one in answer["versions"]} == {
        version: model.tier for version, model in shop.models.items()
    }
    standing = {one["version"]: one["standing"] for one in answer["versions"]}
    assert [version for version, how in standing.items() if how == "in force"] == sorted(
        (version for version in answer["tiers"].values() if version), reverse=True
    )
    ours, theirs = ([m for m in shop.models.values() if m.tier == tier] for tier in ("business", "all"))
    assert len(ours) > 1
    shown = model_answer(known, ours[-1].version)
    assert (shown["tier"], len(shown["segments"])) == ("business", 2)
    assert {entry["tier"] for entry in shown["activations"]} == {"business"}
    with pytest.raises(Stop, match="no customer moves from the one to the other by a model"):
        Comparison(known, theirs[-1], ours[-1], 5)
    comparison, slots = Comparison(known, ours[0], ours[-1], 5), shop.replay.slots
    for partition in range(PARTITIONS):
        slot = Slot("label", partition)
        ids = [customer for customer, _ in slots.ring(slot)]
        comparison.look(ids, slots.records(slot, ids), slots.meta(slot))
    business = sum(plan_of(number, DAYS) == "business" for number in range(CUSTOMERS))
    assert comparison.answer()["customers"] == business


def test_a_rollback_goes_back_in_the_tier_that_is_meant(shop: Shop) -> None:
    known = shop.registered()
    ours, theirs = (
        sorted(m.version for m in shop.models.values() if m.tier == tier) for tier in ("business", "all")
    )  # fmt: skip
    assert put_where(known, "rollback", None) == (theirs[-1], shop.models[theirs[-2]])
    assert put_where(known, "rollback", None, "business") == (ours[-1], shop.models[ours[-2]])
    assert put_where(known, "rollback", ours[0]) == (ours[-1], shop.models[ours[0]])
    with pytest.raises(Stop, match=f"version {ours[0]} is of the tier business, not of all"):
        put_where(known, "rollback", ours[0], "all")
    with pytest.raises(Stop, match="the history names no version"):
        put_where(known, "rollback", None, "silver")


def test_a_rollback_in_one_tier_moves_nobody_of_another(rules: Definition) -> None:
    shop = Shop(rules, events())
    ours = sorted(m.version for m in shop.models.values() if m.tier == "business")
    before, moved = shop.registered().in_force("all"), len(shop.movements)
    answer = shop.order("rollback", ours[0], ramp="now")
    assert answer.said.startswith(f"version {ours[0]} is in force with activation ")
    assert shop.registered().in_force("all") == before
    assert [m for m in shop.movements[moved:] if m["tier"] != "business"] == []
    (entry,) = [one for one in shop.history if one.kind == "rollback"]
    assert (entry.tier, entry.model_version) == ("business", ours[0])


def test_two_replays_with_tiers_say_the_same(rules: Definition, shop: Shop, tmp_path: Path) -> None:
    again = Shop(definition(tmp_path, FEATURES, REST), events())
    assert (again.movements, again.models, again.history) == (shop.movements, shop.models, shop.history)
    assert rules == definition(tmp_path, FEATURES, REST)
