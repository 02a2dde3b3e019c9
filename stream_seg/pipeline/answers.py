"""The shapes of what people ask: who is this customer, who is here. Queries fill them, the command line shows them."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class FeatureValue(TypedDict):
    """One column of a customer's vector: `value` in raw units, `in_distance` after transform and scaling.

    `value` is text for a category (``plus``, ``unknown``); `in_distance` is None for an outcome.
    """

    name: str
    value: float | str | None
    in_distance: float | None


class Reason(TypedDict):
    """Why the customer is here: how much nearer a feature brings it, and the same in words (``spends a lot``)."""

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
    margin                       1 - d²(segment) / d²(runner_up): 0 on the border, towards 1 far from it
    history                      newest first
    incarnation                  the events offset that created the record
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


class SegmentAnswer(TypedDict):
    """One segment: its customers, its share of the labelled ones, its centre in raw units."""

    segment: int
    name: str
    customers: int
    share: float
    profile: dict[str, float]
    lever: str | None
    owner: str | None


class SegmentsAnswer(TypedDict):
    """Who is here. `unlabelled`: customers without a segment yet; `customers` counts them too."""

    segments: list[SegmentAnswer]
    customers: int
    unlabelled: int
    model_version: int | None
