"""LEARN with tiers: each learns by itself, and nothing of one is ever seen in another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pytest

from stream_seg.adapters.memory.replay import OUTPUTS
from stream_seg.core.definition import DAY, Definition, Feature, Learning, Tier
from stream_seg.core.model import ModelVersion
from stream_seg.pipeline.learn_state import Request, TierMemory
from stream_seg.wire import control
from stream_seg.wire.output import sample_message
from tests.pipeline.test_learning import FEATURES, LEARNING, START, Trainer, Vectors, grouped
from tests.pipeline.test_table import present

GOLD, RED = (Tier(name=name, where=f'traits.plan == "{name}"') for name in ("gold", "red"))
EAGER = msgspec.structs.replace(LEARNING, max_model_moves=1.0)


class Tiered(Trainer):
    """LEARN alone, with a tier `gold` beside `all`."""

    def __init__(self, learning: Learning = EAGER, tiers: tuple[Tier, ...] = (GOLD,)) -> None:
        super().__init__(learning, tiers=tiers)
        self.orders = 0

    def both(self, count: int, everybody: Vectors, gold: Vectors, customers: int = 120) -> None:
        """So many days of samples of both tiers, one after the other."""
        for _ in range(count):
            self.samples({"all": everybody, "gold": gold}, customers)
            self.end()

    def samples(self, vectors: Mapping[str, Vectors], customers: int = 120) -> None:
        """Samples of a day whose end is to come."""
        self.number += 1
        at = START + (self.day + 1) * DAY
        layout = self.learn.memory.state.layout
        for tier, vector in vectors.items():
            self.send(
                *(
                    sample_message(
                        f"{tier}-{i}".encode(), 1, self.number, at - 1, at - 2, (i * 2_654_435_761) << 20,
                        vector(i, self.day + 1), layout, 0, tier, -1, 0,
                    )
                    for i in range(customers)
                )
            )  # fmt: skip

    def apply(self, definition: Definition) -> None:
        self.number += 1
        super().apply(definition)

    def end(self) -> None:
        self.day += 1
        passed = control.PassedDay(0, 1, START + self.day * DAY)
        self.send(control.control("samples", control.PASSED_DAY, passed, 0))

    def order(self, kind: Any, tier: str | None = None, model: ModelVersion | None = None) -> Request:
        self.orders += 1
        wish = control.Order(f"order-{self.orders}", kind, 1, "ann", START, "because", tier, model)
        self.send(control.control("samples", control.ORDER, wish, 0))
        return self.learn.memory.state.requests[-1]

    def tier(self, name: str) -> TierMemory:
        return self.learn.memory.tiers[name]

    def in_force(self, name: str) -> ModelVersion | None:
        activation = self.learn.memory.activation
        assert activation is not None
        return activation.of(name).model


def bare(models: Sequence[dict[str, Any]], tier: str) -> list[dict[str, Any]]:
    """What the versions of a tier are, whatever numbers the other tiers left to them."""
    found = []
    for model in models:
        if model["tier"] == tier:
            named = [(c, n) for c, n in zip(model["centers"], model["segments"], strict=True) if c]
            rest = {key: model[key] for key in model if key not in ("version", "centers", "segments", "checksum")}
            found.append(rest | {"named": named})
    return found


def wild(customer: int, day: int) -> list[float]:
    """Another world every day."""
    random = np.random.default_rng((customer, day, 9))
    return [float(v) for v in 10.0 ** random.uniform(0, 6, size=2)]


def growing(customer: int, day: int) -> list[float]:
    return [v * (1 + 0.04 * day) for v in grouped()(customer, day)]


def test_whatever_happens_in_one_tier_no_byte_of_what_another_learned_is_different() -> None:
    quiet, loud, alone = Tiered(), Tiered(), Tiered()
    quiet.both(14, growing, grouped(2))
    loud.both(14, growing, wild)
    for _ in range(14):
        alone.samples({"all": growing})
        alone.end()
    others = [bare(trainer.said("models"), "all") for trainer in (quiet, loud, alone)]
    assert len(others[0]) > 1
    assert others[0] == others[1] == others[2]
    for trainer in (loud, alone):
        assert trainer.tier("all").learner == quiet.tier("all").learner
        assert trainer.tier("all").drift is not None
    assert loud.tier("gold").learner != quiet.tier("gold").learner
    assert alone.tier("gold").learner is None
    assert alone.in_force("gold") is None


def test_no_number_of_a_version_or_of_a_segment_is_ever_used_in_two_tiers() -> None:
    trainer = Tiered()
    trainer.both(6, growing, grouped(2))
    trainer.apply(msgspec.structs.replace(trainer.definition, tiers=(msgspec.structs.replace(GOLD, k=4),)))
    trainer.both(6, growing, wild)
    told = trainer.said("models")
    assert [model["version"] for model in told] == list(range(1, len(told) + 1))
    segments: dict[str, set[int]] = {}
    for model in told:
        segments.setdefault(model["tier"], set()).update(n for n, center in enumerate(model["centers"]) if center)
    assert segments.keys() == {"all", "gold"}
    assert not segments["all"] & segments["gold"]
    keys = [(record["tier"], int(record["segment"])) for record in trainer.said("segment-definitions")]
    assert {tier: {n for t, n in keys if t == tier} for tier in segments} == segments


def test_another_number_of_segments_in_one_tier_begins_only_that_one_anew() -> None:
    steady, changed = Tiered(), Tiered()
    for trainer in (steady, changed):
        trainer.both(4, grouped(), grouped(4))
    changed.apply(msgspec.structs.replace(changed.definition, tiers=(msgspec.structs.replace(GOLD, k=4),)))
    assert changed.tier("gold").learner is None
    assert changed.tier("all").learner == steady.tier("all").learner
    for trainer in (steady, changed):
        trainer.both(1, grouped(), grouped(4))
    gold = changed.in_force("gold")
    assert gold is not None
    assert len(gold.alive) == 4
    assert changed.in_force("all") == steady.in_force("all")
    assert changed.tier("all").learner == steady.tier("all").learner


def test_a_drift_of_one_tier_is_found_there_alone() -> None:
    rules = msgspec.structs.replace(LEARNING, retrain_on_drift=True, retrain_every=400 * DAY, warm_start=200)
    trainer = Tiered(rules)
    trainer.both(50, grouped(), grouped(), customers=240)
    trainer.said("drift-metrics")
    refitted = {name: trainer.tier(name).state.refitted for name in ("all", "gold")}
    trainer.both(3, grouped(), lambda c, d: [v * 3 for v in grouped()(c, d)], customers=240)
    told = [one for one in trainer.said("drift-metrics") if one["severity"] == "act" and one["metric"] != "model_moves"]
    assert {one["tier"] for one in told} == {"gold"}
    assert trainer.tier("gold").state.refitted > refitted["gold"]
    assert trainer.tier("all").state.refitted == refitted["all"]


def test_a_takeover_on_any_day_changes_no_byte_with_tiers_either() -> None:
    steady, shaken = (Tiered(msgspec.structs.replace(EAGER, table=100)) for _ in range(2))
    for day in range(12):
        for trainer in (steady, shaken):
            vectors = {"all": growing, "gold": wild}
            trainer.samples(vectors)
            if trainer is shaken:
                trainer.restart()  # with a day's samples that wait
            if day == 6:
                trainer.apply(msgspec.structs.replace(trainer.definition, tiers=(RED, GOLD)))
            trainer.end()
        shaken.restart()
    for topic in OUTPUTS:
        if topic != "learn-progress":
            assert shaken.said(topic) == steady.said(topic)
    assert shaken.learn.memory.changed() == steady.learn.memory.changed()
    for tier in ("all", "gold", "red"):
        assert shaken.tier(tier).learner == steady.tier(tier).learner
        assert shaken.tier(tier).drift == steady.tier(tier).drift
    assert present(shaken.learn.table) == present(steady.learn.table)
    assert shaken.learn.table.entries == steady.learn.table.entries


def test_a_tier_can_be_frozen_thawed_and_retrained_by_itself() -> None:
    trainer = Tiered()
    trainer.both(1, growing, growing)
    assert trainer.order("freeze", "gold").said == "learning goes on, no version is published by itself"
    before = {name: trainer.in_force(name) for name in ("all", "gold")}
    trainer.both(8, growing, growing)
    assert trainer.in_force("gold") == before["gold"]
    assert trainer.in_force("all") != before["all"]
    assert trainer.tier("gold").proposal is not None
    trainer.order("thaw", "gold")
    here = trainer.in_force("all")
    answer = trainer.order("retrain", "gold")
    gold = trainer.in_force("gold")
    assert gold is not None
    assert answer.said == f"version {gold.version} is in force"
    assert (gold.tier, gold.version) == ("gold", trainer.learn.memory.state.versions)
    assert trainer.in_force("all") == here
    assert trainer.order("freeze", "silver") == Request(
        f"order-{trainer.orders}", "refused: no tier is called silver: all, gold", refused=True
    )


def test_an_order_that_names_no_tier_is_for_every_one() -> None:
    trainer = Tiered()
    trainer.both(1, grouped(), grouped())
    trainer.order("freeze")
    assert [trainer.tier(name).state.held for name in ("all", "gold")] == [True, True]
    trainer.order("thaw")
    assert [trainer.tier(name).state.held for name in ("all", "gold")] == [False, False]
    before = trainer.learn.memory.state.versions
    said = trainer.order("retrain").said
    assert said == f"all: version {before + 1} is in force; gold: version {before + 2} is in force"


def test_a_rollback_in_one_tier_leaves_the_other_at_its_version_and_publishing() -> None:
    trainer = Tiered()
    trainer.both(1, growing, growing)
    first = trainer.in_force("gold")
    trainer.order("retrain", "gold")
    here = trainer.in_force("all")
    trainer.said("activations")
    trainer.said("segment-definitions")
    assert not trainer.order("rollback", model=first).refused
    assert (trainer.in_force("gold"), trainer.in_force("all")) == (first, here)
    (entry,) = trainer.said("activations")
    assert (entry["kind"], entry["tier"], entry["model_version"]) == ("rollback", "gold", first and first.version)
    assert {told["tier"] for told in trainer.said("segment-definitions")} == {"gold"}
    assert [trainer.tier(name).state.held for name in ("all", "gold")] == [False, True]


def test_a_version_of_a_tier_that_there_is_no_more_is_refused() -> None:
    trainer = Tiered()
    trainer.both(1, grouped(), grouped())
    gold = trainer.in_force("gold")
    trainer.apply(msgspec.structs.replace(trainer.definition, tiers=()))
    answer = trainer.order("promote", model=gold)
    assert answer.said == "refused: version 2 is of the tier gold, which there is no more"
    assert trainer.in_force("all") is not None


def test_a_tier_that_is_removed_tells_what_became_of_its_segments_and_is_forgotten() -> None:
    trainer = Tiered()
    trainer.both(2, grouped(), grouped())
    gold, before = trainer.in_force("gold"), trainer.in_force("all")
    assert gold is not None
    trainer.said("segment-definitions")
    trainer.apply(msgspec.structs.replace(trainer.definition, tiers=()))
    told = trainer.said("segment-definitions")
    assert [(one["tier"], int(one["segment"]), one["change"], one["size"]) for one in told] == [
        ("gold", n, "retired", 0) for n in gold.alive
    ]
    assert sum(one["customers_affected"] for one in told) == 120
    assert trainer.in_force("all") == before
    assert [key for key, value in trainer.slots.meta(trainer.learn.owner.slot).items() if "gold" in key and value] == []
    assert {entry[-1].tier for entry in trainer.learn.table.entries.values()} == {"all"}
    trainer.apply(msgspec.structs.replace(trainer.definition, tiers=(GOLD,)))
    assert trainer.in_force("gold") is None
    trainer.both(1, grouped(), grouped())
    again = trainer.in_force("gold")
    assert again is not None
    assert not set(again.alive) & set(gold.alive)


def test_a_tier_that_is_new_waits_for_windows_that_are_filling_as_the_others_do() -> None:
    trainer = Tiered(tiers=())
    trainer.both(2, grouped(), grouped())
    extra = Feature(name="visits", aggregate="count", window=3 * DAY)
    trainer.apply(msgspec.structs.replace(trainer.definition, features=(*FEATURES, extra), tiers=(GOLD,)))
    wider: Vectors = lambda customer, day: [*grouped()(customer, day), float(customer % 3)]  # noqa: E731 — beside its use
    trainer.both(2, wider, wider)
    assert trainer.in_force("gold") is None
    trainer.both(1, wider, wider)
    assert trainer.in_force("gold") is not None
    late = Tier(name="red", where='traits.plan == "red"')
    assert trainer.in_force("all") is not None
    trainer.apply(msgspec.structs.replace(trainer.definition, tiers=(GOLD, late)))
    assert trainer.tier("red").state.ready == trainer.tier("all").state.ready


def test_customers_who_change_the_tier_are_learned_from_where_they_are_now() -> None:
    trainer = Tiered()
    trainer.both(2, grouped(), grouped())
    trainer.samples({"all": grouped()})
    moved = [
        sample_message(
            b"gold-%d" % i, 1, trainer.number + 1, START + 3 * DAY - 1, START + 3 * DAY - 2,
            (i * 2_654_435_761) << 20, [1.0, 1.0], trainer.learn.memory.state.layout, 0, "all", -1, 0,
        )
        for i in range(50)
    ]  # fmt: skip
    trainer.send(*moved)
    trainer.end()
    members = {tier: {customer for _, customer in m} for tier, m in trainer.learn.table.members.items()}
    assert {b"gold-%d" % i for i in range(50)} <= members["all"]
    assert members["gold"] == {b"gold-%d" % i for i in range(50, 120)}


@pytest.mark.parametrize("tier", ["silver", "all "])
def test_a_sample_of_a_tier_that_nobody_declared_is_not_kept(tier: str) -> None:
    trainer = Tiered()
    trainer.samples({tier: grouped()})
    trainer.end()
    assert trainer.learn.table.entries == {}
