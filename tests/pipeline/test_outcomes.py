"""Outcomes are reported per segment and decide nothing: whatever their values are, everything learned is the same."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from stream_seg.adapters.memory.replay import Replay
from stream_seg.core.activation import Activation
from stream_seg.core.definition import DAY, feature_set_version
from tests.queries.shop import BEGAN, FEATURES, REST, Events, definition, events

# One outcome before the features and one between them: a column that is taken by its place would be the wrong one.
BACK = "field: properties.back, role: outcome"
OUTCOMES = (
    FEATURES.replace(
        "features:\n", f"features:\n  - {{name: paid_back, aggregate: sum, {BACK}, window: 7d, tiles: 7}}\n"
    )
    .replace("  - {name: silence", f"  - {{name: last_back, aggregate: latest, {BACK}}}\n  - {{name: silence")
    .replace("14d, tiles: 7, transform: [log1p]", "14d, tiles: 7, transform: [{quantile_clip: [0.02, 0.98]}]")
)
RULES = {
    "keyed": REST.replace("learner: river", "learner: keyed").replace("publish_every: 7d", "publish_every: 2d"),
    "river": REST.replace("publish_every: 7d", "publish_every: 4d"),
}
DECIDED = ("segment-changes", "customer-segments", "models", "trainings", "drift-metrics", "activations")

Said = dict[str, list[Any]]


def with_outcomes(of: Callable[[int], float | None]) -> Events:
    """The shop's events, each with an outcome; `of` its place among them. None: it has none."""
    given = events()
    for place, body in enumerate(map(orjson.loads, given.values)):
        back = of(place)
        if back is not None:
            body["properties"]["back"] = back
            given.values[place] = orjson.dumps(body)
    return given


def wild(place: int) -> float:
    """Of another size each time, and of another world in the third week."""
    draw = random.Random(place)
    return draw.choice([-1.0, 1.0]) * float(10.0 ** draw.uniform(-3.0, 3.0 if place < 700 else 150.0))


def decided(folder: Path, rest: str, given: Events) -> tuple[Said, dict[str, float]]:
    """What was said and kept that no outcome may change, and segment -> mean outcome, which is one."""
    shop = definition(folder, OUTCOMES, rest)
    replay = Replay(2)
    version = feature_set_version(shop)
    replay.start(Activation(number=1, definition=shop, feature_set_version=version, who="t", at=BEGAN, why="t"))
    replay.run([given], DAY)
    said: Said = {topic: [(r.key, r.value) for r in replay.take(topic)] for topic in DECIDED}
    learned = replay.learn.memory.tiers["all"]
    told = [json.loads(record.value or b"") for record in replay.take("segment-definitions")]
    profiles = {one["segment"]: one["profile"]["paid_back"]["center"] or 0.0 for one in told}
    return {**said, "learner": [learned.learner], "drift": [learned.drift]}, profiles


@pytest.mark.parametrize("rules", RULES)
def test_wild_outcomes_calm_ones_and_none_at_all_give_the_same_models_labels_and_movements(
    rules: str, tmp_path: Path
) -> None:
    none, profiles = decided(tmp_path, RULES[rules], with_outcomes(lambda _: None))
    assert len(none["models"]) >= 4
    assert len(none["segment-changes"]) > 100
    assert not any(profiles.values())
    for of in (wild, lambda _: 1.0):
        same, profiles = decided(tmp_path, RULES[rules], with_outcomes(of))
        assert any(profiles.values())  # the outcomes have arrived
        assert [topic for topic in none if same[topic] != none[topic]] == []
