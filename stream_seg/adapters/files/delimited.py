"""CSV with a header line. A row may span lines; whatever the file holds, memory stays bounded and no line is lost."""

from __future__ import annotations

import codecs
import csv
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from stream_seg.adapters.files.tables import typed
from stream_seg.errors import BadEvent, ConfigError
from stream_seg.wire.rejections import rejection
from stream_seg.wire.separated import mistake

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stream_seg.adapters.files.batch import Batch
    from stream_seg.adapters.files.judged import RowJudge

_ESCAPE = "surrogateescape"  # bytes that are not UTF-8 survive as lone surrogates, and come back as they were


class _Lines:
    """Feeds the CSV reader and keeps the lines of the row that it is reading."""

    def __init__(self, lines: BinaryIO) -> None:
        self._lines = lines
        self.held: list[str] = []

    def __iter__(self) -> Iterator[str]:
        for number, line in enumerate(self._lines):
            text = line.removeprefix(codecs.BOM_UTF8) if number == 0 else line
            decoded = text.decode("utf-8", _ESCAPE)
            self.held.append(decoded)
            yield decoded

    def taken(self) -> str:
        """What the row was made of, without the last line break."""
        text = self.held[0] if len(self.held) == 1 else "".join(self.held)
        self.held.clear()
        return text


def batches(
    lines: BinaryIO, judge: RowJudge, columns: Sequence[str], file: str, size: int, delimiter: str
) -> Iterator[Batch]:
    """Batches of `size` rows; `columns` are those that matter. Empty lines are skipped.

    Raises
    ------
    ConfigError
        The header lacks one of the columns.
    """
    feed = _Lines(lines)
    rows = csv.reader(iter(feed), delimiter=delimiter, strict=True)
    header = _header(rows, feed, columns, file, delimiter)
    at = {path: header.index(path) for path in columns}
    held = _Held(len(header))
    while True:
        first = rows.line_num + 1
        try:
            row = next(rows)
        except StopIteration:
            break
        except csv.Error as error:
            held.broken(first, feed.taken(), rejection("wrong_type", "$", f"not CSV: {error}"))
        else:
            text = feed.taken()
            if row:
                held.add(first, text, row)
        if len(held.rows) == size:
            yield held.judged(judge, at)
            held = _Held(len(header))
    if held.rows:
        yield held.judged(judge, at)


class _Held:
    """The rows of the batch being gathered, with their lines, and why some are no rows."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._blank = [""] * width
        self.rows: list[list[str]] = []
        self._texts: list[str] = []
        self._numbers: list[int] = []
        self._broken: dict[int, BadEvent] = {}

    def add(self, number: int, text: str, row: list[str]) -> None:
        if len(row) != self._width:
            reason = f"{len(row)} columns, the header has {self._width}"
            self.broken(number, text, BadEvent("wrong_columns", "$", reason, "quote cells that hold the delimiter"))
            return
        if not text.isascii() and not _is_utf8(text):
            self.broken(number, text, rejection("invalid_utf8", "$", "the row is not UTF-8"))
            return
        self.rows.append(row)
        self._texts.append(text)
        self._numbers.append(number)

    def broken(self, number: int, text: str, why: BadEvent) -> None:
        self._broken[len(self.rows)] = why
        self.rows.append(self._blank)
        self._texts.append(text)
        self._numbers.append(number)

    def judged(self, judge: RowJudge, at: dict[str, int]) -> Batch:
        by_position = list(zip(*self.rows, strict=True))

        def original(i: int) -> bytes:
            return self._texts[i].encode("utf-8", _ESCAPE).rstrip(b"\r\n")

        columns: dict[str, list[Any]] = {
            path: [cell or None if path in judge.as_text else typed(cell) for cell in by_position[position]]
            for path, position in at.items()
        }
        return judge.batch(columns, np.array(self._numbers, np.int64), original, self._broken)


def _header(rows: Iterator[list[str]], feed: _Lines, columns: Sequence[str], file: str, delimiter: str) -> list[str]:
    try:
        header = [name.strip() for name in next(rows)]
    except StopIteration:
        raise ConfigError([f"{file}:1:1: the file is empty, begin it with a line of column names"]) from None
    except csv.Error as error:
        raise ConfigError([f"{file}:1:1: the line of column names is not CSV: {error}"]) from error
    feed.taken()
    if wrong := mistake(header, delimiter):
        raise ConfigError([f"{file}:1:1: {wrong}"])
    missing = [path for path in columns if path not in header]
    if missing:
        have = ", ".join(header)
        raise ConfigError([f"{file}:1:1: {path}: no such column, choose from {have}" for path in missing])
    twice = [path for path in dict.fromkeys(columns) if header.count(path) > 1]
    if twice:
        raise ConfigError([f"{file}:1:1: {path}: two columns have this name, rename one of them" for path in twice])
    return header


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # a byte that was none became a lone surrogate
        return False
    return True
