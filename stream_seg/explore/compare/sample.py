"""Who is looked at where everybody would take too long, and how the others get their labels."""

from __future__ import annotations

import numpy as np
from sklearn.neighbors import NearestNeighbors

from stream_seg.core.kmeans import assign
from stream_seg.core.model import Float64, Int64

NOISE = -1  # the label of who belongs to no group


def drawn(n: int, most: int, seed: int) -> Int64:
    """At most so many of n rows, in their order; the same ones for the same seed.

    >>> drawn(3, 5, seed=1).tolist()
    [0, 1, 2]
    >>> len(drawn(100, 5, seed=1))
    5
    """
    if n <= most:
        return np.arange(n, dtype=np.int64)
    return np.sort(np.random.default_rng(seed).choice(n, most, replace=False)).astype(np.int64)


def carried_over(z: Float64, rows: Int64, labels: Int64) -> Int64:
    """Labels of all rows of z: the sampled `rows` keep theirs, everybody else has that of the nearest sampled row.

    Who is nearest to noise is noise: so its share stays what it was.

    >>> carried_over(np.array([[0.0], [1.0], [9.0]]), np.array([0, 2]), np.array([4, NOISE])).tolist()
    [4, 4, -1]
    """
    if len(rows) == len(z):
        return labels
    nearest = NearestNeighbors(n_neighbors=1).fit(z[rows]).kneighbors(z, return_distance=False)[:, 0]
    found = labels[nearest]
    found[rows] = labels
    return np.ascontiguousarray(found, np.int64)


def by_size(labels: Int64) -> Int64:
    """The same groups, numbered from the largest down; noise stays noise.

    >>> by_size(np.array([7, 7, -1, 3, 7, 3, 9])).tolist()
    [0, 0, -1, 1, 0, 1, 2]
    """
    values, first, inverse, counts = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    order = np.lexsort((first, -counts))
    order = order[values[order] >= 0]
    number = np.full(len(values), NOISE, np.int64)
    number[order] = np.arange(len(order))
    return number[inverse]


def groups_of(labels: Int64) -> int:
    """How many groups there are in labels numbered by `by_size`."""
    return int(labels.max(initial=NOISE)) + 1


def centroids(z: Float64, labels: Int64) -> Float64:
    """(groups, f): the mean of each group."""
    return np.array([z[labels == g].mean(axis=0) for g in range(groups_of(labels))]).reshape(-1, z.shape[1])


def to_centres(z: Float64, centres: Float64) -> Int64:
    """The nearest centre of each row."""
    return assign(np.ascontiguousarray(z), np.ascontiguousarray(centres))[0]
