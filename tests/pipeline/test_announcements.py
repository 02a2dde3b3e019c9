"""What is announced comes when it was said to come, or is withdrawn, told to everybody who heard of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
import pytest

from stream_seg.core.definition import DAY, Feature
from stream_seg.core.model import ModelVersion
from stream_seg.pipeline.learn_state import Proposal
from stream_seg.wire import control
from stream_seg.wire.timestamps import rfc3339
from tests.pipeline.test_learning import FEATURES, LEARNING, START, Trainer, grouped

NOTICE = 3 * DAY
WITHDRAWN = "version 2, which was announced, does not come: "
THERE, NEW = ("0", "1", "2"), "3"

Kind = Literal["promote", "rollback", "freeze", "thaw", "retrain"]


@pytest.fixture
def trainer() -> Trainer:
    """Version 1 is in force; version 2, in which segment 3 was split off, is announced."""
    rules = msgspec.structs.replace(LEARNING, notice=NOTICE, max_model_moves=1.0)
    found = Trainer(rules)
    found.days(3, grouped(4))
    found.said("segment-definitions")
    found.apply(msgspec.structs.replace(found.definition, learning=msgspec.structs.replace(rules, k=4)))
    found.days(1, grouped(4))
    found.said("events")
    told = definitions(found)
    assert tuple(told) == (*THERE, NEW)
    assert told[NEW]["change"] == "split"
    assert {one["active_from"] for one in told.values()} == {rfc3339(today(found) + NOTICE)}
    assert pending(found).model.version == 2
    return found


def today(trainer: Trainer) -> int:
    return START + trainer.day * DAY


def pending(trainer: Trainer) -> Proposal:
    proposal = trainer.learn.memory.tiers["all"].proposal
    assert proposal is not None
    return proposal


def definitions(trainer: Trainer) -> dict[str, Mapping[str, Any]]:
    """What was said since, of each segment the last."""
    return {one["segment"]: one for one in trainer.said("segment-definitions")}


def order(
    trainer: Trainer, kind: Kind, model: ModelVersion | None = None, ramp: Literal["walk", "now"] = "walk"
) -> str:
    """Sends an order at the end of today; what LEARN answers."""
    trainer.number += 1
    request, at = f"{kind}-{trainer.number}", today(trainer)
    body = control.Order(request, kind, 1, "ann", at, "because", model=model, ramp=ramp)
    trainer.send(control.control("samples", control.ORDER, body, 0))
    return trainer.learn.memory.state.requests[-1].said


def withdrawn(told: Mapping[str, Mapping[str, Any]]) -> None:
    """Everybody who heard of version 2 hears that it does not come."""
    assert tuple(told) == (*THERE, NEW)
    assert {told[n]["what_changed"] for n in THERE} == {WITHDRAWN + "this one stays as it is"}
    assert {(told[n]["change"], told[n]["model_version"]) for n in THERE} == {("updated", 1)}
    assert told[NEW]["what_changed"] == WITHDRAWN + "it never came into force"
    assert (told[NEW]["change"], told[NEW]["size"]) == ("retired", 0)


def test_a_freeze_withdraws_what_was_announced_and_it_waits_for_a_person(trainer: Trainer) -> None:
    order(trainer, "freeze")
    told = definitions(trainer)
    withdrawn(told)
    assert sum(told[n]["size"] for n in THERE) == 120
    trainer.days(5, grouped(4))
    assert trainer.model.version == 1
    assert pending(trainer).from_ == 0
    assert trainer.said("events") == []


def test_a_retraining_withdraws_what_was_announced_and_announces_what_comes_of_it(trainer: Trainer) -> None:
    order(trainer, "retrain")
    told = [one for one in trainer.said("segment-definitions") if one["what_changed"].startswith(WITHDRAWN)]
    assert [one["segment"] for one in told] == [*THERE, NEW]
    assert pending(trainer).model.version == 3
    assert pending(trainer).from_ == today(trainer) + NOTICE


def test_other_features_withdraw_what_was_announced(trainer: Trainer) -> None:
    more = (*FEATURES, Feature(name="more", aggregate="count", window=DAY))
    trainer.apply(msgspec.structs.replace(trainer.definition, features=more))
    withdrawn(definitions(trainer))
    assert trainer.learn.memory.tiers["all"].proposal is None


def test_a_rollback_never_waits_and_withdraws_what_was_announced(trainer: Trainer) -> None:
    first = trainer.model
    trainer.days(3, grouped(4))
    assert trainer.model.version == 2  # came when it was said to come
    definitions(trainer)
    assert order(trainer, "rollback", first).startswith("version 1 is in force")
    told = definitions(trainer)
    assert told[NEW]["change"] == "retired"
    assert {one["active_from"] for one in told.values()} == {rfc3339(today(trainer))}


def test_a_promoted_version_is_announced_and_comes_in_the_name_of_who_promoted_it(trainer: Trainer) -> None:
    first = trainer.model
    trainer.days(3, grouped(4))
    trainer.said("events")
    definitions(trainer)
    due = today(trainer) + NOTICE
    assert order(trainer, "promote", first).startswith(f"version 1 is announced for {rfc3339(due)}; nothing newer")
    told = definitions(trainer)
    assert {one["active_from"] for one in told.values()} == {rfc3339(due)}
    assert {one["announced_at"] for one in told.values()} == {rfc3339(today(trainer))}
    trainer.days(2, grouped(4))
    trainer.restart()
    assert trainer.said("events") == []
    order(trainer, "freeze")  # holds back what comes by itself, and nothing that a person wants
    trainer.days(1, grouped(4))
    (in_force,) = trainer.said("events")
    assert (in_force["model"]["version"], in_force["who"], in_force["why"], in_force["at"]) == (
        1,
        "ann",
        "because",
        due,
    )


def test_what_is_announced_already_is_not_announced_again_but_taken_at_once_where_it_is_asked_so(
    trainer: Trainer,
) -> None:
    due = rfc3339(pending(trainer).from_)
    trainer.days(1, grouped(4))
    assert order(trainer, "promote", pending(trainer).model) == f"version 2 is announced for {due} already"
    assert definitions(trainer) == {}
    said = order(trainer, "promote", pending(trainer).model, ramp="now")
    assert said == "version 2 is in force with activation 4"
    assert {one["active_from"] for one in definitions(trainer).values()} == {rfc3339(today(trainer))}


def test_another_version_that_is_promoted_withdraws_what_was_announced(trainer: Trainer) -> None:
    first, second = trainer.model, pending(trainer).model
    trainer.days(3, grouped(4))
    order(trainer, "retrain")
    assert pending(trainer).model.version == 3
    definitions(trainer)
    assert order(trainer, "promote", second) == "version 2 is in force already"
    assert pending(trainer).model.version == 3
    order(trainer, "promote", first, ramp="now")
    told = trainer.said("segment-definitions")
    assert any("version 3, which was announced, does not come" in one["what_changed"] for one in told)
    assert {one["segment"]: one["model_version"] for one in told} == dict.fromkeys((*THERE, NEW), 1)
    assert trainer.learn.memory.tiers["all"].proposal is None
