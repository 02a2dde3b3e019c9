"""A stable 64-bit number for every text of a batch: of message ids, and of fields that are only compared for equality.

Two 32-bit MurmurHash2 lanes with different seeds over the UTF-8 bytes. All products fit into int64, so the compiled
loop and plain Python agree; nothing depends on the process. 0 is kept for "none": the empty text.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stream_seg.core.event import Int64
from stream_seg.core.hashing import MASK, MIX
from stream_seg.core.numerics import compiled

NEWLINE = 10
OTHER_MIX = 0x2C1B3C6D  # odd and below 2**31, as MIX is
SEEDS = (0x9747B28C, 0x3C6EF372)


def hash_texts(texts: Sequence[str]) -> Int64:
    """(n,) a number per text; equal for equal texts, 0 for the empty one.

    >>> hash_texts(["a", "", "a", "b"]).tolist()
    [..., 0, ..., ...]
    """
    hashes = np.zeros((len(texts), 2), np.int64)
    joined = np.frombuffer("\n".join([*texts, ""]).encode("utf-8", "surrogatepass"), np.uint8)
    if _hash_lines(joined, hashes) != len(texts):  # a text has a line break: take them one by one
        hashes[:] = 0
        for i, text in enumerate(texts):
            data = np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)
            if text:
                _hash_one(data, 0, len(data), hashes, i)
    return (hashes[:, 0] << 32) | hashes[:, 1]


@compiled
def _hash_lines(data: npt.NDArray[np.uint8], hashes: Int64) -> int:
    """Fills `hashes` from newline-ended texts; the number of lines, which may be more than `hashes` holds."""
    line, start = 0, 0
    for at in range(len(data)):
        if data[at] == NEWLINE:
            if line < len(hashes) and at > start:
                _hash_one(data, start, at, hashes, line)
            line += 1
            start = at + 1
    return line


@compiled
def _hash_one(data: npt.NDArray[np.uint8], start: int, end: int, hashes: Int64, row: int) -> None:
    length = end - start
    h = SEEDS[0] ^ (length & MASK)
    g = SEEDS[1]
    at = start
    while at < end:
        k = int(data[at])
        if at + 1 < end:
            k |= int(data[at + 1]) << 8
        if at + 2 < end:
            k |= int(data[at + 2]) << 16
        if at + 3 < end:
            k |= int(data[at + 3]) << 24
        at += 4
        j = (k * OTHER_MIX) & MASK
        j ^= j >> 15
        k = (k * MIX) & MASK
        k ^= k >> 24
        k = (k * MIX) & MASK
        h = ((h * MIX) & MASK) ^ k
        g = (((g << 13) | (g >> 19)) & MASK) ^ j
        g = (g * OTHER_MIX + 0x4B1D) & MASK
    h ^= g
    h = ((h ^ (h >> 13)) * MIX) & MASK
    h ^= h >> 15
    g = (g + h) & MASK
    g = ((g ^ (g >> 16)) * OTHER_MIX) & MASK
    g ^= g >> 13
    g = (g * MIX) & MASK
    g ^= g >> 16
    if h == 0 and g == 0:
        g = 1
    hashes[row, 0] = h
    hashes[row, 1] = g
