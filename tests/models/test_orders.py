"""What LEARN makes of people's orders, the wrong ones and the unlucky ones included."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import orjson
import pytest

from stream_seg.core.definition import DAY, HOUR
from stream_seg.core.model import ModelVersion
from stream_seg.errors import Stop
from stream_seg.pipeline import learn
from stream_seg.pipeline.history import rolled_back_to
from stream_seg.pipeline.learn_state import Memory
from stream_seg.pipeline.registry import Registry
from stream_seg.pipeline.table import Table
from stream_seg.ports import Message
from stream_seg.wire import control
from stream_seg.wire.timestamps import rfc3339
from tests.models.registry import PARTITIONS, Shop
from tests.queries.shop import BEGAN, FEATURES, REST, Events, definition, events


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Three weeks, versions 1, 2 and 3 in force one after the other."""
    found = Shop(definition(tmp_path), events())
    assert [(one.kind, one.model_version) for one in found.history] == [
        ("definition", None), ("model", 1), ("model", 2), ("model", 3),
    ]  # fmt: skip
    return found


def versions(shop: Shop) -> list[int | None]:
    return [entry.model_version for entry in shop.history]


def numbered(shop: Shop) -> bool:
    """Whether the history has every number once, in order."""
    return [entry.number for entry in shop.history] == list(range(1, len(shop.history) + 1))


def test_a_rollback_is_an_activation_of_its_own_and_says_who_and_why(shop: Shop) -> None:
    said = shop.order("rollback", rolled_back_to(shop.history), who="ann", why="3 is wrong", ramp="now")
    assert said.said.startswith("version 2 is in force with activation 5; nothing newer is published by itself until")
    last = shop.history[-1]
    assert (last.number, last.kind, last.model_version, last.who, last.why, last.ramp) == (
        5, "rollback", 2, "ann", "3 is wrong", "now",
    )  # fmt: skip
    assert shop.in_force == 2
    assert [used[-1] for used in shop.labelled] == [2, 2]
    assert shop.tier.state.held


def test_a_rollback_of_a_rollback_goes_one_version_further(shop: Shop) -> None:
    for wanted in (2, 1):
        assert rolled_back_to(shop.history) == wanted
        shop.order("rollback", wanted)
        assert shop.in_force == wanted
    assert versions(shop) == [None, 1, 2, 3, 2, 1]
    assert numbered(shop)
    with pytest.raises(Stop, match="no version was in force before version 1"):
        rolled_back_to(shop.history)


def test_a_rollback_to_a_named_version_takes_back_all_that_came_after_it(shop: Shop) -> None:
    shop.order("rollback", rolled_back_to(shop.history, 1))
    with pytest.raises(Stop, match=r"version 3 was not in force before version 1 \(before it: none\)"):
        rolled_back_to(shop.history, 3)
    shop.order("promote", 3)
    assert rolled_back_to(shop.history) == 1
    assert versions(shop) == [None, 1, 2, 3, 1, 3]


def test_a_rollback_while_customers_still_adopt_the_former_activation_moves_them_on_from_wherever_they_are(
    tmp_path: Path,
) -> None:
    taken_back_on = 15

    def daily(day: int, shop: Shop) -> None:
        if day == taken_back_on:  # version 3 came at the end of this day: nobody has adopted it yet
            assert shop.in_force == 3
            shop.order("rollback", 2)
            assert shop.labelled[0][-2:] == [3, 2]

    shop = Shop(definition(tmp_path), events(), daily)
    assert versions(shop) == [None, 1, 2, 3, 2]
    assert numbered(shop)
    assert shop.labelled == [[2]] * PARTITIONS
    for number in range(60):
        theirs = [one["sequence"] for one in shop.movements if one["customer_id"] == f"c{number}"]
        assert theirs == list(range(1, len(theirs) + 1))


def test_a_rollback_during_a_rollback_brings_everybody_to_the_version_that_was_named_last(tmp_path: Path) -> None:
    morning, evening = (BEGAN + 15 * DAY + hour * HOUR for hour in (9, 18))  # version 3 came at midnight
    adopted: list[set[int]] = []

    def given(shop: Shop) -> Iterator[Events]:
        whole = events()
        for wanted, begin, end in ((2, 0, morning), (1, morning, evening)):
            yield whole.between(begin, end)
            shop.order("rollback", wanted)
            adopted.append({one.adopted for one in shop.standings()})
        yield whole.between(evening, BEGAN + 100 * DAY)

    exact = REST.replace("margin: 0.1, dwell: 1d", "margin: 0")  # a label is the nearest segment, whatever it was
    shop = Shop(definition(tmp_path, FEATURES, exact), given)
    assert versions(shop) == [None, 1, 2, 3, 2, 1]
    assert numbered(shop)
    assert adopted == [
        {3, 4},
        {3, 4, 5},
    ]  # the second came while some had followed the first and some not even the last
    assert shop.labelled == [[1]] * PARTITIONS
    everybody = list(shop.standings())
    assert {one.adopted for one in everybody} == {6}
    assert [one for one in everybody if one.segment != one.nearest] == []
    taken_back = [one for one in shop.movements if one["cause"] == "model" and one["event_time"] > rfc3339(evening)]
    assert {one["model_version"] for one in taken_back} == {1}
    for one in everybody:
        theirs = [m for m in shop.movements if m["customer_id"] == one.customer]
        assert [m["sequence"] for m in theirs] == list(range(1, len(theirs) + 1))
        assert [m["previous_segment"] for m in theirs] == [None, *(m["segment"] for m in theirs[:-1])]
        assert theirs[-1]["segment"] == str(one.segment)


def test_without_a_history_a_rollback_says_so() -> None:
    with pytest.raises(Stop, match="the history names no version"):
        rolled_back_to([])


def test_an_order_that_is_sent_twice_counts_once(shop: Shop) -> None:
    first = shop.order("rollback", 2, request="once")
    assert shop.order("rollback", 2, request="once") == first
    assert versions(shop) == [None, 1, 2, 3, 2]


def test_of_two_who_promote_at_once_both_are_in_the_history_and_the_later_one_is_in_force(shop: Shop) -> None:
    def order(request: str, who: str, version: int) -> Message:
        model = shop.models[version]
        wish = control.Order(request, "promote", PARTITIONS, who, BEGAN, "because", model=model)
        return control.control("samples", control.ORDER, wish, 0)

    shop.replay._append(order("a", "ann", 1))
    shop.send(order("b", "bob", 2), "b")
    assert [(one.number, one.who, one.model_version) for one in shop.history[-2:]] == [(5, "ann", 1), (6, "bob", 2)]
    assert numbered(shop)
    assert shop.in_force == 2
    again = shop.order("promote", 2)
    assert (again.said, again.refused) == ("version 2 is in force already", False)


def broken(model: ModelVersion) -> dict[str, ModelVersion]:
    """Versions that must not come into force, and a word of LEARN's answer to each."""
    features = msgspec.structs.replace(model, feature_set_version="0123456789ab").sealed()
    return {
        "does not match its checksum": msgspec.structs.replace(model, mean=tuple(m + 1 for m in model.mean)),
        "version 2 does not match": msgspec.structs.replace(model, centers=model.centers[:-1]),
        "was learned on other features (0123456789ab": features,
        "there is no such version": msgspec.structs.replace(model, version=9).sealed(),
    }


def test_a_version_that_cannot_be_used_is_refused_and_what_is_in_force_stays(shop: Shop) -> None:
    for word, model in broken(shop.models[2]).items():
        for kind in ("promote", "rollback"):
            answer = shop.order(kind, model=model)
            assert answer.refused
            assert word in answer.said
    assert shop.order("promote", 9).said == "refused: there is no such version"
    assert shop.in_force == 3
    assert versions(shop) == [None, 1, 2, 3]
    assert shop.order("promote", 2).said.startswith("version 2 is in force")


def test_an_order_with_a_truncated_version_is_refused_and_learn_goes_on(shop: Shop) -> None:
    wish = control.Order("cut", "promote", PARTITIONS, "ann", BEGAN, "", model=shop.models[2])
    body = orjson.loads(msgspec.json.encode(wish))
    del body["model"]["scale"]
    whole = control.control("samples", control.ORDER, wish, 0)
    answer = shop.send(msgspec.structs.replace(whole, value=orjson.dumps(body)), "cut")
    assert answer.refused
    assert "cannot be read (Object missing required field `scale`); what is in force stays" in answer.said
    assert shop.in_force == 3


def test_an_order_of_a_newer_version_of_this_package_stops_learn_and_is_not_passed_over(shop: Shop) -> None:
    wish = control.Order("new", "promote", PARTITIONS, "ann", BEGAN, "", model=shop.models[2])
    body = orjson.loads(msgspec.json.encode(wish)) | {"kind": "blend"}
    whole = control.control("samples", control.ORDER, wish, 0)
    with pytest.raises(Stop, match="was it written by a newer version"):
        shop.send(msgspec.structs.replace(whole, value=orjson.dumps(body)), "new")


def test_an_order_before_any_definition_is_answered_too() -> None:
    memory = Memory({}, 0)
    assert Registry(memory, Table(0, 1)).obey(control.Order("early", "freeze", 2, "ann", BEGAN, "")) == []
    (answer,) = memory.state.requests
    assert (answer.said, answer.refused) == ("refused: no definition is in force yet", True)


def test_so_is_a_changed_definition(shop: Shop) -> None:
    memory = Memory({}, 0)
    rules = shop.learn.activation.definition  # type: ignore[union-attr]  # it is in force there
    registry = Registry(memory, Table(0, 1))
    for _ in range(2):
        assert registry.changed(control.Apply("early", 2, rules, "ann", BEGAN, "")) == []
    (answer,) = memory.state.requests
    assert (answer.said, answer.refused, answer.number) == ("refused: no definition is in force yet", True, 0)


def test_what_is_decided_goes_out_early_where_it_is_much_and_nothing_else_changes(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learn, "OUTBOX_BYTES", 1)
    early = Shop(definition(tmp_path), events())
    assert (early.history, early.models, early.trainings) == (shop.history, shop.models, shop.trainings)
    assert early.movements == shop.movements
    assert early.learn.state == shop.learn.state


def test_a_freeze_holds_versions_back_until_the_thaw(tmp_path: Path) -> None:
    def daily(day: int, shop: Shop) -> None:
        if day == 3:
            shop.order("freeze")
        if day == 16:
            proposal = shop.tier.proposal
            assert proposal is not None
            assert (shop.in_force, proposal.model.version, proposal.from_) == (1, max(shop.models), 0)
            shop.order("thaw")
            shop.order("promote", proposal.model.version)
            assert not shop.tier.state.held

    shop = Shop(definition(tmp_path), events(), daily)
    assert [one.kind for one in shop.history][:3] == ["definition", "model", "promote"]


def test_a_retraining_by_hand_makes_a_version_however_little_better_it_is(shop: Shop) -> None:
    answer = shop.order("retrain", who="ann", why="prices changed")
    assert answer.said == "version 4 is in force"
    assert shop.history[-1].why == "version 4: ann asked for it: prices changed"


def test_a_candidate_that_would_move_too_many_waits_for_a_person(tmp_path: Path) -> None:
    rest = REST.replace("publish_gain: 10", "publish_gain: 10, max_model_moves: 0.0001")
    shop = Shop(definition(tmp_path, FEATURES, rest), events())
    proposal = shop.tier.proposal
    assert proposal is not None
    assert proposal.moves > 0.0001
    assert shop.registered().standing(proposal.model.version) == "waiting"
    before = shop.in_force
    shop.order("promote", proposal.model.version)
    assert shop.in_force == proposal.model.version != before
    assert shop.tier.proposal is None
    assert not shop.tier.state.held
