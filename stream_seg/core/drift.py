"""Drift and emergence: whether the customers of a day still are what the model in force was made for.

The unit is the customer-day: a customer counts on a day on which it did something. (All known customers would be the
same ones every day, whose means wander for weeks: on stationary data their charts alarm every other month, and a change
shows only after it has gone through everybody's windows.)

Charts alarm: of each feature (`stream_seg.core.feature_watch`), of the daily mean log quantisation error, and of the
daily share of customers who came to lie beyond their segment's 99th distance percentile. Who stays there is counted
once: the same few would otherwise look like many. When another model comes into force the last two measure with another
yardstick; they are carried over by what the two yardsticks say of the customers of the last weeks, as price indices are
chained, so that a new model neither alarms nor makes blind. The stability index says how much of a distribution has
changed, displacement and shares say where; these never alarm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np

from stream_seg.core.control_chart import Chart, Day, Reading, Severity
from stream_seg.core.detectors import DETECTORS, detect
from stream_seg.core.displacement import Displacement, displacement
from stream_seg.core.emergence import FRESH, KEPT_FOR, Outlier, group_of, remember
from stream_seg.core.feature_watch import FAINT, FeatureWatch, feature_watch
from stream_seg.core.findings import MODEL, Finding, charted, detected, emerged
from stream_seg.core.model import Float64, Int64
from stream_seg.core.quantisation import FAR, Centers, log_sum, total
from stream_seg.core.reservoir import Ranks, Reservoir
from stream_seg.core.yardstick import Measured, Yardstick, yardstick_of
from stream_seg.errors import Stop

FORMAT = 1
ENOUGH = 100  # customer-days that tell what is far
ERROR_LIMIT, OUTLIER_LIMIT = 4.5, 4.0  # deviations
ALIKE_LIMIT = 2.5  # deviations of outlier mass that are enough where the new outliers are alike
SMALL = 0.01  # of a day's customers: fewer are no group to speak of

Detector = Literal["ewma", "adwin", "page_hinkley", "kswin"]


class _State(msgspec.Struct, forbid_unknown_fields=True):
    """What is written down.

    former   the yardstick before this one; adopted: the day after which this one came
    units    shift and scale of the values that one of river's detectors gets of each feature; kept: its memory
    """

    format: int
    columns: list[str]
    detector: Detector
    error: Chart
    outlier: Chart
    lately: Reservoir
    segments: Displacement
    kept: list[bytes]
    day: int | None = None
    yardstick: Yardstick | None = None
    former: Yardstick | None = None
    adopted: int = 0
    features: list[FeatureWatch] = []
    units: list[tuple[float, float]] = []
    outliers: list[Outlier] = []
    emerging: bool = False


class DriftMonitor:
    """Watches one tier. The same calls give the same findings and the same `dump`, on every machine.

    Nothing is measured before the first model, and before `ENOUGH` customer-days have told what is far.

    columns   names of what the model sees, in order
    detector  what watches the features: ``ewma``, or one of river's by name

    >>> random = np.random.default_rng(1)
    >>> monitor = DriftMonitor(["spend"])
    >>> monitor.adopt(1, Centers(np.zeros(1), np.ones(1), np.array([[-1.0], [1.0]])))
    >>> for day in range(60):
    ...     findings = monitor.observe(day, random.normal(size=(90, 1)), np.arange(90))
    >>> [finding.words for finding in findings if finding.severity != "none"]
    []
    >>> for day in range(60, 63):
    ...     findings = monitor.observe(day, random.normal(2.0, size=(90, 1)), np.arange(90))
    >>> [finding.severity for finding in findings if finding.metric == "feature_mean"]
    ['act']
    """

    def __init__(self, columns: Sequence[str], detector: Detector = "ewma") -> None:
        if detector not in {"ewma", *DETECTORS}:
            raise Stop(f"no drift detector is called {detector!r}; there are: ewma, {', '.join(DETECTORS)}")
        self._state = _State(
            format=FORMAT, columns=list(columns), detector=detector, error=Chart(ERROR_LIMIT),
            outlier=Chart(OUTLIER_LIMIT, upwards=True), lately=Reservoir(), segments=displacement(0, 0),
            kept=[b""] * len(columns),
        )  # fmt: skip

    @property
    def version(self) -> int | None:
        """The model version that is measured with; None before the first."""
        return self._state.yardstick.version if self._state.yardstick else None

    @property
    def columns(self) -> list[str]:
        return self._state.columns

    @property
    def detector(self) -> Detector:
        return self._state.detector

    def dump(self) -> bytes:
        """The whole state as versioned JSON."""
        return msgspec.json.encode(self._state)

    @classmethod
    def load(cls, state: bytes) -> DriftMonitor:
        """Back from `dump`. Raises `Stop` where another version of this package wrote it."""
        found = msgspec.json.decode(state, type=_Format).format
        if found != FORMAT:
            raise Stop(f"the state of drift has format {found}, this version reads {FORMAT}; start it anew")
        monitor = cls(())
        monitor._state = msgspec.json.decode(state, type=_State)
        return monitor

    # --- another model

    def adopt(self, version: int, model: Centers) -> None:
        """Measures with another model version from now on; what is usual is carried over to it."""
        state, k = self._state, len(model.centers)
        if np.isnan(model.centers).any(axis=1).all():
            raise Stop(f"drift: model version {version} has no centre to measure with")
        if len(model.mean) != len(state.columns):
            raise Stop(f"drift: model version {version} sees {len(model.mean)} columns, here are {len(state.columns)}")
        old, state.yardstick = state.yardstick, yardstick_of(version, model)
        state.segments = displacement(k, len(state.columns))
        self._calibrate()
        if old is not None and old.radii:
            self._carry_over(old, state.yardstick)

    def _calibrate(self) -> None:
        """Sets the radii by the customers of the last weeks, as soon as there are enough."""
        state, x = self._state, self._lately()
        if state.yardstick is None or state.yardstick.radii or len(x) < ENOUGH:
            return
        state.yardstick = state.yardstick.calibrated(x)
        if not state.features:
            state.features = [feature_watch(name, x[:, f]) for f, name in enumerate(state.columns)]
            means_and_scales = zip(state.yardstick.mean, state.yardstick.scale, strict=True)
            state.units = [(mean, scale or 1.0) for mean, scale in means_and_scales]

    def _carry_over(self, old: Yardstick, new: Yardstick) -> None:
        """Moves the model's charts, by what the two models say of the customers of the last weeks."""
        state, x = self._state, self._lately()
        before, after = old.measure(x), new.measure(x)
        state.error.carry_over(1.0, (log_sum(after.far) - log_sum(before.far)) / len(x))
        # One more on both sides: a few of a few are a rough guess of a ratio.
        state.outlier.carry_over((int(after.beyond.sum()) + 1) / (int(before.beyond.sum()) + 1), 0.0)
        state.former, state.adopted = old, 0 if state.day is None else state.day

    def _lately(self) -> Float64:
        return self._state.lately.vectors(len(self._state.columns))

    def _outliers(self) -> Float64:
        return np.array([outlier.x for outlier in self._state.outliers]).reshape(-1, len(self._state.columns))

    # --- a day

    def observe(self, day: int, x: Float64, hashes: Int64, before: Float64 | None = None) -> list[Finding]:
        """What is to be said of a day; nothing of one on which nobody did anything.

        day     a number that grows by one a day
        x       (customers, columns) as the model sees them: one vector for each customer who did something
        hashes  (customers,) of the customers: their order is that of all sums
        before  (customers, columns) of the same customers a day earlier; NaN, or None, where it is not known
        """
        state = self._state
        self._check(day, x)
        state.day = day
        if len(x) == 0:
            return []
        ranks = hashes.astype(np.uint64)
        order = np.argsort(ranks, kind="stable")
        x, ranks = np.ascontiguousarray(x[order]), ranks[order]
        before = np.full_like(x, np.nan) if before is None else before[order]
        self._calibrate()
        state.lately.add(day, x, ranks)
        yardstick = state.yardstick
        if yardstick is None or not yardstick.radii:
            return []
        measured = yardstick.measure(x)
        return [
            *self._features(x, before, yardstick),
            *self._model(day, x, ranks, measured),
            *state.segments.observe(yardstick, measured),
        ]

    def _check(self, day: int, x: Float64) -> None:
        names, last = self._state.columns, self._state.day
        if last is not None and day <= last:
            raise Stop(f"drift: day {day} comes after day {last}; each day is observed once, in order")
        if x.ndim != 2 or x.shape[1] != len(names):
            raise Stop(f"drift: day {day} has an array of shape {x.shape}, for {len(names)} columns")
        wrong = [name for f, name in enumerate(names) if not np.isfinite(x[:, f]).all()]
        if wrong:
            raise Stop(f"drift: day {day} has a value that is no finite number in {', '.join(wrong)}")

    def _features(self, x: Float64, before: Float64, yardstick: Yardstick) -> list[Finding]:
        state, findings = self._state, list[Finding]()
        for f, (name, watch) in enumerate(zip(state.columns, state.features, strict=True)):
            if state.detector == "ewma":
                findings += watch.observe(x[:, f], before[:, f], yardstick.scale[f])
                continue
            shift, scale = state.units[f]
            found, state.kept[f] = detect(state.detector, state.kept[f], (x[:, f] - shift) / scale)
            findings.append(detected(state.detector, name, total(x[:, f]) / len(x), found=found))
        return findings

    def _model(self, day: int, x: Float64, ranks: Ranks, measured: Measured) -> list[Finding]:
        state, n = self._state, len(x)
        outliers = self._far(day, x, ranks, measured)
        known = {outlier.rank for outlier in state.outliers}
        new = sum(outlier.since == day and outlier.rank not in known for outlier in outliers)
        state.outliers = remember(state.outliers, outliers, day)
        usual = state.outlier.baseline()
        share = min(max(usual.mean if usual else 0.0, 1.0 - FAR), FAR)  # where all were, as where nobody was
        error = state.error.add(Day(n, log_sum(measured.far)), FAINT)
        # A share of few customers is no surer than that many tosses of a coin.
        mass = state.outlier.add(Day(n, float(new)), math.sqrt(share * (1.0 - share) / n))
        return [
            charted("quantisation_error", MODEL, state.error, error),
            charted("outlier_mass", MODEL, state.outlier, mass),
            *self._emerging(day, mass),
        ]

    def _far(self, day: int, x: Float64, ranks: Ranks, measured: Measured) -> list[Outlier]:
        """The outliers of a day.

        While it is not known who the usual outliers of a new model are, only those who fit the former one no better
        count as new; the others are noted as having been there.
        """
        former, new = self._state.former, measured.beyond
        if former is not None and day <= self._state.adopted + KEPT_FOR:
            new = new & former.measure(x).beyond
        return [
            Outlier(int(ranks[i]), day if new[i] else day - KEPT_FOR, day, x[i].tolist())
            for i in np.flatnonzero(measured.beyond).tolist()
        ]

    def _emerging(self, day: int, mass: Reading | None) -> list[Finding]:
        """Who the outliers are, on days on which there are many new ones who are alike."""
        state, was = self._state, self._state.emerging
        state.emerging = False
        if mass is None or state.yardstick is None or mass.level - mass.mean < ALIKE_LIMIT * mass.deviation:
            return []
        x, yardstick = self._outliers(), state.yardstick
        measured = yardstick.measure(x)
        fresh = measured.beyond & np.array([outlier.since > day - FRESH for outlier in state.outliers], np.bool_)
        reach = sorted(yardstick.radii)[len(yardstick.radii) // 2]
        group = group_of(x, measured.z, fresh, reach, np.array(yardstick.mean), np.array(yardstick.scale))
        if group is None or mass.level * group.share < SMALL:
            return []
        state.emerging = True
        severity: Severity = "act" if mass.severity == "act" else "warn"
        return [emerged(group, state.columns, mass.level * group.share, severity, new=mass.new or not was)]


class _Format(msgspec.Struct):
    format: int
