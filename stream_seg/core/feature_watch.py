"""One feature under watch: how many customers have any of it, how much those have, and what a day changes in it.

Where many customers share one value (no coupon, no order), their number and what the others have are two things, and
each is steadier than the mean of all. What a customer's value was a day earlier is the best guess of what it is today:
charts of these changes see at once what changes for everybody at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from stream_seg.core.control_chart import RECENT, Chart, Day
from stream_seg.core.findings import Finding, Metric, charted, stability
from stream_seg.core.model import Float64
from stream_seg.core.quantisation import total
from stream_seg.core.stability import added, binned, edges, psi

LIMIT, CHANGE_LIMIT = 5.5, 5.0  # deviations; days are alike in what customers have, hardly in what changes
AT_ONCE = 1.0  # weight of the newest day among changes: what comes at once is gone the day after
FAINT = 0.01  # of the feature's scale, of 1 for a share: a day's mean that lies so far off is no deviation
STEP = 0.5  # of the feature's scale: more than that in a day is one customer's affair
ROUNDING = 1e-9  # of a value: what the mean of a constant may be off by
SPIKE = 0.05  # of all customers who have one and the same value: they are counted apart


class FeatureWatch(msgspec.Struct):
    """What is known of one feature.

    spike   the value that many customers share; None: there is none
    edges   of the histogram
    share   chart of the customers off the spike; mean: of what they have; change: since the day before
    """

    name: str
    spike: float | None
    edges: list[float]
    share: Chart
    mean: Chart
    change: Chart

    def observe(self, values: Float64, before: Float64, scale: float) -> list[Finding]:
        """The findings of a day.

        values, before  (customers,) of the day, and the day before (NaN: not known); scale: the model's
        """
        off = values[self._off(values)]
        changes = self._changes(values, before, scale)
        bins = binned(values, self.edges)
        index = self._index(bins)
        floor = FAINT * scale or ROUNDING * (1.0 + abs(self.mean.level))
        charts: Sequence[tuple[Metric, Chart, Day, float]] = (
            ("feature_share", self.share, Day(len(values), float(len(off)), bins), FAINT),
            ("feature_mean", self.mean, Day(len(off), total(off)), floor),
            ("feature_change", self.change, Day(len(changes), total(changes)), floor),
        )
        findings = [charted(metric, self.name, chart, chart.add(day, least), index)
                    for metric, chart, day, least in charts if day.n]  # fmt: skip
        return [*findings, stability(self.name, index)]

    def _off(self, values: Float64) -> npt.NDArray[np.bool_]:
        """Who does not have the common value, which is known in single precision (`stream_seg.core.reservoir`)."""
        if self.spike is None:
            return np.ones(len(values), np.bool_)
        return values.astype(np.float32) != np.float32(self.spike)

    def _changes(self, values: Float64, before: Float64, scale: float) -> Float64:
        """What a day changed for those who had some of it then and now; a jump counts as a long step, not as more."""
        both = ~np.isnan(before) & self._off(values) & self._off(before)
        changes = values[both] - before[both]
        return np.clip(changes, -STEP * scale, STEP * scale) if scale > 0.0 else changes

    def _index(self, bins: list[int]) -> float:
        """The stability index of the week that ends with a day of these bins."""
        usual = self.share.baseline()
        if usual is None:
            return 0.0
        week = [*(day.bins for day in self.share.days[1 - RECENT :]), bins]
        return psi(added(week), usual.bins)


def feature_watch(name: str, values: Float64) -> FeatureWatch:
    """Begins to watch a feature, as these customers show it.

    >>> watch = feature_watch("coupons", np.array([0.0] * 90 + [1.0, 2.0] * 5))
    >>> watch.spike, watch.edges
    (0.0, [0.0])
    """
    found, counts = np.unique(values, return_counts=True)
    common = int(np.argmax(counts))
    spike = float(found[common]) if counts[common] >= SPIKE * len(values) else None
    return FeatureWatch(name, spike, edges(values), Chart(LIMIT), Chart(LIMIT), Chart(CHANGE_LIMIT, smoothing=AT_ONCE))
