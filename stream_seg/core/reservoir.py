"""A reservoir: some customers of each day of the last weeks, by whom a new model is compared with the one before.

Which customers of a day are kept is drawn by a hash of customer and day: the same everywhere, and not the same
customers every day.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from stream_seg.core.model import Float64, Int64

DAYS = 28
A_DAY = 64
_ODD = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_HALF = np.uint64(32)

Ranks = npt.NDArray[np.uint64]


class Reservoir(msgspec.Struct):
    """At most `A_DAY` vectors of each of the last `DAYS` days with customers, as single precision.

    >>> reservoir = Reservoir()
    >>> for day in range(40):
    ...     reservoir.add(day, np.full((100, 2), float(day)), np.arange(100, dtype=np.uint64))
    >>> x = reservoir.vectors(2)
    >>> x.shape, float(x.min()), float(x.max())
    ((1792, 2), 12.0, 39.0)
    """

    days: list[bytes] = []

    def add(self, day: int, x: Float64, ranks: Ranks) -> None:
        """Takes a day: x (customers, columns) in order of the customers' ranks."""
        drawn = (ranks ^ (np.array([day], np.int64).astype(np.uint64) * _ODD)) * _ODD
        drawn = (drawn ^ (drawn >> _HALF)) * _MIX
        chosen: Int64 = np.sort(np.argsort(drawn ^ (drawn >> _HALF), kind="stable")[:A_DAY])
        self.days = [*self.days[1 - DAYS :], x[chosen].astype("<f4").tobytes()]

    def vectors(self, columns: int) -> Float64:
        """All of them, (customer-days, columns), the oldest first."""
        return np.frombuffer(b"".join(self.days), "<f4").astype(np.float64).reshape(-1, columns)
