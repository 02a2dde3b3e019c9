"""Who is this customer, who is here: answers out of what LABEL keeps about its partitions. Read only, nothing decided.

A stored record is as its customer's last change left it. What silence changed since (windows that ran out, seconds
since the last event) is a function of the record and the time, so an answer reads the features at the instant `as_of`:
the partition's clock, or the customer's own time where that is later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stream_seg.core.activation import Activation
from stream_seg.core.decision import activation_row, distances
from stream_seg.core.engine import Engine
from stream_seg.core.measures import read_columns
from stream_seg.core.model import Float64
from stream_seg.core.naming import phrase
from stream_seg.core.profile import category_of
from stream_seg.core.reasons import explain
from stream_seg.core.record import ADOPTED, ALIVE, INCARNATION, LAST_EVENT, SEGMENT, SINCE, TIER, TIME
from stream_seg.pipeline.answers import (
    CustomerAnswer,
    FeatureValue,
    LearnedFrom,
    Move,
    Reason,
    SegmentAnswer,
    SegmentsAnswer,
)
from stream_seg.pipeline.label_state import Memory
from stream_seg.pipeline.outcome import remembered
from stream_seg.pipeline.owner import GUARD
from stream_seg.pipeline.rules import brought_in, rules_of
from stream_seg.wire.timestamps import rfc3339

REASONS = 5


@dataclass(frozen=True, slots=True)
class PartitionFacts:
    """What one partition's slot says: `meta` and `counts` as stored, `customers`: how many its ring holds."""

    meta: Mapping[str, bytes]
    counts: Mapping[bytes, int]
    customers: int


def partitions_of(meta: Mapping[str, bytes]) -> int:
    """How many partitions the events topic had when this slot was begun, as its guard says.

    >>> partitions_of({"guard": b"1b9c:12:murmur2"})
    12
    """
    return int(meta[GUARD].split(b":")[1])


def customer_answer(
    customer: bytes, record: bytes | None, history: Sequence[bytes], meta: Mapping[str, bytes]
) -> CustomerAnswer | None:
    """Who a customer is at `as_of`; None: nobody of this id is known.

    record, history, meta: of the customer's partition. Read `meta` last: it must have every layout that `record` may be
    in. Raises `EngineTooOld` for a log that a newer version decided, `Stop` for a damaged record.
    """
    if record is None:
        return None
    memory = Memory(meta, 0)
    rules = rules_of(memory.activations)
    engine = rules.engine
    here = brought_in([customer], [record], rules)
    words, floats, work = here.people.words, here.people.floats, here.work
    if words[0, ALIVE] != 1:
        return None
    as_of = max(int(words[0, TIME]), memory.state.clock)
    read_columns(engine.plan.arrays, words, floats, 0, as_of, work)
    row = activation_row(engine.models, words[0, ADOPTED], words[0, TIER])
    activation = engine.rows[row]
    segment = int(words[0, SEGMENT]) - 1
    labelled = activation.model is not None and segment in activation.model.alive
    runner_up, margin = _runner_up(engine, row, segment, work.x, work.d) if labelled else (None, None)
    return CustomerAnswer(
        customer_id=customer.decode(),
        segment=segment if segment >= 0 else None,
        segment_name=activation.name_of(segment) if labelled else None,
        since=rfc3339(int(words[0, SINCE])) if segment >= 0 else None,
        features=_features(engine, row, work.raw, work.x),
        margin=margin,
        runner_up=runner_up,
        why=_reasons(engine, row, segment, runner_up, work.raw) if labelled else [],
        history=[_move(entry) for entry in history],
        incarnation=int(words[0, INCARNATION]),
        model_version=activation.model.version if activation.model else None,
        feature_set_version=activation.feature_set_version,
        last_event=rfc3339(int(words[0, LAST_EVENT])) if words[0, LAST_EVENT] else None,
        tier=activation.definition.tier,
        as_of=rfc3339(as_of),
    )


def _runner_up(engine: Engine, row: int, segment: int, x: Float64, d: Float64) -> tuple[int | None, float | None]:
    """The nearest segment that is not the customer's, and how clear-cut it is."""
    distances(engine.models, row, x, d)
    others = [j for j in engine.rows[row].alive if j != segment]
    if not others:
        return None, None
    second = min(others, key=lambda j: (d[j], j))
    return second, round(1.0 - float(d[segment]) / float(d[second]) if d[second] else 0.0, 6)


def scaled(engine: Engine, row: int, x: Float64) -> Float64:
    """Where each column stands among everybody, in standard deviations; 0 where the model does not use it."""
    models = engine.models
    z: Float64 = (np.clip(x, models.low[row], models.high[row]) - models.mean[row]) * models.inverse[row]
    return z


def _features(engine: Engine, row: int, raw: Float64, x: Float64) -> list[FeatureValue]:
    """One entry per number, one per category however many columns encode it."""
    z, used = scaled(engine, row, x), engine.models.inverse[row] != 0.0
    values: list[FeatureValue] = []
    columns = engine.plan.columns
    for f, column in enumerate(columns):
        if column.feature.encode is None:
            near = round(float(z[f]), 6) if used[f] else None
            values.append(FeatureValue(name=column.name, value=float(raw[f]), in_distance=near))
        elif f == 0 or columns[f - 1].feature != column.feature:
            size = sum(other.feature == column.feature for other in columns)
            category = category_of(column.feature, [one.part for one in columns[f : f + size]], raw[f : f + size])
            values.append(FeatureValue(name=column.feature.name, value=category, in_distance=None))
    return values


def _reasons(engine: Engine, row: int, segment: int, runner_up: int | None, raw: Float64) -> list[Reason]:
    """What holds the customer in its segment and keeps it from the runner-up, the strongest first.

    The words compare the two centres: of a feature that speaks for the segment, the customer is on its side.
    """
    effects = np.empty(len(raw))
    explain(engine.plan.arrays, engine.models, row, raw, -1 if runner_up is None else runner_up, segment, effects)
    centers = engine.models.centers[row]
    higher = centers[:, segment] - (0.0 if runner_up is None else centers[:, runner_up])
    best = sorted(range(len(effects)), key=lambda f: (-effects[f], f))[:REASONS]
    return [
        Reason(
            feature=engine.plan.columns[f].name,
            effect=round(float(effects[f]), 6),
            text=phrase(engine.plan.columns[f], float(higher[f])),
        )
        for f in best
        if effects[f] > 0
    ]


def _move(entry: bytes) -> Move:
    one = remembered(entry)
    return Move(
        sequence=one.sequence,
        before=one.previous,
        after=one.segment,
        cause=one.cause,
        at=rfc3339(one.at),
        model_version=one.model_version,
    )


def segments_answer(
    partitions: Sequence[PartitionFacts], definitions: Mapping[int, Mapping[str, Any]] | None = None
) -> SegmentsAnswer:
    """Who is here, over all partitions.

    definitions  segment -> the last value of ``segment-definitions`` for it. Where all of them describe the model in
                 force, profiles are theirs: the mean of the segment's customers in real units, outcomes included. Else
                 a profile is the model's centre, brought back to real units (`centre_in_real_units`).
    """
    memories = [Memory(facts.meta, 0) for facts in partitions if facts.meta]
    activations = {a.number: a for memory in memories for a in memory.activations}
    newest = activations[max(activations)] if activations else None
    sizes, causes, returns = Counter[int](), Counter[str](), Counter[str]()
    for facts in partitions:
        for field, count in facts.counts.items():
            kind, _, name = field.decode().partition(":")
            if kind == "s":
                sizes[int(name)] += count
            elif kind == "c":
                causes[name] += count
            elif kind == "r":
                returns[name] += count
    tiers = newest.each if newest is not None else []
    described = _described(tiers, definitions or {})
    customers, labelled = sum(facts.customers for facts in partitions), sizes.total()
    return SegmentsAnswer(
        segments=[
            _segment(number, sizes[number], labelled, _tier_of(number, tiers), described)
            for number in sorted({n for tier in tiers for n in tier.alive} | {n for n, size in sizes.items() if size})
            if tiers
        ],
        customers=customers,
        unlabelled=customers - labelled,
        model_version=tiers[0].model.version if tiers and tiers[0].model else None,
        tiers={tier.definition.tier: tier.model.version if tier.model else None for tier in tiers},
        movements_by_cause=dict(sorted(causes.items())),
        returned_within={within: returns[within] for within in ("1d", "7d")},
        profiles_from="none" if not any(tier.model for tier in tiers) else "definitions" if described else "centres",
    )


def _tier_of(segment: int, tiers: Sequence[Activation]) -> Activation:
    """What is in force where a segment is, or was while it was one; in ``all`` where nobody knows."""
    known = [tier for tier in tiers if segment in tier.alive]
    known += [tier for tier in tiers if tier.model is not None and segment < tier.model.k]
    return known[0] if known else tiers[0]


def _described(tiers: Sequence[Activation], definitions: Mapping[int, Mapping[str, Any]]) -> dict[int, LearnedFrom]:
    """What the definitions say of all segments of these very models, or nothing."""
    of = {n: tier.model.version for tier in tiers if tier.model is not None for n in tier.alive}
    if any(n not in definitions or definitions[n]["model_version"] != version for n, version in of.items()):
        return {}
    return {
        n: LearnedFrom(
            size=told["size"],
            reach=told["reach"],
            stability=told["stability"],
            moved_in=told["moved_in"],
            moved_out=told["moved_out"],
            measures=told["profile"],
            categories=told["categories"],
            as_of=told["announced_at"],
        )
        for n in of
        for told in [definitions[n]]
    }


def _segment(
    number: int, customers: int, labelled: int, activation: Activation, described: Mapping[int, LearnedFrom]
) -> SegmentAnswer:
    lever = next((one for one in activation.definition.levers if one.segment == number), None)
    model, told = activation.model, described.get(number)
    profile = dict[str, float]()
    if told is not None:
        centers = {name: one["center"] for name, one in told["measures"].items()}
        profile = {name: float(center) for name, center in centers.items() if center is not None}
    if model is not None and number in model.alive and not profile:
        profile = centre_in_real_units(activation, number)
    return SegmentAnswer(
        segment=number,
        tier=activation.definition.tier,
        name=activation.name_of(number),
        customers=customers,
        share=round(customers / labelled, 6) if labelled else 0.0,
        profile=profile,
        learned_from=told,
        lever=lever.lever if lever else None,
        owner=lever.owner if lever else None,
        question=lever.question if lever else None,
    )


def centre_in_real_units(activation: Activation, segment: int) -> dict[str, float]:
    """A model's centre as column -> value: scaling undone, then log1p.

    So of a feature with ``log1p`` it is the mean of the logarithms brought back, which is nearer the typical customer
    than the plain mean. Limits of a clip are not undone: nobody counts beyond them.
    """
    model = activation.model
    assert model is not None  # asked of a model's segments only
    logged = {feature.name for feature in activation.features if feature.log1p}
    centre = {}
    for name, z, mean, scale in zip(model.columns, model.centers[segment], model.mean, model.scale, strict=True):
        x = z * scale + mean
        column = activation.aliases.get(name, name)
        if column.partition("=")[0] in logged:
            x = float(np.sign(x) * np.expm1(abs(x)))
        centre[name] = x
    return centre
