"""One customer as bytes: a row of 64-bit words in memory, the same row without its zeros at rest.

In memory every customer of a worker is a row of one matrix: integers and floats share the words, so that the
compiled fold needs no objects. The first words are the header below; `stream_seg.core.planning` lays the cells of the
features behind it. Most of a row is zero (silent tiles, high bytes of small numbers), so a stored record holds a
bit per word, and for each word that is not zero a byte mask and its non-zero bytes: about a quarter of the row.
Two bytes stand before that: the format of this module, and a tag that tells one layout from the one before it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stream_seg.core.numerics import kernel
from stream_seg.errors import Stop

# The header, word by word. Times are ms since 1970; 0 means none, so segments are stored plus one.
ALIVE = 0
INCARNATION = 1  # events offset that created the record
LAYOUT = 2  # number of the activation whose plan laid out this row
ADOPTED = 3  # number of the activation whose model labels this customer
TIME = 4  # the customer's time at its last change
EVENT_AT = 5  # the customer's time at its last event; silence and the evaluation grid start here
LAST_EVENT = 6  # greatest event time
FIRST_EVENT = 7  # the customer's time at its first event
SEGMENT = 8
CANDIDATE = 9  # waiting out the dwell
CANDIDATE_SINCE = 10
SEQUENCE = 11  # movements so far
SINCE = 12  # in this segment since
PREVIOUS = 13  # the segment before this one
TIER = 14  # `tier_key` of the rule that took the customer last
TIER_AT = 15  # time of the event that said so
SAMPLES = 16
HASH = 17
RECENT_AT = 18  # where the next message id goes
RECENT = 19
RECENT_IDS = 16
HEADER = RECENT + RECENT_IDS

FORMAT = 2

Words = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]


@kernel
def pack(words: Words, slots: Words, tag: int, out: Bytes, ends: Words) -> int:
    """Writes the rows `slots` of `words` (slots, words) one after another into `out`; returns the bytes used.

    `out` must have room for ``len(slots) * room(words.shape[1])``; ``ends[i]`` becomes the end of record i.
    """
    width = words.shape[1]
    masks = (width + 7) // 8
    at = 0
    for i in range(slots.shape[0]):
        row = slots[i]
        out[at] = FORMAT
        out[at + 1] = tag
        mask_at = at + 2
        at = mask_at + masks
        for m in range(mask_at, at):
            out[m] = 0
        for w in range(width):
            value = words[row, w]
            if value != 0:
                out[mask_at + (w >> 3)] |= np.uint8(1 << (w & 7))
                bits = 0
                byte_at = at
                at += 1
                for b in range(8):
                    byte = (value >> (8 * b)) & 255
                    if byte != 0:
                        bits |= 1 << b
                        out[at] = byte
                        at += 1
                out[byte_at] = bits
        ends[i] = at
    return at


@kernel
def unpack(buffer: Bytes, ends: Words, slots: Words, tag: int, words: Words) -> int:
    """Reads packed records into the rows `slots`; returns -1, or the index of the first that `pack` did not write.

    Only the bytes that `pack` writes are taken, so a changed byte is found or changes a word.
    """
    width = words.shape[1]
    masks = (width + 7) // 8
    start = 0
    for i in range(slots.shape[0]):
        row = slots[i]
        end = ends[i]
        if end - start < 2 + masks or buffer[start] != FORMAT or buffer[start + 1] != tag:
            return i
        mask_at = start + 2
        at = mask_at + masks
        for w in range(width):
            value = 0
            if (buffer[mask_at + (w >> 3)] >> (w & 7)) & 1:
                if at >= end:
                    return i
                bits = buffer[at]
                at += 1
                if bits == 0:
                    return i
                for b in range(8):
                    if (bits >> b) & 1:
                        if at >= end or buffer[at] == 0:
                            return i
                        value |= np.int64(buffer[at]) << (8 * b)  # type: ignore[assignment]  # an int64 to numba
                        at += 1
            words[row, w] = value
        if at != end or (width & 7 and buffer[mask_at + masks - 1] >> (width & 7)):
            return i
        start = end
    return -1


def room(width: int) -> int:
    """The most bytes that one record of `width` words can take."""
    return 2 + (width + 7) // 8 + 9 * width


def tag_of(layout: int) -> int:
    """The tag byte of a layout: activations in use at one time differ by far less than 256."""
    return layout & 255


def pack_rows(words: Words, slots: Words, tag: int) -> tuple[bytes, Words]:
    """The rows as one buffer and the end of each.

    >>> rows = np.zeros((1, 40), np.int64)
    >>> rows[0, 3] = 513
    >>> buffer, ends = pack_rows(rows, np.array([0]), 1)
    >>> len(buffer), int(unpack_rows(buffer, ends, 1, 40)[0, 3])
    (10, 513)
    """
    out = np.empty(len(slots) * room(words.shape[1]), np.uint8)
    ends = np.empty(len(slots), np.int64)
    used = pack(words, slots, tag, out, ends)
    return out[:used].tobytes(), ends


def unpack_rows(buffer: bytes, ends: Words, tag: int, width: int) -> Words:
    """The rows of a buffer, shape (len(ends), width). Raises `Stop` where a record was not written by `pack`."""
    words = np.zeros((len(ends), width), np.int64)
    unpack_into(buffer, ends, np.arange(len(ends)), tag, words)
    return words


def unpack_into(buffer: bytes, ends: Words, slots: Words, tag: int, words: Words) -> None:
    """Reads record i of the buffer into row ``slots[i]``; all must bear the same tag."""
    bad = unpack(np.frombuffer(buffer, np.uint8), ends, slots, tag, words)
    if bad >= 0:
        raise Stop(f"customer record {bad} of {len(ends)} is damaged or of another layout; rebuild this partition")
