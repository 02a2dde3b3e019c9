"""The keyed learner as a river estimator, to use in a river pipeline of your own."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any

import numpy as np
from river import base

from stream_seg.core.keyed import Fitted, begin, refit, step
from stream_seg.core.kmeans import nearest_to
from stream_seg.core.model import Float64
from stream_seg.core.scaling import Scaler

STEP_EVERY = 10  # a Lloyd iteration whenever a tenth of the table was replaced …
REFIT_AFTER = 0.25  # … and a refit when a quarter more was seen: LEARN's rule, where a day is as many vectors as rows …
REFIT_TABLES = 7  # … and so at least one of these days later, and at most a week
RESTARTS = 10  # of a refit: LEARN's 40 found nothing else on the sets of docs/learners.md, for half as much again


class KeyedKMeans(base.Clusterer):
    """Online k-means over a table of the newest vector per customer, instead of over whoever is loudest.

    The first centres come from k-means++ once `warm_start` rows are there; before, every vector is in cluster 0. Then
    one Lloyd iteration whenever a tenth of the table has changed, and a refit at growing intervals whose centres keep
    the number under which they share most rows. Centres are scaled inside, so it does the same with and without a
    scaler in front.

    Parameters
    ----------
    n_clusters
        How many segments.
    key
        The field of `x` that says whose vector it is; it is no feature. Without one every vector stands for itself.
        It must come as it is: a scaler in front scales numeric ids like any number, so that one customer has another
        id each time, and fails on text. Lead it around the scaler, as in the example.
    table
        How many rows are kept; the row that was not replaced for longest makes room.
    warm_start
        Rows before the first centres; at least `n_clusters` different ones are waited for.
    seed
        Everything random follows from it.

    Attributes
    ----------
    centers : dict
        Cluster -> feature -> value, in the units of `x`.

    References
    ----------
    Lloyd, S. (1982). Least squares quantization in PCM.
    Arthur, D., Vassilvitskii, S. (2007). k-means++: the advantages of careful seeding.

    Examples
    --------
    >>> from river import compose, preprocessing
    >>> model = (
    ...     (compose.Discard("customer") | preprocessing.StandardScaler()) + compose.Select("customer")
    ... ) | KeyedKMeans(n_clusters=2, key="customer", warm_start=4)
    >>> for day in range(3):
    ...     for customer, spend in (("a", 1), ("b", 2), ("c", 90), ("d", 95)):
    ...         model.learn_one({"customer": customer, "spend": spend + day})
    >>> one, other = (model.predict_one({"customer": "e", "spend": spend}) for spend in (0, 99))
    >>> one != other
    True
    """

    def __init__(
        self, n_clusters: int = 5, key: str | None = None, table: int = 5_000, warm_start: int = 500, seed: int = 7
    ) -> None:
        self.n_clusters = n_clusters
        self.key = key
        self.table = table
        self.warm_start = warm_start
        self.seed = seed
        self._columns: dict[Hashable, int] = {}
        self._slots: dict[Hashable, int] = {}  # oldest first
        self._rows = np.empty((min(64, table), 0))
        self._fitted: Fitted | None = None
        self._inverse = np.empty(0)
        self._seen = 0
        self._since_step = 0
        self._next_refit = 0.0

    @property
    def centers(self) -> dict[int, dict[Any, float]]:
        if self._fitted is None:
            return {}
        scaler, centers = self._fitted
        real = centers * scaler.scale + scaler.mean
        return {j: {name: float(row[f]) for name, f in self._columns.items()} for j, row in enumerate(real)}

    def learn_one(self, x: dict[Any, Any]) -> None:
        """Raises ValueError where a feature is no finite number, text included; nothing is learned then."""
        values = self._checked(x)
        owner = x[self.key] if self.key is not None else self._seen
        for name in values:
            if name not in self._columns:
                self._add_column(name)
        slot = self._slots.pop(owner, None)
        if slot is None:
            slot = len(self._slots)
            if slot >= self.table:
                slot = self._slots.pop(next(iter(self._slots)))
            elif slot >= len(self._rows):
                more = min(2 * len(self._rows), self.table)
                self._rows = np.vstack([self._rows, np.zeros((more - len(self._rows), len(self._columns)))])
        self._slots[owner] = slot
        row = self._rows[slot]
        row[:] = 0.0
        for name, value in values.items():
            row[self._columns[name]] = value
        self._seen += 1
        self._since_step += 1
        self._improve()

    def predict_one(self, x: dict[Any, Any]) -> int:
        values = self._checked(x)
        if self._fitted is None:
            return 0
        row = np.array([values.get(name, 0.0) for name in self._columns])
        (mean, _), centers = self._fitted
        return int(nearest_to(row, mean, self._inverse, centers))

    def _checked(self, x: dict[Any, Any]) -> dict[Any, float]:
        values = {
            name: value if type(value) is float else _number(name, value)
            for name, value in x.items()
            if name != self.key
        }
        if not math.isfinite(sum(values.values())):  # so one of them is not, or they are too large to be added up
            for name, value in values.items():
                if not math.isfinite(value):
                    raise ValueError(f"feature {name!r} is {value}; impute it or leave it out (absent counts as 0)")
        return values

    def _add_column(self, name: Hashable) -> None:
        """A feature that was not there before: 0 for everybody so far, as river takes what is absent."""
        self._columns[name] = len(self._columns)
        self._rows = np.hstack([self._rows, np.zeros((len(self._rows), 1))])
        if self._fitted is not None:
            scaler, centers = self._fitted
            wider = Scaler(np.append(scaler.mean, 0.0), np.append(scaler.scale, 0.0))
            self._adopt(Fitted(wider, np.hstack([centers, np.zeros((len(centers), 1))])))
            self._next_refit = 0.0  # the scale of the new feature is not known yet

    def _improve(self) -> None:
        known = len(self._slots)
        if self._fitted is None:
            if known < max(min(self.warm_start, self.table), self.n_clusters) or self._since_step * STEP_EVERY < known:
                return
            x = self._known()
            self._since_step = 0
            if len(np.unique(x, axis=0)) < self.n_clusters:
                return
            self._adopt(begin(x, self.n_clusters, self.seed))
            self._plan_refit()
        elif self._since_step * STEP_EVERY >= known:
            self._since_step = 0
            if self._seen >= self._next_refit:
                self._adopt(refit(self._fitted, self._known(), self.seed + self._seen, RESTARTS))
                self._plan_refit()
            else:
                self._adopt(step(self._fitted, self._known()))

    def _adopt(self, fitted: Fitted) -> None:
        self._fitted, self._inverse = fitted, fitted.scaler.inverse

    def _known(self) -> Float64:
        return self._rows[: len(self._slots)]

    def _plan_refit(self) -> None:
        known = len(self._slots)
        self._next_refit = self._seen + max(known, min(REFIT_AFTER * self._seen, REFIT_TABLES * known))


def _number(name: Hashable, value: Any) -> float:
    """A feature's value. Text is refused, also where it could be read as a number: it may well be an id."""
    if isinstance(value, str | bytes):
        remedy = "encode it, leave it out, or name it as `key`"
        raise ValueError(f"feature {name!r} is the text {value!r}; {remedy}")  # noqa: TRY004  # as NaN is refused
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"feature {name!r} is {value!r} and no number; impute it or leave it out") from None
