"""When LEARN looks for clearly better segments: by its age while it is young, by the file from then on."""

from __future__ import annotations

import msgspec

from stream_seg.core.definition import DAY
from stream_seg.wire import control
from tests.pipeline.test_learning import LEARNING, START, Trainer, Vectors, grouped

STEADY = msgspec.structs.replace(LEARNING, retrain_on_drift=False, max_model_moves=1.0)


def refits(trainer: Trainer, days: int, vector: Vectors) -> list[int]:
    """The days at whose end there was a refit; the first is the one on which it began."""
    found = []
    for _ in range(days):
        trainer.days(1, vector)
        refitted = trainer.learn.memory.state.tiers["all"].refitted
        if refitted == START + trainer.day * DAY:
            found.append(trainer.day)
    return found


def test_a_young_learner_is_refitted_whenever_it_is_older_by_a_quarter_and_later_as_often_as_the_file_says() -> None:
    # It began on day 1. Daily up to an age of 4 days, then when the last refit is a quarter of its age ago, and weekly.
    found = refits(Trainer(msgspec.structs.replace(STEADY, retrain_every=7 * DAY)), 50, grouped())
    assert found == [1, 2, 3, 4, 5, 7, 9, 12, 16, 21, 28, 35, 42, 49]


def test_a_shorter_time_in_the_file_holds_for_a_young_learner_too() -> None:
    found = refits(Trainer(msgspec.structs.replace(STEADY, retrain_every=2 * DAY)), 20, grouped())
    assert found == [1, 2, 3, 4, 5, 7, 9, 11, 13, 15, 17, 19]


def test_the_age_counts_from_the_day_on_which_there_were_enough_customers() -> None:
    trainer = Trainer(msgspec.structs.replace(STEADY, retrain_every=7 * DAY))
    trainer.days(10, grouped(), customers=59)
    assert refits(trainer, 12, grouped()) == [11, 12, 13, 14, 15, 17, 19, 22]


def test_with_no_cadence_a_refit_comes_only_by_hand_and_on_drift() -> None:
    trainer = Trainer(msgspec.structs.replace(LEARNING, retrain_every=0, max_model_moves=1.0))
    assert refits(trainer, 50, grouped()) == [1]
    order = control.Order("now", "retrain", 1, "ann", START, "prices changed")
    trainer.send(control.control("samples", control.ORDER, order, 0))
    assert trainer.learn.memory.state.tiers["all"].refitted == START + 50 * DAY
    assert trainer.said("models")[-1]["version"] == trainer.model.version
    assert refits(trainer, 1, lambda c, d: [3.0 * v for v in grouped()(c, d)]) == [51]
