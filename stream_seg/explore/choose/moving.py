"""How much customers move: by what they do, under a version that stays as it is; and because a learner goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from stream_seg.core.clustering import learner
from stream_seg.core.definition import DAY, Learning
from stream_seg.core.evaluation import settled
from stream_seg.core.keyed import Fitted
from stream_seg.core.kmeans import assign
from stream_seg.core.model import Float64, Int64, ModelArrays
from stream_seg.pipeline.daily import Day, Space
from stream_seg.pipeline.training import worth_publishing

T = TypeVar("T", bound=np.generic)
MONTH = 30
WEEK = 7


def monthly_moves(days: Sequence[Day], space: Space, models: ModelArrays) -> float | None:
    """The share of the customers who are in another segment at some time within 30 days, on average over the months.

    Looked at once a day, where LABEL looks at every event: who goes and comes back within a day is not seen. None:
    there are less than 30 days.
    """
    shares: list[float] = []
    known, labels, moved = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.bool_)
    since = 0
    for day in days:
        before, were = _carried(known, labels, day.hashes, -1), _carried(known, moved, day.hashes, False)  # noqa: FBT003 — a value to fill with
        now = settled(models, space.transformed(day.raw), before)
        moved = were | ((before >= 0) & (now != before))
        known, labels = day.hashes, now
        if since == MONTH:
            shares.append(float(moved.mean()) if len(moved) else 0.0)
            moved, since = np.zeros_like(moved), 0
        since += 1
    return float(np.mean(shares)) if shares else None


def _carried(known: Int64, values: npt.NDArray[T], wanted: Int64, otherwise: object) -> npt.NDArray[T]:
    """What is known of those who are wanted; both in order."""
    found = np.full(len(wanted), otherwise, values.dtype)
    if len(known):
        at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        same = known[at] == wanted
        found[same] = values[at[same]]
    return found


class Flips(NamedTuple):
    """What the live learner did to labels that the customers did nothing to.

    rate     of 1,000 active customers a day, those whose nearest segment a new version changed
    weeks    the same, week by week
    versions how many came into force
    """

    rate: float
    weeks: tuple[float, ...]
    versions: int


def learner_flips(days: Sequence[Day], x: Sequence[Float64], rules: Learning) -> Flips | None:
    """The live learner over these days, by its own rules of refits and of publishing; every version is approved.

    x: of each day, (customers, columns) as a learner gets them. None: there are too few on the first day.
    """
    if not days or len(np.unique(x[0], axis=0)) <= rules.k:
        return None
    learning = learner(x[0].shape[1], rules)
    learning.begin(x[0])
    published, refitted, versions = learning.fitted(), 0, 1
    counts: list[tuple[int, int]] = []
    for n, (day, table) in enumerate(zip(days[1:], x[1:], strict=True), 1):
        active = table[day.active]
        learning.learn(active, table)
        if rules.retrain_every and (n - refitted) * DAY >= rules.retrain_every:
            learning.refit(table)
            refitted = n
        fitted = learning.fitted()
        if worth_publishing(published, fitted, table, rules.publish_gain) is not None:
            counts.append((_changed(published, fitted, active), len(active)))
            published, versions = fitted, versions + 1
        else:
            counts.append((0, len(active)))
    weeks = tuple(_rate(counts[at : at + WEEK]) for at in range(0, len(counts), WEEK))
    return Flips(_rate(counts), weeks, versions)


def _changed(before: Fitted, after: Fitted, x: Float64) -> int:
    """How many of x are nearest to another centre; a learner's refit keeps its centres in order."""
    old, _ = assign(before.scaler.transform(x), before.centers)
    new, _ = assign(after.scaler.transform(x), after.centers)
    return int(np.count_nonzero(old != new))


def _rate(counts: Sequence[tuple[int, int]]) -> float:
    active = sum(count for _, count in counts)
    return 1_000.0 * sum(changed for changed, _ in counts) / active if active else 0.0
