"""Columns of a table (CSV, Parquet) to Segment-spec events, as a declared `Mapping` says.

As in `stream_seg.wire.mapping`, which does this for own JSON, values are only moved and rewritten; the decoder judges.
Tables have more kinds of cells than JSON (dates, decimals, text only), and are much larger.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from collections.abc import Mapping as Columns
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec

from stream_seg.core.definition import Mapping
from stream_seg.errors import BadEvent
from stream_seg.wire.mapping import zone_of
from stream_seg.wire.timestamps import read_local

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
PER_UNIT = {"epoch_s": 1_000, "epoch_ms": 1}
KNOWN_TIMES = 100_000  # texts of times that are remembered: tables repeat them

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(\.[0-9]+)?(?:[eE][+-]?[0-9]{1,2})?")


def columns_of(mapping: Mapping) -> list[str]:
    """The columns, or dotted paths, that a mapping reads."""
    event = None if mapping.event.startswith("=") else mapping.event
    named = [mapping.customer, mapping.time, event, mapping.message]
    every = [*named, *mapping.properties.values(), *mapping.traits.values()]
    return list(dict.fromkeys(path for path in every if path is not None))


def identifying(mapping: Mapping) -> set[str]:
    """The columns whose texts stay as they are: ids, names and times, even where they look like numbers."""
    return {mapping.customer, mapping.time, mapping.event, mapping.message or ""}


class TableEncoder:
    """Encodes the tables of one mapping.

    >>> mapping = Mapping(customer="who", time="at", time_zone="UTC", event="=Bought", properties={"paid": "price"})
    >>> TableEncoder(mapping).events({"who": [7], "at": [datetime(2024, 5, 31, 10)], "price": [9.5]})[0].decode()
    '{"type":"track","event":"Bought","userId":"7","timestamp":"2024-05-31T10:00:00.000Z","properties":{"paid":9.5}}'
    """

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        self._read_time = _time_reader(mapping)
        self._known: dict[str, Any] = {}

    def events(self, columns: Columns[str, Sequence[Any]]) -> list[bytes]:
        """One event per row. Raises `UnicodeEncodeError` where a text of any row is none."""
        mapping = self._mapping
        ids, times = [_text(value) for value in columns[mapping.customer]], self._times(columns[mapping.time])
        constant = mapping.event[1:] if mapping.event.startswith("=") else None
        names = [constant] * len(ids) if constant is not None else [_text(value) for value in columns[mapping.event]]
        parts: dict[str, list[Any]] = {"type": ["track"] * len(ids), "event": names, "userId": ids, "timestamp": times}
        if mapping.message is not None:
            parts["messageId"] = [_text(value) for value in columns[mapping.message]]
        for place, renamed in (("properties", mapping.properties), ("traits", mapping.traits)):
            if renamed:
                cells = zip(*(columns[path] for path in renamed.values()), strict=True)
                parts[place] = [dict(zip(renamed, row, strict=True)) for row in cells]
        encode, keys = msgspec.json.Encoder(enc_hook=_plain).encode, list(parts)
        return [encode(dict(zip(keys, row, strict=True))) for row in zip(*parts.values(), strict=True)]

    def _times(self, values: Sequence[Any]) -> list[Any]:
        known = self._known
        if len(known) > KNOWN_TIMES:
            known.clear()
        times: list[Any] = []
        for value in values:
            if not isinstance(value, str):
                times.append(self._read_time(value))
                continue
            if value not in known:
                known[value] = self._read_time(value)
            times.append(known[value])
        return times


@lru_cache(maxsize=1 << 16)  # amounts and codes repeat
def typed(text: str) -> str | float | None:
    """What a CSV cell says: a JSON number is one, an empty cell is nothing, all else is text.

    >>> [typed("0.50"), typed("12"), typed("007"), typed("")]
    [0.5, 12, '007', None]
    """
    if not text:
        return None
    number = _NUMBER.fullmatch(text)
    if number is None:
        return text
    return int(text) if text.lstrip("-").isdigit() else float(text)


def _text(value: Any) -> Any:
    """Ids and names as text. Whole numbers are what tables make of ids (floats where some are missing)."""
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return str(int(value)) if value.is_integer() else value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _plain(value: Any) -> Any:
    """What the JSON encoder cannot write by itself."""
    return float(value) if isinstance(value, Decimal) else str(value)


def _time_reader(mapping: Mapping) -> Callable[[Any], Any]:
    """The time as the decoder reads it, or the value untouched where it cannot be understood."""
    zone = None if mapping.time_zone is None else zone_of(mapping.time_zone)
    unit = PER_UNIT.get(mapping.time_format)
    pattern = None if mapping.time_format == "iso8601" else mapping.time_format

    def placed(when: datetime) -> str:
        if when.tzinfo is None and zone is not None:
            when = when.replace(tzinfo=zone)
        return when.isoformat() if when.tzinfo is None else _iso((when - EPOCH) // MILLISECOND)

    def read(value: Any) -> Any:
        if isinstance(value, datetime):
            return placed(value)
        if isinstance(value, date):
            return placed(datetime(value.year, value.month, value.day))  # noqa: DTZ001 - `placed` gives the zone
        if unit is not None:
            number = typed(value) if isinstance(value, str) else value
            if not isinstance(number, int | float) or isinstance(number, bool):
                return value
            return _iso(round(number * unit))
        if not isinstance(value, str):
            return value
        if pattern is not None:
            return placed(datetime.strptime(value, pattern))  # noqa: DTZ007 - `placed` gives the zone
        if zone is None:
            return value
        local, offset = read_local(value, "$")
        return value if offset is not None else placed(EPOCH.replace(tzinfo=None) + local * MILLISECOND)

    def read_or_keep(value: Any) -> Any:
        try:
            return read(value)
        except (BadEvent, OverflowError, ValueError):
            return None if value is None else str(value)  # the decoder says what is wrong with it

    return read_or_keep


def _iso(milliseconds: int) -> str:
    return (EPOCH + milliseconds * MILLISECOND).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
