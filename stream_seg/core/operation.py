"""What a learner was asked last, with everything that it was given: enough to do it again and compare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from stream_seg.core.clustering import learner
from stream_seg.core.definition import Learning
from stream_seg.core.keyed import Fitted
from stream_seg.core.model import Float64
from stream_seg.core.plan import Column

Ask: TypeAlias = Literal["begin", "learn", "refit"]


class Limits(NamedTuple):
    """Learned clips per column; both empty: none."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    def clip(self, x: Float64) -> Float64:
        """X (rows, columns) with nothing beyond the limits."""
        return np.clip(x, np.array(self.low), np.array(self.high)) if self.low else x


UNLIMITED = Limits((), ())


def limits_of(columns: Sequence[Column], x: Float64) -> Limits:
    """The quantile limits that the features of these columns ask for, from x (rows, columns) before clipping."""
    asked = [column.feature.quantile_clip for column in columns]
    if not any(asked) or not len(x):
        return UNLIMITED
    bounds = [np.quantile(x[:, f], q) if q else (-np.inf, np.inf) for f, q in enumerate(asked)]
    return Limits(tuple(float(low) for low, _ in bounds), tuple(float(high) for _, high in bounds))


class Operation(NamedTuple):
    """One day's work of a learner, or a refit by hand.

    asks           what it was asked, in order: ``begin`` · ``learn`` · ``learn``, ``refit`` · ``refit``
    rules          what it was made with
    state          its dump before; None: there was none
    table, news    (customers, columns), (samples, columns): before the clip
    before, after  the limits of ``learn``, and those of ``begin`` and ``refit``
    """

    asks: tuple[Ask, ...]
    rules: Learning
    state: bytes | None
    table: Float64
    news: Float64
    before: Limits
    after: Limits

    def repeated(self) -> Fitted:
        """The same done again, by a learner of its own.

        >>> table = np.array([[0.0, 1.0], [0.2, 1.0], [4.0, 9.0], [4.2, 9.0]])
        >>> begun = learner(2, Learning(k=2))
        >>> begun.begin(table)
        >>> operation = Operation(("begin",), Learning(k=2), None, table, table[:0], UNLIMITED, UNLIMITED)
        >>> bool((operation.repeated().centers == begun.fitted().centers).all())
        True
        """
        again = learner(self.table.shape[1], self.rules)
        if self.state is not None:
            again.load(self.state)
        for ask in self.asks:
            match ask:
                case "begin":
                    again.begin(self.after.clip(self.table))
                case "learn":
                    again.learn(self.before.clip(self.news), self.before.clip(self.table))
                case "refit":
                    again.refit(self.after.clip(self.table))
        return again.fitted()
