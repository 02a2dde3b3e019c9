"""What LABEL means, the slow way: every value from the full list of a customer's events, every instant looked at.

The automaton of one customer; what its features say is `tests.core.reference_values`. The compiled fold is held
against both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from stream_seg.core.activation import Activation
from stream_seg.core.definition import DAY
from tests.core.reference_values import Happening, Measured, Rules

REMEMBERED = 16  # message ids that a customer keeps
SAMPLED_FOR = 90 * DAY


@dataclass(frozen=True)
class Reason:
    """What a column was at the customer's last change (None: there was none), what it is, what speaks for the move."""

    before: float | None
    after: float
    effect: float


@dataclass(frozen=True)
class Move:
    """A movement; `at` is the exact instant. reasons: column -> what it has to do with it, every column."""

    incarnation: int
    sequence: int
    previous: int | None
    segment: int | None
    cause: str
    at: int
    reasons: dict[str, Reason]


@dataclass(frozen=True)
class Taken:
    """A sample: what the daily walk read."""

    number: int
    at: int
    vector: dict[str, float]


class Customer(Measured):
    """One customer as an automaton over its own events and over time."""

    def __init__(self, id_: bytes, rules: Rules) -> None:
        super().__init__(id_, rules)
        self.alive = False
        self.time = self.looked = 0  # last change, last instant looked at
        self.tier, self.tier_at = "all", 0
        self.segment: int | None = None
        self.candidate: int | None = None
        self.candidate_since = self.since = self.sequence = self.sampled = 0
        self.moves: list[Move] = []
        self.samples: list[Taken] = []
        self.fates: dict[int, str] = {}
        self._before: Callable[[], dict[str, float]] = dict  # the columns at the last change

    # --- what an event does

    def hear(self, h: Happening) -> None:
        """The next event of this customer in the log."""
        own = h.clock
        if self.alive:
            own = max(own, self.time)
            self.settle(own)  # may end it
        if h.time < own - self.rules.definition.lateness:
            self.fates[h.offset] = "late"
            return
        if self.alive and h.message and h.message in self.messages[-REMEMBERED:]:
            self.fates[h.offset] = "duplicate"
            return
        own = max(own, h.time)
        if self.alive:
            self.settle(own)
        known = self.alive
        if not known:
            self._begin(h.offset, own)
        before = self.vector(self.time) if known else {}
        self._before = lambda: before
        self._write()
        if h.message:
            self.messages.append(h.message)
        self.fates[h.offset] = "accepted"
        self.events.append(h)
        self.time = self.event_at = self.looked = own
        self.judge(own, "tier" if self._say_tier(h, own) and known else "event")

    def _say_tier(self, h: Happening, own: int) -> bool:
        """Whether this event puts the customer into another tier."""
        tier = self.rules.tier_of(h)
        if tier is None or h.time < self.tier_at:
            return False
        self.tier_at = h.time
        if tier == self.tier:
            return False
        self.adopted = self.rules.newest.number
        self._enter(tier, own)
        return True

    def _enter(self, tier: str, t: int) -> None:
        self.tier = tier
        self.candidate, self.candidate_since = None, 0
        if self.rules.under(self.adopted, tier).model is None and self.segment is not None:
            self._move(None, "tier", t)

    def _begin(self, offset: int, own: int) -> None:
        self.alive = True
        self.incarnation = offset
        self.adopted = self.rules.newest.number
        self.first_event = own
        self.events, self.from_event = [], {}
        self.messages: list[int] = []
        self.segment = self.candidate = None
        self.candidate_since = self.since = 0
        self.sequence = self.sampled = 0
        self.tier, self.tier_at = "all", 0

    def _write(self) -> None:
        """Whenever a customer's record is written, what features no longer need is gone, and new needs begin."""
        needs = [self.rules.kept(f) for f in self.rules.newest.features if f.of is None]
        self.from_event = {need: self.from_event.get(need, len(self.events)) for need in needs}

    # --- what silence does

    def settle(self, until: int) -> None:
        """Everything that happens without an event up to and including `until`."""
        while self.alive:
            coming = [t for t in self._instants() if t > self.looked]
            t = min(coming)
            if t > until:
                return
            self.looked = t
            self._before = partial(self.vector, self.time)
            if (t - self._visit_phase()) % self.rules.definition.learn_every == 0:
                self._visit(t)
            else:
                self.judge(t, "time")

    def _instants(self) -> Iterator[int]:
        """Every instant at which anything about this customer could change, and more."""
        for f in self.rules.newest.features:
            if f.window is not None:
                for e in self.events:
                    yield self._leaves(f, e.time)
        yield next(p for p in self._grid() if p > self.looked)
        if self.candidate is not None:
            yield self.candidate_since + self.rules.under(self.adopted, self.tier).definition.dwell
        period, phase = self.rules.definition.learn_every, self._visit_phase()
        yield (self.looked - phase) // period * period + phase + period

    def _visit_phase(self) -> int:
        return self.high * self.rules.definition.learn_every // 2**32

    def restart(self, t: int) -> None:
        """From here on features are read, or visits are made, at other instants."""
        self._before = partial(self.vector, self.time)
        self.time = self.looked = max(self.time, t)
        self._write()
        self.judge(self.time, "model")

    def _visit(self, t: int) -> None:
        self.time = t
        self._write()
        silence = t - self.event_at
        if silence >= self.rules.definition.forget_after:
            self.alive = False
            self.sequence += 1
            self.moves.append(Move(self.incarnation, self.sequence, self.segment, None, "forgotten", t, {}))
            return
        self.judge(t, "time")
        self._adopt(t)
        if silence <= SAMPLED_FOR:
            self.sampled += 1
            self.samples.append(Taken(self.sampled, t, self.vector(t)))

    def adopt(self, t: int) -> None:
        """Takes the newest activation without waiting for the visit."""
        self._before = partial(self.vector, self.time)
        self._adopt(t)

    def _adopt(self, t: int) -> None:
        if self.adopted == self.rules.newest.number:
            return
        before = self.rules.under(self.adopted, self.tier)
        self.adopted = self.rules.newest.number
        self.time = max(self.time, t)
        self.looked = max(self.looked, t)
        self._write()
        if self._decides(before) != self._decides(self.rules.under(self.adopted, self.tier)):
            self.candidate, self.candidate_since = None, 0
        cause = "backfill" if self.segment is None else "model"
        if self.tier != "all" and self.tier not in {tier.name for tier in self.rules.definition.tiers}:
            self._enter("all", t)
            cause = "tier"
        elif self.segment is not None and self.rules.under(self.adopted, self.tier).model is None:
            self._enter(self.tier, t)
        self.judge(t, cause)

    # --- deciding

    def judge(self, t: int, cause: str) -> None:
        """Compares what the features say at `t` with the centres, and moves, waits or stays."""
        activation = self.rules.under(self.adopted, self.tier)
        model, definition = activation.model, activation.definition
        if model is None or self._lost(activation):
            return
        d = self.distances(t)
        best = d.index(min(d))
        if self.segment is None or self.segment not in model.alive:
            self._move(best, cause, t)
        elif best != self.segment and d[best] < (1.0 - definition.margin) * d[self.segment]:
            if definition.dwell == 0:
                self._move(best, cause, t)
            elif self.candidate != best:
                self.candidate, self.candidate_since = best, t
                self._changed(t)
            elif t - self.candidate_since >= definition.dwell:
                self._move(best, cause, t)
        elif self.candidate is not None:
            self.candidate, self.candidate_since = None, 0
            self._changed(t)

    def _decides(self, activation: Activation) -> tuple[object, ...]:
        """What an activation decides by, in one tier."""
        version = None if activation.model is None or self._lost(activation) else activation.model.version
        return version, activation.definition.margin, activation.definition.dwell

    def _lost(self, activation: Activation) -> bool:
        """Whether a model in use needs a column that nothing measures any more."""
        assert activation.model is not None
        return None in [self.rules.name_of(column, activation) for column in activation.model.columns]

    def distances(self, t: int) -> list[float]:
        """Squared distances to the centres of the model that this customer is under."""
        model = self.rules.under(self.adopted, self.tier).model
        assert model is not None
        d = [0.0 if center else math.inf for center in model.centers]
        for i, z in self._scaled(t).values():
            d = [d[j] + (z - center[i]) * (z - center[i]) if center else d[j] for j, center in enumerate(model.centers)]
        return d

    def _scaled(self, t: int) -> dict[str, tuple[int, float]]:
        """Column -> its place in the model that this customer is under, and its value there; in the columns' order."""
        activation = self.rules.under(self.adopted, self.tier)
        model = activation.model
        assert model is not None
        x = self.transformed(t)
        names = [self.rules.name_of(name, activation) or "" for name in model.columns]
        scaled = {}
        for name in x:
            if name in names and model.scale[i := names.index(name)] > 0:
                low, high = model.clip_low[i], model.clip_high[i]
                value = x[name]
                value = value if low is None else max(low, value)
                value = value if high is None else min(high, value)
                scaled[name] = i, (value - model.mean[i]) * (1.0 / model.scale[i])
        return scaled

    def _reasons(self, to: int | None, t: int) -> dict[str, Reason]:
        """How much nearer each column is to the new segment than to the one before, or to the average without one."""
        model = self.rules.under(self.adopted, self.tier).model
        if to is None or model is None:
            return {}
        before, found = self._before(), {}
        old = () if self.segment is None or self.segment not in model.alive else model.centers[self.segment]
        scaled = self._scaled(t)
        for name, after in self.vector(t).items():
            effect = 0.0
            if name in scaled:
                i, z = scaled[name]
                effect = (z - (old[i] if old else 0.0)) ** 2 - (z - model.centers[to][i]) ** 2
            found[name] = Reason(before.get(name), after, effect)
        return found

    def _move(self, to: int | None, cause: str, t: int) -> None:
        self.sequence += 1
        self.moves.append(Move(self.incarnation, self.sequence, self.segment, to, cause, t, self._reasons(to, t)))
        self.segment, self.since = to, t
        self.candidate, self.candidate_since = None, 0
        self._changed(t)

    def _changed(self, t: int) -> None:
        self.time = max(self.time, t)
        self._write()
