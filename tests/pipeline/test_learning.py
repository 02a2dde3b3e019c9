"""LEARN's days in memory: what it publishes, when it waits, and what a changed definition does to what it knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import orjson
import pytest

from stream_seg.adapters.memory.log import Member, MemoryLog
from stream_seg.adapters.memory.replay import OUTPUTS
from stream_seg.adapters.memory.slots import MemorySlots
from stream_seg.adapters.memory.world import MemoryWorld
from stream_seg.core.activation import Activation
from stream_seg.core.clustering import LEARNERS
from stream_seg.core.definition import DAY, Definition, Feature, Learning, Lever, Tier, feature_set_version
from stream_seg.core.model import ModelVersion
from stream_seg.pipeline.learn import Learn, LearnSettings
from stream_seg.wire import control
from stream_seg.wire.output import sample_message

FEATURES = (
    Feature(name="orders", aggregate="count", window=2 * DAY),
    Feature(name="spend", aggregate="sum", field="properties.v", window=2 * DAY),
)
LEARNING = Learning(k=3, warm_start=60)
START = 20_000 * DAY
GROUPS = np.array([[1.0, 10.0], [20.0, 30.0], [5.0, 300.0], [40.0, 900.0]])

Vectors = Callable[[int, int], list[float]]  # (customer, day) -> raw vector


class Trainer:
    """LEARN alone, fed with samples as LABEL would."""

    def __init__(
        self,
        learning: Learning = LEARNING,
        features: tuple[Feature, ...] = FEATURES,
        tiers: tuple[Tier, ...] = (),
    ) -> None:
        self.definition = Definition(
            name="shop", features=features, learning=learning, lateness=DAY, forget_after=400 * DAY, tiers=tiers
        )
        self.log = MemoryLog({"samples": 1, "events": 1, **dict.fromkeys(OUTPUTS, 1)}, clock=lambda: 0)
        self.slots = MemorySlots()
        self.day = self.number = 0
        self._taken = dict.fromkeys((*OUTPUTS, "events"), 0)
        self.restart()
        first = Activation(
            number=1, definition=self.definition, feature_set_version=feature_set_version(self.definition), who="ann",
            at=0, why="begin",
        )  # fmt: skip
        self.send(control.control("samples", control.ACTIVATE, first, 0))

    def restart(self) -> None:
        """Another worker takes over."""
        member = Member("learn")
        self.log.assign(member, "samples", 0)
        self.world = MemoryWorld(self.log, member, self.slots)
        self.learn = Learn("samples", 0, LearnSettings())
        self.at = self.world.run(self.learn.open())

    def send(self, *messages: Any) -> None:
        for message in messages:
            self.log.append("samples", message.key, message.value, message.headers, partition=0)
        self.at = self.world.run(self.learn.process(self.log.read("samples", 0, self.at, 1_000_000)))
        self.world.run(self.learn.owner.relay())

    def days(self, count: int, vector: Vectors, customers: int = 120) -> None:
        """So many days of samples, one a customer and day."""
        for _ in range(count):
            self.day += 1
            self.number += 1
            at = START + self.day * DAY
            layout = self.learn.memory.state.layout
            samples = [
                sample_message(
                    b"c%d" % i, 1, self.number, at - 1, at - 2, (i * 2_654_435_761) << 20,
                    vector(i, self.day), layout, 0, "all", -1, 0,
                )
                for i in range(customers)
            ]  # fmt: skip
            passed = control.control("samples", control.PASSED_DAY, control.PassedDay(0, 1, at), 0)
            self.send(*samples, passed)

    def apply(self, definition: Definition) -> None:
        self.definition = definition
        wish = control.Apply(f"apply-{self.day}-{self.number}", 1, definition, "ann", START, "")
        self.send(control.control("samples", control.APPLY, wish, 0))

    def said(self, topic: str) -> list[dict[str, Any]]:
        """What was published since the last time."""
        records = list(self.log.read(topic, 0, self._taken[topic]))
        self._taken[topic] += len(records)
        return [orjson.loads(record.value or b"") for record in records]

    def changes(self) -> list[tuple[str, str]]:
        return [(told["segment"], told["change"]) for told in self.said("segment-definitions")]

    @property
    def model(self) -> ModelVersion:
        activation = self.learn.memory.activation
        assert activation is not None
        assert activation.model is not None
        return activation.model


def grouped(groups: int = 3, spread: float = 0.05) -> Vectors:
    """Customers of some groups, a little different every day."""

    def vector(customer: int, day: int) -> list[float]:
        random = np.random.default_rng((customer, day))
        noisy = GROUPS[customer % groups] + spread * random.normal(size=2) * [20.0, 300.0]
        return [float(v) for v in noisy]

    return vector


def test_the_first_version_waits_for_enough_customers_who_differ() -> None:
    trainer = Trainer()
    trainer.days(1, grouped(), customers=59)
    trainer.days(2, lambda _customer, _day: [1.0, 1.0])  # everybody is the same
    assert trainer.said("models") == []
    trainer.days(1, grouped())
    assert [version["version"] for version in trainer.said("models")] == [1]
    assert trainer.changes() == [("0", "created"), ("1", "created"), ("2", "created")]


@pytest.mark.parametrize("log1p", [False, True])
def test_quantile_clips_are_the_quantiles_of_the_samples_again_with_each_refit(*, log1p: bool) -> None:
    asked = (0.1, 0.75)
    orders, spend = FEATURES
    trainer = Trainer(
        msgspec.structs.replace(LEARNING, retrain_every=DAY, publish_every=DAY, max_model_moves=1.0),
        (orders, msgspec.structs.replace(spend, quantile_clip=asked, log1p=log1p)),
    )
    rising: Vectors = lambda customer, day: [v * day for v in grouped()(customer, day)]  # noqa: E731 — beside its use
    for day in (1, 2):
        trainer.days(1, rising)
        spent = np.array([rising(customer, day)[1] for customer in range(120)])
        seen = np.sign(spent) * np.log1p(np.abs(spent)) if log1p else spent
        low, high = np.quantile(seen, asked)
        assert trainer.model.version == day
        assert (trainer.model.clip_low[0], trainer.model.clip_high[0]) == (None, None)
        assert (trainer.model.clip_low[1], trainer.model.clip_high[1]) == pytest.approx((low, high), rel=1e-12)
        centers = [center[1] * trainer.model.scale[1] + trainer.model.mean[1] for center in trainer.model.centers]
        assert all(low - 1e-9 <= center <= high + 1e-9 for center in centers)  # what is beyond counts as the limit


def test_nothing_is_published_while_nothing_is_gained() -> None:
    trainer = Trainer()
    trainer.days(30, grouped())
    assert len(trainer.said("models")) <= 4  # of thirty draws of the same groups one or the other looks better


@pytest.mark.parametrize("learner", LEARNERS)
def test_a_takeover_on_any_day_changes_no_byte(learner: str) -> None:
    rules = msgspec.structs.replace(LEARNING, learner=learner)
    steady, shaken = Trainer(rules), Trainer(rules)
    drifting: Vectors = lambda customer, day: [v * (1 + 0.04 * day) for v in grouped()(customer, day)]  # noqa: E731 — beside its use
    for _ in range(12):
        steady.days(1, drifting)
        shaken.days(1, drifting)
        shaken.restart()
    for topic in OUTPUTS:
        if topic == "learn-progress":  # how far it is, said again by whoever takes over
            continue
        assert shaken.said(topic) == steady.said(topic)
    assert steady.model.version > 1
    assert shaken.learn.memory.tiers["all"].learner == steady.learn.memory.tiers["all"].learner
    assert shaken.learn.memory.tiers["all"].drift == steady.learn.memory.tiers["all"].drift


def test_a_version_that_would_move_too_many_waits_and_says_so() -> None:
    trainer = Trainer(msgspec.structs.replace(LEARNING, max_model_moves=0.1))
    trainer.days(5, grouped())
    before = trainer.model
    trainer.said("models")
    reshuffled: Vectors = lambda customer, day: grouped(4)(customer // 2, day)  # noqa: E731 — beside its use
    trainer.days(10, reshuffled)
    assert trainer.model == before
    waiting = [told for told in trainer.said("drift-metrics") if told["metric"] == "model_moves"]
    assert waiting[0]["value"] > 0.1
    assert waiting[0]["severity"] == "act"
    proposal = trainer.learn.memory.tiers["all"].proposal
    assert proposal is not None
    words = waiting[-1]["words"]
    assert f"stream-seg model promote {proposal.model.version}" in words
    assert sum(customers for *_, customers in proposal.flows) == round(proposal.moves * 120)
    old, new, customers = proposal.flows[0]
    error = 2 * (proposal.moves * (1 - proposal.moves) / 120) ** 0.5
    assert (
        f"would move {proposal.moves:.1%} ± {error:.1%} of the customers ({old} → {new}: {customers / 120:.1%}" in words
    )
    assert len(trainer.said("models")) < 4  # not another one every day


def test_a_change_is_announced_before_its_effect() -> None:
    trainer = Trainer(msgspec.structs.replace(LEARNING, notice=3 * DAY))
    trainer.days(1, grouped())
    trainer.said("segment-definitions")
    trainer.said("events")
    trainer.days(2, grouped(2))
    told = trainer.said("segment-definitions")
    assert told
    assert all(one["active_from"] > one["announced_at"] for one in told)
    assert trainer.said("events") == []
    trainer.days(3, grouped(2))
    (in_force,) = trainer.said("events")
    assert in_force["model"]["version"] == 2
    assert in_force["at"] == START + 5 * DAY
    assert told[0]["active_from"].startswith("2024-10-09")


def test_more_segments_leave_those_there_are_their_numbers() -> None:
    trainer = Trainer(msgspec.structs.replace(LEARNING, max_model_moves=1.0))
    trainer.days(3, grouped(4))
    trainer.changes()
    trainer.apply(
        msgspec.structs.replace(
            trainer.definition, learning=msgspec.structs.replace(LEARNING, k=4, max_model_moves=1.0)
        )
    )
    trainer.days(1, grouped(4))
    changes = trainer.changes()
    assert sorted(kind for _, kind in changes) == ["split", "updated", "updated", "updated"]
    assert next(segment for segment, kind in changes if kind == "split") == "3"
    trainer.apply(msgspec.structs.replace(trainer.definition, learning=msgspec.structs.replace(LEARNING, k=3)))
    trainer.days(1, grouped(4))
    ended = [(segment, kind) for segment, kind in trainer.changes() if kind != "updated"]
    assert len(trainer.model.alive) == 3
    assert [kind for _, kind in ended] == ["merged"]
    again = msgspec.structs.replace(LEARNING, k=4)
    trainer.apply(msgspec.structs.replace(trainer.definition, learning=again))
    trainer.days(1, grouped(4))
    assert max(trainer.model.alive) == 4  # a number that ended is not given again


def test_a_new_name_is_told_without_a_new_version() -> None:
    trainer = Trainer()
    trainer.days(1, grouped())
    trainer.said("segment-definitions")
    trainer.apply(
        msgspec.structs.replace(trainer.definition, levers=(Lever(segment=1, name="The Ones", lever="thank"),))
    )
    told = {one["segment"]: one for one in trainer.said("segment-definitions")}
    assert (told["1"]["name"], told["1"]["lever"]) == ("The Ones", "thank")
    assert trainer.model.version == 1


@pytest.mark.parametrize("kept", [1, 2])
def test_on_changed_features_the_old_model_cannot_be_used_by_accident(kept: int) -> None:
    trainer = Trainer()
    trainer.days(3, grouped())
    old = trainer.model
    extra = Feature(name="visits", aggregate="count", window=2 * DAY, where='event == "Visit"')
    features = (*FEATURES[:kept], extra)
    trainer.apply(msgspec.structs.replace(trainer.definition, features=features))
    activation = trainer.learn.memory.activation
    assert activation is not None
    assert activation.model == old
    width = len(trainer.learn.registry.tiers["all"].training.engine.plan.columns)
    wider: Vectors = lambda customer, day: ([*grouped()(customer, day), float(customer % 3)] * 2)[:width]  # noqa: E731 — beside its use
    trainer.days(1, wider)
    assert trainer.model == old  # the new feature is filling
    trainer.days(2, wider)
    assert trainer.model.feature_set_version == feature_set_version(trainer.definition) != old.feature_set_version
    assert trainer.model.columns == tuple(feature.name for feature in features)


def test_a_full_table_is_enough_to_begin_with() -> None:
    trainer = Trainer(msgspec.structs.replace(LEARNING, table=100, warm_start=500))
    trainer.days(3, grouped(), customers=300)
    assert trainer.model.samples == 100


@pytest.mark.parametrize("customers", [120, 600])
def test_a_customer_of_1e300_and_a_constant_feature_break_nothing(customers: int) -> None:
    rules = msgspec.structs.replace(LEARNING, warm_start=100)
    trainer = Trainer(rules, features=(*FEATURES, Feature(name="same", aggregate="count", window=2 * DAY)))
    usual = grouped()

    def vector(customer: int, day: int) -> list[float]:
        return [1e300, 0.0, 4.0] if customer == 7 and day > 2 else [*usual(customer, day), 4.0]

    trainer.days(40, vector, customers=customers)
    assert trainer.model.scale[2] == 0.0
    assert np.isfinite([center for center in trainer.model.centers if center]).all()
    labels = trainer.learn.registry.tiers["all"].training.labels(
        trainer.learn.table.of("all").latest(START + trainer.day * DAY)
    )
    assert min(np.bincount(labels[labels >= 0]).tolist()) > customers / 6


def test_a_shift_that_calls_for_action_brings_a_refit() -> None:
    found = {}
    for retrain in (True, False):
        rules = msgspec.structs.replace(LEARNING, retrain_on_drift=retrain, retrain_every=400 * DAY, warm_start=200)
        trainer = Trainer(rules)
        trainer.days(50, grouped(), customers=240)
        refitted = trainer.learn.memory.state.tiers["all"].refitted
        trainer.days(3, lambda c, d: [v * 3 for v in grouped()(c, d)], customers=240)
        alarms = [told for told in trainer.said("drift-metrics") if told["severity"] == "act" and told["new"]]
        assert alarms
        found[retrain] = trainer.learn.memory.state.tiers["all"].refitted > refitted
    assert found == {True: True, False: False}
