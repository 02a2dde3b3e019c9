"""How one tier's segments are learned: its table, its learner, and whether what it learned is worth publishing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stream_seg.core.clustering import Clusterer, learner
from stream_seg.core.decision import nearest_segments
from stream_seg.core.definition import DAY, Learning
from stream_seg.core.engine import Engine
from stream_seg.core.keyed import Fitted, inertia
from stream_seg.core.measures import transform
from stream_seg.core.model import Float64, InForce, Int64, ModelArrays, ModelVersion, model_arrays
from stream_seg.core.operation import UNLIMITED, Limits, Operation, limits_of
from stream_seg.core.plan import Column
from stream_seg.core.scaling import Scaler
from stream_seg.pipeline.learn_state import TierState
from stream_seg.pipeline.table import Sample, Share

KEPT_FOR = 90 * DAY  # a customer silent for longer does not shape segments
BOUND = 1e12  # a number beyond it is as far off as one can be, and its square still a number
YOUNG = 4  # while it is young, a learner is refitted whenever it is older by a quarter


class Training:
    """One tier's learning under one activation. `state` is changed in place; the learner's is dumped by `dump`.

    operation  what the learner was asked last, by this object: a version is published with it
    """

    def __init__(self, engine: Engine, table: Share, state: TierState, learned: bytes | None) -> None:
        self.engine = engine
        self.table = table
        self.state = state
        self.rules = engine.activation.definition.learning
        # Retained features stand last in a sample, and only the old model needs them.
        own = {feature.name for feature in engine.activation.definition.features}
        self.own = sum(column.feature.name in own for column in engine.plan.columns)
        self.used = engine.plan.distance[: self.own]
        self.learner: Clusterer | None = None
        self.operation: Operation | None = None
        if learned is not None:
            self.learner = self._new_learner()
            self.learner.load(learned)

    def _new_learner(self) -> Clusterer:
        return learner(int(self.used.sum()), self.rules)

    def dump(self) -> bytes | None:
        return None if self.learner is None else self.learner.dump()

    # --- a day

    def day(self, previous: int, day: int, *, proposed: ModelVersion | None, refit: bool) -> str | None:
        """Learns what is dated after `previous` and up to `day`; why a version is worth publishing, if it is.

        proposed  a version that is made already and waits
        refit     also where none would be due
        """
        if self.learner is None:
            worth = self._begin(day)
        else:
            worth = self._go_on(self.learner, previous, day, proposed, refit=refit)
        self.table.prune(day, day - KEPT_FOR)
        return worth

    def _begin(self, day: int) -> str | None:
        """The first segments, once enough different customers are known and new features have filled."""
        state, latest = self.state, self.table.latest(day)
        if not begins(self.rules, len(latest)) or day < state.ready:
            return None
        if state.given:
            self._go_on_from_given(day)
            return None
        state.low, state.high = [], []
        table = self._unclipped(latest)
        self._find_clips(table)
        x = self._limits().clip(table)
        if len(np.unique(x, axis=0)) < self.rules.k:
            return None
        self.learner = self._new_learner()
        self.learner.begin(x)
        self.operation = Operation(("begin",), self.rules, None, table, table[:0], UNLIMITED, self._limits())
        state.began = state.refitted = day
        return f"learned from {len(latest)} customers"

    def _go_on_from_given(self, day: int) -> None:
        """The segments of the version that came with the definition, as if they had been learned here."""
        state, model = self.state, self.engine.activation.model
        assert model is not None  # it is in force, or nothing would be given
        state.given = False
        if any(clip is not None for clip in (*model.clip_low, *model.clip_high)):
            state.low = [-np.inf if clip is None else clip for clip in model.clip_low]
            state.high = [np.inf if clip is None else clip for clip in model.clip_high]
        self.learner = self._new_learner()
        self.learner.begin(self.vectors(self.table.latest(day)), fitted_of(model))
        state.began = state.refitted = day

    def _go_on(
        self, learning: Clusterer, previous: int, day: int, proposed: ModelVersion | None, *, refit: bool
    ) -> str | None:
        """One day more, and a refit where it is time."""
        news, latest = self.table.between(previous, day), self.table.latest(day)
        if not latest:
            return None
        known, limits = self._unclipped(latest), self._limits()
        worked = Operation(("learn",), self.rules, learning.dump(), known, self._unclipped(news), limits, limits)
        x = limits.clip(known)
        learning.learn(limits.clip(worked.news), x)
        self.operation = worked
        if refit or refit_due(self.rules, self.state.began, self.state.refitted, day):
            self.retrain(day)
            self.operation = worked._replace(asks=("learn", "refit"), after=self._limits())
            x = self._limits().clip(known)
        return self._worth(day, x, proposed or self.engine.activation.model)

    def retrain(self, day: int) -> None:
        """A refit, from the newest vector of every customer up to `day`."""
        assert self.learner is not None
        table, state, before = self._unclipped(self.table.latest(day)), self.learner.dump(), self._limits()
        self._find_clips(table)
        self.learner.refit(self._limits().clip(table))
        self.state.refitted = day
        self.operation = Operation(("refit",), self.rules, state, table, table[:0], before, self._limits())

    def _worth(self, day: int, x: Float64, published: ModelVersion | None) -> str | None:
        """Why what was learned should follow what was published last, if it should; x: the newest vectors."""
        assert self.learner is not None
        if published is None or not self.comparable(published):
            return "learned on the features that are in force now"
        age = day - self.state.published
        return worth_publishing(fitted_of(published), self.learner.fitted(), x, self.rules, age)

    def comparable(self, published: ModelVersion) -> bool:
        """Whether a published version is about the vectors that are learned from now."""
        activation = self.engine.activation
        columns = tuple(column.name for column in self.columns_used)
        return published.feature_set_version == activation.feature_set_version and published.columns == columns

    # --- vectors

    @property
    def columns_used(self) -> tuple[Column, ...]:
        """The learner's columns."""
        return tuple(column for column, used in zip(self.engine.plan.columns, self.used, strict=False) if used)

    def vectors(self, samples: Sequence[Sample]) -> Float64:
        """Samples as the learner sees them: after clip and log1p, only what is in the distance."""
        return self._limits().clip(self._unclipped(samples))

    def _unclipped(self, samples: Sequence[Sample]) -> Float64:
        return np.ascontiguousarray(self._transformed(self.raw(samples))[:, self.used])

    def _transformed(self, raw: Float64) -> Float64:
        x = np.empty_like(raw)
        transform(self.engine.plan.arrays, raw, x)
        return np.clip(x, -BOUND, BOUND)

    def raw(self, samples: Sequence[Sample]) -> Float64:
        """Samples in real units, (samples, own columns); what was retained for an older model is left out."""
        return np.array([s.vector[: self.own] for s in samples], np.float64).reshape(len(samples), self.own)

    def labels(self, samples: Sequence[Sample]) -> Int64:
        """The nearest segment of the version in force for each sample.

        -1: there is none, or the sample is without a feature that only that version needs.
        """
        return self._nearest(self.engine.models, samples)

    def labels_under(self, model: ModelVersion, samples: Sequence[Sample]) -> Int64:
        """The nearest segment of another version, of the features that are in force."""
        return self._nearest(model_arrays([InForce(0, model, 0.0, 0)], self.engine.plan.names), samples)

    def _nearest(self, models: ModelArrays, samples: Sequence[Sample]) -> Int64:
        columns = len(self.engine.plan.columns)
        whole = np.array([len(sample.vector) >= columns for sample in samples], np.bool_)
        raw = np.zeros((len(samples), columns))
        for i in np.flatnonzero(whole).tolist():
            raw[i] = samples[i].vector[:columns]
        segments = nearest_segments(models, 0, self._transformed(raw))
        segments[~whole] = -1
        return segments

    def _limits(self) -> Limits:
        return Limits(tuple(self.state.low), tuple(self.state.high))

    def clips(self) -> tuple[Float64, Float64]:
        """The learned limits per used column; infinite where none were asked for."""
        state, n = self.state, int(self.used.sum())
        if not state.low:
            return np.full(n, -np.inf), np.full(n, np.inf)
        return np.array(state.low), np.array(state.high)

    def _find_clips(self, x: Float64) -> None:
        """Learns the quantile limits that features ask for, from x before clipping."""
        limits = limits_of(self.columns_used, x)
        if limits.low:
            self.state.low, self.state.high = list(limits.low), list(limits.high)


def fitted_of(model: ModelVersion) -> Fitted:
    """The segments that a version has, as a learner gives them."""
    scaler = Scaler(np.array(model.mean), np.array(model.scale))
    return Fitted(scaler, np.array([center for center in model.centers if center]))


def begins(rules: Learning, customers: int) -> bool:
    """Whether so many customers are enough for the first segments."""
    return customers >= max(min(rules.warm_start, rules.table), rules.k)


def refit_due(rules: Learning, began: int, refitted: int, day: int) -> bool:
    """Whether the last refit is too long ago: by the rules, or sooner, by a quarter of the learner's age."""
    often = rules.retrain_every
    return often > 0 and day - refitted >= min(often, max(DAY, (day - began) // YOUNG))


def worth_publishing(published: Fitted, learned: Fitted, x: Float64, rules: Learning, age: int) -> str | None:
    """Why what was learned should follow the published segments, which are `age` ms old, if it should.

    x: the newest vectors (customers, columns).
    """
    gained = _gained(published, learned, x, rules.publish_gain)
    if gained is not None:
        return f"the version in force had {gained:.1%} more inertia" if gained < np.inf else "all is explained"
    if rules.publish_every and age >= rules.publish_every:
        return "the version in force was old enough"
    return None


def _gained(published: Fitted, learned: Fitted, x: Float64, gain: float) -> float | None:
    """By how much more the inertia of the published segments is than that of the learned ones, where that is enough.

    None: it is less than `gain` and what chance explains.
    """
    now, would = inertia(published, x, learned.scaler), inertia(learned, x, learned.scaler)
    # Centres fitted to one draw of n customers have 1 + 2k/n times the inertia on another, give or take: no gain.
    chance = 2.0 * len(learned.centers) / len(x) * (1.0 + 2.0 * (2.0 / learned.centers.size) ** 0.5)
    if now > (1.0 + gain + chance) * would:
        return now / would - 1.0 if would else np.inf
    return None
