"""The shapes of what people ask about model versions. Instants are ISO 8601 in UTC."""

from __future__ import annotations

from typing import Literal, TypeAlias, TypedDict

Standing: TypeAlias = Literal["in force", "waiting", "announced", "earlier", "damaged"]


class NamedSegment(TypedDict):
    """A segment that a version has."""

    segment: int
    name: str


class VersionLine(TypedDict):
    """One version of the list.

    standing     waiting: for a person; announced: it comes into force at `active_from`; damaged: its record cannot be
                 used, and `why` says what is wrong with it (all else is None or empty then)
    moves        of a version that waits or is announced: the share of the sample that it would move
    why          of a version that waits or is announced: why it was made
    """

    version: int
    tier: str | None
    standing: Standing
    trained_at: str | None
    samples: int | None
    learner: str | None
    feature_set_version: str | None
    segments: list[NamedSegment]
    moves: float | None
    active_from: str | None
    why: str | None


class ActivationLine(TypedDict):
    """One entry of the history: see `stream_seg.wire.activations.Activated`."""

    number: int
    tier: str
    kind: str
    model_version: int | None
    feature_set_version: str
    ramp: str
    who: str
    at: str
    why: str


class ModelsAnswer(TypedDict):
    """Every version, newest first, and everything that was in force, newest first.

    in_force  the version that labels the tier ``all``; None: there is none yet; tiers: tier -> the same
    frozen    whether there is a tier of which LEARN publishes nothing by itself; None: LEARN has not run
    frozen_tiers  which those are
    missing   activations of before the history was kept: so many are not in it
    """

    in_force: int | None
    tiers: dict[str, int | None]
    frozen: bool | None
    frozen_tiers: list[str]
    versions: list[VersionLine]
    activations: list[ActivationLine]
    missing: int


class SegmentCentre(TypedDict):
    """A segment's centre, column -> value."""

    segment: int
    name: str
    centre: dict[str, float]


class ColumnScale(TypedDict):
    """How one column is scaled: clamped to low … high, less the mean, divided by the scale; 0: left out."""

    column: str
    mean: float
    scale: float
    low: float | None
    high: float | None


class ModelAnswer(TypedDict):
    """One version.

    units       ``real``, or ``transformed`` (after log1p) where no definition in use has this version's features
    activations those that put it in force, oldest first: who, when, why
    """

    version: int
    standing: Standing
    tier: str
    trained_at: str
    samples: int
    learner: str
    feature_set_version: str
    checksum: str
    units: str
    segments: list[SegmentCentre]
    scaling: list[ColumnScale]
    activations: list[ActivationLine]


class Flow(TypedDict):
    """How many customers one version has in one segment and the other would have in another."""

    before: int
    before_name: str
    after: int
    after_name: str
    customers: int


class Mover(TypedDict):
    """One of the customers who would move."""

    customer_id: str
    before: int
    after: int


class DiffAnswer(TypedDict):
    """What a version would change for all customers.

    customers  how many there are; `unlabelled`: those without a segment, who are in no other number
    share      of the customers with a segment, those who would move
    too_many   the share is above `max_model_moves`: LEARN leaves such a version to a person
    as_of      when features were read: the latest instant of those of all customers
    """

    before: int
    after: int
    in_force: int | None
    customers: int
    unlabelled: int
    moves: int
    share: float
    max_model_moves: float
    too_many: bool
    margin: float
    flows: list[Flow]
    sample: list[Mover]
    as_of: str | None


class ReproducedPart(TypedDict):
    """Centres, mean or scale of a version made again. difference: the greatest of any number; None: another shape."""

    part: str
    same: bool
    difference: float | None


class ReproduceAnswer(TypedDict):
    """A version made again out of what was recorded.

    same       to the bit, all of it
    asks       what the learner was asked: ``begin``, ``learn``, ``refit``
    made_with, here  libraries and the kind of processor, then and now
    """

    version: int
    same: bool
    parts: list[ReproducedPart]
    asks: list[str]
    customers: int
    columns: int
    made_with: dict[str, str]
    here: dict[str, str]


class OrderAnswer(TypedDict):
    """What LEARN said to an order."""

    order: str
    version: int | None
    request: str
    answer: str
