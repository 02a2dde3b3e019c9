"""Which number of segments: first by what was called good, then by six measures. Every place has its reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from stream_seg.config.good import Good
from stream_seg.explore.choose.measuring import Measured, Measures

SEPARATES = 0.06  # of the variance of ranks: a middling effect


class Ranked(NamedTuple):
    """One number of segments in its place.

    misses   what it misses of what is good, in words
    places   measure -> its place among all (1 is best; equals share one)
    because  why it stands where it stands, in a sentence
    """

    measured: Measured
    misses: tuple[str, ...]
    places: dict[str, float]
    because: str

    @property
    def mean_place(self) -> float:
        """Of the six measures; the less the better."""
        return sum(self.places.values()) / len(self.places)


def misses_of(one: Measured, good: Good) -> tuple[str, ...]:
    """What a number of segments misses of what is good."""
    found = []
    fewest, most = good.segments
    if one.k < fewest:
        found.append(f"there are fewer of them than the {fewest} that can be served")
    if one.k > most:
        found.append(f"there are more of them than the {most} that can be served")
    least = min(one.shares)
    if least < good.min_share:
        held = told(100 * least, 100 * good.min_share, 2)
        found.append(f"the smallest segment holds {held}% of the customers, less than {percent(good.min_share)}")
    if one.moves is not None and one.moves > good.max_monthly_moves:
        held = told(100 * one.moves, 100 * good.max_monthly_moves, 0)
        found.append(f"{held}% of the customers move in a month, more than {percent(good.max_monthly_moves)}")
    if one.stability.agreement < good.min_stability:
        found.append(
            f"other draws of the customers agree by {told(one.stability.agreement, good.min_stability, 2)}, less than "
            f"{good.min_stability:g}"
        )
    for name, share in one.separation.items():
        if share < SEPARATES:
            held = told(100 * share, 100 * SEPARATES, 1)
            found.append(f"it does not separate {name}: {held}% of its variance, less than {percent(SEPARATES)}")
    return tuple(found)


def told(value: float, limit: float, digits: int) -> str:
    """A value that misses a limit, with as many digits, at least so many, as tell the two apart.

    >>> told(1.5, 3.0, 2), told(2.9972, 3.0, 2)
    ('1.50', '2.997')
    """
    while digits < 8 and round(value, digits) == round(limit, digits):
        digits += 1
    return f"{value:.{digits}f}"


def percent(share: float) -> str:
    """A limit as a person wrote it.

    >>> percent(0.07), percent(0.025)
    ('7%', '2.5%')
    """
    return f"{100 * share:.6g}%"


def rank(measures: Measures, good: Good) -> list[Ranked]:
    """The best first: who misses the least of what is good; among those, the best mean place in six measures."""
    each = measures.each
    places = _places(measures)
    order = []
    for i, one in enumerate(each):
        own = {name: column[i] for name, column in places.items()}
        order.append((one, misses_of(one, good), own))
    order.sort(key=lambda item: (len(item[1]), sum(item[2].values()), item[0].k))
    return [
        Ranked(one, misses, own, _because(position, one, misses, own))
        for position, (one, misses, own) in enumerate(order)
    ]


def _places(measures: Measures) -> dict[str, list[float]]:
    """Measure -> the place of each number of segments. What nobody could measure places nobody."""
    each = measures.each
    columns: dict[str, list[float]] = {
        "gap": [measures.gap.gaps[one.k - 1] for one in each],
        "silhouette": [one.silhouette for one in each],
        "other draws": [one.stability.agreement for one in each],
        "other months": [float(np.median(one.months)) if one.months else np.nan for one in each],
        "names": [one.distinct / one.k for one in each],
        "steadiness": [-(one.moves if one.moves is not None else np.nan) for one in each],
    }
    return {name: _placed(values) for name, values in columns.items() if not np.isnan(values).all()}


def _placed(values: Sequence[float]) -> list[float]:
    """Places, 1 for the greatest; equals share the mean of theirs.

    >>> _placed([0.5, 0.9, 0.5])
    [2.5, 1.0, 2.5]
    """
    v = np.nan_to_num(np.round(np.array(values, np.float64), 6), nan=-np.inf)
    return [float((v > own).sum() + ((v == own).sum() + 1) / 2.0) for own in v]


def _because(position: int, one: Measured, misses: tuple[str, ...], places: dict[str, float]) -> str:
    mean = sum(places.values()) / len(places)
    best, worst = min(places, key=lambda name: places[name]), max(places, key=lambda name: places[name])
    held = "they hold everything that was called good" if not misses else f"they miss: {'; '.join(misses)}"
    place = f"mean place {mean:.1f} in {len(places)} measures (best in {best}, worst in {worst})"
    return f"Place {position + 1}, {one.k} segments: {held}; {place}."


def verdict(measures: Measures) -> str | None:
    """What the gap statistic says against there being any segments at all; None: nothing."""
    if measures.gap.best > 1:
        return None
    return (
        "No clusters at all: the customers lie in one cloud, no more in lumps than points drawn evenly from a box of "
        "its shape (gap statistic, k = 1). Segments of it are cuts through a continuum: they can be of use, but "
        "their borders are a decision of yours, and many customers will be near one."
    )


def elbow(ks: Sequence[int], inertias: Sequence[float]) -> int:
    """The number of segments after which more of them gain the least: farthest below the line from first to last.

    >>> elbow([2, 3, 4, 5, 6], [100.0, 60.0, 30.0, 27.0, 25.0])
    4
    """
    if len(ks) < 3:
        return ks[0]
    x = (np.array(ks) - ks[0]) / (ks[-1] - ks[0])
    y = np.array(inertias)
    y = (y - y[-1]) / (y[0] - y[-1]) if y[0] > y[-1] else np.zeros_like(y)
    return int(ks[int(np.argmax(1.0 - x - y))])
