"""What goes out, by the contracts in ``schemas/``: movements, current labels, samples, definitions.

Values are JSON; every record carries the CloudEvents headers of the binary mode, so a consumer can route without
reading the body.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import msgspec
import orjson

from stream_seg.core.activation import Activation
from stream_seg.core.fold import CAUSES
from stream_seg.ports import Message

CHANGES, LABELS, SAMPLES = "segment-changes", "customer-segments", "samples"
MODELS, DEFINITIONS = "models", "segment-definitions"


@lru_cache(maxsize=1024)  # a movement and its label bear the same instant
def rfc3339(ms: int) -> str:
    """An instant as text, UTC with milliseconds.

    >>> rfc3339(1_700_000_000_123), rfc3339(-1)
    ('2023-11-14T22:13:20.123Z', '1969-12-31T23:59:59.999Z')
    """
    minutes, ms = divmod(ms, 60_000)
    return f"{_minute(minutes)}{ms / 1000:06.3f}Z"


@lru_cache(maxsize=4096)
def _minute(minutes: int) -> str:
    return (datetime(1970, 1, 1) + timedelta(minutes=minutes)).isoformat()[:-2]  # noqa: DTZ001 - the zone is written


def cloud_event(kind: str, id_: str, source: str, at: str, subject: str) -> tuple[tuple[str, bytes], ...]:
    """The headers of the CloudEvents binary mode."""
    return (
        *_origin_of(kind, source),
        ("ce_id", id_.encode()),
        ("ce_time", at.encode()),
        ("ce_subject", subject.encode()),
        ("content-type", b"application/json"),
    )


@lru_cache(maxsize=64)
def _origin_of(kind: str, source: str) -> tuple[tuple[str, bytes], ...]:
    return (("ce_specversion", b"1.0"), ("ce_type", f"stream_seg.{kind}.v1".encode()), ("ce_source", source.encode()))


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
    top_features: Sequence[dict[str, Any]]


def movement_messages(m: Movement, a: Activation, decided_at: str, origin: str) -> list[Message]:
    """The movement itself and the customer's new current label (a tombstone at the end of an incarnation)."""
    customer = m.customer.decode()
    id_ = f"{customer}:{m.incarnation}:{m.sequence}"
    at = rfc3339(m.at)
    body = {
        "id": id_,
        "customer_id": customer,
        "incarnation": m.incarnation,
        "sequence": m.sequence,
        "previous_segment": None if m.previous is None else str(m.previous),
        "segment": None if m.segment is None else str(m.segment),
        "cause": CAUSES[m.cause],
        "event_time": at,
        "decided_at": decided_at,
        "confidence": m.confidence,
        "margin": m.margin,
        "top_features": m.top_features,
        "model_version": a.model.version if a.model else None,
        "feature_set_version": a.feature_set_version,
        "tier": a.definition.tier,
        "origin": origin,
    }
    source = f"/stream_seg/{a.definition.name}"
    headers = cloud_event("segment-changed", id_, source, at, customer)
    change = Message(CHANGES, m.customer, orjson.dumps(body), headers)
    if m.segment is None:
        return [change, Message(LABELS, m.customer, None)]
    return [change, label_message(m.customer, m.incarnation, m.sequence, m.segment, m.at, m.at, a)]


def label_message(
    customer: bytes, incarnation: int, sequence: int, segment: int, since: int, as_of: int, a: Activation
) -> Message:
    """The current label of one customer. Of two, the one with the greater (incarnation, sequence) holds."""
    assert a.model is not None
    name = customer.decode()
    at = rfc3339(as_of)
    body = {
        "customer_id": name,
        "incarnation": incarnation,
        "sequence": sequence,
        "segment": str(segment),
        "name": a.model.segments[segment],
        "since": rfc3339(since),
        "model_version": a.model.version,
        "feature_set_version": a.feature_set_version,
        "tier": a.definition.tier,
        "as_of": at,
    }
    id_ = f"{name}:{incarnation}:{sequence}:{as_of}"
    headers = cloud_event("customer-segment", id_, f"/stream_seg/{a.definition.name}", at, name)
    return Message(LABELS, customer, orjson.dumps(body), headers)


def sample_message(
    customer: bytes, incarnation: int, number: int, as_of: int, last_event: int, hashed: int,
    vector: Sequence[float], layout: int, partition: int, tier: str,
) -> Message:  # fmt: skip
    """One customer's raw vector for learning; the tier is the key, so one partition holds a whole tier."""
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
    }
    return Message(SAMPLES, tier.encode(), orjson.dumps(body))
