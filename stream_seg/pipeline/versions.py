"""From what was learned to a version in force: segment numbers, names, and how many customers it would move."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np

from stream_seg.core.activation import Activation, Own
from stream_seg.core.kmeans import assign
from stream_seg.core.lineage import lineage
from stream_seg.core.model import Float64, Int64, ModelVersion
from stream_seg.core.naming import names_of
from stream_seg.core.succession import laid_out
from stream_seg.pipeline.learn_state import LearnState, Proposal
from stream_seg.pipeline.training import Training


def propose(training: Training, state: LearnState, day: int, why: str) -> Proposal:
    """A version of what the learner knows now. Its number, and those of new segments, are used up come what may.

    No two tiers ever use the same number, of a version or of a segment.
    """
    assert training.learner is not None
    fitted, activation = training.learner.fitted(), training.engine.activation
    samples = training.table.latest(day)
    z = fitted.scaler.transform(training.vectors(samples))
    old = training.labels(samples)
    rows, _ = assign(z, fitted.centers)
    alive = activation.model.alive if activation.model else ()
    found = lineage(old, rows, alive, len(fitted.centers), state.free)
    state.versions += 1
    training.state.published = day
    state.free = max(state.free, *(number + 1 for number in found.numbers))
    centers = _by_number(fitted.centers, found.numbers)
    definition, columns = activation.definition, training.columns_used
    low, high = training.clips()
    model = ModelVersion(
        version=state.versions,
        tier=definition.tier,
        feature_set_version=activation.feature_set_version,
        learner=definition.learning.learner,
        columns=tuple(column.name for column in columns),
        centers=centers,
        mean=tuple(fitted.scaler.mean.tolist()),
        scale=tuple(fitted.scaler.scale.tolist()),
        clip_low=tuple(None if np.isinf(v) else float(v) for v in low),
        clip_high=tuple(None if np.isinf(v) else float(v) for v in high),
        segments=names_of(centers, columns, definition.levers),
        samples=len(samples),
        trained_at=day,
    ).sealed()
    flows = _flows(z, fitted.centers, found.numbers, old, definition.margin)
    labelled = int(np.count_nonzero(old >= 0))
    moves = flows.total() / labelled if labelled else 0.0
    return Proposal(
        model=model,
        moves=moves,
        why=why,
        lineage=found.changes,
        numbers=found.numbers,
        labelled=labelled,
        flows=tuple((*way, customers) for way, customers in sorted(flows.items(), key=lambda one: (-one[1], one[0]))),
    )


def _by_number(centers: Float64, numbers: Sequence[int]) -> tuple[tuple[float, ...], ...]:
    """The centres in order of their segments' numbers; empty where a number is not in use any more."""
    rows = dict(zip(numbers, centers.tolist(), strict=True))
    return tuple(tuple(rows.get(number, ())) for number in range(max(numbers) + 1))


def _flows(z: Float64, centers: Float64, numbers: Sequence[int], old: Int64, margin: float) -> Counter[tuple[int, int]]:
    """(from, to) -> of the customers with a segment, how many another one would be nearer to by the margin."""
    labelled = old >= 0
    if not labelled.any():
        return Counter()
    row_of = np.full(int(old.max()) + 1, -1)
    for row, number in enumerate(numbers):
        if number < len(row_of):
            row_of[number] = row
    distances = ((z[labelled, None, :] - centers[None]) ** 2).sum(axis=2)
    was = old[labelled]
    rows = row_of[was]
    own = np.where(rows >= 0, distances[np.arange(len(rows)), rows], np.inf)
    moved = distances.min(axis=1) < (1.0 - margin) * own
    to = np.array(numbers)[distances.argmin(axis=1)]
    return Counter(zip(was[moved].tolist(), to[moved].tolist(), strict=True))


def put_in_force(
    current: Activation, model: ModelVersion, *, who: str, at: int, why: str, ramp: Literal["walk", "now"] = "walk"
) -> Activation:
    """The activation that makes `model` decide in its tier after `current`.

    Customers adopt it one by one for a day. Until they have, the first model on changed features leaves in place what
    the one before it needs; and so does that of every tier.
    """
    features = {tier.model.feature_set_version for tier in current.each if tier.model is not None}
    following = msgspec.structs.replace(
        current.having(model.tier, Own(model=model)),
        number=current.number + 1,
        fill=None,
        retained=current.retained if features - {current.feature_set_version} else (),
        ramp=ramp,
        who=who,
        at=at,
        why=why,
    )
    return laid_out(current, following)
