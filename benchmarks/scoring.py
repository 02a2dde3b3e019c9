"""What it costs to find a segment, and what river's form of the keyed learner costs: CPU time, in microseconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from stream_seg.core.decision import decide, distances, nearest_segments
from stream_seg.core.definition import Learning
from stream_seg.core.estimator import KeyedKMeans
from stream_seg.core.model import Float64, Int64, ModelArrays
from stream_seg.core.numerics import compiled
from stream_seg.core.record import HEADER, SEGMENT

ROWS = 100_000  # vectors of which segments are found at a time
TIMES = 10  # of which the best counts
SINGLE = 20_000  # vectors that river's form learns and scores, one by one


def assign_us(arrays: ModelArrays, x: Float64) -> float:
    """A vector among many: `nearest_segments`, by which LEARN and `quality` find segments."""
    many = np.resize(x, (ROWS, x.shape[1]))
    return _best(lambda: nearest_segments(arrays, 0, many)) / ROWS


def score_us(arrays: ModelArrays, x: Float64) -> float:
    """A vector alone, by the two calls that LABEL's fold makes for it: `distances`, then `decide`."""
    many = np.resize(x, (ROWS, x.shape[1]))
    words = np.zeros((1, HEADER), np.int64)
    words[0, SEGMENT] = 1
    return _best(lambda: _one_by_one(arrays, many, words)) / ROWS


@compiled
def _one_by_one(arrays: ModelArrays, x: Float64, words: Int64) -> int:
    verdicts, d = 0, np.empty(arrays.centers.shape[2])
    for i in range(x.shape[0]):
        best = distances(arrays, 0, x[i], d)
        verdicts += decide(arrays, 0, words, 0, 0, best, d)
    return verdicts


def _best(call: Callable[[], object]) -> float:
    """Microseconds of the quickest of some calls; the first compiles."""
    call()
    took = []
    for _ in range(TIMES):
        began = time.process_time()
        call()
        took.append(time.process_time() - began)
    return 1e6 * min(took)


def estimator_us(days: list[tuple[Int64, Float64]], rules: Learning) -> dict[str, Any]:
    """`KeyedKMeans` by itself: learn_one and predict_one of some vectors, in order, as dictionaries.

    days  of each day the customers and their vectors, as the model sees them
    """
    given: list[dict[Any, float]] = []
    for hashes, x in days:
        given += [{**dict(enumerate(row)), "who": who} for who, row in zip(hashes.tolist(), x.tolist(), strict=True)]
    given = given[:SINGLE]
    _taught(given, msgspec.structs.replace(rules, warm_start=rules.k))  # compiles
    model, learn = _taught(given, rules)
    predict = _best(lambda: [model.predict_one(vector) for vector in given]) / len(given)
    return {"vectors": len(given), "learn_one_us": round(learn, 2), "predict_one_us": round(predict, 2)}


def _taught(given: list[dict[Any, float]], rules: Learning) -> tuple[KeyedKMeans, float]:
    """A model that has learned some vectors, and the microseconds for each."""
    model = KeyedKMeans(rules.k, key="who", table=rules.table, warm_start=rules.warm_start, seed=rules.seed)
    began = time.process_time()
    for vector in given:
        model.learn_one(vector)
    return model, 1e6 * (time.process_time() - began) / len(given)
