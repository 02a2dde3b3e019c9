"""What drift detection says of a day: measurements with their baseline, how grave they are, and words for a person."""

from __future__ import annotations

from typing import Literal

import msgspec

from stream_seg.core.control_chart import Chart, Reading, Severity
from stream_seg.core.emergence import Group
from stream_seg.core.stability import LARGE, MODERATE

MODEL = "model"
TELLING = 0.5  # model scales by which a group must differ from everybody for a feature to be named
NAMED = 3  # features of a group that are named

Metric = Literal[
    "feature_share", "feature_mean", "feature_change", "adwin", "page_hinkley", "kswin", "psi", "quantisation_error",
    "outlier_mass", "centroid_displacement", "share_shift", "emergence",
]  # fmt: skip


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement of one day.

    subject    name of a feature, number of a segment, or ``model``
    value      of a chart its moving average, in units of the model's input; of `emergence` a share of a day's customers
    mean, deviation  of the baseline; None where there is none (yet)
    threshold  how far `value` may lie from `mean`; None: never alarms
    new        the day before did not say as much: an alarm is raised once
    words      for a person
    group      of an emergence: who they are
    """

    metric: Metric
    subject: str
    value: float
    mean: float | None = None
    deviation: float | None = None
    threshold: float | None = None
    severity: Severity = "none"
    new: bool = False
    words: str = ""
    group: Group | None = None


_WHAT = {
    "feature_share": "the share with {}",
    "feature_mean": "{}",
    "feature_change": "what a day changes in {}",
    "quantisation_error": "the distance to the own segment",
    "outlier_mass": "the share that fits no segment",
}


def charted(metric: Metric, subject: str, chart: Chart, reading: Reading | None, index: float | None = None) -> Finding:
    """What a chart says; `index`: the stability index of its feature."""
    name = _WHAT[metric].format(subject)
    if reading is None:
        return Finding(metric=metric, subject=subject, value=chart.level, words=f"{name}: learning what is usual")
    words = f"{name} is as usual"
    if reading.severity != "none":
        gap = reading.level - reading.mean
        words = (
            f"{name} is {'higher' if gap > 0 else 'lower'} than usual: {reading.level:.3g} instead of "
            f"{reading.mean:.3g}, {abs(gap) / reading.deviation:.1f} deviations"
        )
        if index is not None:
            words += f"; its distribution has changed {grade(index)} (PSI {index:.2f})"
    return Finding(
        metric=metric, subject=subject, value=reading.level, mean=reading.mean, deviation=reading.deviation,
        threshold=chart.limit * reading.deviation, severity=reading.severity, new=reading.new, words=words,
    )  # fmt: skip


def detected(metric: Metric, subject: str, mean: float, *, found: bool) -> Finding:
    """A finding of one of river's detectors, which say no more than that something changed."""
    words = f"{subject} changed, says {metric}" if found else f"{subject} is as usual"
    return Finding(
        metric=metric, subject=subject, value=mean, severity="warn" if found else "none", new=found, words=words
    )


def stability(subject: str, index: float) -> Finding:
    """A stability index."""
    return Finding(metric="psi", subject=subject, value=index, words=f"{subject} has changed {grade(index)}")


def grade(index: float) -> str:
    """How much a stability index is.

    >>> grade(0.05), grade(0.2), grade(0.3)
    ('little', 'moderately', 'much')
    """
    return "little" if index < MODERATE else "moderately" if index < LARGE else "much"


def emerged(group: Group, columns: list[str], share: float, severity: Severity, *, new: bool) -> Finding:
    """A group that fits no segment; `share` of a day's customers.

    >>> group = Group(size=31, share=0.8, center=(9.0, 1.0), population=(2.0, 1.1), z=(3.5, -0.1))
    >>> emerged(group, ["spend", "age"], 0.05, "warn", new=True).words
    '5 % of the customers fit no segment and are alike: high spend (31 customers of the last days)'
    """
    order = sorted(range(len(columns)), key=lambda f: (-abs(group.z[f]), f))
    telling = [f for f in order[:NAMED] if abs(group.z[f]) >= TELLING] or order[:1]
    alike = ", ".join(f"{'high' if group.z[f] > 0 else 'low'} {columns[f]}" for f in telling)
    words = (
        f"{100 * share:.2g} % of the customers fit no segment and are alike: {alike} "
        f"({group.size} customers of the last days)"
    )
    return Finding(metric="emergence", subject=MODEL, value=share, severity=severity, new=new, words=words, group=group)
