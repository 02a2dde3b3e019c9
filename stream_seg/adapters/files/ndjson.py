"""Lines of JSON: events in an input form already, or own JSON with a mapping."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream_seg.adapters.files.batch import Batch
    from stream_seg.adapters.files.judged import LineJudge

_BOM = b"\xef\xbb\xbf"


def batches(lines: BinaryIO, judge: LineJudge, size: int) -> Iterator[Batch]:
    """Batches of `size` lines; empty lines are skipped."""
    held: list[bytes] = []
    numbers: list[int] = []
    for number, line in enumerate(lines, 1):
        text = line.rstrip(b"\r\n")
        if number == 1:
            text = text.removeprefix(_BOM)
        if not text.strip():
            continue
        held.append(text)
        numbers.append(number)
        if len(held) == size:
            yield judge.batch(held, numbers)
            held, numbers = [], []
    if held:
        yield judge.batch(held, numbers)
