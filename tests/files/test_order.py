"""Event-time order: whatever the order in the file, in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_seg.adapters.files import Batch, checked, in_order
from stream_seg.adapters.files import order as module
from stream_seg.adapters.files.batch import places
from stream_seg.errors import BadEvent, Stop

if TYPE_CHECKING:
    from collections.abc import Iterator


def cut(times: list[int], size: int) -> Iterator[Batch]:
    for start in range(0, len(times), size):
        part = np.array(times[start : start + size], np.int64)
        lines = np.arange(start + 1, start + 1 + len(part))
        odd = {i: BadEvent("c", "p", f"line {lines[i]}", "r") for i in range(len(part)) if part[i] % 2}
        keys = [None if i in odd else b"k%d" % part[i] for i in range(len(part))]
        yield Batch([b"line %d" % line for line in lines], keys, part, places(0, lines), ("f",), odd)


def flat(batches: Iterator[Batch]) -> list[tuple[int, str, bytes, bytes | None, str | None]]:
    return [
        (int(batch.times[i]), batch.place(i), batch.values[i], batch.keys[i],
         batch.rejected[i].reason if i in batch.rejected else None)
        for batch in batches for i in range(len(batch))
    ]  # fmt: skip


@given(
    times=st.lists(st.integers(0, 20), max_size=200),
    size=st.integers(1, 30),
    memory=st.sampled_from([0, 30, 300, 1 << 20]),
    block=st.integers(1, 9),
)
def test_any_input_comes_out_sorted_and_stable_with_everything_that_belongs_to_an_event(
    times: list[int], size: int, memory: int, block: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", block)
        out = flat(in_order(cut(times, size), memory))
    assert out == sorted(flat(cut(times, size)), key=lambda event: event[0])


def test_what_promises_to_be_in_order_is_held_to_it() -> None:
    assert flat(checked(cut([1, 1, 2, 5, 5], 2))) == flat(cut([1, 1, 2, 5, 5], 2))
    with pytest.raises(Stop, match=r"^f:4: earlier than the event before it"):
        flat(checked(cut([1, 2, 5, 4, 9], 3)))
    with pytest.raises(Stop, match=r"^f:2: "):
        flat(checked(cut([2, 1], 2)))


def test_too_many_runs_stop_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RUNS", 3)
    with pytest.raises(Stop, match="sort it by time first"):
        flat(in_order(cut([9, 8, 7, 6, 5, 4], 1), 0))


def test_an_input_in_order_is_one_run_however_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RUNS", 1)
    assert len(flat(in_order(cut(list(range(100)), 5), 0))) == 100
