"""What speaks for a movement."""

from __future__ import annotations

import numpy as np

from stream_seg.core.activation import Activation
from stream_seg.core.definition import DAY, Definition, Feature, feature_set_version
from stream_seg.core.engine import Engine, compile_engine
from stream_seg.core.model import Float64, ModelVersion
from stream_seg.core.reasons import explain

FEATURES = (
    Feature(name="orders", aggregate="count", window=DAY),
    Feature(name="spent", aggregate="sum", field="properties.v", window=DAY),
)


def two_segments() -> Engine:
    definition = Definition(name="shop", features=FEATURES, lateness=DAY, forget_after=9 * DAY)
    model = ModelVersion(
        version=1, tier="all", feature_set_version=feature_set_version(definition), learner="river",
        columns=("orders", "spent"), centers=((-1.0, 2.0), (1.5, -3.0)), mean=(1.0, 5.0), scale=(2.0, 4.0),
        clip_low=(None, None), clip_high=(None, None), segments=("low", "high"), samples=2, trained_at=0,
    ).sealed()  # fmt: skip
    activation = Activation(
        number=1,
        definition=definition,
        feature_set_version=model.feature_set_version,
        model=model,
        who="ann",
        at=0,
        why="",
    )
    return compile_engine([activation])


def effects(engine: Engine, previous: int) -> Float64:
    out = np.empty(2)
    explain(engine.plan.arrays, engine.models, 0, np.array([4.0, 1.0]), previous, 1, out)
    return out


def test_what_speaks_for_a_movement_adds_up_to_the_lead_over_the_segment_before() -> None:
    z = (np.array([4.0, 1.0]) - [1.0, 5.0]) / [2.0, 4.0]
    lead = ((z - [-1.0, 2.0]) ** 2).sum() - ((z - [1.5, -3.0]) ** 2).sum()
    assert np.isclose(effects(two_segments(), 0).sum(), lead)


def test_a_segment_that_the_new_model_does_not_have_counts_as_the_average() -> None:
    engine = two_segments()
    assert effects(engine, 2).tolist() == effects(engine, -1).tolist()
