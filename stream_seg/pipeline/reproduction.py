"""A version made again, out of what LEARN recorded when it was made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from stream_seg.core.clustering import made_with
from stream_seg.core.model import Float64, ModelVersion
from stream_seg.pipeline.model_answers import ReproduceAnswer, ReproducedPart
from stream_seg.wire.trainings import training_in


def reproduced(model: ModelVersion, parts: Iterable[bytes]) -> ReproduceAnswer:
    """Does the recorded operation again and compares what comes of it with the version.

    parts: the values of the ``trainings`` topic for this version. Raises `Stop` where they cannot be used.
    """
    training = training_in(parts, model.version)
    operation = training.operation
    (mean, scale), centers = operation.repeated()
    rows = dict(zip(training.numbers, centers.tolist(), strict=True))
    compared = [
        _compared("centres", [rows.get(number, []) for number in range(max(rows) + 1)], model.centers),
        _compared("mean", [mean.tolist()], [model.mean]),
        _compared("scale", [scale.tolist()], [model.scale]),
    ]
    return ReproduceAnswer(
        version=model.version,
        same=all(part["same"] for part in compared),
        parts=compared,
        asks=list(operation.asks),
        customers=len(operation.table),
        columns=operation.table.shape[1],
        made_with=training.made_with,
        here=made_with(),
    )


def _compared(part: str, found: Sequence[Sequence[float]], published: Sequence[Sequence[float]]) -> ReproducedPart:
    if [len(row) for row in found] != [len(row) for row in published]:
        return ReproducedPart(part=part, same=False, difference=None)
    ours, theirs = _flat(found), _flat(published)
    same = ours.tobytes() == theirs.tobytes()
    return ReproducedPart(part=part, same=same, difference=float(np.max(np.abs(ours - theirs), initial=0.0)))


def _flat(rows: Sequence[Sequence[float]]) -> Float64:
    return np.array([value for row in rows for value in row], np.float64)
