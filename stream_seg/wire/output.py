"""What goes out, by the contracts in ``schemas/``: movements, current labels, samples, definitions.

Values are JSON; every record carries the CloudEvents headers of the binary mode, so a consumer can route without
reading the body.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import msgspec

from stream_seg.core.activation import Activation
from stream_seg.core.emission import CAUSES
from stream_seg.ports import Message
from stream_seg.wire.timestamps import rfc3339
from stream_seg.wire.traces import TRACEPARENT

CHANGES, LABELS, SAMPLES = "segment-changes", "customer-segments", "samples"
MODELS, DEFINITIONS = "models", "segment-definitions"

_encode = msgspec.json.Encoder().encode


def cloud_event(kind: str, id_: str, name: str, at: str, subject: bytes) -> tuple[tuple[str, bytes], ...]:
    """The headers of the CloudEvents binary mode; `name` is the definition's."""
    version, type_, source, content = _constant(kind, name)
    return (version, type_, source, ("ce_id", id_.encode()), ("ce_time", at.encode()), ("ce_subject", subject), content)


@lru_cache(maxsize=64)
def _constant(kind: str, name: str) -> tuple[tuple[str, bytes], ...]:
    """Those of the headers that one kind of record always bears."""
    return (
        ("ce_specversion", b"1.0"),
        ("ce_type", f"stream_seg.{kind}.v1".encode()),
        ("ce_source", f"/stream_seg/{name}".encode()),
        ("content-type", b"application/json"),
    )


class Reason(msgspec.Struct, frozen=True, gc=False):
    """One feature that speaks for a movement. before, after: in real units; effect: share of the lead."""

    feature: str
    before: float | None
    after: float
    effect: float


class Movement(msgspec.Struct, frozen=True, gc=False):
    """One customer's change of segment, as decided."""

    customer: bytes
    incarnation: int
    sequence: int
    previous: int | None
    segment: int | None
    cause: int
    at: int
    confidence: float | None
    margin: float | None
    top_features: list[Reason]


class _Change(msgspec.Struct, frozen=True, gc=False):
    """The value of a segment-changes record, in the order of its fields."""

    id: str
    customer_id: str
    incarnation: int
    sequence: int
    previous_segment: str | None
    segment: str | None
    cause: str
    event_time: str
    decided_at: str
    confidence: float | None
    margin: float | None
    top_features: list[Reason]
    model_version: int | None
    feature_set_version: str
    tier: str
    origin: str


class _Label(msgspec.Struct, frozen=True, gc=False):
    """The value of a customer-segments record, in the order of its fields."""

    customer_id: str
    incarnation: int
    sequence: int
    segment: str
    name: str
    since: str
    model_version: int
    feature_set_version: str
    tier: str
    as_of: str


def movement_messages(
    m: Movement, a: Activation, decided_at: str, origin: str, context: bytes | None = None
) -> list[Message]:
    """The movement itself and the customer's new current label (a tombstone where it has none any more).

    `context`: of the trace of the event that caused it.
    """
    customer = m.customer.decode()
    id_ = f"{customer}:{m.incarnation}:{m.sequence}"
    at = rfc3339(m.at)
    body = _Change(
        id_,
        customer,
        m.incarnation,
        m.sequence,
        None if m.previous is None else str(m.previous),
        None if m.segment is None else str(m.segment),
        CAUSES[m.cause],
        at,
        decided_at,
        m.confidence,
        m.margin,
        m.top_features,
        a.model.version if a.model else None,
        a.feature_set_version,
        a.definition.tier,
        origin,
    )
    headers = cloud_event("segment-changed", id_, a.definition.name, at, m.customer)
    if context is not None:
        headers = (*headers, (TRACEPARENT, context))
    change = Message(CHANGES, m.customer, _encode(body), headers)
    if m.segment is None:
        return [change, no_label_message(m.customer)]
    return [change, label_message(m.customer, m.incarnation, m.sequence, m.segment, m.at, m.at, a)]


def no_label_message(customer: bytes) -> Message:
    """A tombstone: the customer has no segment any more."""
    return Message(LABELS, customer, None)


def label_message(
    customer: bytes, incarnation: int, sequence: int, segment: int, since: int, as_of: int, a: Activation
) -> Message:
    """The current label of one customer. Of two, the one with the greater (incarnation, sequence) holds."""
    assert a.model is not None
    name = customer.decode()
    at = rfc3339(as_of)
    body = _Label(
        name,
        incarnation,
        sequence,
        str(segment),
        a.name_of(segment),
        rfc3339(since),
        a.model.version,
        a.feature_set_version,
        a.definition.tier,
        at,
    )
    id_ = f"{name}:{incarnation}:{sequence}:{as_of}"
    return Message(
        LABELS, customer, _encode(body), cloud_event("customer-segment", id_, a.definition.name, at, customer)
    )


def sample_message(
    customer: bytes, incarnation: int, number: int, as_of: int, last_event: int, hashed: int,
    vector: Sequence[float], layout: int, partition: int, tier: str, segment: int, since: int,
) -> Message:  # fmt: skip
    """One customer's raw vector for learning, and its segment (-1: none) since when.

    The tier is the key, so one partition holds a whole tier.
    """
    body = {
        "customer_id": customer.decode(),
        "incarnation": incarnation,
        "number": number,
        "as_of": as_of,
        "last_event": last_event,
        "layout": layout,
        "hash": hashed,
        "vector": vector,
        "partition": partition,
        "tier": tier,
        "segment": segment,
        "since": since,
    }
    return Message(SAMPLES, tier.encode(), _encode(body))
