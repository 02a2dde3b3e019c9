"""A version learned elsewhere comes with the first definition: customers have segments from their first event on."""

from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest

from stream_seg.adapters.memory.replay import Replay
from stream_seg.core.activation import first_activation
from stream_seg.core.definition import DAY, Definition, InputRules
from stream_seg.core.model import ModelVersion
from stream_seg.pipeline.learn_state import LearnState
from stream_seg.pipeline.training import fitted_of
from tests.queries.shop import BEGAN, definition, events

DAYS = 40


def shop(tmp_path: Path, learner: str = "keyed") -> Definition:
    found = definition(tmp_path)
    learning = msgspec.structs.replace(found.learning, learner=learner, retrain_every=DAY)
    return msgspec.structs.replace(found, input=InputRules(clock="event"), learn_every=DAY, learning=learning)


def run(
    made: Definition, model: ModelVersion | None, days: int = DAYS
) -> tuple[Replay, dict[str, list[dict[str, Any]]]]:
    replay = Replay()
    replay.start(first_activation(made, model, who="test", at=0, why="test"))
    replay.run([events(days=days)], DAY)
    topics = ("customer-segments", "segment-changes", "models", "segment-definitions", "drift-metrics")
    return replay, {topic: [orjson.loads(r.value or b"") for r in replay.take(topic)] for topic in topics}


def learned(made: Definition, trained_at: int) -> ModelVersion:
    """The last version of a run over the same days, as if it had been made at `trained_at`."""
    last = run(made, None)[1]["models"][-1]
    model = msgspec.convert(last, ModelVersion, strict=False)
    return msgspec.structs.replace(model, version=1, trained_at=trained_at).sealed()


def state_of(replay: Replay) -> LearnState:
    state: LearnState = replay.learn.memory.state
    return state


def test_nothing_is_learned_of_a_past_that_the_version_knows_already(tmp_path: Path) -> None:
    made = shop(tmp_path)
    model = learned(made, BEGAN + (DAYS + 1) * DAY)
    replay, said = run(made, model)
    assert [one["version"] for one in said["models"]] == [1]
    labels = {one["customer_id"]: one["segment"] for one in said["customer-segments"]}
    assert len(set(labels.values())) > 1
    assert None not in labels.values()
    assert {one["model_version"] for one in said["customer-segments"]} == {1}
    assert not said["drift-metrics"]
    assert state_of(replay).tiers["all"].given


def test_customers_have_segments_from_their_first_event_on(tmp_path: Path) -> None:
    made = shop(tmp_path)
    _, said = run(made, learned(made, BEGAN + (DAYS + 1) * DAY), days=1)
    assert len(said["customer-segments"]) == 60
    firsts = [one for one in said["segment-changes"] if one["sequence"] == 1]
    assert len(firsts) == 60
    assert {one["previous_segment"] for one in firsts} == {None}
    assert {one["cause"] for one in firsts} == {"event"}
    without = run(made, None, days=1)[1]["segment-changes"]
    assert "event" not in {one["cause"] for one in without}  # there is no model before the day's end


@pytest.mark.parametrize("learner", ["keyed", "river"])
def test_the_learner_goes_on_from_it_once_windows_are_full(tmp_path: Path, learner: str) -> None:
    made = shop(tmp_path, learner)
    model = learned(made, BEGAN)
    windows = max(feature.window or 0 for feature in made.features)
    before, _ = run(made, model, windows // DAY - 1)
    assert before.learn.registry.tiers["all"].training.learner is None
    assert state_of(before).tiers["all"].ready == BEGAN + windows
    replay, said = run(made, model, windows // DAY)
    state, training = state_of(replay).tiers["all"], replay.learn.registry.tiers["all"].training
    assert (state.given, state.began) == (False, BEGAN + windows)
    assert training.learner is not None
    fitted, given = training.learner.fitted(), fitted_of(model)
    assert fitted.centers.tolist() == given.centers.tolist()
    assert fitted.scaler.mean.tolist() == given.scaler.mean.tolist()
    assert fitted.scaler.scale == pytest.approx(given.scaler.scale)
    assert [one["version"] for one in said["models"]] == [1]
    later, said = run(made, model)
    assert len(said["models"]) > 1  # and it learns on
    assert state_of(later).versions == len(said["models"])


def test_its_segments_are_described_at_once_and_measured_when_learning_begins(tmp_path: Path) -> None:
    made = shop(tmp_path)
    model = learned(made, BEGAN)
    windows = max(feature.window or 0 for feature in made.features)
    described = run(made, model, windows // DAY - 1)[1]["segment-definitions"]
    assert sorted(int(one["segment"]) for one in described) == list(model.alive)
    assert {one["size"] for one in described} == {0}
    assert all(one["name"] for one in described)
    measured = run(made, model, windows // DAY)[1]["segment-definitions"][len(described) :]
    assert sum(one["size"] for one in measured) == 60


def test_features_that_change_before_it_begins_make_it_begin_afresh(tmp_path: Path) -> None:
    made = shop(tmp_path)
    replay = Replay()
    replay.start(first_activation(made, learned(made, BEGAN), who="test", at=0, why="test"))
    tier = replay.learn.registry.tiers["all"]
    tier.forget(BEGAN, BEGAN)
    assert not state_of(replay).tiers["all"].given
