"""The feeder: bounded input into the events log, in order of event time, one learning day at a time.

At each boundary it tells every partition how far it has come and waits until LEARN is done with the day. So model
versions take effect at the same place of the log on every run, however fast anybody was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np

from stream_seg.core.model import Int64
from stream_seg.ports import Message, Passed, Publish, Step
from stream_seg.wire import control

EVENTS = "events"
FEEDER = "feeder"  # the one source whose progress makes the clock
CHUNK = 8_192  # events published at a time


class TimedEvents(Protocol):
    """Some events in order of time. values: the records; keys: customer ids; times: (n,) ms."""

    @property
    def values(self) -> list[bytes]: ...
    @property
    def keys(self) -> Sequence[bytes | None]: ...
    @property
    def times(self) -> Int64: ...


def feed(
    batches: Iterable[TimedEvents], partitions: int, day: int, told: Callable[[int, int], None] = lambda *_: None
) -> Step[int]:
    """Feeds everything; returns how many events. `day`: ms between boundaries; `told(events, ms)` hears of progress."""
    everywhere = range(partitions)
    named = control.Sources((FEEDER,))
    yield Publish([control.control(EVENTS, control.SOURCES, named, p) for p in everywhere])
    count, boundary = 0, 0
    for keys, values, times in _chunks(batches):
        start = 0
        while start < len(values):
            if boundary == 0:
                boundary = int(times[0]) // day * day + day
            end = int(np.searchsorted(times, boundary))
            if end > start:
                pairs = zip(keys[start:end], values[start:end], strict=True)
                yield Publish([Message(EVENTS, key, value) for key, value in pairs])
                count += end - start
                start = end
            if start < len(values):
                yield from _pass(boundary, partitions)
                told(count, boundary)
                boundary += day
    if count:
        yield from _pass(boundary, partitions)
        told(count, boundary)
    yield Publish([control.control(EVENTS, control.END, None, p) for p in everywhere])
    return count


def _pass(boundary: int, partitions: int) -> Step[None]:
    """Ends a day: progress to every partition, then wait for LEARN."""
    progress = control.Progress(FEEDER, boundary)
    yield Publish([control.control(EVENTS, control.PROGRESS, progress, p) for p in range(partitions)])
    yield Passed(boundary)


def _chunks(batches: Iterable[TimedEvents]) -> Iterator[tuple[Sequence[bytes | None], list[bytes], Int64]]:
    for batch in batches:
        for at in range(0, len(batch.values), CHUNK):
            part = slice(at, at + CHUNK)
            yield batch.keys[part], batch.values[part], batch.times[part]
