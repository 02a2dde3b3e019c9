"""The seam for learners: what LEARN asks of a `Clusterer`, and river's KMeans behind it.

A learner sees one transformed vector per customer and day (after clip and log1p, before scaling), owns its scaler,
and writes its whole state down as JSON of its own: no pickle. To add one, satisfy `Clusterer` and enter it in
`LEARNERS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec
import numpy as np
from river import cluster, preprocessing

from stream_seg.core.definition import Learning
from stream_seg.core.kmeans import fit
from stream_seg.core.model import Float64
from stream_seg.errors import Stop


class Snapshot(msgspec.Struct, frozen=True):
    """What a learner would label with now: centres (k, columns) in scaled space, mean and scale (columns,)."""

    centers: tuple[tuple[float, ...], ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]


class Clusterer(Protocol):
    """An online clusterer. The same calls in the same order give the same state, on every machine."""

    def start(self, x: Float64) -> None:
        """Begins from the latest vector of every known customer, (customers, columns)."""
        ...

    def learn(self, x: Float64) -> None:
        """Learns from new vectors, (n, columns), in order."""
        ...

    def snapshot(self) -> Snapshot: ...

    def dump(self) -> bytes:
        """The whole state as versioned JSON."""
        ...

    def load(self, state: bytes) -> None: ...


class _RiverState(msgspec.Struct, forbid_unknown_fields=True):
    format: int
    counts: list[float]
    means: list[float]
    variances: list[float]
    centers: list[list[float]]


class RiverKMeans:
    """river's ``StandardScaler | KMeans``, learning vector by vector: the textbook way.

    `halflife` is river's: the constant share by which a centre moves towards each vector. The first centres come
    from k-means++ over the known customers; river's own start from random numbers and leave most of them unused.

    >>> learner = RiverKMeans(2, Learning(k=2))
    >>> learner.start(np.array([[0.0, 1.0], [0.2, 1.0], [4.0, 9.0], [4.2, 9.0]]))
    >>> learner.learn(np.array([[0.1, 1.5]]))
    >>> again = RiverKMeans(2, Learning(k=2))
    >>> again.load(learner.dump())
    >>> again.snapshot() == learner.snapshot()
    True
    """

    FORMAT = 1

    def __init__(self, columns: int, learning: Learning) -> None:
        self._keys = list(range(columns))
        self._learning = learning
        self._scaler = preprocessing.StandardScaler()
        self._kmeans = cluster.KMeans(
            n_clusters=learning.k, halflife=learning.options.get("halflife", 0.02), seed=learning.seed
        )

    def start(self, x: Float64) -> None:
        for row in x.tolist():
            self._scaler.learn_one(dict(enumerate(row)))
        z = np.array([list(self._scaler.transform_one(dict(enumerate(row))).values()) for row in x.tolist()])
        centers, _ = fit(z, self._learning.k, self._learning.seed)
        self._kmeans.centers = {j: dict(enumerate(center)) for j, center in enumerate(centers.tolist())}  # type: ignore[misc]  # read only

    def learn(self, x: Float64) -> None:
        scaler, kmeans = self._scaler, self._kmeans
        for row in x.tolist():
            vector = dict(enumerate(row))
            scaler.learn_one(vector)
            kmeans.learn_one(scaler.transform_one(vector))

    def snapshot(self) -> Snapshot:
        centers = self._kmeans.centers
        return Snapshot(
            centers=tuple(tuple(float(centers[j][f]) for f in self._keys) for j in range(self._learning.k)),
            mean=tuple(float(self._scaler.means[f]) for f in self._keys),
            scale=tuple(float(self._scaler.vars[f]) ** 0.5 for f in self._keys),
        )

    def dump(self) -> bytes:
        state = _RiverState(
            format=self.FORMAT,
            counts=[float(self._scaler.counts[f]) for f in self._keys],
            means=[float(self._scaler.means[f]) for f in self._keys],
            variances=[float(self._scaler.vars[f]) for f in self._keys],
            centers=[list(center) for center in self.snapshot().centers],
        )
        return msgspec.json.encode(state)

    def load(self, state: bytes) -> None:
        found = msgspec.json.decode(state, type=_RiverState)
        if found.format != self.FORMAT:
            raise Stop(f"the learner's state has format {found.format}, this version reads {self.FORMAT}; start anew")
        for f in self._keys:
            self._scaler.counts[f] = found.counts[f]  # type: ignore[assignment]  # river counts weights
            self._scaler.means[f] = found.means[f]
            self._scaler.vars[f] = found.variances[f]
        self._kmeans.centers = {j: dict(enumerate(center)) for j, center in enumerate(found.centers)}  # type: ignore[misc]  # read only


LEARNERS: dict[str, Callable[[int, Learning], Clusterer]] = {"river": RiverKMeans}


def learner(columns: int, learning: Learning) -> Clusterer:
    """A new learner for vectors of so many columns. Raises `Stop` where nobody knows its name."""
    if learning.learner not in LEARNERS:
        raise Stop(f"no learner is called {learning.learner!r}; there are: {', '.join(sorted(LEARNERS))}")
    return LEARNERS[learning.learner](columns, learning)
