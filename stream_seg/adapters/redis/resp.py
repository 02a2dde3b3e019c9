"""Redis commands as bytes (RESP), built without the client's per-word work: a batch has thousands of words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from stream_seg.ports import Packed


def word(value: bytes) -> bytes:
    r"""One word of a command.

    >>> word(b"GET")
    b'$3\r\nGET\r\n'
    """
    return b"$%d\r\n%b\r\n" % (len(value), value)


def command(*words: bytes) -> bytes:
    r"""One whole command.

    >>> command(b"GET", b"a")
    b'*2\r\n$3\r\nGET\r\n$1\r\na\r\n'
    """
    return b"*%d\r\n%b" % (len(words), b"".join(map(word, words)))


def words(values: Iterable[bytes]) -> bytes:
    """Many words, framed one after the other."""
    return b"".join([b"$%d\r\n%b\r\n" % (len(value), value) for value in values])


def prefixed_words(prefix: bytes, values: Sequence[bytes]) -> bytes:
    r"""Many words ``prefix + value``: the keys of many customers.

    >>> prefixed_words(b"c:", [b"ann", b"bob"])
    b'$5\r\nc:ann\r\n$5\r\nc:bob\r\n'
    >>> prefixed_words(b"c:", [b"ann", b""])
    b'$5\r\nc:ann\r\n$2\r\nc:\r\n'
    """
    lengths = set(map(len, values))
    heads = {length: b"\r\n$%d\r\n%b" % (len(prefix) + length, prefix) for length in lengths}
    if len(heads) == 1:  # as customer ids mostly are: one join, no Python per value
        (head,) = heads.values()
        return b"".join([head[2:], head.join(values), b"\r\n"])
    return b"".join([heads[len(value)] + value for value in values])[2:] + (b"\r\n" if values else b"")


def scored_words(pairs: Sequence[tuple[bytes, int]]) -> bytes:
    """``score member`` for each (member, score), as ZADD takes them."""
    return words([part for member, score in pairs for part in (b"%d" % score, member)])


def packed_words(values: Packed) -> bytes:
    r"""All strings of a packed buffer as words. Strings of one length, as records are, cost one array copy.

    >>> from stream_seg.ports import Packed
    >>> packed_words(Packed.of([b"a\r", b"bc"]))
    b'$2\r\na\r\r\n$2\r\nbc\r\n'
    >>> packed_words(Packed.of([b"a", b"bcd"]))
    b'$1\r\na\r\n$3\r\nbcd\r\n'
    """
    count = len(values.ends)
    if count == 0:
        return b""
    width = int(values.ends[0])
    if width == 0 or (values.ends[1:] - values.ends[:-1] != width).any():
        return words(values.split())
    head = np.frombuffer(b"$%d\r\n" % width, np.uint8)
    framed = np.empty((count, len(head) + width + 2), np.uint8)
    framed[:, : len(head)] = head
    framed[:, len(head) : -2] = np.frombuffer(values.buffer, np.uint8, count * width).reshape(count, width)
    framed[:, -2] = 13  # \r
    framed[:, -1] = 10  # \n
    return framed.tobytes()
