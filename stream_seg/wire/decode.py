"""Raw records to columns: the first step of LABEL and the judge of what is a usable event.

A batch is decoded whole by typed structs and compiled loops. Only where a check over the whole batch fails are its
rows looked at one by one, so one bad record costs itself. What a row becomes never depends on the other rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

import msgspec
import numpy as np

from stream_seg.core.definition import Mapping
from stream_seg.core.event import Decoded, Fields, Int64
from stream_seg.errors import BadEvent
from stream_seg.ports import Record
from stream_seg.wire.columns import Columns, Event
from stream_seg.wire.forms import Opened, open_record, speaks_cloudevents
from stream_seg.wire.json_errors import SURELY_SHALLOW, any_too_deep, explain, too_deep
from stream_seg.wire.judging import Bad, Batch, check_keys, customers_of, keys_alone, names_of, times_of
from stream_seg.wire.mapping import zone_of
from stream_seg.wire.text_hash import hash_texts

AT_ONCE = 128  # values that are looked at and decoded together: few enough to stay in the processor's cache


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
        customers = keys_alone(batch) if self._keyed else None
        if customers is None:
            customers, bad = customers_of(batch)
            if self._keyed:
                check_keys(batch, customers, bad)
        names = names_of(batch, bad)
        times = times_of(batch, bad)
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

    def _read_all(self, records: Sequence[Record]) -> Batch | None:
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
        return Batch(records, range(len(records)), events, values)

    def _read_each(self, records: Sequence[Record]) -> Batch:
        rows: list[int] = []
        batch = Batch(records, rows, [], [])
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


def _message_hashes(events: Sequence[Event]) -> Int64:
    ids = [event.message for event in events]
    try:
        return hash_texts(ids)  # type: ignore[arg-type]  # None: a message id that is null
    except TypeError:
        return hash_texts([message or "" for message in ids])
