"""Lines and rows to a `Batch`: the same decoder that judges live events says which of them are events.

It also says whose they are and when they happened, so a file, a live topic and a replay never disagree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np

from stream_seg.adapters.files.batch import Batch, places
from stream_seg.adapters.files.tables import TableEncoder, identifying
from stream_seg.errors import BadEvent
from stream_seg.wire.canonical import Canonicalizer
from stream_seg.wire.mapping import original_paths
from stream_seg.wire.rejections import rejection

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from stream_seg.adapters.files.batch import Int64
    from stream_seg.core.definition import Mapping as Declared
    from stream_seg.ports import Headers, Record

_UNWRITABLE = (msgspec.MsgspecError, UnicodeError, TypeError, OverflowError)


class _Line(NamedTuple):
    """A record that no log holds yet (`ports.Record`)."""

    value: bytes
    topic: str = ""
    partition: int = -1
    offset: int = -1
    key: bytes | None = None
    headers: Headers = ()
    timestamp: int = -1  # none: an event in a file has a time of its own
    timestamp_type: int | None = None


class LineJudge:
    """Judges the lines of one NDJSON file: events in any input form, or own JSON where there is a mapping."""

    def __init__(self, file: int, files: tuple[str, ...], mapping: Declared | None) -> None:
        self._source = _Source(file, files)
        self._canonicalizer = Canonicalizer(mapping)

    def batch(self, lines: list[bytes], numbers: Sequence[int]) -> Batch:
        """`numbers`: those of the lines, from 1."""
        records = [_Line(line) for line in lines]
        return self._source.batch(self._canonicalizer, records, lines.__getitem__, np.array(numbers), {}, {})


class RecordJudge:
    """Judges records of a topic that anybody wrote, in any input form, as INGEST does."""

    def __init__(self, file: int, files: tuple[str, ...], mapping: Declared | None) -> None:
        self._source = _Source(file, files)
        self._canonicalizer = Canonicalizer(mapping)

    def batch(self, records: Sequence[Record]) -> Batch:
        """`Batch.places` holds offsets."""
        offsets = np.array([record.offset for record in records], np.int64)
        return self._source.batch(self._canonicalizer, records, lambda i: records[i].value or b"", offsets, {}, {})


class RowJudge:
    """Judges the rows of one table. `as_text`: columns whose texts are never numbers."""

    def __init__(self, file: int, files: tuple[str, ...], mapping: Declared) -> None:
        self._source = _Source(file, files)
        self._canonicalizer = Canonicalizer()
        self._encoder = TableEncoder(mapping)
        self._paths = original_paths(mapping)
        self.as_text = identifying(mapping)

    def batch(
        self,
        columns: Mapping[str, Sequence[Any]],
        lines: Int64,
        original: Callable[[int], bytes],
        broken: dict[int, BadEvent],
    ) -> Batch:
        """``columns[path][i]`` is of line ``lines[i]``, whose bytes are ``original(i)``.

        `broken`: rows that are none, and why; their cells must not be an event.
        """
        try:
            values = self._encoder.events(columns)
        except _UNWRITABLE:
            values = [self._one(columns, i, broken) for i in range(len(lines))]
        records = [_Line(value) for value in values]
        return self._source.batch(self._canonicalizer, records, original, lines, broken, self._paths)

    def _one(self, columns: Mapping[str, Sequence[Any]], i: int, broken: dict[int, BadEvent]) -> bytes:
        """Row i alone, where one of its batch has something that JSON cannot say."""
        try:
            return self._encoder.events({path: [column[i]] for path, column in columns.items()})[0]
        except _UNWRITABLE as error:
            broken.setdefault(i, rejection("wrong_type", "$", str(error)))
            return b""


class _Source:
    """One file. It remembers the last time, for rows that have none."""

    def __init__(self, file: int, files: tuple[str, ...]) -> None:
        self._file = file
        self._files = files
        self._last = 0

    def batch(
        self,
        canonicalizer: Canonicalizer,
        records: Sequence[Record],
        original: Callable[[int], bytes],
        lines: Int64,
        broken: dict[int, BadEvent],
        paths: dict[str, str],
    ) -> Batch:
        usable = canonicalizer.canonical(records)
        rejected = {i: BadEvent(e.code, paths.get(e.path, e.path), e.reason, e.remedy) for i, e in usable.rejected}
        rejected |= broken  # the reason behind all others
        size = len(records)
        out, keys, times = usable.values, list[bytes | None](usable.customers), usable.times
        if rejected:
            out, keys = [original(i) if i in rejected else b"" for i in range(size)], [None] * size
            for i, customer, value in zip(usable.rows.tolist(), usable.customers, usable.values, strict=True):
                out[i], keys[i] = value, customer
            times = self._filled(usable.rows, usable.times, size)
        if size:
            self._last = int(times[-1])
        return Batch(out, keys, times, places(self._file, lines), self._files, rejected)

    def _filled(self, rows: Int64, times: Int64, size: int) -> Int64:
        """The times of all rows: that of a rejected one is that of the usable one before it."""
        if not len(rows):
            return np.full(size, self._last, np.int64)
        before = np.full(size, -1, np.int64)
        before[rows] = np.arange(len(rows))
        before = np.maximum.accumulate(before)
        return np.where(before >= 0, times[before], self._last).astype(np.int64)
