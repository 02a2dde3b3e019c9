"""t-SNE maps of the customers, several of them, and how far they agree. Arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations, permutations
from threading import Event
from typing import Any, NamedTuple

import numpy as np
from sklearn.cluster import HDBSCAN
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from stream_seg.core.evaluation import adjusted_rand
from stream_seg.core.model import Float64, Int64

PERPLEXITIES = (10, 30, 100)
USUAL = "principal components"
STARTS = (USUAL, "random", "random, next seed")
MAPPED = 3_000  # customers at most: a map of more takes minutes and is one blot
LEAST = 3 * 5 + 2  # customers below which there is no map: a perplexity of 5 looks at 15 neighbours
NEIGHBOURS = 15
SMALLEST_ISLAND = 0.02  # of the customers on the map
AT_ONCE = 2  # maps; what they spend their time on lets other threads run
HEED = 25  # rounds of a map after which it looks whether it is still wanted


class Map(NamedTuple):
    """One map: points (n, 2), islands (n,), -1 for whoever is in none; `kind`: customers, or noise for comparison."""

    perplexity: int
    start: str
    points: Float64
    islands: Int64
    kind: str = "customers"

    @property
    def number(self) -> int:
        """How many islands."""
        return int(self.islands.max(initial=-1)) + 1


class _Order(NamedTuple):
    z: Float64
    perplexity: int
    start: str
    seed: int
    kind: str


def perplexities(n: int) -> list[int]:
    """Those of `PERPLEXITIES` that so many customers allow, or the largest that they do.

    >>> perplexities(2000), perplexities(60), perplexities(20), perplexities(10)
    ([10, 30, 100], [10], [6], [])
    """
    if n < LEAST:
        return []
    return [one for one in PERPLEXITIES if 3 * one < n - 1] or [(n - 2) // 3]


def drawn_maps(z: Float64, seed: int, done: Callable[[int, int], None]) -> list[Map]:
    """Maps of the rows of z at several perplexities, from `STARTS` each; and of noise with the same correlations.

    A start from the principal components is the usual one, the others begin at random, each with a seed of its own:
    what all of them show is of none.
    """
    noise = noise_like(z, seed)
    orders = [
        _Order(z, perplexity, start, seed + i, "customers")
        for perplexity in perplexities(len(z)) for i, start in enumerate(STARTS)
    ]  # fmt: skip
    orders += [
        _Order(noise, perplexity, start, seed + i, "noise")
        for perplexity in perplexities(len(z))[:2] for i, start in enumerate(STARTS[:2])
    ]  # fmt: skip
    found = list[Map]()
    done(0, len(orders))
    unwanted = Event()
    # BLAS in one thread: sums in one order, the same map every time.
    with threadpool_limits(1), ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            for one in pool.map(lambda order: _map(order, unwanted), orders):
                found.append(one)
                done(len(found), len(orders))
        except BaseException:
            unwanted.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return found


def _map(order: _Order, unwanted: Event) -> Map:
    from openTSNE import TSNE  # noqa: PLC0415  # half a second that a report without maps does not need

    start = started(order.z, order.seed) if order.start == USUAL else "random"
    made = TSNE(
        perplexity=order.perplexity, initialization=start, random_state=order.seed, n_jobs=1, neighbors="exact",
        negative_gradient_method="bh", callbacks=lambda *_: unwanted.is_set(), callbacks_every_iters=HEED,
    ).fit(order.z)  # fmt: skip
    points = np.asarray(made, np.float64)
    return Map(order.perplexity, order.start, points, islands_of(points), order.kind)


def started(z: Float64, seed: int) -> Float64:
    """(n, 2) where a map begins: the two widest directions of the rows, as small as t-SNE wants it."""
    gaps = z - z.mean(axis=0)
    _, vectors = np.linalg.eigh(gaps.T @ gaps / len(z))
    # who is alike begins beside, not upon each other
    found = np.random.default_rng(seed).normal(scale=1e-3, size=(len(z), 2))
    widest = vectors[:, ::-1][:, :2]
    found[:, : widest.shape[1]] += gaps @ (widest * np.sign(widest.sum(axis=0) + 1e-12))
    return np.ascontiguousarray(found / found[:, 0].std() * 1e-4)


def islands_of(points: Float64) -> Int64:
    """Dense places of a map (HDBSCAN), numbered; -1 between them. Smaller ones than `SMALLEST_ISLAND` are none."""
    least = max(5, round(SMALLEST_ISLAND * len(points)))
    found = HDBSCAN(min_cluster_size=least, min_samples=min(10, least), n_jobs=1, copy=True).fit_predict(points)
    return np.asarray(found, np.int64)


def noise_like(z: Float64, seed: int) -> Float64:
    """As many rows without any group in them: normal, with the means and correlations of the columns of z."""
    gaps = z - z.mean(axis=0)
    values, vectors = np.linalg.eigh(gaps.T @ gaps / len(z))
    drawn = np.random.default_rng(seed).normal(size=z.shape)
    return np.ascontiguousarray(drawn * np.sqrt(np.maximum(values, 0.0)) @ vectors.T)


def neighbours(points: Float64, k: int) -> Int64:
    """(n, k) the nearest others of each row."""
    with threadpool_limits(1):
        found = NearestNeighbors(n_neighbors=k, algorithm="kd_tree").fit(points).kneighbors(return_distance=False)
    return np.asarray(found, np.int64)


def kept(a: Int64, b: Int64) -> float:
    """The share of the nearest others in one space that are so in another, too.

    >>> kept(np.array([[1, 2], [0, 2]]), np.array([[2, 3], [0, 2]]))
    0.75
    """
    return float(np.mean([len(np.intersect1d(x, y)) for x, y in zip(a, b, strict=True)]) / a.shape[1])


def agreement(maps: Sequence[Map]) -> float:
    """Mean adjusted Rand of the islands of each two maps, over all customers; who is in none is in a group of its own.

    Without those a map of noise with two tiny islands would agree with another one wholly.
    """
    found = [adjusted_rand(one.islands, other.islands) for one, other in combinations(maps, 2)]
    return float(np.mean(found)) if found else 1.0


def together(maps: Sequence[Map]) -> tuple[float, float]:
    """Of two customers on one island of a map: how many are so on another map, and how many would be by chance.

    >>> a, b = (Map(30, "", np.empty((4, 2)), np.array(islands)) for islands in ([0, 0, 1, 1], [0, 0, 0, -1]))
    >>> [tuple(round(share, 3) for share in together(maps)) for maps in ([a, a], [a, b])]
    [(1.0, 0.333), (0.417, 0.417)]
    """
    again, chance = list[float](), list[float]()
    for one, other in permutations(maps, 2):
        counts = np.zeros((one.number + 1, other.number + 1))
        np.add.at(counts, (one.islands, other.islands), 1.0)  # -1, in none, is the last
        pairs, both = (float((n * (n - 1)).sum()) for n in (counts[:-1].sum(axis=1), counts[:-1, :-1]))
        among = counts.sum(axis=0)[:-1]
        n = len(one.islands)
        again.append(both / pairs if pairs else 0.0)
        chance.append(float((among * (among - 1)).sum()) / (n * (n - 1)))
    return (float(np.mean(again)), float(np.mean(chance))) if again else (1.0, 1.0)


def aligned(points: Float64, model: Float64) -> Float64:
    """A map turned and mirrored as near to another one as it goes: nothing on it changes but where up is."""
    a, b = points - points.mean(axis=0), model - model.mean(axis=0)
    u, _, v = np.linalg.svd(a.T @ b)
    return np.ascontiguousarray(a @ (u @ v))


def faithful(z: Float64, maps: Sequence[Map]) -> dict[str, Any]:
    """How well the maps keep the `NEIGHBOURS` nearest of each customer: against the space, and map against map."""
    k = min(NEIGHBOURS, len(z) - 1)
    true = neighbours(z, k)
    near = [neighbours(one.points, k) for one in maps]
    each = [kept(true, one) for one in near]
    between = [kept(a, b) for a, b in combinations(near, 2)]
    return {"neighbours": k, "kept": each, "kept_between": float(np.mean(between)) if between else 1.0}
