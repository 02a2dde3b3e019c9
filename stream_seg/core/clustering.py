"""The seam for learners: what LEARN asks of a `Clusterer`, and the learners that come with it.

LEARN keeps the table: the newest vector of each customer, so a learner sees customers and not events. Vectors are
transformed (after clip and log1p) and not scaled: a learner has its own scale. It writes its whole state down as JSON
of its own: no pickle. To add one, satisfy `Clusterer` and enter it in `LEARNERS`, and its options in `OPTIONS`;
docs/learners.md has an example.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import version
from typing import NamedTuple, Protocol, TypeVar

import msgspec
import numpy as np
from river import cluster, preprocessing

from stream_seg.core import keyed
from stream_seg.core.definition import Learning
from stream_seg.core.keyed import Fitted
from stream_seg.core.kmeans import fit
from stream_seg.core.model import Float64
from stream_seg.core.scaling import Scaler
from stream_seg.errors import Stop

T = TypeVar("T")


class Option(NamedTuple):
    """A number that a learner can be given as one of `Learning.options`: from `least` to `most`, both included."""

    least: float
    most: float
    default: float
    meaning: str


class Clusterer(Protocol):
    """An online clusterer. The same calls in the same order give the same state, on every machine."""

    def begin(self, table: Float64, given: Fitted | None = None) -> None:
        """Makes the first segments from the newest vector of every known customer, (customers, columns).

        `given`: they are there already, learned elsewhere; the learner goes on from them.
        """
        ...

    def learn(self, news: Float64, table: Float64) -> None:
        """Learns one day: `news` are its vectors in order, (n, columns); `table` is what all are at now."""
        ...

    def refit(self, table: Float64) -> None:
        """Looks for clearly better segments than small steps lead to. Numbers need not be kept: LEARN matches them."""
        ...

    def fitted(self) -> Fitted:
        """What it would label with now."""
        ...

    def dump(self) -> bytes:
        """The whole state as versioned JSON."""
        ...

    def load(self, state: bytes) -> None: ...


class _KeyedState(msgspec.Struct, forbid_unknown_fields=True):
    format: int
    refits: int
    mean: list[float]
    scale: list[float]
    centers: list[list[float]]


class Keyed:
    """The default: one Lloyd iteration over the table a day, and a refit that takes what is clearly better.

    See `stream_seg.core.keyed`; `stream_seg.core.estimator.KeyedKMeans` is the same for a river pipeline.

    >>> learner = Keyed(2, Learning(k=2))
    >>> table = np.array([[0.0, 1.0], [0.2, 1.0], [4.0, 9.0], [4.2, 9.0]])
    >>> learner.begin(table)
    >>> learner.learn(table[:1], table)
    >>> again = Keyed(2, Learning(k=2))
    >>> again.load(learner.dump())
    >>> again.fitted().centers.tolist() == learner.fitted().centers.tolist()
    True
    """

    FORMAT = 1

    def __init__(self, columns: int, learning: Learning) -> None:
        self._learning = learning
        self._refits = 0
        self._fitted = Fitted(Scaler(np.zeros(columns), np.zeros(columns)), np.zeros((learning.k, columns)))

    def begin(self, table: Float64, given: Fitted | None = None) -> None:
        self._fitted = given or keyed.begin(table, self._learning.k, self._learning.seed)

    def learn(self, news: Float64, table: Float64) -> None:  # noqa: ARG002 — the table holds what is new
        self._fitted = keyed.step(self._fitted, table)

    def refit(self, table: Float64) -> None:
        self._refits += 1
        self._fitted = keyed.refit(self._fitted, table, self._learning.seed + self._refits)

    def fitted(self) -> Fitted:
        return self._fitted

    def dump(self) -> bytes:
        (mean, scale), centers = self._fitted
        return msgspec.json.encode(
            _KeyedState(self.FORMAT, self._refits, mean.tolist(), scale.tolist(), centers.tolist())
        )

    def load(self, state: bytes) -> None:
        found = _read(state, _KeyedState, self.FORMAT)
        self._refits = found.refits
        scaler = Scaler(np.array(found.mean, np.float64), np.array(found.scale, np.float64))
        self._fitted = Fitted(scaler, np.array(found.centers, np.float64).reshape(len(found.centers), -1))


class _RiverState(msgspec.Struct, forbid_unknown_fields=True):
    format: int
    counts: list[float]
    means: list[float]
    variances: list[float]
    centers: list[list[float]]


HALFLIFE = Option(0.0001, 1.0, 0.02, "the share by which a centre moves towards each vector")


class RiverKMeans:
    """river's ``StandardScaler | KMeans``, learning vector by vector: the textbook way.

    `halflife` is river's: the constant share by which a centre moves towards each vector. The first centres come
    from k-means++ over the known customers; river's own start from random numbers and leave most of them unused.

    >>> learner = RiverKMeans(2, Learning(k=2))
    >>> table = np.array([[0.0, 1.0], [0.2, 1.0], [4.0, 9.0], [4.2, 9.0]])
    >>> learner.begin(table)
    >>> learner.learn(np.array([[0.1, 1.5]]), table)
    >>> again = RiverKMeans(2, Learning(k=2))
    >>> again.load(learner.dump())
    >>> again.fitted().centers.tolist() == learner.fitted().centers.tolist()
    True
    """

    FORMAT = 1

    def __init__(self, columns: int, learning: Learning) -> None:
        self._keys = list(range(columns))
        self._learning = learning
        self._scaler = preprocessing.StandardScaler()
        self._kmeans = cluster.KMeans(
            n_clusters=learning.k, halflife=learning.options.get("halflife", HALFLIFE.default), seed=learning.seed
        )

    def begin(self, table: Float64, given: Fitted | None = None) -> None:
        if given is not None:
            for f in self._keys:  # as if so many vectors of this mean and spread had been seen
                self._scaler.counts[f] = len(table)
                self._scaler.means[f] = float(given.scaler.mean[f])
                self._scaler.vars[f] = float(given.scaler.scale[f]) ** 2
            self._kmeans.centers = {j: dict(enumerate(center)) for j, center in enumerate(given.centers.tolist())}  # type: ignore[misc]  # read only
            return
        for row in table.tolist():
            self._scaler.learn_one(dict(enumerate(row)))
        z = np.array([list(self._scaler.transform_one(dict(enumerate(row))).values()) for row in table.tolist()])
        centers, _ = fit(z, self._learning.k, self._learning.seed)
        self._kmeans.centers = {j: dict(enumerate(center)) for j, center in enumerate(centers.tolist())}  # type: ignore[misc]  # read only

    def learn(self, news: Float64, table: Float64) -> None:  # noqa: ARG002 — it learns from what comes, once
        scaler, kmeans = self._scaler, self._kmeans
        for row in news.tolist():
            vector = dict(enumerate(row))
            scaler.learn_one(vector)
            kmeans.learn_one(scaler.transform_one(vector))

    def refit(self, table: Float64) -> None:
        """The textbook has none: it only ever takes small steps."""

    def fitted(self) -> Fitted:
        mean = np.array([float(self._scaler.means[f]) for f in self._keys])
        scale = np.array([float(self._scaler.vars[f]) ** 0.5 for f in self._keys])
        centers = self._kmeans.centers
        rows = [[float(centers[j][f]) for f in self._keys] for j in range(self._learning.k)]
        return Fitted(Scaler(mean, scale), np.array(rows))

    def dump(self) -> bytes:
        state = _RiverState(
            format=self.FORMAT,
            counts=[float(self._scaler.counts[f]) for f in self._keys],
            means=[float(self._scaler.means[f]) for f in self._keys],
            variances=[float(self._scaler.vars[f]) for f in self._keys],
            centers=self.fitted().centers.tolist(),
        )
        return msgspec.json.encode(state)

    def load(self, state: bytes) -> None:
        found = _read(state, _RiverState, self.FORMAT)
        for f in self._keys:
            self._scaler.counts[f] = found.counts[f]  # type: ignore[assignment]  # river counts weights
            self._scaler.means[f] = found.means[f]
            self._scaler.vars[f] = found.variances[f]
        self._kmeans.centers = {j: dict(enumerate(center)) for j, center in enumerate(found.centers)}  # type: ignore[misc]  # read only


def _read(state: bytes, type_: type[T], format_: int) -> T:
    """A learner's state, if it is of the format that this version reads."""
    written = msgspec.json.decode(state, type=dict[str, object]).get("format")
    if written != format_:
        raise Stop(f"the learner's state has format {written}, this version reads {format_}; start anew")
    return msgspec.json.decode(state, type=type_)


@cache
def made_with() -> dict[str, str]:
    """What a learner's last digits depend on: the libraries under it and the kind of processor."""
    libraries = {name: version(name) for name in ("numba", "numpy", "river", "scipy")}
    return {**libraries, "processor": platform.machine()}


LEARNERS: dict[str, Callable[[int, Learning], Clusterer]] = {"keyed": Keyed, "river": RiverKMeans}
OPTIONS: dict[str, Mapping[str, Option]] = {"river": {"halflife": HALFLIFE}}  # of a learner that is not here: none


def learner(columns: int, learning: Learning) -> Clusterer:
    """A new learner for vectors of so many columns. Raises `Stop` where nobody knows its name."""
    if learning.learner not in LEARNERS:
        raise Stop(f"no learner is called {learning.learner!r}; there are: {', '.join(sorted(LEARNERS))}")
    return LEARNERS[learning.learner](columns, learning)
