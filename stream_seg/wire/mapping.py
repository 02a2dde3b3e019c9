"""Own JSON to Segment-spec events, as a declared `Mapping` says.

A mapping only moves and rewrites; whether the outcome is a usable event is judged in one place, by the decoder. So a
time that cannot be read stays as it is and is rejected there, with its path in the original.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from stream_seg.core.definition import Mapping
from stream_seg.errors import BadEvent, ConfigError
from stream_seg.wire.timestamps import EPOCH, MILLISECOND, read_local, rfc3339

PER_UNIT = {"epoch_s": 1000, "epoch_ms": 1}

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_FIXED_ZONE = re.compile(r"([+-])([0-9]{2}):?([0-9]{2})")


def event_from_row(row: dict[str, Any], mapping: Mapping) -> bytes:
    """The Segment-spec event (JSON) of one decoded object. A path is a name in it, or leads through objects.

    >>> row = {"who": 7, "at": "2024-05-31 10:00", "cart": {"total": 9.5}}
    >>> mapping = Mapping(
    ...     customer="who", time="at", time_zone="UTC", event="=Bought", properties={"paid": "cart.total"}
    ... )
    >>> event_from_row(row, mapping).decode()
    '{"type":"track","userId":"7","timestamp":"2024-05-31T10:00:00.000Z","event":"Bought","properties":{"paid":9.5}}'
    """
    event: dict[str, Any] = {
        "type": "track",
        "userId": _text(_find(row, mapping.customer)),
        "timestamp": _time(_find(row, mapping.time), mapping),
    }
    constant = mapping.event.startswith("=")
    event["event"] = mapping.event[1:] if constant else _text(_find(row, mapping.event))
    if mapping.message is not None:
        event["messageId"] = _text(_find(row, mapping.message))
    for place, paths in (("properties", mapping.properties), ("traits", mapping.traits)):
        if paths:
            event[place] = {name: _find(row, path) for name, path in paths.items()}
    return msgspec.json.encode(event)


def original_paths(mapping: Mapping) -> dict[str, str]:
    """Where in the record each part of the event came from: JSON path -> JSON path."""
    paths = {"$.userId": mapping.customer, "$.timestamp": mapping.time}
    if not mapping.event.startswith("="):
        paths["$.event"] = mapping.event
    if mapping.message is not None:
        paths["$.messageId"] = mapping.message
    paths |= {f"$.properties.{name}": path for name, path in mapping.properties.items()}
    paths |= {f"$.traits.{name}": path for name, path in mapping.traits.items()}
    return {place: f"$.{path}" for place, path in paths.items()}


@lru_cache(maxsize=64)
def zone_of(name: str) -> tzinfo:
    """The time zone of a mapping: ``UTC``, ``+02:00`` or a name such as ``Europe/Berlin``. Raises `ConfigError`."""
    fixed = _FIXED_ZONE.fullmatch(name)
    if fixed is not None and int(fixed[2]) < 24 and int(fixed[3]) < 60:
        offset = timedelta(hours=int(fixed[2]), minutes=int(fixed[3]))
        return timezone(-offset if fixed[1] == "-" else offset)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(
            [f"mapping.time_zone: {name!r} is no time zone; write UTC, +02:00 or a name such as Europe/Berlin"]
        ) from error


def _find(row: dict[str, Any], path: str) -> Any:
    if path in row:
        return row[path]
    value: Any = row
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            return None
        value = value[name]
    return value


def _text(value: Any) -> Any:
    """Ids and names as text. Own JSON often counts customers: whole numbers are ids; the rest the decoder judges."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _time(value: Any, mapping: Mapping) -> Any:
    """The time as the decoder reads it, or untouched where it cannot be understood."""
    zone = None if mapping.time_zone is None else zone_of(mapping.time_zone)
    unit = PER_UNIT.get(mapping.time_format)
    try:
        if unit is not None:
            number = float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value
            countable = isinstance(number, int | float) and not isinstance(number, bool)
            return rfc3339(round(number * unit)) if countable else value
        if not isinstance(value, str):
            return value
        if mapping.time_format != "iso8601":
            return _placed(datetime.strptime(value, mapping.time_format), zone)  # noqa: DTZ007 - zoned by `_placed`
        local, offset = read_local(value, "$")
        return value if offset is not None else _placed(EPOCH.replace(tzinfo=None) + local * MILLISECOND, zone)
    except (BadEvent, OverflowError, ValueError):
        return str(value)


def _placed(when: datetime, zone: tzinfo | None) -> str:
    if when.tzinfo is None:
        if zone is None:
            return when.isoformat()
        when = when.replace(tzinfo=zone)
    return rfc3339((when - EPOCH) // MILLISECOND)
