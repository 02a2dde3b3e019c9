"""What LABEL means, the slow way: every value from the full list of a customer's events, every instant looked at.

Written from the definitions (docs, docstrings), in plain Python over plain lists: no tiles are kept, nothing is
incremental, nothing is cached. The compiled fold is held against it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from stream_seg.core.activation import Activation
from stream_seg.core.definition import DAY, MINUTE, Definition, Feature
from stream_seg.core.hashing import customer_hash

REMEMBERED = 16  # message ids that a customer keeps
SAMPLED_FOR = 90 * DAY

Value = float | str
Condition = Callable[["Happening", int], bool]  # of an event and the definition's utc_offset in minutes


@dataclass(frozen=True)
class Happening:
    """An event as it stands in the log. time: after clamping to its append time; clock: the partition's, both ms.

    hashes: field -> the 64-bit hash of its value, for what is only counted or bucketed.
    """

    offset: int
    time: int
    clock: int
    message: int
    values: Mapping[str, Value]
    hashes: Mapping[str, int]

    def number(self, path: str) -> float | None:
        value = self.values.get(path)
        return None if value is None else float(value)


@dataclass(frozen=True)
class Move:
    """A movement; `at` is the exact instant."""

    incarnation: int
    sequence: int
    previous: int | None
    segment: int | None
    cause: str
    at: int


@dataclass(frozen=True)
class Taken:
    """A sample: what the daily walk read."""

    number: int
    at: int
    vector: dict[str, float]


@dataclass
class Rules:
    """What is in force, for all customers of a partition.

    in_use  activations that somebody may still be under, oldest first; since: no customer's time was later when
            each came into force
    """

    conditions: Mapping[str, Condition]
    in_use: list[Activation] = field(default_factory=list)
    since: list[int] = field(default_factory=list)

    @property
    def newest(self) -> Activation:
        return self.in_use[-1]

    @property
    def definition(self) -> Definition:
        return self.newest.definition

    def under(self, number: int) -> Activation:
        """The activation that a customer who adopted `number` is labelled by."""
        return next(a for a in self.in_use if a.number == number)

    def name_of(self, column: str, of: Activation) -> str | None:
        """What the newest features call a column of an activation's model; None where nothing measures it any more."""
        assert of.model is not None
        if of.model.feature_set_version != of.feature_set_version:
            column = of.aliases.get(column, column)
        name, equals, part = column.partition("=")
        wanted = _measured(name, of)
        same = [f.name for f in self.newest.features if _measured(f.name, self.newest) == wanted]
        return same[0] + equals + part if same else None

    def kept(self, f: Feature) -> object:
        """What must be kept of events to measure a feature; two features that need the same share it."""
        calendar = any(part in (f.where or "") for part in ("weekday", "hour", "day", "month"))
        offset = self.definition.utc_offset if calendar or f.aggregate == "distinct_days" else 0
        tiles = (f.window, None if f.aggregate == "distinct_days" else f.tiles) if f.window else None
        encode = "code" if f.encode in {"ordinal", "one_hot", "binary"} else f.encode
        sizes = (f.buckets if encode == "hashed" else 0, f.registers if f.aggregate == "distinct" else 0)
        aggregate = "tiles" if f.aggregate in {"sum", "count"} else f.aggregate
        field_ = f"{f.field}?" if f.aggregate == "count" and f.field else f.field
        return (aggregate, f.where, field_, tiles, f.half_life, f.gap, encode, f.categories, sizes, offset)


class Customer:
    """One customer as an automaton over its own events and over time."""

    def __init__(self, id_: bytes, rules: Rules) -> None:
        self.rules = rules
        hashed = customer_hash(id_)
        self.low, self.high = (hashed & 0xFFFFFFFF), hashed >> 32  # two fractions of 2**32
        self.alive = False
        self.time = self.event_at = self.looked = 0  # last change, last event, last instant looked at
        self.moves: list[Move] = []
        self.samples: list[Taken] = []
        self.fates: dict[int, str] = {}

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
        if not self.alive:
            self._begin(h.offset, own)
        self._write()
        if h.message:
            self.messages.append(h.message)
        self.fates[h.offset] = "accepted"
        self.events.append(h)
        self.time = self.event_at = self.looked = own
        self.judge(own, "event")

    def _begin(self, offset: int, own: int) -> None:
        self.alive = True
        self.incarnation = offset
        self.adopted = self.rules.newest.number
        self.first_event = own
        self.events: list[Happening] = []
        self.messages: list[int] = []
        self.from_event: dict[object, int] = {}  # what is kept -> the first event that it knows
        self.segment: int | None = None
        self.candidate: int | None = None
        self.candidate_since = self.since = 0
        self.sequence = self.sampled = 0

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
            yield self.candidate_since + self.rules.under(self.adopted).definition.dwell
        period, phase = self.rules.definition.learn_every, self._visit_phase()
        yield (self.looked - phase) // period * period + phase + period

    def _visit_phase(self) -> int:
        return self.high * self.rules.definition.learn_every // 2**32

    def _grid(self) -> Iterator[int]:
        every = self.rules.definition.evaluate_every
        silence = 0
        while True:
            yield self.event_at + silence
            silence = silence + max(every, silence // 16) if silence else 1 + self.low * every // 2**32

    def restart(self, t: int) -> None:
        """From here on features are read, or visits are made, at other instants."""
        if self.time < t:
            self.time = self.looked = t
            self._write()
            self.judge(t, "model")

    def _visit(self, t: int) -> None:
        self.time = t
        self._write()
        silence = t - self.event_at
        if silence >= self.rules.definition.forget_after:
            self.alive = False
            self.sequence += 1
            self.moves.append(Move(self.incarnation, self.sequence, self.segment, None, "forgotten", t))
            return
        self.judge(t, "time")
        if self.adopted != self.rules.newest.number:
            self.adopt(t)
        if silence <= SAMPLED_FOR:
            self.sampled += 1
            self.samples.append(Taken(self.sampled, t, self.vector(t)))

    def adopt(self, t: int) -> None:
        """Takes the newest activation."""
        if self.adopted == self.rules.newest.number:
            return
        self.adopted = self.rules.newest.number
        self.time = max(self.time, t)
        self.looked = max(self.looked, t)
        self._write()
        self.candidate, self.candidate_since = None, 0
        self.judge(t, "backfill" if self.segment is None else "model")

    # --- deciding

    def judge(self, t: int, cause: str) -> None:
        """Compares what the features say at `t` with the centres, and moves, waits or stays."""
        activation = self.rules.under(self.adopted)
        model, definition = activation.model, activation.definition
        if model is None or self._lost(activation):
            return
        d = self.distances(t)
        best = d.index(min(d))
        if self.segment is None or self.segment >= len(d):
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

    def _lost(self, activation: Activation) -> bool:
        """Whether a model in use needs a column that nothing measures any more."""
        assert activation.model is not None
        return None in [self.rules.name_of(column, activation) for column in activation.model.columns]

    def distances(self, t: int) -> list[float]:
        """Squared distances to the centres of the model that this customer is under."""
        activation = self.rules.under(self.adopted)
        model = activation.model
        assert model is not None
        x = self.transformed(t)
        d = [0.0] * model.k
        order = list(x)
        names = [self.rules.name_of(name, activation) or "" for name in model.columns]
        for i in sorted(range(len(names)), key=lambda i: order.index(names[i])):
            if model.scale[i] > 0:
                low, high = model.clip_low[i], model.clip_high[i]
                value = x[names[i]]
                value = value if low is None else max(low, value)
                value = value if high is None else min(high, value)
                z = (value - model.mean[i]) * (1.0 / model.scale[i])
                d = [d[j] + (z - center[i]) * (z - center[i]) for j, center in enumerate(model.centers)]
        return d

    def _move(self, to: int, cause: str, t: int) -> None:
        self.sequence += 1
        self.moves.append(Move(self.incarnation, self.sequence, self.segment, to, cause, t))
        self.segment, self.since = to, t
        self.candidate, self.candidate_since = None, 0
        self._changed(t)

    def _changed(self, t: int) -> None:
        self.time = max(self.time, t)
        self._write()

    # --- what the features say

    def transformed(self, t: int) -> dict[str, float]:
        """Columns after clip and log1p."""
        raw = self.vector(t)
        x = {}
        for f in self.rules.newest.features:
            for column in (name for name in raw if name == f.name or name.startswith(f"{f.name}=")):
                value = raw[column]
                if f.clip is not None:
                    value = min(max(value, f.clip[0]), f.clip[1])
                x[column] = math.copysign(math.log1p(abs(value)), value) if f.log1p else value
        return x

    def vector(self, t: int) -> dict[str, float]:
        """Column -> value in real units at `t`, which is not before the last event."""
        features = {f.name: f for f in self.rules.newest.features}
        found: dict[str, float] = {}
        for f in features.values():
            if f.of is not None:
                a, b = (next(v for c, v in found.items() if c.partition("=")[0] == name) for name in f.of)
                if f.aggregate == "trend" and b != 0:
                    long, short = features[f.of[1]].window or DAY, features[f.of[0]].window or DAY
                    a = a * (long / short)
                found[f.name] = a / b if b != 0 else f.empty
            elif f.encode is not None:
                found |= self._encoded(f)
            else:
                found[f.name] = self._value(f, t)
        return found

    def _matching(self, f: Feature) -> list[Happening]:
        events = self.events[self.from_event.get(self.rules.kept(f), len(self.events)) :]
        if f.where is None:
            return events
        condition, offset = self.rules.conditions[f.where], self.rules.definition.utc_offset
        return [e for e in events if condition(e, offset)]

    def _tiling(self, f: Feature) -> tuple[int, int, int]:
        """Width of a tile in ms, how many make the window, and how far tiles are shifted."""
        assert f.window is not None
        if f.aggregate == "distinct_days":
            return DAY, f.window // DAY, self.rules.definition.utc_offset * MINUTE
        width = f.window // f.tiles
        return width, f.tiles, self.low * (width // 256) // 2**32 * 256

    def _tile(self, f: Feature, t: int) -> int:
        width, _, shift = self._tiling(f)
        return (t + shift) // width

    def _leaves(self, f: Feature, time: int) -> int:
        """When an event of this time falls out of the window."""
        width, tiles, shift = self._tiling(f)
        return (self._tile(f, time) + tiles) * width - shift

    def _value(self, f: Feature, t: int) -> float:
        matching = self._matching(f)
        if f.window is not None:
            return self._windowed(f, matching, lambda time: t < self._leaves(f, time))
        grid = next(p for p, after in _pairs(self._grid()) if after > t)
        times = [e.time for e in matching]
        match f.aggregate:
            case "decayed_sum":
                assert f.half_life is not None
                given = [(1.0 if f.field is None else e.number(f.field), e.time) for e in matching]
                return math.fsum(x * 2.0 ** (-(grid - time) / f.half_life) for x, time in given if x is not None)
            case "recency":
                return (grid - max(times, default=self.first_event)) / 1000
            case "tenure":
                return (grid - min(times)) / 1000 if times else f.empty
            case "mean_gap":
                if len(times) > 1:
                    return (max(times) - min(times)) / 1000 / (len(times) - 1)
                return (grid - self.first_event) / 1000
            case "latest":
                assert f.field is not None
                dated = [(e.time, e.offset, e.number(f.field)) for e in matching]
                known = [(time, offset, x) for time, offset, x in dated if x is not None]
                return max(known)[2] if known else f.empty
        raise AssertionError(f.aggregate)

    def _windowed(self, f: Feature, matching: Sequence[Happening], inside: Callable[[int], bool]) -> float:
        if f.aggregate in {"sessions", "time_on_site"}:
            assert f.gap is not None
            sessions, on_site, last = 0, [], None
            for e in matching:
                if last is not None and e.time <= last:
                    continue  # out of order: it is inside what was already counted
                within = last is not None and e.time - last <= f.gap
                if inside(e.time):
                    sessions += not within
                    if within and last is not None:
                        on_site.append((e.time - last) / 1000)
                last = e.time
            return float(sessions) if f.aggregate == "sessions" else math.fsum(on_site)
        held = [e for e in matching if inside(e.time)]
        if f.aggregate == "distinct_days":
            return float(len({self._tile(f, e.time) for e in held}))
        if f.aggregate == "distinct":
            assert f.field is not None
            hashes = [e.hashes[f.field] for e in held if f.field in e.hashes]
            return linear_counting(len({(h % 2**63) % f.registers for h in hashes}), f.registers)
        numbers = [1.0 if f.field is None else e.number(f.field) for e in held]
        given = [x for x in numbers if x is not None]
        match f.aggregate:
            case "count":
                return float(len(given))
            case "sum":
                return math.fsum(given)
            case "mean":
                return math.fsum(given) / len(given) if given else f.empty
            case "max":
                return max(given, default=f.empty)
            case "min":
                return min(given, default=f.empty)
        raise AssertionError(f.aggregate)

    def _encoded(self, f: Feature) -> dict[str, float]:
        """The columns of the latest category; one never seen or not listed is *unknown*."""
        assert f.field is not None
        if f.encode == "hashed":
            seen = [(e.time, e.offset, e.hashes[f.field]) for e in self._matching(f) if f.field in e.hashes]
            bucket = max(seen)[2] % 2**63 % f.buckets if seen else -1
            found = {f"{f.name}=unknown": float(bucket < 0)}
            return found | {f"{f.name}=bucket{b + 1}": float(b == bucket) for b in range(f.buckets)}
        texts = [(e.time, e.offset, str(e.values[f.field])) for e in self._matching(f) if f.field in e.values]
        latest = max(texts)[2] if texts else ""
        code = f.categories.index(latest) + 1 if latest in f.categories else 0
        if f.encode == "ordinal":
            return {f.name: float(code)}
        if f.encode == "one_hot":
            return {f"{f.name}={c}": float(i == code) for i, c in enumerate(("unknown", *f.categories))}
        bits = math.ceil(math.log2(len(f.categories) + 1))
        return {f"{f.name}=bit{b}": float(f"{code:064b}"[-1 - b]) for b in range(bits)}


def _measured(name: str, activation: Activation) -> str:
    """A feature spelled out down to the events, without the names that people gave."""
    f = next(f for f in activation.features if f.name == name)
    how = (f.aggregate, f.field, f.where, f.window, f.tiles, f.half_life, f.gap, f.encode, f.categories, f.buckets)
    read = (f.registers, f.empty, f.log1p, f.clip, f.quantile_clip)
    return f"{how} {read} {[_measured(part, activation) for part in f.of or ()]}"


def linear_counting(hit: int, registers: int) -> float:
    """How many distinct values most likely hit so many registers; a full sketch counts as half a register free."""
    if hit == 0:
        return 0.0
    return -registers * math.log(max(registers - hit, 0.5) / registers)


def _pairs(points: Iterator[int]) -> Iterator[tuple[int, int]]:
    before = next(points)
    for point in points:
        yield before, point
        before = point
