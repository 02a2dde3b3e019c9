"""Learners that the keyed one is compared with, each a `Clusterer` as anybody could write one.

What a library does by itself is taken as it is: labels follow what the learner has come to at the end of each day,
nothing is held back until it is worth publishing, and no number is matched.
"""

from __future__ import annotations

import base64
import pickle
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import numpy as np
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.preprocessing import StandardScaler

from stream_seg.adapters.memory.log import LogRecord
from stream_seg.adapters.memory.trial import Trial
from stream_seg.core.clustering import LEARNERS, Clusterer, RiverKMeans
from stream_seg.core.definition import Learning
from stream_seg.core.keyed import Fitted
from stream_seg.core.model import Float64, ModelVersion
from stream_seg.core.scaling import Scaler


class RiverDefaults(RiverKMeans):
    """``StandardScaler | KMeans`` with every setting of river as it comes: random first centres, half of each way."""

    def __init__(self, columns: int, learning: Learning) -> None:
        super().__init__(columns, msgspec.structs.replace(learning, options={"halflife": 0.5}))

    def begin(self, table: Float64, given: Fitted | None = None) -> None:  # noqa: ARG002 — nothing is given here
        self.learn(table, table)


class _Pickled:
    """A learner whose whole state is what pickle makes of it; good enough where nobody upgrades in between."""

    state: Any

    def dump(self) -> bytes:
        return msgspec.json.encode({"format": 1, "pickle": base64.b64encode(pickle.dumps(self.state)).decode()})

    def load(self, state: bytes) -> None:
        self.state = pickle.loads(base64.b64decode(msgspec.json.decode(state)["pickle"]))


class PartialFit(_Pickled):
    """scikit-learn's ``MiniBatchKMeans.partial_fit``, a batch a day, on a running ``StandardScaler``."""

    def __init__(self, columns: int, learning: Learning) -> None:  # noqa: ARG002 — scikit-learn counts them itself
        self.state = StandardScaler(), MiniBatchKMeans(learning.k, random_state=learning.seed, n_init=10)

    def begin(self, table: Float64, given: Fitted | None = None) -> None:  # noqa: ARG002 — nothing is given here
        self.learn(table, table)

    def learn(self, news: Float64, table: Float64) -> None:  # noqa: ARG002 — it learns from what comes, once
        scaler, kmeans = self.state
        if len(news):
            kmeans.partial_fit(scaler.partial_fit(news).transform(news))

    def refit(self, table: Float64) -> None:
        """It has none."""

    def fitted(self) -> Fitted:
        scaler, kmeans = self.state
        return Fitted(Scaler(scaler.mean_, scaler.scale_), kmeans.cluster_centers_)


class WeeklyRefit(_Pickled):
    """scikit-learn's ``KMeans`` on the whole table, anew whenever LEARN asks for a refit: once a week at least."""

    def __init__(self, columns: int, learning: Learning) -> None:  # noqa: ARG002 — scikit-learn counts them itself
        self.learning = learning
        self.state = None, None, 0

    def begin(self, table: Float64, given: Fitted | None = None) -> None:  # noqa: ARG002 — nothing is given here
        self.refit(table)

    def learn(self, news: Float64, table: Float64) -> None:
        """Between two refits it stays as it is."""

    def refit(self, table: Float64) -> None:
        fits = self.state[2]
        scaler = StandardScaler().fit(table)
        kmeans = KMeans(self.learning.k, n_init=10, random_state=self.learning.seed + fits)
        self.state = scaler, kmeans.fit(scaler.transform(table)), fits + 1

    def fitted(self) -> Fitted:
        scaler, kmeans, _ = self.state
        return Fitted(Scaler(scaler.mean_, scaler.scale_), kmeans.cluster_centers_)


class Bare(Trial):
    """A trial whose model is what the learner has come to, row by row, at the end of each day."""

    seen: ModelVersion | None = None

    def day(self, records: Iterable[LogRecord]) -> ModelVersion | None:
        published, fitted = super().day(records), self.fitted
        if published is None or fitted is None:
            return None
        version = msgspec.structs.replace(
            published,
            centers=tuple(map(tuple, fitted.centers.tolist())), mean=tuple(fitted.scaler.mean.tolist()),
            scale=tuple(fitted.scaler.scale.tolist()), segments=("",) * len(fitted.centers),
        )  # fmt: skip
        if self.seen is None or version != self.seen:
            self.seen = version
        return self.seen


SPENT: dict[str, float] = {}  # learner -> CPU seconds in its own code


class Timed:
    """A learner, and how long it takes this process: others on the same core do not count."""

    def __init__(self, name: str, make: Callable[[int, Learning], Clusterer], columns: int, learning: Learning) -> None:
        self._name, self._inner = name, make(columns, learning)

    def __getattr__(self, asked: str) -> Any:
        inner = getattr(self._inner, asked)

        def timed(*given: Any) -> Any:
            began = time.process_time()
            try:
                return inner(*given)
            finally:
                SPENT[self._name] = SPENT.get(self._name, 0.0) + time.process_time() - began

        return timed


@contextmanager
def uncounted() -> Iterator[None]:
    """What learners do here is not counted: it is no learning that anybody waits for."""
    before = dict(SPENT)
    try:
        yield
    finally:
        SPENT.clear()
        SPENT.update(before)


def _timed(name: str, make: Callable[[int, Learning], Clusterer]) -> Callable[[int, Learning], Clusterer]:
    def made(columns: int, learning: Learning) -> Clusterer:
        learner: Any = Timed(name, make, columns, learning)
        found: Clusterer = learner
        return found

    return made


def entered() -> None:
    """Makes these learners known to LEARN, all of them timed, and what they compile compiled before that counts."""
    learners = {
        **LEARNERS, "river-defaults": RiverDefaults, "scikit-learn": PartialFit, "weekly-refit": WeeklyRefit,
    }  # fmt: skip
    LEARNERS.update({name: _timed(name, make) for name, make in learners.items()})
    table = np.random.default_rng(1).normal(size=(200, 3))
    with uncounted():
        for make in LEARNERS.values():
            learner = make(table.shape[1], Learning(k=3))
            learner.begin(table)
            learner.learn(table[:20] + 1.0, table)
            learner.refit(table)
