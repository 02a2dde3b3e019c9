"""What the features say, the slow way: every value from the full list of a customer's events.

Written from the definitions (docs, docstrings), in plain Python over plain lists: no tiles are kept, nothing is
incremental, nothing is cached.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from stream_seg.core.activation import Activation
from stream_seg.core.definition import DAY, MINUTE, Definition, Feature
from stream_seg.core.hashing import customer_hash

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


@dataclass
class Rules:
    """What is in force, for all customers of a partition.

    in_use  activations that somebody may still be under, oldest first; since: no customer's time was later when
            each came into force
    """

    conditions: Mapping[str, Condition]
    tiers: Mapping[str, Callable[[Mapping[str, Value]], bool | None]]
    in_use: list[Activation] = field(default_factory=list)
    since: list[int] = field(default_factory=list)

    @property
    def newest(self) -> Activation:
        return self.in_use[-1]

    @property
    def definition(self) -> Definition:
        return self.newest.definition

    def under(self, number: int, tier: str) -> Activation:
        """The activation that a customer of a tier who adopted `number` is labelled by."""
        whole = next(a for a in self.in_use if a.number == number)
        return whole.of(tier if tier in {one.name for one in whole.definition.tiers} else "all")

    def tier_of(self, h: Happening) -> str | None:
        """The tier that an event puts its customer into; None: it leaves that open, or nobody asks."""
        for tier in self.definition.tiers:
            holds = self.tiers[tier.where](h.values)
            if holds is None:
                return None
            if holds:
                return tier.name
        return "all" if self.definition.tiers else None

    def name_of(self, column: str, of: Activation) -> str | None:
        """What the newest features call a column of an activation's model; None where nothing measures it any more.

        Of several that measure the same, the one of the same name.
        """
        assert of.model is not None
        if of.model.feature_set_version != of.feature_set_version:
            column = of.aliases.get(column, column)
        name, equals, part = column.partition("=")
        wanted = _measured(name, of)
        same = [f.name for f in self.newest.features if _measured(f.name, self.newest) == wanted]
        return min(same, key=lambda other: other != name) + equals + part if same else None

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


class Measured:
    """One customer's events, and what the newest features say of them.

    event_at    the customer's time at its last event, first_event at its first
    from_event  what is kept of events -> the first event that it knows
    """

    def __init__(self, id_: bytes, rules: Rules) -> None:
        self.rules = rules
        hashed = customer_hash(id_)
        self.low, self.high = (hashed & 0xFFFFFFFF), hashed >> 32  # two fractions of 2**32
        self.event_at = self.first_event = 0
        self.events: list[Happening] = []
        self.from_event: dict[object, int] = {}

    def _grid(self) -> Iterator[int]:
        every = self.rules.definition.evaluate_every
        silence = 0
        while True:
            yield self.event_at + silence
            silence = silence + max(every, silence // 16) if silence else 1 + self.low * every // 2**32

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
            if f.aggregate in {"projection", "diversity"}:
                assert f.of is not None
                found[f.name] = _over_shares(f, [max(found[name], 0.0) for name in f.of])
            elif f.of is not None:
                a, b = (next(v for c, v in found.items() if c.partition("=")[0] == name) for name in f.of)
                if f.aggregate == "trend" and b != 0:
                    long, short = features[f.of[1]].window or DAY, features[f.of[0]].window or DAY
                    a = a * (long / short)
                found[f.name] = min(max(a / b, -1e300), 1e300) if b != 0 else f.empty
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
    return f"{how} {read} {f.weights} {[_measured(part, activation) for part in f.of or ()]}"


def _over_shares(f: Feature, parts: list[float]) -> float:
    """The mean of the weights by the shares of the parts, or how many equal parts would be as mixed."""
    total = sum(parts)
    if total == 0:
        return f.empty
    if f.aggregate == "projection":
        return sum(weight * (part / total) for weight, part in zip(f.weights, parts, strict=True))
    return 1 / sum((part / total) ** 2 for part in parts)


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
