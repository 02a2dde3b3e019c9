"""The example on a recipe's page: the segments that its features alone would make, and what came later."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import fmean, median
from typing import NamedTuple

import numpy as np

from stream_seg.cli.output import table
from stream_seg.core.kmeans import assign, fit
from stream_seg.core.naming import names_of
from stream_seg.core.scaling import scaler_of, within_reach
from tests.docs.recipes.folding import Features

SEED = 7


class Segment(NamedTuple):
    """medians: of each column; later: the mean of what its customers did afterwards."""

    name: str
    customers: list[str]
    medians: dict[str, float]
    later: float

    @property
    def size(self) -> int:
        return len(self.customers)


def segments(features: Features, k: int, later: Mapping[str, float]) -> list[Segment]:
    """The largest first. As LEARN makes its first model: the scale of everybody, then the best of many k-means."""
    used = [i for i, column in enumerate(features.columns) if column.feature.role == "feature"]
    x = np.ascontiguousarray(features.x[:, used])
    scaler = scaler_of(x)
    centers, _ = fit(scaler.transform(within_reach(x, scaler)), k, SEED)
    labels, _ = assign(scaler.transform(x), centers)
    names = names_of(centers.tolist(), [features.columns[i] for i in used], [])
    found = []
    for j, name in enumerate(names):
        at = np.flatnonzero(labels == j)
        customers = [features.customers[i] for i in at.tolist()]
        medians = {c.name: median(features.raw[at, i].tolist()) for i, c in enumerate(features.columns)}
        found.append(Segment(name, customers, medians, fmean(later.get(customer, 0.0) for customer in customers)))
    return sorted(found, key=lambda segment: -segment.size)


def shown(found: list[Segment], columns: Mapping[str, Callable[[float], str]], later: Callable[[float], str]) -> str:
    """As it stands on the page: medians of some columns, the mean of `later`."""
    header = ["segment", "customers", *columns, "later"]
    rows = [
        [one.name, f"{one.size:,}", *(say(one.medians[name]) for name, say in columns.items()), later(one.later)]
        for one in found
    ]
    return table([header, *rows], right=range(1, len(header)))


def plain(value: float) -> str:
    return f"{value:.1f}"


def whole(value: float) -> str:
    return f"{value:,.0f}"


def percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f}min"


def days(seconds: float) -> str:
    return f"{seconds / 86_400:.0f}d"


def two(value: float) -> str:
    return f"{value:.2f}"
