"""Which records of a source were already taken: a high mark and a bitmap of the offsets just below it.

INGEST may send a record twice (a lost acknowledgement, a restart). It keeps fewer than `WINDOW` records
unacknowledged, so a copy can never be further behind the newest one than that.
"""

from __future__ import annotations

WINDOW = 4_096
_FULL = (1 << WINDOW) - 1


class Marks:
    """One source's marks. `taken` tells whether an offset is new, and remembers it.

    >>> marks = Marks()
    >>> [marks.taken(n) for n in (0, 2, 1, 2)]
    [False, False, False, True]
    >>> Marks.load(marks.dump()).taken(1)
    True
    """

    __slots__ = ("bits", "high")

    def __init__(self, high: int = -1, bits: int = 0) -> None:
        self.high = high
        self.bits = bits  # bit i: offset high - i was taken

    def taken(self, offset: int) -> bool:
        """Whether `offset` was taken before; anything below the window counts as taken."""
        ahead = offset - self.high
        if ahead > 0:
            self.bits = ((self.bits << ahead) | 1) & _FULL if ahead < WINDOW else 1
            self.high = offset
            return False
        if ahead <= -WINDOW:
            return True
        bit = 1 << -ahead
        if self.bits & bit:
            return True
        self.bits |= bit
        return False

    def dump(self) -> bytes:
        """As bytes, for the slot's meta hash."""
        return self.high.to_bytes(8, "little", signed=True) + self.bits.to_bytes(WINDOW // 8, "little").rstrip(b"\0")

    @classmethod
    def load(cls, data: bytes) -> Marks:
        """Back from `dump`."""
        return cls(int.from_bytes(data[:8], "little", signed=True), int.from_bytes(data[8:], "little"))
