"""Times as producers write them to milliseconds since 1970.

Nearly all come as ``2024-05-31T10:00:00.000Z`` or with an offset; a compiled loop reads those of a whole batch.
Whatever it does not know goes through `read_time`, which knows every ISO 8601 form of a calendar date with a time
and says what is wrong otherwise. Both give the same number; digits beyond the millisecond are cut off.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from stream_seg.core.event import Int64
from stream_seg.core.numerics import compiled
from stream_seg.errors import BadEvent
from stream_seg.wire.rejections import rejection

EARLIEST = 946_684_800_000  # 2000-01-01: an older clock was never set
LATEST = 4_133_980_800_000  # 2101-01-01: a unit was mixed up
UNREAD = -(2**62)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
NEWLINE = 10


def parse_times(texts: Sequence[str]) -> Int64:
    """(n,) ms since 1970 of each text, `UNREAD` where the form is not one of the usual two (try `read_time` then).

    >>> parse_times(["2024-05-31T10:00:00.123Z", "1970-01-01T01:00:00+01:00", "yesterday"]).tolist() == [
    ...     1717149600123,
    ...     0,
    ...     UNREAD,
    ... ]
    True
    """
    times = np.full(len(texts), UNREAD, np.int64)
    joined = np.frombuffer("\n".join([*texts, ""]).encode("utf-8", "replace"), np.uint8)
    if _read_lines(joined, times) != len(texts):  # a text has a line break: take them one by one
        for i, text in enumerate(texts):
            one = np.full(1, UNREAD, np.int64)
            line = np.frombuffer((text.replace("\n", "?") + "\n").encode("utf-8", "replace"), np.uint8)
            _read_lines(line, one)
            times[i] = one[0]
    return times


@compiled
def _read_lines(data: npt.NDArray[np.uint8], times: Int64) -> int:
    """Fills `times` from newline-ended texts; the number of lines, which may be more than `times` holds."""
    line, start = 0, 0
    for at in range(len(data)):
        if data[at] == NEWLINE:
            if line < len(times):
                times[line] = _read_usual(data, start, at)
            line += 1
            start = at + 1
    return line


@compiled
def _digits(data: npt.NDArray[np.uint8], start: int, end: int) -> int:
    """The number written between two places, -1 if anything but digits stands there."""
    value = 0
    for at in range(start, end):
        digit = int(data[at]) - 48
        if digit < 0 or digit > 9:
            return -1
        value = value * 10 + digit
    return value


@compiled
def _read_usual(data: npt.NDArray[np.uint8], start: int, end: int) -> int:
    """``YYYY-MM-DD(T| )HH:MM:SS[.fraction](Z|±HH:MM)`` in ms since 1970, else `UNREAD`."""
    if end - start < 20:
        return UNREAD
    year = _digits(data, start, start + 4)
    month = _digits(data, start + 5, start + 7)
    day = _digits(data, start + 8, start + 10)
    hour = _digits(data, start + 11, start + 13)
    minute = _digits(data, start + 14, start + 16)
    second = _digits(data, start + 17, start + 19)
    if data[start + 4] != 45 or data[start + 7] != 45 or data[start + 13] != 58 or data[start + 16] != 58:  # - - : :
        return UNREAD
    if data[start + 10] != 84 and data[start + 10] != 32:  # T or space
        return UNREAD
    if year < 0 or not (1 <= month <= 12) or not (1 <= day <= month_length(year, month)):
        return UNREAD
    if not (0 <= hour <= 23) or not (0 <= minute <= 59) or not (0 <= second <= 59):
        return UNREAD
    at = start + 19
    milliseconds = 0
    if data[at] == 46:  # .
        first = at + 1
        at = first
        scale = 100
        while at < end and 48 <= data[at] <= 57:
            milliseconds += (int(data[at]) - 48) * scale
            scale //= 10
            at += 1
        if at in (first, end):
            return UNREAD
    offset = 0
    if data[at] == 90:  # Z
        if at + 1 != end:
            return UNREAD
    else:
        if at + 6 != end or (data[at] != 43 and data[at] != 45) or data[at + 3] != 58:  # +HH:MM, -HH:MM
            return UNREAD
        hours = _digits(data, at + 1, at + 3)
        minutes = _digits(data, at + 4, at + 6)
        if not (0 <= hours <= 23) or not (0 <= minutes <= 59):
            return UNREAD
        offset = hours * 60 + minutes
        if data[at] == 45:
            offset = -offset
    minutes_since = (days_since_1970(year, month, day) * 24 + hour) * 60 + minute - offset
    return (minutes_since * 60 + second) * 1000 + milliseconds


@compiled
def month_length(year: int, month: int) -> int:
    """Days of a month of the Gregorian calendar.

    >>> month_length(2000, 2), month_length(1900, 2), month_length(2024, 4)
    (29, 28, 30)
    """
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 + (month + month // 8) % 2  # July and August both have 31


@compiled
def days_since_1970(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01 to a date of the Gregorian calendar; years are counted from March, leap days come last.

    >>> days_since_1970(1970, 1, 1), days_since_1970(2000, 3, 1)
    (0, 11017)
    """
    y = year - 1 if month <= 2 else year
    m = month + 9 if month <= 2 else month - 3
    return y * 365 + y // 4 - y // 100 + y // 400 + (m * 153 + 2) // 5 + day - 1 - 719468


_ISO = re.compile(
    r"([0-9]{4})(-?)([0-9]{2})\2([0-9]{2})"
    r"(?:[Tt ]([0-9]{2})(?::?([0-9]{2})(?::?([0-9]{2})(?:[.,]([0-9]+))?)?)?"
    r"(Z|z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)


def read_time(text: str, path: str) -> int:
    """Ms since 1970 of any ISO 8601 calendar date with time and zone. Raises `BadEvent` that names `path`.

    >>> read_time("20240531T100000,5+0200", "$.timestamp")
    1717142400500
    """
    local, offset = read_local(text, path)
    if offset is None:
        raise rejection("timestamp_without_zone", path, f"{_short(text)} could mean any zone")
    return local - offset * 60_000


def read_local(text: str, path: str) -> tuple[int, int | None]:
    """(ms since 1970 as if in UTC, offset in minutes or None where no zone is written). Raises `BadEvent`."""
    match = _ISO.fullmatch(text)
    if match is None:
        raise rejection("invalid_timestamp", path, f"{_short(text)} is not an ISO 8601 time")
    year, _, month, day, hour, minute, second, fraction, zone = match.groups()
    y, mo, d, h, mi, s = int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0)
    offset = None if zone is None else _offset(zone)
    exists = 1 <= mo <= 12 and 1 <= d <= month_length(y, mo) and h <= 23 and mi <= 59 and s <= 59
    if not exists or (offset is not None and abs(offset) >= 24 * 60):
        raise rejection("invalid_timestamp", path, f"{_short(text)} is no time of any day")
    milliseconds = int((fraction or "0")[:3].ljust(3, "0"))
    return (((days_since_1970(y, mo, d) * 24 + h) * 60 + mi) * 60 + s) * 1000 + milliseconds, offset


def _offset(zone: str) -> int:
    if zone in {"Z", "z"}:
        return 0
    hours, minutes = int(zone[1:3]), int(zone[-2:]) if len(zone) > 3 else 0
    if minutes > 59:
        return 24 * 60  # no such offset: refused with the others
    return (hours * 60 + minutes) * (-1 if zone[0] == "-" else 1)


@lru_cache(maxsize=1024)  # a movement and its label bear the same instant
def rfc3339(time: int) -> str:
    """A time in ms since 1970 as text. Raises `OverflowError` outside the years 1 to 9999.

    >>> rfc3339(1_717_149_600_123), rfc3339(-1)
    ('2024-05-31T10:00:00.123Z', '1969-12-31T23:59:59.999Z')
    """
    minutes, ms = divmod(time, 60_000)
    return f"{_minute(minutes)}{ms / 1000:06.3f}Z"


@lru_cache(maxsize=4096)
def _minute(minutes: int) -> str:
    when = EPOCH + timedelta(minutes=minutes)
    return when.replace(tzinfo=None).isoformat()[:-2]


def check_range(time: int, path: str) -> BadEvent | None:
    """What is wrong with a time outside the years 2000 to 2100, if anything."""
    if EARLIEST <= time < LATEST:
        return None
    return rejection("timestamp_out_of_range", path, f"{time} ms since 1970 is not between the years 2000 and 2100")


def in_future(time: int, appended: int, max_skew: int) -> BadEvent | None:
    """What is wrong with an event time more than `max_skew` ms after its record was appended to the log, if anything.

    >>> in_future(1_700_000_600_000, 1_700_000_000_000, max_skew=300_000).code
    'timestamp_in_future'
    """
    if time - appended <= max_skew:
        return None
    ahead = (time - appended) / 1000
    return rejection("timestamp_in_future", "$.timestamp", f"{ahead:.0f} s after the record was written")


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
