"""Where drift happens: how far each segment's customers are from its centre, and how its share of them changes."""

from __future__ import annotations

import math

import msgspec

from stream_seg.core.control_chart import LAMBDA
from stream_seg.core.findings import Finding
from stream_seg.core.quantisation import member_sums
from stream_seg.core.yardstick import Measured, Yardstick


class Displacement(msgspec.Struct):
    """Since a model is in force: customer-days of each segment; and decayed, its customers and the sums of their z."""

    counts: list[float]
    recent: list[float]
    sums: list[list[float]]

    def observe(self, yardstick: Yardstick, measured: Measured) -> list[Finding]:
        """The findings of a day; they never alarm."""
        counts, sums = member_sums(measured.z, measured.near, len(self.counts))
        self.counts = [was + now for was, now in zip(self.counts, counts.tolist(), strict=True)]
        self.recent = _decayed(self.recent, counts.tolist())
        self.sums = [_decayed(was, now) for was, now in zip(self.sums, sums.tolist(), strict=True)]
        findings = []
        for j, center in enumerate(yardstick.centers):
            if center:
                findings += [*self._away(j, center, yardstick.scale), self._share(j)]
        return findings

    def _away(self, j: int, center: list[float], scale: list[float]) -> list[Finding]:
        if self.recent[j] == 0.0:
            return []
        square = 0.0
        for of_all, middle, s in zip(self.sums[j], center, scale, strict=True):
            if s > 0.0:
                gap = of_all / self.recent[j] - middle
                square += gap * gap
        away = math.sqrt(square)
        words = f"the customers of segment {j} are {away:.2g} from its centre"
        return [Finding(metric="centroid_displacement", subject=str(j), value=away, words=words)]

    def _share(self, j: int) -> Finding:
        before = self.counts[j] / sum(self.counts)
        now = self.recent[j] / sum(self.recent)
        words = f"segment {j} has {100 * now:.3g} % of a day's customers; {100 * before:.3g} % since the model began"
        return Finding(metric="share_shift", subject=str(j), value=now - before, mean=before, words=words)


def displacement(k: int, columns: int) -> Displacement:
    """Begins with a model of k segments.

    >>> displacement(2, 1)
    Displacement(counts=[0.0, 0.0], recent=[0.0, 0.0], sums=[[0.0], [0.0]])
    """
    return Displacement([0.0] * k, [0.0] * k, [[0.0] * columns] * k)


def _decayed(was: list[float], now: list[float]) -> list[float]:
    return [(1.0 - LAMBDA) * a + LAMBDA * b for a, b in zip(was, now, strict=True)]
