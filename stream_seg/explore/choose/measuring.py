"""Everything that is measured of each number of segments, on one table and the days before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from stream_seg.core.definition import Learning
from stream_seg.core.evaluation import optimum
from stream_seg.core.kmeans import assign
from stream_seg.core.model import Float64, InForce, Int64, ModelArrays, ModelVersion, model_arrays
from stream_seg.core.naming import names_of
from stream_seg.core.scaling import scaler_of
from stream_seg.explore.beginning import model_of
from stream_seg.explore.choose.gap import Gap, gap_of
from stream_seg.explore.choose.moving import Flips, learner_flips, monthly_moves
from stream_seg.explore.choose.stability import Stability, between_months, bootstrap
from stream_seg.explore.table import CustomerTable
from stream_seg.explore.threads import on_all_cores
from stream_seg.pipeline.daily import Day
from stream_seg.progress import Tell

JUDGED = 4_000  # customers for whom all distances are computed: for silhouettes
DRAWN = 5_000  # customers of whom gap and bootstrap are computed
FITTING, GAP, STABILITY, MOVING = "fitting segments", "gap statistic", "stability", "live learner"


class Measured(NamedTuple):
    """One number of segments. Segments are in order of size, the largest first.

    centers      (k, columns) in the scale of the table
    labels       (customers,) the nearest of each customer
    shares       of each segment
    names        of each segment, as the naming of the live system has them
    distinct     segments whose name is told apart by words alone, not by a number or by degree
    silhouette   mean over the customers; silhouettes: of each segment
    stability    against other draws of the customers; months: against the month before, each month
    separation   feature that must be separated -> share of the variance of its ranks between segments
    moves        share of the customers who move in 30 days; None: there are less than 30 days
    flips        what the live learner does to labels; None: too few customers 120 days ago
    """

    k: int
    centers: Float64
    labels: Int64
    inertia: float
    shares: tuple[float, ...]
    names: tuple[str, ...]
    distinct: int
    silhouette: float
    silhouettes: tuple[float, ...]
    stability: Stability
    months: tuple[float, ...]
    separation: dict[str, float]
    moves: float | None
    flips: Flips | None


class Measures(NamedTuple):
    """All of them, k by k, and the gap statistic over them."""

    each: tuple[Measured, ...]
    gap: Gap


def measure(
    table: CustomerTable,
    days: Sequence[Day],
    months: Sequence[Day],
    ks: Sequence[int],
    learning: Learning,
    must_separate: Sequence[str],
    *,
    every: int,
    margin: float,
    version: str,
    tell: Tell,
) -> Measures:
    """Measures every k of `ks` (in order, from 2 on). `every`: ms between the days on which a live learner learns.

    Raises nothing that a table with enough customers can bring.
    """
    z, near, seed = table.z, table.near, learning.seed
    fits = []
    for n, k in enumerate(ks, 1):
        centers, inertia = optimum(near, k, seed)
        fits.append((_by_size(near, centers), inertia))
        tell(FITTING, n, len(ks))
    few, scarce = near[_sample(len(near), DRAWN, seed)], z[_sample(len(z), JUDGED, seed)]
    gap = _gap(few, ks, seed, tell)
    between = _between(scarce)
    monthly = _monthly(table, months)
    found = []
    for n, (k, (centers, inertia)) in enumerate(zip(ks, fits, strict=True), 1):
        labels, _ = assign(z, centers)
        silhouette, silhouettes = _silhouettes(between, assign(scarce, centers)[0], k)
        names = names_of([tuple(center) for center in centers.tolist()], table.columns, ())
        model = model_of(table, centers, names, learning.learner, version)
        arrays = arrays_of(model, table, margin)
        tell(STABILITY, n, len(ks))
        found.append(
            Measured(
                k=k,
                centers=centers,
                labels=labels,
                inertia=inertia,
                shares=tuple((np.bincount(labels, minlength=k) / len(labels)).tolist()),
                names=names,
                distinct=sum(_plain(name) for name in names),
                silhouette=silhouette,
                silhouettes=silhouettes,
                stability=bootstrap(few, assign(few, centers)[0], k, seed),
                months=between_months(monthly, k, seed),
                separation={name: explained(table.values(name), labels) for name in must_separate},
                moves=monthly_moves(days, table.space, arrays),
                flips=None,
            )
        )
    known = [day.of_smallest(learning.table) for day in days]
    seen = [table.space.seen(day.raw) for day in known]
    lived = on_all_cores(
        lambda one: learner_flips(known, seen, table.columns, msgspec.structs.replace(learning, k=one.k), every), found
    )
    for n, flips in enumerate(lived):
        found[n] = found[n]._replace(flips=flips)
        tell(MOVING, n + 1, len(found))
    return Measures(tuple(found), gap)


def arrays_of(model: ModelVersion, table: CustomerTable, margin: float) -> ModelArrays:
    """A version for the compiled decision."""
    return model_arrays([InForce(0, model, margin, 0)], table.space.plan.names)


def explained(values: Float64, labels: Int64) -> float:
    """The share of the variance of the ranks of `values` that lies between the segments: eta squared of ranks.

    Ranks, because money has heavy tails; 0.06 is a middling effect, 0.14 a large one (Cohen 1988).

    >>> round(explained(np.array([1.0, 2.0, 90.0, 91.0]), np.array([0, 0, 1, 1])), 2)
    0.8
    """
    order = np.unique(values, return_inverse=True)[1]
    counts = np.bincount(order)
    ranks = (np.cumsum(counts) - (counts - 1) / 2.0)[order]
    total = ((ranks - ranks.mean()) ** 2).sum()
    if not total:
        return 0.0
    sizes = np.bincount(labels)
    means = np.bincount(labels, weights=ranks) / np.maximum(sizes, 1)
    return float((sizes * (means - ranks.mean()) ** 2).sum() / total)


def _by_size(z: Float64, centers: Float64) -> Float64:
    """The same centres, that of the largest segment first: numbers that people can remember."""
    labels, _ = assign(z, centers)
    sizes = np.bincount(labels, minlength=len(centers))
    return np.ascontiguousarray(centers[np.lexsort((centers[:, 0], -sizes))])


def _sample(n: int, most: int, seed: int) -> Int64:
    """Rows of a sample of so many at most, in order."""
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, most, replace=False))


def _gap(z: Float64, ks: Sequence[int], seed: int, tell: Tell) -> Gap:
    inertias = [float(((z - z.mean(axis=0)) ** 2).sum())]
    inertias += [optimum(z, k, seed)[1] for k in range(2, ks[-1] + 1)]
    return gap_of(z, inertias, seed, told=lambda done, of: tell(GAP, done, of))


def _between(z: Float64) -> Float64:
    """The distances of everybody to everybody, (n, n)."""
    squares = (z * z).sum(axis=1)
    found: Float64 = np.sqrt(np.maximum(squares[:, None] + squares - 2.0 * (z @ z.T), 0.0))
    np.fill_diagonal(found, 0.0)
    return found


def _silhouettes(between: Float64, labels: Int64, k: int) -> tuple[float, tuple[float, ...]]:
    """Mean silhouette (Rousseeuw 1987), and that of each segment; 0 for a segment that nobody of the sample is in."""
    from sklearn.metrics import silhouette_samples  # noqa: PLC0415  # a second that a table of choices does not need

    if not 1 < len(np.unique(labels)) < len(labels):
        return 0.0, (0.0,) * k
    values = silhouette_samples(between, labels, metric="precomputed")
    own = tuple(float(values[labels == j].mean()) if (labels == j).any() else 0.0 for j in range(k))
    return float(values.mean()), own


def _monthly(table: CustomerTable, months: Sequence[Day]) -> list[tuple[Float64, Float64]]:
    """The customers of each month, in the scale of the month before and in their own."""
    found: list[tuple[Float64, Float64]] = []
    scaler = None
    for month in months:
        x = table.limits.clip(table.space.seen(month.raw))
        if not len(x):
            continue
        own = scaler_of(x)
        found.append(((scaler or own).transform(x), own.transform(x)))
        scaler = own
    return found


def _plain(name: str) -> bool:
    return not name.endswith((")", ", more so", ", less so"))
