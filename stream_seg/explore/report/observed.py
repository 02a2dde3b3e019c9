"""What is looked at in the events themselves, beside their features: when they happen, and which categories there are.

The features of a customer do not say at which hours she is there, nor which category it was that is not listed. Both
are counted while the events are read, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from stream_seg.core.definition import DAY, HOUR, MINUTE, Definition, Feature
from stream_seg.core.model import Int64

PARTS = ("night, 0–6 h", "early, 6–9 h", "working hours, 9–17 h", "evening, 17–24 h")
_PART_OF_HOUR = np.repeat(np.arange(4), (6, 3, 8, 7))
CELLS = 7 * len(PARTS)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_THURSDAY = 3  # 1970-01-01


class Observed:
    """Counts of usable events, duplicates and late ones included.

    hours  (7, 24) events by local weekday (Monday first) and hour
    days   local day since 1970 -> events
    """

    def __init__(self, definition: Definition) -> None:
        self._offset = definition.utc_offset * MINUTE
        self._number: dict[bytes, int] = {}
        self._cells = np.zeros((1024, 2, CELLS), np.int32)
        self.hours = np.zeros((7, 24), np.int64)
        self.days: dict[int, int] = {}
        self.midnight = 0  # events at 00:00:00.000 UTC sharp: dates without a time of day
        self._asked = [one for one in definition.features if one.encode is not None and one.where is None]
        self._latest: dict[str, dict[bytes, tuple[int, str]]] = {one.name: {} for one in self._asked}

    def take(self, keys: Sequence[bytes | None], times: Int64, values: Sequence[bytes]) -> None:
        """Some more events: whose, when (ms), and what they say (Segment-spec JSON)."""
        at = self._numbers(keys)
        local = times + self._offset
        day, hour = local // DAY, local % DAY // HOUR
        weekday = (day + _THURSDAY) % 7
        np.add.at(self.hours, (weekday, hour), 1)
        np.add.at(self._cells, (at, (day + _THURSDAY) // 7 % 2, weekday * len(PARTS) + _PART_OF_HOUR[hour]), 1)
        self.midnight += int((times % DAY == 0).sum())
        for number, count in zip(*np.unique(day, return_counts=True), strict=True):
            self.days[int(number)] = self.days.get(int(number), 0) + int(count)
        for feature in self._asked:
            self._categories(feature, keys, times, values)

    def _numbers(self, keys: Sequence[bytes | None]) -> Int64:
        number = self._number
        at = np.fromiter((number.setdefault(key or b"", len(number)) for key in keys), np.int64, len(keys))
        if len(number) > len(self._cells):
            grown = np.zeros((max(2 * len(self._cells), len(number)), *self._cells.shape[1:]), np.int32)
            grown[: len(self._cells)] = self._cells
            self._cells = grown
        return at

    def _categories(
        self, feature: Feature, keys: Sequence[bytes | None], times: Int64, values: Sequence[bytes]
    ) -> None:
        """The newest value of each customer; only lines that name the field are opened."""
        path = (feature.field or "").split(".")
        mark = orjson.dumps(path[-1])
        found = self._latest[feature.name]
        for i, value in enumerate(values):
            if mark not in value:
                continue
            if (text := _text_at(value, path)) is None:
                continue
            key, when = keys[i] or b"", int(times[i])
            if key not in found or found[key][0] <= when:
                found[key] = (when, text)

    def engagement(self, customers: Sequence[str]) -> npt.NDArray[np.int32]:
        """(customers, 2, 7 * parts) events in odd and in even weeks, by weekday and part of the day."""
        at = [self._number.get(one.encode(), -1) for one in customers]
        found: npt.NDArray[np.int32] = self._cells[at]
        found[np.array(at) < 0] = 0
        return found

    def categories(self, name: str, customers: Sequence[str]) -> list[str | None] | None:
        """The newest category that each customer's events named, None: none. None for all: it was not looked at."""
        if name not in self._latest:
            return None
        found = self._latest[name]
        return [found.get(one.encode(), (0, None))[1] for one in customers]


def _text_at(value: bytes, path: Sequence[str]) -> str | None:
    """What stands at a path of an event, as text.

    >>> _text_at(b'{"traits":{"plan":"free"}}', ["traits", "plan"])
    'free'
    """
    try:
        here: Any = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    for part in path:
        if not isinstance(here, dict):
            return None
        here = here.get(part)
    if here is None or isinstance(here, dict | list):
        return None
    return here if isinstance(here, str) else orjson.dumps(here).decode()
