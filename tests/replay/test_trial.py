"""A trial is LEARN itself: on the daily samples of LABEL alone it publishes what a replay of everything publishes."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from stream_seg.adapters.memory.log import LogRecord
from stream_seg.adapters.memory.panel import Panel
from stream_seg.adapters.memory.sampling import Sampling, daily
from stream_seg.adapters.memory.trial import Trial
from stream_seg.core.activation import Activation
from stream_seg.core.definition import DAY
from stream_seg.pipeline.daily import Day, day_of, multiplied
from tests.queries.shop import REST, Shop, definition, events

GIVEN = events(days=40)
RULES = REST.replace("learner: river, ", "").replace("publish_gain: 10, publish_every: 7d", "publish_gain: 0.001")


@pytest.fixture
def activation(tmp_path: Path) -> Activation:
    return daily(definition(tmp_path, rest=RULES))


def sampled(activation: Activation) -> list[list[LogRecord]]:
    return list(Sampling(activation).days([GIVEN]))


def test_a_trial_publishes_what_a_replay_publishes(tmp_path: Path, activation: Activation) -> None:
    trial = Trial.begin(activation, activation.definition.learning)
    published = {model.version: model for model in map(trial.day, sampled(activation)) if model is not None}
    shop = Shop(definition(tmp_path, rest=RULES), GIVEN, partitions=1)
    assert len(published) > 3
    assert {version: [list(center) for center in model.centers] for version, model in published.items()} == {
        version: told["centers"] for version, told in shop.models.items()
    }


def test_a_day_has_each_customer_once_in_order_and_knows_who_was_active(activation: Activation) -> None:
    days = [day_of(records) for records in sampled(activation)]
    assert len(days) == 40
    for day in days:
        assert (day.hashes[1:] > day.hashes[:-1]).all()
    # Somebody who comes after the walk passed counts on the next day, with the next sample.
    came = len({(key, time // DAY) for key, time in zip(GIVEN.keys, GIVEN.at, strict=True)})
    assert sum(day.active.sum() for day in days) == pytest.approx(came, rel=0.1)


def test_a_fork_goes_on_as_its_origin_does_and_alone(activation: Activation) -> None:
    days = sampled(activation)
    trial = Trial.begin(activation, activation.definition.learning)
    for records in days[:20]:
        trial.day(records)
    other = trial.fork()
    apart = trial.fork()
    for records in days[20:]:
        apart.day([record if record.headers else _with(record) for record in records])
        assert trial.day(records) == other.day(records)
    assert apart.model != trial.model


def _with(record: LogRecord) -> LogRecord:
    return msgspec.structs.replace(record, value=multiplied(record.value or b"", 1, 1.5))


def test_days_that_are_multiplied_are_what_multiplied_samples_are(activation: Activation) -> None:
    records = sampled(activation)[9]
    day: Day = day_of(records)
    shifted = day_of([record if record.headers else _with(record) for record in records])
    assert (shifted.raw == day.times(1, 1.5).raw).all()
    assert (shifted.raw[:, 1] != day.raw[:, 1]).any()


def test_learners_side_by_side_do_not_know_each_other(activation: Activation) -> None:
    rules = activation.definition.learning
    few = msgspec.structs.replace(rules, k=2)
    days = sampled(activation)
    both = Panel(activation, {"a": Trial.begin(activation, rules), "b": Trial.begin(activation, few)}, ("a", "b"))
    alone = Panel(activation, {"b": Trial.begin(activation, few)})
    for records in days:
        both.take(records)
        alone.take(records)
    assert both.courses["b"].figures() == alone.courses["b"].figures()
    assert both.courses["a"].figures() != alone.courses["b"].figures()
    assert len(both.agreements["a", "b"]) > 3


def test_of_more_customers_than_the_table_holds_a_panel_learns_what_learn_would_learn(activation: Activation) -> None:
    rules = msgspec.structs.replace(activation.definition.learning, table=25)
    panel, trial = Panel(activation, {"a": Trial.begin(activation, rules)}), Trial.begin(activation, rules)
    for records in sampled(activation):
        panel.take(records)
        assert trial.day(records) == panel.trials["a"].model
    assert trial.model is not None
    assert trial.model.samples == 25


def test_a_day_without_its_end_is_refused(activation: Activation) -> None:
    with pytest.raises(ValueError, match="the end of the day is missing"):
        day_of(sampled(activation)[0][:1])
