"""What makes a read event usable: a customer, the right key, what its type is about, a time. Over whole batches.

Only where a check over the whole batch fails are its events looked at one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from stream_seg.core.event import Int64
from stream_seg.errors import BadEvent
from stream_seg.ports import Record
from stream_seg.wire.columns import Event
from stream_seg.wire.customers import beyond_doubt, customer_id, plain_ids, usable
from stream_seg.wire.forms import Opened
from stream_seg.wire.json_errors import explain
from stream_seg.wire.rejections import rejection
from stream_seg.wire.timestamps import EARLIEST, LATEST, UNREAD, check_range, parse_times, read_time

Bad = dict[int, BadEvent]
"""Position in a batch -> why its event is not usable."""


class _Sending(msgspec.Struct, gc=False):
    """When a client and its collector handled an event; read only where `timestamp` is missing."""

    received: str | None = msgspec.field(default=None, name="receivedAt")
    sent: str | None = msgspec.field(default=None, name="sentAt")
    original: str | None = msgspec.field(default=None, name="originalTimestamp")


_sending = msgspec.json.Decoder(_Sending)


@dataclass(slots=True)
class Batch:
    """What was read of a batch, m records; position p is record `rows[p]`."""

    records: Sequence[Record]
    rows: Sequence[int]
    events: list[Event]
    values: list[bytes]
    opened: dict[int, Opened] = field(default_factory=dict)  # position -> how its record was rewritten
    rejected: Bad = field(default_factory=dict)  # row -> why
    stamped: list[int] = field(default_factory=list)

    def placed(self, p: int, error: BadEvent) -> BadEvent:
        """The error with its path as it is in the record itself."""
        return self.opened[p].placed(error) if p in self.opened else error


def keys_alone(batch: Batch) -> list[bytes] | None:
    """The records' keys, if each is usable beyond doubt and the id in its event; None: look at them one by one.

    Taken instead of the ids, since whoever looks a customer up hashes the same object again and again.
    """
    keys = [batch.records[row].key for row in batch.rows]
    try:
        said = "\n".join([event.user or event.anonymous for event in batch.events])  # type: ignore[misc]  # None: below
        same = said.encode() == b"\n".join(keys)  # type: ignore[arg-type]  # None: below
    except TypeError:
        return None
    return keys if same and beyond_doubt(keys) else None  # type: ignore[arg-type,return-value]  # no None joins


def customers_of(batch: Batch) -> tuple[list[bytes], Bad]:
    """The customer of each event; empty where there is none."""
    plain = plain_ids([event.user or event.anonymous for event in batch.events])
    if plain is not None:
        return plain, {}
    ids: list[bytes] = []
    bad: Bad = {}
    for p, event in enumerate(batch.events):
        try:
            ids.append(customer_id(event.user, event.anonymous))
        except BadEvent as error:
            bad[p] = batch.placed(p, error)
            ids.append(b"")
    return ids, bad


def check_keys(batch: Batch, customers: list[bytes], bad: Bad) -> None:
    """Whose record has another key than its customer is bad."""
    keys = [batch.records[row].key for row in batch.rows]
    if keys == customers:
        return
    for p, (key, customer) in enumerate(zip(keys, customers, strict=True)):
        if key != customer and p not in bad:
            said = "there is no record key" if key is None else f"the record key is {key!r:.60}"
            bad[p] = rejection("key_mismatch", "$key", f"{said}, the customer id {customer!r:.60}")


def names_of(batch: Batch, bad: Bad) -> list[str | None]:
    """Event names; calls that lack what their type is about are bad."""
    names = [event.event for event in batch.events]
    kinds = [event.type for event in batch.events]
    if kinds.count("track") == len(kinds) and all(names):
        return names
    for p, event in enumerate(batch.events):
        if event.type in {"page", "screen"}:
            names[p] = event.name
        elif event.type != "identify":
            error = _lacks(event)
            if error is not None:
                bad.setdefault(p, batch.placed(p, error))
    return names


def _lacks(event: Event) -> BadEvent | None:
    if event.type == "track" and not event.event:
        return rejection("missing_event", "$.event", "a track call says what happened")
    if event.type == "group" and not usable(event.group):
        return rejection("missing_group", "$.groupId", "a group call names the group")
    if event.type == "alias" and not usable(event.previous):
        return rejection("missing_previous_id", "$.previousId", "an alias call names the id that is replaced")
    if event.type == "alias" and not usable(event.user):
        return rejection("missing_id", "$.userId", "an alias call names the id that replaces another")
    return None


def times_of(batch: Batch, bad: Bad) -> Int64:
    """The time of each event (ms); those without one, or with one that cannot be, are bad."""
    texts = [event.timestamp for event in batch.events]
    try:
        times = parse_times(texts)  # type: ignore[arg-type]  # None: an event without a timestamp
    except TypeError:
        times = parse_times([text or "" for text in texts])
    if times.size == 0 or (times.min() >= EARLIEST and times.max() < LATEST):
        return times
    for p in np.flatnonzero((times < EARLIEST) | (times >= LATEST)).tolist():
        try:
            if times[p] == UNREAD:
                times[p] = _time_of(batch, p)
            wrong = check_range(int(times[p]), "$.timestamp")
        except BadEvent as error:
            wrong = error
        if wrong is not None:
            bad.setdefault(p, batch.placed(p, wrong))
    return times


def _time_of(batch: Batch, p: int) -> int:
    """The time of an event with an unusual timestamp, or with none: then when it reached us, less what it waited."""
    text = batch.events[p].timestamp
    if text is not None:
        return read_time(text, "$.timestamp")
    try:
        sending = _sending.decode(batch.values[p])
    except msgspec.DecodeError as error:
        raise explain(batch.values[p], error) from error
    received, sent, original = (
        None if text is None else read_time(text, f"$.{name}")
        for name, text in (
            ("receivedAt", sending.received),
            ("sentAt", sending.sent),
            ("originalTimestamp", sending.original),
        )
    )
    if received is not None:
        return received - (max(0, sent - original) if sent is not None and original is not None else 0)
    if original is not None:
        return original
    written = batch.records[batch.rows[p]].timestamp
    if written < 0:
        raise rejection("missing_timestamp", "$.timestamp", "neither the event nor its record has a time")
    batch.stamped.append(p)
    return written
