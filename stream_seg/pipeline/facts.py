"""What the work on one partition tells of itself: snapshots for whoever watches. They decide nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from stream_seg.core.activation import Activation
from stream_seg.core.findings import Finding


def unmarked(_: str) -> None:
    """What `mark` of a stage's work is until somebody wants to hear which phase of a batch begins."""


class Traced(NamedTuple):
    """An event of a batch that belongs to a trace which its sender records (`stream_seg.wire.traces`).

    result  accepted, duplicate, late or rejected
    """

    offset: int
    context: bytes
    result: str


Moves: TypeAlias = Counter[tuple[str, int | None, int | None, str]]
"""(tier, previous segment, segment, cause) -> how many movements."""


class InForceFacts(NamedTuple):
    """The model of one tier that is in force; times in ms.

    number    of the activation that says so: of two, the higher one is the newer
    version   0: none yet
    trained   the boundary at which it was learned; 0: none yet
    names     segment -> what to call it
    """

    tier: str
    number: int
    version: int
    trained: int
    names: dict[int, str]


class LabelFacts(NamedTuple):
    """LABEL on one partition. Numbers of events are those since its state began, movements since it was opened.

    clock   what has happened without events up to here (ms); 0: it does not run yet
    bounded the clock is that of the events of a past (`input.clock: event`): how far it is from now means nothing
    at_hand customers in memory; found, missed: how often one was looked for there
    """

    accepted: int
    duplicates: int
    late: int
    rejected: int
    clock: int
    moves: Moves
    returns: Counter[str]
    at_hand: int
    found: int
    missed: int
    in_force: Sequence[InForceFacts]
    bounded: bool = False


class TierFacts(NamedTuple):
    """LEARN on one tier; times in ms.

    customers  whom it learns from
    waiting    share of the customers with a label whom the version that waits for a person would move; None: none waits
    findings   what the last watched day said of drift
    """

    tier: str
    customers: int
    refitted: int
    published: int
    held: bool
    waiting: float | None
    findings: Sequence[Finding]


class LearnFacts(NamedTuple):
    """LEARN on one partition: every sample up to `learned` (ms) is learned, and it learns each `every` (ms).

    Both are 0 while it is not known: nothing was learned yet, no definition is in force. `every` is infinite where the
    time is that of the events of a past: nothing is ever late there.
    """

    learned: int
    every: float
    tiers: Sequence[TierFacts]


def in_force_facts(activation: Activation) -> list[InForceFacts]:
    """Of every tier."""
    return [
        InForceFacts(
            one.definition.tier,
            one.number,
            one.model.version if one.model else 0,
            one.model.trained_at if one.model else 0,
            {segment: one.name_of(segment) for segment in one.alive},
        )
        for one in activation.each
    ]
