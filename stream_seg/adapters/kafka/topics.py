"""The topics of this package: their names, and how each must be set up for its promise to hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

DAY_MS = 24 * 3600 * 1000
LARGEST_RECORD = 12 * 1024 * 1024  # a dead letter carries the original, which may have been 10 MB, and why


@dataclass(frozen=True, slots=True)
class Topic:
    """One logical topic. `configs` must hold as written; a longer `retention.ms` (or -1, for ever) is right too."""

    name: str
    configs: Mapping[str, str]
    why: str
    partitions: int | None = None  # None: as many as asked for


def topic_name(name: str, logical: str) -> str:
    """The real name of a logical topic.

    >>> topic_name("shop", "segment-changes")
    'shop.segment-changes.v1'
    """
    return f"{name}.{logical}.v1"


def group_name(name: str, stage: str) -> str:
    """The consumer group of a stage.

    >>> group_name("shop", "label")
    'shop-label'
    """
    return f"{name}-{stage}"


def topics(retention_days: int = 7) -> dict[str, Topic]:
    """Every logical topic by name. `retention_days` is how far back `events` and `samples` reach (at least 7).

    >>> sorted(topics())[:2], topics(30)["events"].configs["retention.ms"]
    (['activations', 'customer-segments'], '2592000000')
    """
    if retention_days < 7:
        raise ValueError(f"events must be kept for 7 days at least, not {retention_days}: a rewind reads them again")
    log = {"cleanup.policy": "delete", "retention.ms": str(retention_days * DAY_MS)}
    out = {"cleanup.policy": "delete", "retention.ms": str(7 * DAY_MS)}
    large = {"max.message.bytes": str(LARGEST_RECORD)}
    state = {"cleanup.policy": "compact"}
    clock = {"message.timestamp.type": "LogAppendTime"}
    table = [
        Topic("events", {**log, **large, **clock}, "the log that decides everything; the broker's time is its clock"),
        Topic("samples", {**log, **clock}, "LEARN's log: samples, day progress, commands", partitions=1),
        Topic("segment-changes", out, "the movements"),
        Topic("customer-segments", state, "the current label of every customer"),
        Topic("models", {**state, **large}, "every model version, for ever", partitions=1),
        Topic("activations", state, "what came into force when, who decided it and why, for ever", partitions=1),
        Topic("trainings", state, "what each version was made by, for `stream-seg model reproduce`", partitions=1),
        Topic("segment-definitions", state, "what each segment means", partitions=1),
        Topic("drift-metrics", out, "measurements", partitions=1),
        Topic("dead-letters", {**out, **large}, "records that could not be used, untouched, with the reason"),
        Topic("late-events", {**out, **large}, "events too old for the windows"),
        Topic("learn-progress", state, "how far LEARN is", partitions=1),
    ]
    return {topic.name: topic for topic in table}
