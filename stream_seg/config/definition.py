"""The checked file as a `Definition`: what decides, in milliseconds and without defaults left open."""

from __future__ import annotations

from typing import Literal, cast

from stream_seg.config.sections import Document, FeatureSection, MappingSection
from stream_seg.core.definition import (
    Aggregate,
    Definition,
    Encoder,
    Feature,
    InputRules,
    Learning,
    Lever,
    Mapping,
    Role,
    Tier,
    Words,
    default_forget_after,
    default_lateness,
)


def build(document: Document) -> Definition:
    """The definition of a document that passed every check."""
    features = tuple(_feature(one) for one in document.features)
    time, segments = document.time, document.segments
    return Definition(
        name=document.name,
        features=features,
        input=InputRules(
            keyed_by_customer=document.input.keyed_by_customer,
            clock=cast("Literal['append', 'progress', 'event']", document.input.clock),
            mapping=_mapping(document.input.mapping),
        ),
        learning=Learning(
            k=segments.k,
            learner=segments.learner,
            warm_start=segments.warm_start,
            retrain_every=segments.retrain_every,
            publish_gain=segments.publish_gain,
            publish_every=segments.publish_every,
            max_model_moves=segments.max_model_moves,
            notice=segments.notice,
            table=segments.table,
            drift_detector=cast("Literal['ewma', 'adwin', 'page_hinkley', 'kswin']", document.drift.detector),
            retrain_on_drift=document.drift.retrain,
            seed=segments.seed,
            options=dict(segments.options),
        ),
        tiers=tuple(Tier(**one.model_dump()) for one in document.tiers),
        levers=tuple(Lever(**one.model_dump()) for one in document.levers),
        utc_offset=time.utc_offset,
        lateness=default_lateness(features) if time.lateness is None else time.lateness,
        max_skew=time.max_skew,
        evaluate_every=time.evaluate_every,
        learn_every=time.learn_every,
        forget_after=default_forget_after(features) if time.forget_after is None else time.forget_after,
        margin=segments.margin,
        dwell=segments.dwell,
    )


def _feature(one: FeatureSection) -> Feature:
    bounds = {t.kind: (t.low, t.high) for t in one.transform}
    return Feature(
        name=one.name,
        aggregate=cast("Aggregate", one.aggregate),
        field=one.field,
        where=one.where,
        window=one.window,
        tiles=one.tiles,
        half_life=one.half_life,
        gap=one.gap,
        of=one.of,
        weights=one.weights or (),
        encode=cast("Encoder | None", one.encode),
        categories=tuple(one.categories),
        buckets=one.buckets,
        registers=one.registers,
        empty=one.empty,
        log1p="log1p" in bounds,
        clip=bounds.get("clip"),
        quantile_clip=bounds.get("quantile_clip"),
        role=cast("Role", one.role),
        words=Words(high=one.words.high, low=one.words.low) if one.words else None,
    )


def _mapping(section: MappingSection | None) -> Mapping | None:
    return None if section is None else Mapping(**section.model_dump())
