"""A tree of segments: what splits into what, at levels that are named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.cluster import hierarchy

from stream_seg.core.model import Float64, Int64
from stream_seg.explore.compare.sample import by_size, carried_over, drawn

MOST = 5_000  # customers: Ward's tree takes n² distances


class Level(NamedTuple):
    """A cut through the tree: its name, the labels of everybody (from the largest), and the height of the cut."""

    name: str
    labels: Int64
    height: float

    @property
    def groups(self) -> int:
        return int(self.labels.max()) + 1


class Tree(NamedTuple):
    """merges: scipy's (m - 1, 4) of the customers that it was made of; levels from the coarsest."""

    merges: Float64
    levels: Sequence[Level]
    made_of: int


def tree(z: Float64, k: int, seed: int) -> Tree:
    """Ward's tree, cut into 2, k and 2k groups."""
    rows = drawn(len(z), MOST, seed)
    merges = hierarchy.linkage(np.ascontiguousarray(z[rows]), method="ward")
    wanted = {2: "coarse", k: "as many as k", 2 * k: "fine"} if k > 2 else {k: "as many as k", 2 * k: "fine"}
    levels = []
    for count, name in wanted.items():
        labels = hierarchy.fcluster(merges, count, criterion="maxclust").astype(np.int64) - 1
        heights = merges[:, 2]
        low = heights[-count] if count <= len(heights) else 0.0
        height = float((heights[-(count - 1)] + low) / 2)
        levels.append(Level(name, by_size(carried_over(z, rows, labels)), height))
    return Tree(merges, levels, len(rows))


def parent_of(child: Int64, parent: Int64, group: int) -> int:
    """The group of a coarser level that most members of a finer one belong to.

    >>> parent_of(np.array([0, 0, 1]), np.array([1, 1, 0]), 0)
    1
    """
    return int(np.bincount(parent[child == group]).argmax())
