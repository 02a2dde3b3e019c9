"""What the customers of a segment are like, against everybody: the middle and the spread of each feature."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from stream_seg.core.definition import Feature
from stream_seg.core.model import Float64
from stream_seg.core.plan import Column

UNKNOWN = "unknown"
DOMINANT = 3  # categories of a feature that are named


class Measure(TypedDict):
    """One feature. center: mean; low, high: quartiles; before: the mean of those who were in the segment before.

    None where nobody is. `role`: ``outcome`` has no part in the distance.
    """

    role: str
    center: float | None
    median: float | None
    low: float | None
    high: float | None
    population: float | None
    population_median: float | None
    before: float | None


class Category(TypedDict):
    """How many have this category, in the segment and in the tier: shares."""

    value: str
    share: float
    population: float


def measures(columns: Sequence[Column], here: Float64, everybody: Float64, before: Float64) -> dict[str, Measure]:
    """Column -> measure, from rows in real units: of the segment, of the tier, of those who were here before.

    >>> from stream_seg.core.definition import DAY
    >>> column = Column(Feature(name="orders", aggregate="count", window=DAY))
    >>> found = measures([column], np.array([[1.0], [3.0]]), np.array([[1.0], [3.0], [8.0]]), np.empty((0, 1)))
    >>> found["orders"]["center"], found["orders"]["population"], found["orders"]["before"]
    (2.0, 4.0, None)
    """
    middle, whole, past = _spread(here), _spread(everybody), _spread(before)
    return {
        column.name: Measure(
            role=column.feature.role,
            center=middle[0][f],
            median=middle[2][f],
            low=middle[1][f],
            high=middle[3][f],
            population=whole[0][f],
            population_median=whole[2][f],
            before=past[0][f],
        )
        for f, column in enumerate(columns)
    }


def _spread(raw: Float64) -> list[list[float | None]]:
    """Mean and quartiles of each column: 4 rows."""
    if not len(raw):
        return [[None] * raw.shape[1]] * 4
    return [raw.mean(axis=0).tolist(), *np.quantile(raw, [0.25, 0.5, 0.75], axis=0).tolist()]


def categories(columns: Sequence[Column], here: Float64, everybody: Float64) -> dict[str, list[Category]]:
    """Feature -> the categories that most customers of a segment have; of hashed ones nobody knows the names."""
    found: dict[str, list[Category]] = {}
    for feature in dict.fromkeys(column.feature for column in columns):
        if feature.encode is None or feature.encode == "hashed" or not len(here):
            continue
        at = [f for f, column in enumerate(columns) if column.feature is feature]
        parts = [columns[f].part for f in at]
        counts, whole = (Counter(category_of(feature, parts, row) for row in rows[:, at]) for rows in (here, everybody))
        order = sorted(counts, key=lambda value: (-counts[value], value))[:DOMINANT]
        found[feature.name] = [
            Category(value=v, share=counts[v] / len(here), population=whole[v] / len(everybody)) for v in order
        ]
    return found


def category_of(feature: Feature, parts: Sequence[str | None], raw: Float64) -> str:
    """The category that an encoded feature's columns say."""
    if feature.encode in {"one_hot", "hashed"}:
        return parts[int(np.argmax(raw))] or UNKNOWN
    code = int(raw[0]) if feature.encode == "ordinal" else sum(int(bit) << i for i, bit in enumerate(raw.tolist()))
    return feature.categories[code - 1] if code else UNKNOWN
