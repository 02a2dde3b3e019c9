"""How well groups are set apart, by themselves and beside customers without any groups."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from hdbscan.validity import validity_index

from stream_seg.core.evaluation import silhouette
from stream_seg.core.model import Float64, Int64
from stream_seg.explore.compare.methods import hdbscan, kmeans
from stream_seg.explore.compare.sample import drawn, groups_of

SILHOUETTE_OF, DBCV_OF = 5_000, 1_500  # customers at most: both compare each with each, DBCV in a matrix besides
REFERENCES = 3  # tables without groups of each kind
CLEARLY = 0.05  # by which a figure must exceed those of tables without groups


class Validity(NamedTuple):
    """Near 1: apart; 0 and below: mixed up. None where it does not apply, with the reason.

    silhouette  of who is in a group (Rousseeuw): rewards round groups
    dbcv        density-based (Moulavi et al., 2014): rewards dense groups of any shape, noise counts against it
    """

    silhouette: float | None
    dbcv: float | None
    why: str | None


def validity(z: Float64, labels: Int64, seed: int) -> Validity:
    """Both figures of a labelling (-1: noise)."""
    if groups_of(labels) < 2:
        return Validity(None, None, "one group only: nothing to be apart from" if (labels >= 0).any() else "no group")
    rows = drawn(len(z), SILHOUETTE_OF, seed)
    inside = rows[labels[rows] >= 0]
    if len(np.unique(labels[inside])) < 2:
        return Validity(None, None, "the sample met one group only")
    apart = float(silhouette(np.ascontiguousarray(z[inside]), labels[inside], groups_of(labels)))
    dense, why = dbcv(z, labels, seed)
    return Validity(apart, dense, why)


def dbcv(z: Float64, labels: Int64, seed: int) -> tuple[float | None, str | None]:
    """Density-based validity of at most `DBCV_OF` customers (it keeps n² distances), or None and the reason.

    Groups of which the sample met fewer than three are left out: a density needs neighbours.
    """
    rows = drawn(len(z), DBCV_OF, seed)
    # Customers who are alike to the last digit have no density: each counts once.
    _, first = np.unique(np.column_stack([z[rows], labels[rows]]), axis=0, return_index=True)
    rows = rows[np.sort(first)]
    groups, counts = np.unique(labels[rows], return_counts=True)
    of = np.where(np.isin(labels[rows], groups[(groups >= 0) & (counts > 2)]), labels[rows], -1)
    if len(np.unique(of[of >= 0])) < 2:
        return None, "DBCV: fewer than two groups of more than two different customers in the sample"
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter(
            "ignore"
        )  # it divides by distances of 0 between groups; what comes of it is looked at below
        found = float(validity_index(np.ascontiguousarray(z[rows], np.float64), of, metric="euclidean"))
    return (found, None) if np.isfinite(found) else (None, "DBCV: groups too dense to be compared")


class Structure(NamedTuple):
    """Whether there are groups at all: two figures of the table, and the best that tables without groups reach.

    round_, dense           silhouette of k-means; DBCV of HDBSCAN (0 where it finds no two groups)
    no_groups               the greatest of both over the tables without groups, in the same order
    """

    round_: float
    dense: float
    no_groups: tuple[float, float]

    @property
    def by_centres(self) -> bool:
        return self.round_ > self.no_groups[0] + CLEARLY

    @property
    def by_density(self) -> bool:
        return self.dense > max(0.0, self.no_groups[1]) + CLEARLY


def structure(z: Float64, k: int, seed: int) -> Structure:
    """Compares the table with tables that have its size and spread and no groups.

    Half of them are even within its box along the principal axes (as for the gap statistic), half are one normal cloud
    of its covariance: what looks like groups there looks so by chance.
    """
    rows = z[drawn(len(z), DBCV_OF, seed)]
    chance = [_both(one, k, seed) for one in _without_groups(rows, seed)]
    here = _both(rows, k, seed)
    return Structure(*here, (max(one[0] for one in chance), max(one[1] for one in chance)))


def _both(z: Float64, k: int, seed: int) -> tuple[float, float]:
    centres = kmeans(z, k, seed).labels
    dense = hdbscan(z, k, seed).labels
    found = dbcv(z, dense, seed)[0] if groups_of(dense) >= 2 else None
    return float(silhouette(z, centres, k)), found or 0.0


def _without_groups(z: Float64, seed: int) -> list[Float64]:
    generator = np.random.default_rng(seed)
    mean = z.mean(axis=0)
    _, spread, axes = np.linalg.svd(z - mean, full_matrices=False)
    along = (z - mean) @ axes.T
    low, high = along.min(axis=0), along.max(axis=0)
    boxes = [generator.uniform(low, high, along.shape) for _ in range(REFERENCES)]
    clouds = [generator.normal(0.0, spread / np.sqrt(len(z)), along.shape) for _ in range(REFERENCES)]
    return [np.ascontiguousarray(one @ axes + mean) for one in (*boxes, *clouds)]
