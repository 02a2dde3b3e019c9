"""Event-time order, which `clock: event` asks of its input."""

from __future__ import annotations

import tempfile
from typing import IO, TYPE_CHECKING

import msgspec
import numpy as np

from stream_seg.adapters.files.batch import Batch, joined
from stream_seg.errors import BadEvent, Stop

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY = 128 << 20  # bytes of values that are sorted in memory (three times that, with what belongs to them)
BLOCK = 4_096  # events of each run that the merge holds
RUNS = 256


def checked(batches: Iterator[Batch]) -> Iterator[Batch]:
    """The same batches, for an input that promises to be in order of time.

    Raises
    ------
    Stop
        It is not; the message names the first place.
    """
    last = -(1 << 62)
    for batch in batches:
        if len(batch):
            wrong = np.flatnonzero(np.diff(batch.times, prepend=last) < 0)
            if len(wrong):
                place = batch.place(int(wrong[0]))
                raise Stop(f"{place}: earlier than the event before it; let it be sorted first")
            last = int(batch.times[-1])
            yield batch


def in_order(batches: Iterator[Batch], memory: int = MEMORY) -> Iterator[Batch]:
    """All events in order of time; those of one instant stay in the order in which they were read.

    Values up to `memory` bytes are sorted in memory; of a longer input, sorted runs of that length go to a temporary
    file each and are merged, holding `BLOCK` events of each. So what bounds an input is room for temporary files (its
    own size once more) and `RUNS`: 32 GB with the default. An input that is in order makes one run, however long.
    """
    held: list[Batch] = []
    size = 0
    runs: list[_Run] = []
    try:
        for batch in batches:
            if len(batch):
                held.append(batch)
                size += sum(map(len, batch.values))
            if size > memory:
                _spill(joined(held).sorted(), runs)
                held, size = [], 0
        if not runs:
            if held:
                yield from _blocks(joined(held).sorted())
            return
        if held:
            _spill(joined(held).sorted(), runs)
        yield from _merged(runs)
    finally:
        for run in runs:
            run.close()


def _spill(batch: Batch, runs: list[_Run]) -> None:
    """To the last run where it goes on, else to a new one."""
    if not runs or runs[-1].last > batch.times[0]:
        if len(runs) == RUNS:
            raise Stop(f"the input is too large to be sorted here, at {batch.place(0)}; sort it by time first")
        runs.append(_Run(batch.files))
    runs[-1].write(batch)


def _merged(runs: list[_Run]) -> Iterator[Batch]:
    """Each round goes up to the earliest last time of the blocks in memory, so that nothing earlier can follow."""
    for run in runs:
        run.rewind()
    while live := [run for run in runs if run.block is not None]:
        ends = [run.end for run in live]
        bound = min(ends)
        # This run may hold more events of that very instant on disk: those of later runs come after them.
        turn = ends.index(bound)
        parts = [run.take(bound, including=position <= turn) for position, run in enumerate(live)]
        yield joined([part for part in parts if len(part)]).sorted()


class _Stored(msgspec.Struct, array_like=True, gc=False):
    values: list[bytes]
    keys: list[bytes | None]
    times: bytes
    places: bytes
    rejected: dict[int, tuple[str, str, str, str]]


class _Run:
    """A sorted part of the input in a temporary file, read back block by block."""

    def __init__(self, files: tuple[str, ...]) -> None:
        self._files = files
        self._file: IO[bytes] = tempfile.TemporaryFile(prefix="stream-seg-sort-")  # noqa: SIM115 - `close` closes it
        self._decoder = msgspec.msgpack.Decoder(_Stored)
        self._lengths: list[int] = []
        self.last = 0
        self.block: Batch | None = None
        self._start = 0  # how much of the block was taken

    @property
    def end(self) -> int:
        """The last time of the block in memory."""
        assert self.block is not None
        return int(self.block.times[-1])

    def write(self, batch: Batch) -> None:
        for block in _blocks(batch):
            rejected = {i: (why.code, why.path, why.reason, why.remedy) for i, why in block.rejected.items()}
            stored = _Stored(block.values, block.keys, block.times.tobytes(), block.places.tobytes(), rejected)
            self._lengths.append(self._file.write(msgspec.msgpack.encode(stored)))
        self.last = int(batch.times[-1])

    def rewind(self) -> None:
        self._file.seek(0)
        self._lengths.reverse()
        self._next()

    def take(self, bound: int, *, including: bool) -> Batch:
        """The events up to `bound`, out of the block in memory; an emptied block is followed by the next."""
        assert self.block is not None
        block, start = self.block, self._start
        stop = int(np.searchsorted(block.times, bound, side="right" if including else "left"))
        self._start = stop
        if stop == len(block):
            self._next()
        return block.part(start, stop)

    def close(self) -> None:
        self._file.close()

    def _next(self) -> None:
        self._start = 0
        if not self._lengths:
            self.block = None
            return
        stored = self._decoder.decode(self._file.read(self._lengths.pop()))
        self.block = Batch(
            stored.values,
            stored.keys,
            np.frombuffer(stored.times, np.int64),
            np.frombuffer(stored.places, np.int64),
            self._files,
            {i: BadEvent(*why) for i, why in stored.rejected.items()},
        )


def _blocks(batch: Batch) -> Iterator[Batch]:
    for start in range(0, len(batch), BLOCK):
        yield batch.part(start, start + BLOCK)
