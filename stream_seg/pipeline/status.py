"""How a segmentation stands: what is behind, who is where, what models and drift say. Out of what the stages stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

from stream_seg.core.findings import Finding
from stream_seg.pipeline import label_state, learn_state
from stream_seg.pipeline.answers import SegmentsAnswer
from stream_seg.ports import LogRange
from stream_seg.wire.timestamps import rfc3339

OFFSET_IN = {"label": label_state.offset_in, "learn": learn_state.offset_in}


@dataclass(frozen=True)
class StoredPartition:
    """One partition of a log that a stage reads, and what Redis has of it: INGEST keeps nothing there.

    outbox  entries that Kafka has not acknowledged
    """

    stage: str
    topic: str
    number: int
    log: LogRange
    meta: Mapping[str, bytes] = field(default_factory=dict)
    outbox: int = 0

    @property
    def position(self) -> int:
        """The next record to apply. The group may be beyond the applied offset, over markers that are no records."""
        applied = OFFSET_IN[self.stage](self.meta) if self.meta else 0
        return max(applied, self.log.first if self.log.committed is None else self.log.committed)

    @property
    def behind(self) -> int:
        """How many records are not applied yet."""
        return max(0, self.log.next - self.position)


class StageStatus(TypedDict):
    """One stage: `behind` counts records, `waiting` outbox entries that Kafka has not acknowledged."""

    stage: str
    partitions: int
    behind: int
    waiting: int


class ModelStatus(TypedDict):
    """One tier's learning. waiting: share of the customers whom a version that waits for a person would move."""

    tier: str
    version: int | None
    trained_at: str | None
    frozen: bool
    waiting: float | None


class DriftStatus(TypedDict):
    """Something that is not as usual."""

    tier: str
    severity: str
    words: str


class StatusAnswer(TypedDict):
    """How it stands at `at`. Rates are since the look before: null in the first.

    clock_behind_seconds  of the partition whose clock is furthest behind; null before any clock runs
    drained               nothing is behind and nothing waits to be published
    """

    name: str
    at: str
    stages: list[StageStatus]
    events: dict[str, int]
    events_per_s: float | None
    clock_behind_seconds: float | None
    segments: SegmentsAnswer
    movements_per_minute: float | None
    models: list[ModelStatus]
    drift: list[DriftStatus]
    drained: bool


def stage_status(stage: str, partitions: Sequence[StoredPartition]) -> StageStatus:
    """LABEL or LEARN, by what its partitions stored; INGEST, by what its group committed alone."""
    return StageStatus(
        stage=stage,
        partitions=len(partitions),
        behind=sum(part.behind for part in partitions),
        waiting=sum(part.outbox for part in partitions),
    )


def status_answer(
    name: str,
    now: int,
    stages: Mapping[str, Sequence[StoredPartition]],
    segments: SegmentsAnswer,
    before: tuple[int, StatusAnswer] | None,
) -> StatusAnswer:
    """How it stands `now` (ms); `before`: when the last look was (ms), and what it saw."""
    told = [stage_status(stage, partitions) for stage, partitions in stages.items()]
    states = [label_state.Memory(part.meta, 0).state for part in stages["label"] if part.meta]
    clocks = [state.clock for state in states if state.clock]
    events = {
        "accepted": sum(state.accepted for state in states),
        "duplicates": sum(state.duplicates for state in states),
        "late": sum(state.late for state in states),
        "rejected": sum(state.rejected for state in states),
    }
    learning = [learn_state.Memory(part.meta, 0) for part in stages["learn"] if part.meta]
    rates = _rates(now, events, segments, before)
    return StatusAnswer(
        name=name,
        at=rfc3339(now),
        stages=told,
        events=events,
        events_per_s=rates[0],
        clock_behind_seconds=round((now - min(clocks)) / 1000, 1) if clocks else None,
        segments=segments,
        movements_per_minute=rates[1],
        models=[model for memory in learning for model in model_status(memory)],
        drift=[finding for memory in learning for finding in drift_status(memory)],
        drained=not any(one["behind"] or one["waiting"] for one in told),
    )


def _rates(
    now: int, events: Mapping[str, int], segments: SegmentsAnswer, before: tuple[int, StatusAnswer] | None
) -> tuple[float | None, float | None]:
    """Events a second and movements a minute since the look before."""
    if before is None or before[0] >= now:
        return None, None
    seconds, was = (now - before[0]) / 1000, before[1]
    moved = Counter(segments["movements_by_cause"]).total() - Counter(was["segments"]["movements_by_cause"]).total()
    per_s = (sum(events.values()) - sum(was["events"].values())) / seconds
    return round(max(0.0, per_s), 1), round(max(0.0, 60 * moved / seconds), 1)


def model_status(memory: learn_state.Memory) -> list[ModelStatus]:
    """Tier by tier; none before LEARN has read what is in force."""
    if memory.activation is None:
        return []
    found = []
    for one in memory.activation.each:
        tier = memory.tier(one.definition.tier)
        proposal = tier.proposal
        found.append(
            ModelStatus(
                tier=one.definition.tier,
                version=one.model.version if one.model else None,
                trained_at=rfc3339(one.model.trained_at) if one.model else None,
                frozen=tier.state.held,
                waiting=proposal.moves if proposal is not None and not proposal.from_ else None,
            )
        )
    return found


def drift_status(memory: learn_state.Memory) -> list[DriftStatus]:
    """What the last watched day said that is not as usual, the gravest first."""
    grave: list[tuple[str, Finding]] = [
        (name, finding)
        for name, tier in memory.tiers.items()
        for finding in tier.findings
        if finding.severity != "none"
    ]
    grave.sort(key=lambda pair: pair[1].severity)  # act before warn
    return [DriftStatus(tier=name, severity=one.severity, words=one.words or one.metric) for name, one in grave]
