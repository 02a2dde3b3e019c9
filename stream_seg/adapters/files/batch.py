"""A batch of events on their way from a file into the log."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from stream_seg.errors import BadEvent

Int64 = npt.NDArray[np.int64]
_LINE_BITS = 40


@dataclass(frozen=True, slots=True)
class Batch:
    """n events in the order in which they were read, or in order of time.

    values    n values to be produced: Segment-spec JSON (or what the file holds, where that is an input form already)
    keys      n customer ids, UTF-8; None where none is known
    times     (n,) event time, ms since 1970; of a rejected event: that of the one before it
    places    (n,) file number << 40 | line (or row) number, from 1
    files     what the file numbers stand for
    rejected  index -> why it cannot be used. Its value is the original line: produced all the same, it becomes a dead
              letter, so nothing is lost
    """

    values: list[bytes]
    keys: list[bytes | None]
    times: Int64
    places: Int64
    files: tuple[str, ...]
    rejected: dict[int, BadEvent] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.values)

    def place(self, index: int) -> str:
        """Where event `index` stands, as ``file:line``.

        >>> batch = Batch([b"{}"], [b"anna"], np.array([0]), places(0, np.array([7])), ("shop.csv",))
        >>> batch.place(0)
        'shop.csv:7'
        """
        at = int(self.places[index])
        return f"{self.files[at >> _LINE_BITS]}:{at & (1 << _LINE_BITS) - 1}"

    def take(self, chosen: Int64) -> Batch:
        """The events at these indices, in this order."""
        order = chosen.tolist()
        now_at = {was: now for now, was in enumerate(order)} if self.rejected else {}
        return Batch(
            [self.values[i] for i in order],
            [self.keys[i] for i in order],
            self.times[chosen],
            self.places[chosen],
            self.files,
            {now_at[i]: why for i, why in self.rejected.items() if i in now_at},
        )

    def part(self, start: int, stop: int) -> Batch:
        """The events from `start` to before `stop`."""
        rejected = {i - start: why for i, why in self.rejected.items() if start <= i < stop}
        cut = slice(start, stop)
        return Batch(self.values[cut], self.keys[cut], self.times[cut], self.places[cut], self.files, rejected)

    def sorted(self) -> Batch:
        """In order of time; events of one instant stay in the order in which they were read."""
        if in_time_order(self.times):
            return self
        return self.take(np.argsort(self.times, kind="stable").astype(np.int64))


def places(file: int, lines: Int64) -> Int64:
    """Places of the lines of one file, as `Batch.places` holds them."""
    return lines.astype(np.int64) | file << _LINE_BITS


def joined(batches: list[Batch]) -> Batch:
    """One batch out of several of the same source, one after the other."""
    rejected: dict[int, BadEvent] = {}
    before = 0
    for batch in batches:
        rejected.update({before + i: why for i, why in batch.rejected.items()})
        before += len(batch)
    return Batch(
        [value for batch in batches for value in batch.values],
        [key for batch in batches for key in batch.keys],
        np.concatenate([batch.times for batch in batches]),
        np.concatenate([batch.places for batch in batches]),
        batches[0].files,
        rejected,
    )


def in_time_order(times: Int64) -> bool:
    """True when no time is before the one in front of it."""
    return bool((times[1:] >= times[:-1]).all())
