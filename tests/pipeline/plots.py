"""Random stories of a partition: a log, and the same told to the reference record by record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
from hypothesis import strategies as st

from stream_seg.adapters.memory.log import LogRecord
from stream_seg.core.activation import Activation, Own
from stream_seg.core.definition import DAY, HOUR, MINUTE, SECOND, Definition
from stream_seg.core.succession import laid_out, succeed
from stream_seg.wire import control
from stream_seg.wire.text_hash import hash_texts
from stream_seg.wire.timestamps import rfc3339
from tests.core import drawing
from tests.core.reference import Customer
from tests.core.reference_values import Happening, Rules, Value
from tests.pipeline.partition import Log

FAR = 4_102_444_800_000  # append time of bounded input: nothing is from the future
SOURCES = ("north", "south")
PEOPLE = ("ann", "bob", "Çem", "dee")


@dataclass
class Oracle:
    """The reference for a whole partition."""

    rules: Rules = field(default_factory=lambda: Rules(drawing.CONDITIONS, drawing.TIERS))
    clock: int = 0
    latest: int = 0
    customers: dict[str, Customer] = field(default_factory=dict)

    def activate(self, activation: Activation) -> None:
        rules = self.rules
        before = list(rules.in_use)
        rules.in_use.append(activation)
        rules.since.append(max(self.clock, self.latest))
        if not before:
            return
        had = {one.definition.tier for a in before for one in a.each if one.model is not None}
        first = {one.definition.tier for one in activation.each if one.model is not None} - had
        models = {one.definition.tier: one.model for one in before[-1].each}
        changed = {
            tier: one.model != models.get(tier) for one in activation.each for tier in [one.definition.tier]
        }  # fmt: skip
        cut_off = any(self._cut_off(one) for a in before for one in a.each)
        restart = _timing(before[-1].definition) != _timing(activation.definition)
        for customer in self.customers.values():
            if customer.alive and restart:
                customer.restart(self.clock)
            if not customer.alive:
                continue
            tier = customer.tier if customer.tier in changed else "all"
            now = activation.ramp == "now" and (changed[tier] or not any(changed.values()))
            if cut_off or now or tier in first:
                customer.adopt(max(self.clock, customer.time))

    def _cut_off(self, activation: Activation) -> bool:
        """Whether the newest features leave out what this activation's model needs."""
        if activation.model is None:
            return False
        return None in [self.rules.name_of(column, activation) for column in activation.model.columns]

    def hear(self, name: str, happening: Happening) -> None:
        self.latest = max(self.latest, happening.time)
        customer = self.customers.setdefault(name, Customer(name.encode(), self.rules))
        customer.hear(happening)

    def settle(self) -> None:
        """Everything up to the clock; then activations that nobody can be under any more are gone."""
        for customer in self.customers.values():
            customer.settle(self.clock)
        walk = self.rules.definition.learn_every
        while len(self.rules.in_use) > 1 and self.rules.since[1] + walk < self.clock:
            self.rules.in_use.pop(0)
            self.rules.since.pop(0)


def _timing(definition: Definition) -> tuple[int, int, int]:
    return definition.learn_every, definition.evaluate_every, definition.utc_offset


@dataclass(repr=False)
class Plot:
    """A log, and for each of its records what it means to the reference."""

    definition: Definition
    log: Log = field(default_factory=Log)
    steps: list[Callable[[Oracle], None]] = field(default_factory=list)
    activation: Activation | None = None
    now: int = drawing.START
    clock: int = 0
    through: dict[str, int] = field(default_factory=dict)
    nows: list[int] = field(default_factory=list)

    def __repr__(self) -> str:
        """The story, to be read where it fails."""
        return "\n".join(f"{r.offset} {rfc3339(self.nows[i])} {_short(r)}" for i, r in enumerate(self.log.records))

    @property
    def by_append(self) -> bool:
        return self.definition.input.clock == "append"

    def _at(self) -> int:
        return self.now if self.by_append else FAR

    def _moved(self) -> None:
        if self.by_append:
            self.clock = max(self.clock, self.now)

    def _step(self, step: Callable[[Oracle], None] = lambda _: None) -> None:
        clock = self.clock
        self.nows.append(self.now)

        def taken(oracle: Oracle) -> None:
            oracle.clock = clock
            step(oracle)
            oracle.settle()

        self.steps.append(taken)

    def sources(self) -> None:
        self.through = dict.fromkeys(SOURCES, 0)
        self.log.control(control.SOURCES, control.Sources(SOURCES), self._at())
        self._step()

    def activate(self, activation: Activation) -> None:
        self.activation = activation
        self.log.activate(activation, self._at())
        self._step(lambda oracle: oracle.activate(activation))

    def event(self, name: str, time: int, values: dict[str, Value], message: str = "") -> None:
        self._moved()
        record = self.log.event(name, time, self._at(), values, message)
        happening = Happening(
            offset=record.offset,
            time=min(time, self._at()),
            clock=self.clock,
            message=int(hash_texts([message])[0]),
            values=values,
            hashes=drawing.hashes_of(values),
        )
        self._step(lambda oracle: oracle.hear(name, happening))

    def tick(self, source: str = SOURCES[0], behind: int = 0) -> None:
        """Time passes without events: a tick, or the progress of one source."""
        if self.by_append:
            self._moved()
            self.log.control(control.TICK, None, self._at())
        else:
            self.through[source] = max(self.through[source], self.now - behind)
            self.clock = max(self.clock, min(self.through.values()))
            self.log.control(control.PROGRESS, control.Progress(source, self.now - behind), self._at())
        self._step()


def _short(record: LogRecord) -> str:
    """A record without what is at its default."""
    if control.kind_of(record) != control.ACTIVATE:
        return f"{record.headers and record.headers[0][1]!r} {record.value!r}"
    a = control.activation(record)
    features = [msgspec.to_builtins(f) for f in a.features]
    d = a.definition
    rules = {name: getattr(d, name) for name in _DECIDING}
    model = a.model and msgspec.structs.asdict(a.model)
    return f"activate {a.number} layout {a.layout} {a.ramp} {a.aliases}\n  {features}\n  {rules}\n  {model}"


_DECIDING = (
    "utc_offset", "lateness", "evaluate_every", "learn_every", "forget_after", "margin", "dwell",
)  # fmt: skip

GAPS = st.sampled_from([0, 0, 1, 5 * SECOND, MINUTE, 20 * MINUTE, 3 * HOUR, 15 * HOUR, 2 * DAY, 6 * DAY])
LATE = st.sampled_from([0, 0, 0, 1, 30 * MINUTE, 5 * HOUR, 4 * DAY, -3 * MINUTE])


@st.composite
def plots(
    draw: st.DrawFn,
    most_features: int = 5,
    most_records: int = 30,
    *,
    models: bool = True,
    changes: bool = False,
    owner: bool = False,
) -> Plot:
    """A story. `models`: versions come and go; `changes`: the definition does; `owner`: one customer has most of it."""
    clock = draw(st.sampled_from(["append", "progress"]))
    plot = Plot(draw(drawing.definitions(most_features, clock)))
    first = drawing.activation(plot.definition)
    if models and draw(st.booleans()):
        first = msgspec.structs.replace(first, model=drawing.model(plot.definition, 1, draw(SEEDS), draw(KS)))
    plot.activate(first)
    if clock == "progress":
        plot.sources()
    people = st.sampled_from([PEOPLE[0]] * 27 + [*PEOPLE[1:]] if owner else PEOPLE)  # nine tenths, if one owns it
    for _ in range(draw(st.integers(1, most_records))):
        plot.now += draw(GAPS)
        match draw(st.sampled_from(["event"] * 8 + ["tick"] * 2 + ["model"] * models + ["change"] * changes)):
            case "event":
                message = draw(st.sampled_from(["", "m1", "m2", "m3"]))
                plot.event(draw(people), plot.now - draw(LATE), draw(drawing.VALUES), message)
            case "tick":
                plot.tick(draw(st.sampled_from(SOURCES)), draw(st.sampled_from([0, 0, HOUR])))
            case "model":
                plot.activate(draw(_relearned(plot)))
            case "change":
                plot.activate(draw(_changed(plot)))
    plot.now += draw(st.sampled_from([0, 2 * DAY, 30 * DAY]))
    for source in SOURCES:
        plot.tick(source)
    return plot


SEEDS = st.integers(0, 10_000)
KS = st.integers(2, 4)


@st.composite
def _relearned(draw: st.DrawFn, plot: Plot) -> Activation:
    """The next activation, with another model for the definition in force."""
    current = plot.activation
    assert current is not None
    tier = draw(st.sampled_from(current.each))
    model = drawing.model(tier.definition, current.number + 1, draw(SEEDS), draw(KS))
    ramp = draw(st.sampled_from(["walk", "walk", "now"]))
    following = current.having(model.tier, Own(model=model))
    following = msgspec.structs.replace(following, number=current.number + 1, ramp=ramp)
    others = [one.model.feature_set_version for one in following.each if one.model is not None]
    if set(others) == {model.feature_set_version} and draw(st.booleans()):
        following = msgspec.structs.replace(following, retained=())  # as LEARN does, but while somebody still needs it
    return laid_out(current, following)


@st.composite
def _changed(draw: st.DrawFn, plot: Plot) -> Activation:
    """The next activation, with another definition: some features stay, some change their meaning, some are new."""
    current = plot.activation
    assert current is not None
    others = {f.name: f for f in draw(drawing.feature_sets(4))}
    kept = {f.name: f for f in current.definition.features if f.of is None and draw(st.booleans())}
    definition = msgspec.structs.replace(
        current.definition, features=tuple((others | kept).values()), dwell=draw(st.sampled_from([0, 2 * HOUR]))
    )
    if draw(st.booleans()):
        definition = msgspec.structs.replace(definition, tiers=draw(drawing.tiers()))
    if draw(st.booleans()):
        definition = msgspec.structs.replace(
            definition,
            learn_every=draw(st.sampled_from([DAY, 6 * HOUR])),
            evaluate_every=draw(st.sampled_from([5 * MINUTE, HOUR])),
            utc_offset=draw(st.sampled_from([0, 330])),
        )
    return succeed(current, definition, who="test", at=plot.now, why="test")
