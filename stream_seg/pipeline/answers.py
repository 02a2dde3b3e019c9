"""The shapes of what people ask: who is this customer, who is here. Queries fill them, the command line shows them."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict


class FeatureValue(TypedDict):
    """One feature of a customer: `value` in raw units, `in_distance` after transform and scaling.

    `value` is text for a category (``plus``, ``unknown``). `in_distance` is None where the model in force does not use
    the feature (an outcome, one that is too new), and for a category, which takes part with several columns.
    """

    name: str
    value: float | str | None
    in_distance: float | None


class Reason(TypedDict):
    """Why the customer is here and not in the runner-up: how much nearer this feature brings it, and the same in words.

    `effect`: squared distance to the runner-up less that to its own segment, in this column. `text` compares the two:
    of customers who spend a lot in both, the words may be those for the one that spends less.
    """

    feature: str
    effect: float
    text: str


class Move(TypedDict):
    """One movement. `at` is an ISO 8601 instant; `before` is None at first, `after` is None at the end."""

    sequence: int
    before: int | None
    after: int | None
    cause: str
    at: str
    model_version: int | None


class CustomerAnswer(TypedDict):
    """Who a customer is now. Instants are ISO 8601 in UTC.

    segment, margin, runner_up   None while there is no model
    margin                       1 - d²(segment) / d²(runner_up): 0 on the border, towards 1 far from it; below 0 the
                                 runner-up is nearer, and only margin or dwell keep the customer where it is
    history                      newest first
    incarnation                  the events offset that created the record
    as_of                        when the features were read: the partition's clock, or the customer's own later time
    """

    customer_id: str
    segment: int | None
    segment_name: str | None
    since: str | None
    features: list[FeatureValue]
    margin: float | None
    runner_up: int | None
    why: list[Reason]
    history: list[Move]
    incarnation: int
    model_version: int | None
    feature_set_version: str
    last_event: str | None
    tier: NotRequired[str]
    as_of: NotRequired[str]


class MovedLately(TypedDict):
    """Where a customer was before it moved lately; `cause`, `at` and `ago` (seconds) are its last movement's."""

    before: int
    before_name: str
    cause: str
    at: str
    ago: float


class Ground(TypedDict):
    """One thing that speaks for a customer's place in a view.

    text        in words: ``order rarely``
    term        the feature, or the word of views
    value       now; `before`: typical of the segment that the customer left; `population`: typical of everybody.
                Each in the feature's own unit, None where that is not known or not the point
    unit        ``s`` for times, which are in seconds
    """

    text: str
    term: str
    value: float | str
    before: float | None
    population: float | None
    unit: str | None


class Ranked(TypedDict):
    """One customer of a view, with what speaks for its place."""

    customer_id: str
    score: float
    segment: int | None
    segment_name: str | None
    moved: MovedLately | None
    reasons: list[Ground]


class WhoAnswer(TypedDict):
    """Who is in a view, the highest score first.

    customers  how many were looked at; `found`: how many of them are in the view, `ranked` holds the first of those
    unranked   in the view by its condition, but without any value to rank by
    as_of      when features were read: the latest instant of those of all customers
    """

    view: str
    question: str
    customers: int
    found: int
    unranked: int
    as_of: str | None
    ranked: list[Ranked]


class LearnedFrom(TypedDict):
    """What a segment's customers are like, of those learned from, when its definition was told last (`as_of`).

    size, reach, stability, moved_in, moved_out, measures (there: profile), categories   as in ``segment-definitions``
    """

    size: int
    reach: float | None
    stability: float | None
    moved_in: dict[str, int]
    moved_out: dict[str, int]
    measures: dict[str, Any]
    categories: dict[str, Any]
    as_of: str


class SegmentAnswer(TypedDict):
    """One segment: its customers, its share of the labelled ones, its profile (feature -> value in raw units).

    lever, owner, question   as declared; a segment without a lever is academic
    learned_from             more of what its definition says; None where `profiles_from` is not ``definitions``
    """

    segment: int
    tier: str
    name: str
    customers: int
    share: float
    profile: dict[str, float]
    learned_from: LearnedFrom | None
    lever: str | None
    owner: str | None
    question: str | None


class SegmentsAnswer(TypedDict):
    """Who is here.

    unlabelled          customers without a segment yet; `customers` counts them too
    movements_by_cause  since the state began
    model_version       of the tier ``all``; tiers: of each
    returned_within     of those, how many went back to the segment before so soon: the calmer, the fewer
    profiles_from       ``definitions`` (means of the customers learned from, outcomes included), ``centres`` (of the
                        model, where the definitions are of another version or cannot be read), ``none``: no model
    """

    segments: list[SegmentAnswer]
    customers: int
    unlabelled: int
    model_version: int | None
    tiers: dict[str, int | None]
    movements_by_cause: NotRequired[dict[str, int]]
    returned_within: NotRequired[dict[str, int]]
    profiles_from: NotRequired[str]
