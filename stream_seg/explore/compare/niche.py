"""Small groups that stand apart, and whether segments of k-means show them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from stream_seg.core.evaluation import optimum
from stream_seg.core.kmeans import assign
from stream_seg.core.model import Float64, Int64
from stream_seg.explore.compare.methods import Labelled
from stream_seg.explore.compare.sample import drawn

SHARE = 0.05  # a group up to so many of the customers is a niche
SHOWN = 0.5  # Jaccard: from here on a segment is that group
MOST = 8  # groups that are told of
LARGEST_K = 12  # up to which k-means is asked for it
SEARCHED = 3_000  # customers


class Niche(NamedTuple):
    """A small group.

    members  (n,) booleans, and who finds it: the names of the methods
    share    of the customers
    kmeans   the best overlap (Jaccard) with a segment of k-means
    from_k   the least k at which k-means shows it; None: not up to `LARGEST_K`
    """

    members: Int64
    found_by: tuple[str, ...]
    share: float
    kmeans: float
    from_k: int | None


def overlap(members: Int64, labels: Int64) -> float:
    """The best Jaccard index of some customers (0, 1) with a group of a labelling.

    >>> overlap(np.array([1, 1, 0, 0]), np.array([0, 0, 0, 1]))
    0.6666666666666666
    """
    best = 0.0
    for group in np.unique(labels[(members > 0) & (labels >= 0)]):
        inside = labels == group
        best = max(best, float(np.sum(inside & (members > 0)) / np.sum(inside | (members > 0))))
    return best


def niches(z: Float64, found: Sequence[Labelled], reference: Labelled) -> list[Niche]:
    """The small groups of density and mixture methods, largest first; one that several find is told of once."""
    seen: list[tuple[Int64, list[str]]] = []
    for one in found:
        if one.method.kind not in {"density", "mixture"}:
            continue
        for group in range(one.groups):
            members = (one.labels == group).astype(np.int64)
            if not 5 <= members.sum() <= SHARE * len(z):
                continue
            same = next((names for known, names in seen if overlap(members, np.where(known, 0, -1)) >= SHOWN), None)
            if same is None:
                seen.append((members, [one.method.name]))
            elif one.method.name not in same:
                same.append(one.method.name)
    seen.sort(key=lambda one: (-len(one[1]), -int(one[0].sum())))
    return [
        Niche(members, tuple(names), float(members.mean()), overlap(members, reference.labels), None)
        for members, names in seen[:MOST]
    ]


def with_least_k(z: Float64, found: Sequence[Niche], seed: int) -> list[Niche]:
    """The same niches, with the k from which k-means shows each."""
    if not found:
        return []
    rows = drawn(len(z), SEARCHED, seed)
    x = np.ascontiguousarray(z[rows])
    least: dict[int, int] = {}
    for k in range(2, min(LARGEST_K, len(x) - 1) + 1):
        labels = assign(x, optimum(x, k, seed)[0])[0]
        for i, one in enumerate(found):
            if i not in least and overlap(one.members[rows], labels) >= SHOWN:
                least[i] = k
    return [one._replace(from_k=least.get(i)) for i, one in enumerate(found)]
