"""Raw records to columns: the first step of LABEL and the judge of what is a usable event.

A batch is decoded whole by typed structs and compiled loops. Only where a check over the whole batch fails are its
rows looked at one by one, so one bad record costs itself. What a row becomes never depends on the other rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import compress

import msgspec
import numpy as np

from stream_seg.core.definition import Mapping
from stream_seg.core.event import Decoded, Fields, Int64
from stream_seg.errors import BadEvent
from stream_seg.ports import Record
from stream_seg.wire.columns import Columns, Event
from stream_seg.wire.customers import beyond_doubt, customer_id, plain_ids, usable
from stream_seg.wire.forms import Opened, open_record, speaks_cloudevents
from stream_seg.wire.json_errors import SURELY_SHALLOW, any_too_deep, explain, too_deep
from stream_seg.wire.mapping import zone_of
from stream_seg.wire.rejections import rejection
from stream_seg.wire.text_hash import hash_texts
from stream_seg.wire.timestamps import EARLIEST, LATEST, UNREAD, check_range, parse_times, read_time

Bad = dict[int, BadEvent]
AT_ONCE = 128  # values that are looked at and decoded together: few enough to stay in the processor's cache


class _Sending(msgspec.Struct, gc=False):
    """When a client and its collector handled an event; read only where `timestamp` is missing."""

    received: str | None = msgspec.field(default=None, name="receivedAt")
    sent: str | None = msgspec.field(default=None, name="sentAt")
    original: str | None = msgspec.field(default=None, name="originalTimestamp")


_sending = msgspec.json.Decoder(_Sending)


@dataclass(slots=True)
class Judged:
    """The usable events of a batch, n of them, before any column is made of them.

    rows, customers, times, rejected as in `Decoded`
    events    the typed events
    names     their event names (of a page or screen: its name)
    values    each as Segment-spec JSON: the record's own value, or what a CloudEvent or row became
    stamped   positions of those that carry no time at all and have that of their record
    """

    rows: Int64
    customers: list[bytes]
    times: Int64
    events: list[Event]
    names: list[str | None]
    values: list[bytes]
    stamped: list[int]
    rejected: list[tuple[int, BadEvent]]


@dataclass(slots=True)
class _Batch:
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


class Decoder:
    """Decodes batches for one set of fields.

    mapping  for records that are neither Segment-spec JSON nor CloudEvents
    keyed    every record's key must be the customer id (LABEL); INGEST reads any key

    Control records (header ``ss-control``) are the caller's: they must not be among the records.
    Raises `ConfigError` for a mapping whose time zone does not exist.
    """

    def __init__(self, fields: Fields, mapping: Mapping | None = None, *, keyed: bool = True) -> None:
        self._columns = Columns(fields)
        self._event = msgspec.json.Decoder(self._columns.event_type)
        self._mapping = mapping
        self._keyed = keyed
        if mapping is not None and mapping.time_zone is not None:
            zone_of(mapping.time_zone)

    def decode(self, records: Sequence[Record]) -> Decoded:
        """The batch as columns. Never raises for what is in a record: that is in `rejected`."""
        usable = self.judge(records)
        numbers, codes, hashes = self._columns.read(usable.events, usable.names)
        return Decoded(
            rows=usable.rows,
            customers=usable.customers,
            times=usable.times,
            messages=_message_hashes(usable.events),
            numbers=numbers,
            codes=codes,
            hashes=hashes,
            rejected=usable.rejected,
        )

    def judge(self, records: Sequence[Record]) -> Judged:
        """Which records are usable events: form, type, customer, key, name and time."""
        batch = self._read_all(records) or self._read_each(records)
        bad: Bad = {}
        customers = _keys_alone(batch) if self._keyed else None
        if customers is None:
            customers, bad = _customers(batch)
            if self._keyed:
                _check_keys(batch, customers, bad)
        names = _names(batch, bad)
        times = _times(batch, bad)
        rows = np.array(batch.rows, np.int64)
        if bad:
            keep = np.ones(len(rows), np.bool_)
            keep[list(bad)] = False
            kept = keep.tolist()
            batch.rejected |= {batch.rows[p]: error for p, error in bad.items()}
            position = (np.cumsum(keep) - 1).tolist()
            batch.stamped = [position[p] for p in batch.stamped if kept[p]]
            rows, times = rows[keep], times[keep]
            customers, names = list(compress(customers, kept)), list(compress(names, kept))
            batch.events, batch.values = list(compress(batch.events, kept)), list(compress(batch.values, kept))
        rejected = sorted(batch.rejected.items())
        return Judged(rows, customers, times, batch.events, names, batch.values, batch.stamped, rejected)

    def _read_all(self, records: Sequence[Record]) -> _Batch | None:
        """The batch, if every record of it is Segment-spec JSON with the types that are read."""
        if self._mapping is not None:
            return None
        values = [record.value for record in records if record.value is not None]
        headers = [record.headers for record in records]
        if len(values) < len(records) or (any(headers) and any(map(speaks_cloudevents, headers))):
            return None
        events: list[Event] = []
        try:
            for start in range(0, len(values), AT_ONCE):
                some = values[start : start + AT_ONCE]
                if not all(map(bytes.isascii, some)):
                    for value in some:
                        value.decode()
                if max(map(len, some)) >= SURELY_SHALLOW and any_too_deep(some):
                    return None
                events += map(self._event.decode, some)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None  # at least one record is something else: `_read_each` says which and what
        return _Batch(records, range(len(records)), events, values)

    def _read_each(self, records: Sequence[Record]) -> _Batch:
        rows: list[int] = []
        batch = _Batch(records, rows, [], [])
        for row, record in enumerate(records):
            event, value = self._plain(record), record.value
            if event is None or value is None:
                try:
                    opened = open_record(record, self._mapping)
                    event, value = self._decode(opened), opened.json
                except BadEvent as error:
                    batch.rejected[row] = error
                    continue
                if opened.paths:
                    batch.opened[len(rows)] = opened
            rows.append(row)
            batch.events.append(event)
            batch.values.append(value)
        return batch

    def _plain(self, record: Record) -> Event | None:
        """What `_read_all` makes of a record, if it can."""
        value = record.value
        if self._mapping is not None or value is None or speaks_cloudevents(record.headers):
            return None
        try:
            if not value.isascii():
                value.decode()
            return None if too_deep(value) else self._event.decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    def _decode(self, opened: Opened) -> Event:
        try:
            return self._event.decode(opened.json)
        except msgspec.DecodeError as error:
            raise opened.placed(explain(opened.json, error)) from error


def _keys_alone(batch: _Batch) -> list[bytes] | None:
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


def _customers(batch: _Batch) -> tuple[list[bytes], Bad]:
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


def _check_keys(batch: _Batch, customers: list[bytes], bad: Bad) -> None:
    keys = [batch.records[row].key for row in batch.rows]
    if keys == customers:
        return
    for p, (key, customer) in enumerate(zip(keys, customers, strict=True)):
        if key != customer and p not in bad:
            said = "there is no record key" if key is None else f"the record key is {key!r:.60}"
            bad[p] = rejection("key_mismatch", "$key", f"{said}, the customer id {customer!r:.60}")


def _names(batch: _Batch, bad: Bad) -> list[str | None]:
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


def _times(batch: _Batch, bad: Bad) -> Int64:
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


def _time_of(batch: _Batch, p: int) -> int:
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


def _message_hashes(events: Sequence[Event]) -> Int64:
    ids = [event.message for event in events]
    try:
        return hash_texts(ids)  # type: ignore[arg-type]  # None: a message id that is null
    except TypeError:
        return hash_texts([message or "" for message in ids])
