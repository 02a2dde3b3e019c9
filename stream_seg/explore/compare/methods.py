"""The methods that are compared, and what each makes of a table.

`most` is a method's budget: so many customers it is given at most, drawn with the seed; the others follow the nearest
of them (or the nearest centre). Rows, not seconds: what comes out must not hang on how busy a machine is. With these
numbers none of them takes more than some seconds and some hundred MB.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from scipy.cluster import hierarchy
from sklearn import config_context
from sklearn.cluster import DBSCAN, HDBSCAN, Birch, MeanShift
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

from stream_seg.core.evaluation import optimum
from stream_seg.core.model import Float64, Int64
from stream_seg.explore.compare import parameters, streaming
from stream_seg.explore.compare.sample import NOISE, by_size, carried_over, drawn, groups_of, to_centres

Kind: TypeAlias = Literal["centres", "density", "tree", "mixture", "streaming"]
KMEANS = "k-means"
SEEDS = 100  # places that mean-shift climbs from, up to so many steps each
STEPS = 100
COVARIANCES = ("full", "diag", "spherical")
EM_STARTS = 3


class Found(NamedTuple):
    """What a method made of the rows that it was given.

    labels  (n,) -1: noise
    told    its parameters
    why     where they come from, in a sentence
    centres (groups, f) where its labels are those of the nearest centre
    """

    labels: Int64
    told: Mapping[str, float | str]
    why: str
    centres: Float64 | None = None


class Method(NamedTuple):
    name: str
    kind: Kind
    most: int
    fit: Callable[[Float64, int, int], Found]  # z, k, seed


class Labelled(NamedTuple):
    """A method's labels of everybody.

    labels  (n,) numbered from the largest group down, -1: noise
    rows    who it was given
    notes   what it warned of
    """

    method: Method
    labels: Int64
    rows: Int64
    found: Found
    notes: tuple[str, ...]

    @property
    def groups(self) -> int:
        return groups_of(self.labels)

    @property
    def noise(self) -> float:
        """The share of customers who belong to no group."""
        return float(np.mean(self.labels < 0))


def labelled(method: Method, z: Float64, k: int, seed: int) -> Labelled:
    """Everybody's labels by one method. What its library would say on the terminal is in `notes`."""
    rows = drawn(len(z), method.most, seed)
    # One thread: sums of several threads end differently in the last digit from run to run.
    with warnings.catch_warnings(record=True) as said, threadpool_limits(1), _unchecked():
        warnings.simplefilter("always")
        found = method.fit(np.ascontiguousarray(z[rows]), k, seed)
    if found.centres is not None and len(found.centres):
        labels = to_centres(z, found.centres)
    else:
        labels = carried_over(z, rows, found.labels)
    notes = dict.fromkeys(str(one.message) for one in said if issubclass(one.category, ConvergenceWarning))
    return Labelled(method, by_size(labels), rows, found, tuple(notes))


def _unchecked() -> AbstractContextManager[None]:
    """Without a look for NaN and odd parameters in every one of the thousands of calls that mean-shift makes."""
    context: AbstractContextManager[None] = config_context(assume_finite=True, skip_parameter_validation=True)
    return context


def kmeans(z: Float64, k: int, seed: int) -> Found:
    """The best batch fit, which a worker serves as it is."""
    centres, _ = optimum(z, k, seed)
    return Found(to_centres(z, centres), {"k": k}, f"k = {k} as asked for; the best of 20 starts", centres)


def dbscan(z: Float64, k: int, seed: int) -> Found:  # noqa: ARG001 — it counts groups itself, and draws nothing
    """Dense places that touch are a group (Ester et al., 1996)."""
    eps, least = parameters.reach(z), parameters.neighbours(z)
    labels = DBSCAN(eps=eps, min_samples=least).fit_predict(z)
    why = f"eps is the knee of the sorted distances to the {least}-th neighbour; min_samples is twice the columns"
    return Found(labels.astype(np.int64), {"eps": eps, "min_samples": least}, why)


def hdbscan(z: Float64, k: int, seed: int) -> Found:  # noqa: ARG001 — as for DBSCAN
    """The same at every density at once, and the groups that last (Campello et al., 2013)."""
    size, least = parameters.smallest_group(len(z)), parameters.neighbours(z)
    labels = HDBSCAN(min_cluster_size=size, min_samples=min(size, least), copy=True).fit_predict(z)
    why = "min_cluster_size is 1 % of the customers it saw, not below 5; min_samples is twice the columns"
    return Found(labels.astype(np.int64), {"min_cluster_size": size, "min_samples": min(size, least)}, why)


def ward(z: Float64, k: int, seed: int) -> Found:  # noqa: ARG001 — draws nothing
    """A tree by least growth of the inertia, cut at k."""
    labels = hierarchy.fcluster(hierarchy.linkage(z, method="ward"), k, criterion="maxclust") - 1
    return Found(labels.astype(np.int64), {"k": k}, f"the tree cut where it has {k} branches, as many as k")


def birch(z: Float64, k: int, seed: int) -> Found:
    """A tree of tight leaves in one pass, the leaves joined to k groups (Zhang et al., 1996)."""
    threshold = parameters.radius(z, seed)
    labels = Birch(threshold=threshold, n_clusters=k).fit_predict(z)
    why = "threshold is half of the median distance to the neighbours that make a place dense; leaves are joined to k"
    return Found(labels.astype(np.int64), {"threshold": threshold, "k": k}, why)


def mixture(z: Float64, k: int, seed: int) -> Found:
    """K normal clouds by EM; each customer goes to the likeliest."""
    fits = [
        GaussianMixture(k, covariance_type=form, n_init=EM_STARTS, reg_covar=1e-4, random_state=seed).fit(z)
        for form in COVARIANCES
    ]
    best = min(fits, key=lambda fit: fit.bic(z))
    why = f"k = {k} as asked for; of the forms {', '.join(COVARIANCES)} that with the lowest BIC"
    return Found(best.predict(z).astype(np.int64), {"k": k, "covariance": best.covariance_type}, why)


def mean_shift(z: Float64, k: int, seed: int) -> Found:  # noqa: ARG001 — it counts groups itself
    """Peaks of density that customers climb to (Comaniciu and Meer, 2002)."""
    width = parameters.bandwidth(z, seed)
    starts = z[drawn(len(z), SEEDS, seed)]
    shifted = MeanShift(bandwidth=width, seeds=starts, max_iter=STEPS).fit(z)
    why = f"bandwidth is the mean distance to the nearest fifth of the customers; climbs from {len(starts)} of them"
    return Found(shifted.labels_.astype(np.int64), {"bandwidth": width}, why, shifted.cluster_centers_)


def _streamed(fit: Callable[[Float64, int, int], streaming.Streamed]) -> Callable[[Float64, int, int], Found]:
    def found(z: Float64, k: int, seed: int) -> Found:
        centres, told, why = fit(z, k, seed)
        labels = to_centres(z, centres) if len(centres) else np.full(len(z), NOISE, np.int64)
        return Found(labels, told, f"{why}; one pass, in an order drawn with the seed", centres)

    return found


METHODS = (
    Method(KMEANS, "centres", 50_000, kmeans),
    Method("agglomerative (Ward)", "tree", 5_000, ward),
    Method("BIRCH", "tree", 10_000, birch),
    Method("EM (Gaussian mixture)", "mixture", 10_000, mixture),
    Method("mean-shift", "density", 2_500, mean_shift),
    Method("DBSCAN", "density", 5_000, dbscan),
    Method("HDBSCAN", "density", 5_000, hdbscan),
    *(Method(f"river {name}", "streaming", 2_000, _streamed(fit)) for name, fit in streaming.FITS.items()),
)
