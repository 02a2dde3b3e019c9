"""What the report is about: the customer table, its segments, what is missing in it, and what the events told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from stream_seg.core.definition import Definition, Feature
from stream_seg.core.evaluation import optimum, silhouette
from stream_seg.core.kmeans import assign
from stream_seg.core.model import Float64, Int64
from stream_seg.core.naming import names_of
from stream_seg.core.plan import Column
from stream_seg.explore.page import Section
from stream_seg.explore.report.observed import Observed
from stream_seg.explore.report.units import Unit, unit_of
from stream_seg.explore.table import CustomerTable

FITTED = 5_000  # customers that segments are fitted to, as a learner keeps them; the others take the nearest
MEASURED = 2_000  # customers whose silhouette is taken: it needs the distance of each to each
NOTHING = -1.5e300  # what a probe says where there is nothing to measure; no real value reaches it
PROBE = "zz_missing_"
MAY_MISS = {"mean", "max", "min", "ratio", "trend", "tenure", "latest", "projection", "diversity"}

Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Change:
    """Something that the report proposes for the configuration: of one feature, with the reason.

    keys: put into the feature called `name`, `without`: taken out of it; of one that is not there yet, all of it.
    """

    name: str
    keys: dict[str, Any]
    why: str
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chapter:
    """A section of the page, the figures in it, and what it would change."""

    section: Section
    figures: dict[str, Any]
    changes: Sequence[Change] = field(default=())


class Segments(NamedTuple):
    """k-means with the configured k: labels (n,), the greatest segment first; centres (k, f); names."""

    labels: Int64
    centers: Float64
    names: tuple[str, ...]

    @property
    def k(self) -> int:
        """How many there are; fewer than configured where customers are alike."""
        return len(self.centers)


@dataclass(frozen=True)
class Subject:
    """The table with what belongs to it.

    missing  (n, features of the definition) nothing was there to measure
    """

    table: CustomerTable
    definition: Definition
    missing: Bool
    observed: Observed

    @property
    def n(self) -> int:
        """How many customers."""
        return len(self.table.customers)

    @property
    def k(self) -> int:
        """Segments that the configuration asks for."""
        return self.definition.learning.k

    @property
    def seed(self) -> int:
        """Everything random is drawn from it."""
        return self.definition.learning.seed

    @cached_property
    def segments(self) -> Segments:
        """Segments of the table as it is configured."""
        labels, centers = segmented(self.table.z, self.table.within, self.k, self.seed)
        return Segments(labels, centers, names_of(centers.tolist(), self.table.columns, ()))  # levers are of others

    def unit(self, column: Column) -> Unit:
        """What a column counts."""
        return unit_of(column, self.definition.features)

    def at(self, feature: Feature) -> list[int]:
        """Where its columns stand in `table.raw`."""
        return [i for i, column in enumerate(self.table.space.plan.columns) if column.feature.name == feature.name]

    def inside(self, feature: Feature) -> list[int]:
        """Where its columns stand in `table.x` and `table.z`."""
        return [i for i, column in enumerate(self.table.columns) if column.feature.name == feature.name]


def segmented(z: Float64, within: Int64, k: int, seed: int) -> tuple[Int64, Float64]:
    """k-means labels of all rows and the centres, the greatest segment first; fitted to the rows `within` reach."""
    near = some(z[within], FITTED, seed)
    k = max(min(k, len(np.unique(near, axis=0))), 1)
    centers = optimum(near, k, seed)[0] if len(near) else np.zeros((1, z.shape[1]))
    labels = assign(z, centers)[0]
    order = np.argsort(-np.bincount(labels, minlength=len(centers)), kind="stable")
    return np.argsort(order)[labels].astype(np.int64), np.ascontiguousarray(centers[order])


def some(rows: Float64, most: int, seed: int) -> Float64:
    """At most so many of the rows, drawn with a seed, in their order."""
    return np.ascontiguousarray(rows[drawn(len(rows), most, seed)])


def drawn(n: int, most: int, seed: int) -> Int64:
    """At most so many of n places, in order."""
    if n <= most:
        return np.arange(n, dtype=np.int64)
    return np.sort(np.random.default_rng(seed).choice(n, most, replace=False)).astype(np.int64)


def apartness(z: Float64, labels: Int64, seed: int) -> float:
    """The mean silhouette of at most `MEASURED` customers; 0 where there is one segment."""
    at = drawn(len(z), MEASURED, seed)
    if not len(at):
        return 0.0
    _, found = np.unique(labels[at], return_inverse=True)
    return float(silhouette(np.ascontiguousarray(z[at]), found.astype(np.int64), int(found.max()) + 1))


def moved(before: Int64, after: Int64) -> float:
    """The share of customers who change their segment, whatever the segments are called: those off the best matching.

    >>> moved(np.array([0, 0, 1, 1]), np.array([1, 1, 0, 1]))
    0.25
    """
    counts = np.zeros((int(before.max(initial=0)) + 1, int(after.max(initial=0)) + 1))
    np.add.at(counts, (before, after), 1.0)
    rows, columns = linear_sum_assignment(-counts)
    return float(1.0 - counts[rows, columns].sum() / len(before)) if len(before) else 0.0


def probed(definition: Definition) -> Definition:
    """The same with a probe for each feature that may have nothing to measure: its twin with another `empty` value.

    So what is missing is known exactly: a mean of 0 and a mean of nothing are told apart.
    """
    plain: dict[str, Any] = {"log1p": False, "clip": None, "quantile_clip": None, "words": None, "role": "outcome"}
    probes = [
        msgspec.structs.replace(one, name=PROBE + one.name, empty=NOTHING, **plain)
        for one in definition.features
        if one.aggregate in MAY_MISS and one.encode is None
    ]
    return msgspec.structs.replace(definition, features=(*definition.features, *probes))


def missing_in(definition: Definition, columns: Sequence[Column], raw: Float64) -> Bool:
    """(n, features) whether there was nothing to measure, from a table of the probed definition."""
    at = {column.name: i for i, column in enumerate(columns)}
    found = np.zeros((len(raw), len(definition.features)), np.bool_)
    for i, feature in enumerate(definition.features):
        if (probe := at.get(PROBE + feature.name)) is not None:
            found[:, i] = raw[:, probe] == NOTHING
        elif feature.encode is not None:
            own = [j for j, column in enumerate(columns) if column.feature.name == feature.name]
            if feature.encode in {"one_hot", "hashed"}:
                unknown = [j for j in own if columns[j].part in {None, "unknown"}]
                found[:, i] = raw[:, unknown].any(axis=1) if unknown else ~raw[:, own].any(axis=1)
            else:
                found[:, i] = ~raw[:, own].any(axis=1)
    return found
