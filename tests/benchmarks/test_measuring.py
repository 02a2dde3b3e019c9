"""What a benchmark counts as cost, and which code it says that it measured."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import origin
from benchmarks.learners import SPENT, Timed, uncounted
from benchmarks.scoring import estimator_us, score_us
from stream_seg.core.definition import Learning
from stream_seg.core.model import InForce, ModelVersion, model_arrays


class Slow:
    def __init__(self, columns: int, learning: Learning) -> None:
        """Nothing is needed of either."""

    def learn(self, news: float, table: float) -> None:
        time.sleep(news)
        until = time.process_time() + table
        while time.process_time() < until:
            pass


@pytest.fixture
def spent() -> dict[str, float]:
    SPENT.pop("slow", None)
    return SPENT


def test_a_learner_is_charged_for_what_it_computes_and_not_for_waiting(spent: dict[str, float]) -> None:
    made: Any = Slow
    learner: Any = Timed("slow", made, 1, Learning())
    learner.learn(0.2, 0.02)
    assert 0.02 <= spent["slow"] < 0.1


def test_what_is_uncounted_is_not_charged(spent: dict[str, float]) -> None:
    made: Any = Slow
    learner: Any = Timed("slow", made, 1, Learning())
    with uncounted():
        learner.learn(0.0, 0.02)
    assert "slow" not in spent


def test_the_code_that_was_measured_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(origin, "ROOT", tmp_path)
    nowhere = origin.origin()
    assert nowhere == {"commit": None, "changed_since": None}
    assert origin.told(nowhere) == "commit –"
    assert origin.told({"commit": "0123456789abcdef", "changed_since": False}) == "commit 0123456789"
    assert origin.told({"commit": "0123456789abcdef", "changed_since": True}) == "commit 0123456789 and changes since"


def test_one_vector_alone_costs_something() -> None:
    model = ModelVersion(
        version=1, tier="all", feature_set_version="0", learner="keyed", columns=("a", "b"),
        centers=((0.0, 0.0), (1.0, 1.0)), mean=(0.0, 0.0), scale=(1.0, 1.0), clip_low=(None, None),
        clip_high=(None, None), segments=("x", "y"), samples=9, trained_at=0,
    )  # fmt: skip
    x = np.random.default_rng(1).normal(size=(50, 2))
    assert 0.0 < score_us(model_arrays([InForce(0, model, 0.1, 0)], ["a", "b"]), x) < 5.0
    found = estimator_us([(np.arange(50), x), (np.arange(50), x + 0.1)], Learning(k=2, warm_start=20))
    assert found["vectors"] == 100
    assert found["learn_one_us"] > 0.0
    assert found["predict_one_us"] > 0.0
