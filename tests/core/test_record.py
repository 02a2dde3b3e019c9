"""Records at rest: every row comes back as it was, and bytes that are not a record of this layout stop the worker."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_seg.core.record import FORMAT, HEADER, pack_rows, room, tag_of, unpack_into, unpack_rows
from stream_seg.errors import Stop

WORDS = st.sampled_from([0, 0, 0, 1, -1, 255, 256, 2**62, -(2**63), 2**63 - 1]) | st.integers(-(2**63), 2**63 - 1)


@st.composite
def rows(draw: st.DrawFn) -> npt.NDArray[np.int64]:
    width = draw(st.sampled_from([1, 7, 8, 9, HEADER, HEADER + 33]))
    row = st.lists(WORDS, min_size=width, max_size=width)
    return np.array(draw(st.lists(row, max_size=4)), np.int64).reshape(-1, width)


@settings(deadline=None)
@given(rows(), st.integers(0, 255))
def test_any_words_come_back(words: npt.NDArray[np.int64], tag: int) -> None:
    buffer, ends = pack_rows(words, np.arange(len(words)), tag)
    assert len(buffer) <= len(words) * room(words.shape[1])
    assert np.array_equal(unpack_rows(buffer, ends, tag, words.shape[1]), words)
    again = np.full((len(words) + 3, words.shape[1]), 7, np.int64)
    slots = np.arange(len(words))[::-1] + 2  # into any rows, over what stood there
    unpack_into(buffer, ends, slots, tag, again)
    assert np.array_equal(again[slots], words)


@settings(deadline=None)
@given(st.floats(), st.floats())
def test_floats_keep_their_bits(a: float, b: float) -> None:
    words = np.array([[a, 0.0, b, -0.0]]).view(np.int64)
    buffer, ends = pack_rows(words, np.arange(1), 3)
    assert unpack_rows(buffer, ends, 3, 4).tobytes() == words.tobytes()


def packed(width: int = HEADER + 9) -> tuple[npt.NDArray[np.int64], bytes, npt.NDArray[np.int64]]:
    words = np.arange(1, 2 * width + 1).reshape(2, width) * 1_000_003 % 4 * 77_777_777
    return words, *pack_rows(words, np.arange(2), 5)


def test_a_record_of_another_layout_or_format_is_never_read() -> None:
    words, buffer, ends = packed()
    with pytest.raises(Stop, match="another layout"):
        unpack_rows(buffer, ends, 6, words.shape[1])
    other = bytes([FORMAT + 1]) + buffer[1:]
    with pytest.raises(Stop, match="record 0 of 2"):
        unpack_rows(other, ends, 5, words.shape[1])


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_a_record_that_is_cut_short_or_goes_on_stops_the_worker(data: st.DataObject) -> None:
    words, buffer, ends = packed()
    end = data.draw(st.integers(0, len(buffer)).filter(lambda n: n != int(ends[0])))
    with pytest.raises(Stop, match="damaged"):
        unpack_rows(buffer[:end], np.array([end]), 5, words.shape[1])


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_any_changed_byte_is_refused_or_gives_words_and_never_reads_beyond(data: st.DataObject) -> None:
    words, buffer, ends = packed()
    damaged = bytearray(buffer)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(buffer) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = unpack_rows(bytes(damaged), ends, 5, words.shape[1])
    except Stop:
        return
    # A byte may be another byte: that is a record too, but not the one that was stored.
    assert found.shape == words.shape
    assert bytes(damaged) == buffer or not np.array_equal(found, words)


def test_layouts_in_use_together_have_tags_of_their_own() -> None:
    assert len({tag_of(layout) for layout in range(300, 555)}) == 255
