"""river's streaming clusterers, each given the table once, customer by customer.

A table has no order; they get one drawn with the seed. Nothing fades: all customers are of the same instant. In the end
each of them labels by the nearest of its centres, so centres are what is taken from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from river import cluster

from stream_seg.core.clustering import HALFLIFE
from stream_seg.core.model import Float64
from stream_seg.explore.compare import parameters

Vector: TypeAlias = dict[int, float]
MICRO = 100  # micro-clusters of CluStream
FIRST = 300  # customers that DenStream begins with: it compares each with each, in Python
STEADY = 1e-6  # a fading that fades nothing


class Streamed(NamedTuple):
    """centres (groups, f); what the clusterer was told, and why."""

    centres: Float64
    told: Mapping[str, float | str]
    why: str


def kmeans(z: Float64, k: int, seed: int) -> Streamed:
    """A centre moves a constant share of the way towards each customer."""
    halflife = HALFLIFE.default
    learner = cluster.KMeans(n_clusters=k, halflife=halflife, mu=0, sigma=1, seed=seed)
    why = "k as asked for, the halflife that the learner `river` has; it begins at random places"
    return Streamed(_learned(learner, z, seed), {"k": k, "halflife": halflife}, why)


def stream_kmeans(z: Float64, k: int, seed: int) -> Streamed:
    """k-means of each chunk, then k-means over the centres of chunks."""
    chunk, halflife = max(k, min(10 * k, len(z) // 5)), 0.1
    learner = cluster.STREAMKMeans(chunk_size=chunk, n_clusters=k, halflife=halflife, mu=0, sigma=1, seed=seed)
    why = "k as asked for, ten customers a segment in each chunk"
    return Streamed(_learned(learner, z, seed), {"k": k, "chunk_size": chunk, "halflife": halflife}, why)


def clustream(z: Float64, k: int, seed: int) -> Streamed:
    """Micro-clusters online, k-means over them (Aggarwal et al., 2003)."""
    micro = max(k, min(MICRO, len(z) // 5))
    gap, halflife = max(2, min(MICRO, len(z) // 5)), 0.1
    learner = cluster.CluStream(
        n_macro_clusters=k, max_micro_clusters=micro, time_window=len(z), time_gap=gap, seed=seed, halflife=halflife
    )
    why = f"k as asked for over {micro} micro-clusters; nobody is too old"
    return Streamed(_learned(learner, z, seed), {"k": k, "max_micro_clusters": micro, "time_gap": gap}, why)


def denstream(z: Float64, k: int, seed: int) -> Streamed:  # noqa: ARG001 — it counts groups itself
    """Dense micro-clusters that touch are a group (Cao et al., 2006)."""
    epsilon, mu = parameters.reach(z), parameters.neighbours(z) / 2
    learner = cluster.DenStream(
        decaying_factor=STEADY, beta=0.75, mu=mu, epsilon=epsilon, n_samples_init=min(FIRST, len(z) // 2),
        stream_speed=len(z) + 1,
    )  # fmt: skip
    _walk(learner, z, seed)
    learner.predict_one(dict(enumerate(z[0].tolist())))  # joins its micro-clusters to groups
    why = "epsilon is the eps of DBSCAN, mu half of its min_samples"
    return Streamed(_centres(learner.centers, z.shape[1]), {"epsilon": epsilon, "mu": mu}, why)


def dbstream(z: Float64, k: int, seed: int) -> Streamed:  # noqa: ARG001 — it counts groups itself
    """Micro-clusters that share customers are a group (Hahsler and Bolaños, 2016)."""
    threshold = parameters.reach(z)
    weight = max(2.0, parameters.smallest_group(len(z)) / 2)
    learner = cluster.DBSTREAM(
        clustering_threshold=threshold, fading_factor=STEADY, cleanup_interval=len(z) + 1, minimum_weight=weight
    )
    why = "clustering_threshold is the eps of DBSCAN, minimum_weight half a percent of the customers"
    return Streamed(_learned(learner, z, seed), {"clustering_threshold": threshold, "minimum_weight": weight}, why)


def _vectors(z: Float64, seed: int) -> Iterator[Vector]:
    for i in np.random.default_rng(seed).permutation(len(z)).tolist():
        yield dict(enumerate(z[i].tolist()))


def _walk(learner: Any, z: Float64, seed: int) -> None:
    for vector in _vectors(z, seed):
        learner.learn_one(vector)


def _learned(learner: Any, z: Float64, seed: int) -> Float64:
    _walk(learner, z, seed)
    return _centres(learner.centers, z.shape[1])


def _centres(found: Mapping[int, Mapping[int, float]], columns: int) -> Float64:
    """One row for each; none at all where it found no group."""
    rows = [[center.get(f, 0.0) for f in range(columns)] for _, center in sorted(found.items())]
    return np.array(rows, np.float64).reshape(-1, columns)


FITS: Mapping[str, Callable[[Float64, int, int], Streamed]] = {
    "KMeans": kmeans,
    "STREAMKMeans": stream_kmeans,
    "CluStream": clustream,
    "DenStream": denstream,
    "DBSTREAM": dbstream,
}
