"""LEARN: a deterministic fold over one samples partition. Samples in, model versions out.

Its clock is the least day that every events partition has passed, so the step at a boundary sees exactly the samples
dated at or before it, in one order, however the partitions raced. A version is published with its definitions and
put in force by an activation in every events partition, all through the outbox: once, or again with the same number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from stream_seg.core.activation import Activation
from stream_seg.core.clustering import Clusterer, Snapshot, learner
from stream_seg.core.definition import DAY, feature_set_version
from stream_seg.core.engine import Engine, compile_engine
from stream_seg.core.measures import transform
from stream_seg.core.model import Float64, ModelVersion
from stream_seg.core.naming import names_of
from stream_seg.core.ring import RING, position_of
from stream_seg.core.succession import laid_out, succeed
from stream_seg.errors import Stop
from stream_seg.pipeline.learn_state import Memory, Sample, Table, offset_in
from stream_seg.pipeline.owner import SlotOwner
from stream_seg.ports import Load, Loaded, Message, Packed, Record, Slot, Step
from stream_seg.wire import control
from stream_seg.wire.definitions import definition_messages, model_message, passed_message

EVENTS = "events"
PAGE = 500
KEPT_FOR = 90 * DAY  # a customer silent for longer does not shape segments
REQUESTS = 20

_sample = msgspec.json.Decoder(Sample).decode


@dataclass(frozen=True, slots=True)
class LearnSettings:
    """What differs between workers and changes no result."""

    outbox_limit: int = 2_500


class Learn:
    """LEARN's work on one partition of the samples log."""

    def __init__(self, topic: str, partition: int, settings: LearnSettings) -> None:
        self.owner = SlotOwner(Slot("learn", partition), topic)
        self.partition = partition
        self.settings = settings

    def open(self) -> Step[int]:
        """Claims the partition and reads its table back; returns the offset to read from."""
        meta, offset = yield from self.owner.open(offset_in)
        self.memory = Memory(meta, offset)
        if not meta:
            yield from self.owner.write(meta=self.memory.changed())
        self.learner: Clusterer | None = None
        if self.memory.activation is not None:
            self._compile(self.memory.activation)
            yield from self._read_table()
            if self.memory.learner is not None:
                self.learner = self._new_learner()
                self.learner.load(self.memory.learner)
        return self.memory.state.offset

    def _compile(self, activation: Activation) -> None:
        self.engine: Engine = compile_engine([activation])
        plan = self.engine.plan
        # Retained features stand last in a sample, and only the old model needs them.
        own = {feature.name for feature in activation.definition.features}
        self.used = plan.distance[: sum(column.feature.name in own for column in plan.columns)]
        definition = activation.definition
        self.table: Table = getattr(self, "table", None) or Table(0, 1)
        self.table.limit = definition.learning.table
        if self.table.period != definition.learn_every:
            self.table.period = definition.learn_every
            self.table.arrange(self.memory.state.learned)

    def _new_learner(self) -> Clusterer:
        return learner(int(self.used.sum()), self.engine.activation.definition.learning)

    def _read_table(self) -> Step[None]:
        after, entries = -1, list[tuple[bytes, bytes]]()
        while True:
            page: Loaded = yield Load(self.owner.slot, ring=(after, RING - 1), ring_limit=PAGE)
            ids = [customer for customer, _ in page.ring]
            if ids:
                found: Loaded = yield Load(self.owner.slot, ids)
                for customer, value in zip(ids, found.values, strict=True):
                    if value is None:
                        yield from self.owner.confirm()
                        raise Stop(f"samples partition {self.partition}: the index names a customer without an entry")
                    entries.append((customer, value))
                after = page.ring[-1][1]
            if len(ids) < PAGE:
                break
        self.table.load(entries, self.memory.state.learned)

    def process(self, records: Sequence[Record]) -> Step[int]:
        """Applies a batch; returns the next offset."""
        if self.owner.waiting > self.settings.outbox_limit:
            yield from self.owner.relay()
        state = self.memory.state
        messages: list[Message] = []
        for record in records:
            kind = control.kind_of(record) if record.headers else None
            if kind is None:
                self._sampled(record)
            elif kind == control.ACTIVATE:
                self._first(control.activation(record))
            elif kind == control.APPLY:
                messages += self._changed(control.read(record, control.Apply))
            elif kind == control.PASSED_DAY:
                messages += self._passed(control.read(record, control.PassedDay))
            state.offset = record.offset + 1
        yield from self._write(messages)
        return state.offset

    def _write(self, messages: Sequence[Message]) -> Step[None]:
        table = getattr(self, "table", None)
        if table is None:
            yield from self.owner.write(meta=self.memory.changed(), messages=messages)
            return
        ids = sorted(table.touched)
        yield from self.owner.write(
            meta=self.memory.changed(),
            messages=messages,
            ids=ids,
            records=Packed.of([table.dump(customer) for customer in ids]),
            ring=[(customer, position_of(table.entries[customer][0].hash)) for customer in ids],
            erased=sorted(table.dropped),
        )
        table.touched.clear()
        table.dropped.clear()

    # --- what comes in

    def _first(self, activation: Activation) -> None:
        """An activation that a person wrote into every log; later ones are numbered here."""
        state = self.memory.state
        if self.memory.activation is not None and activation.number <= self.memory.activation.number:
            return
        self.memory.activation = activation
        state.layout = activation.layout
        if activation.model is not None:
            state.versions = max(state.versions, activation.model.version)
        self._compile(activation)

    def _sampled(self, record: Record) -> None:
        sample = _sample(record.value or b"")
        if sample.layout >= self.memory.state.layout and self.memory.activation is not None:
            self.table.add(sample, self.memory.state.learned)

    def _changed(self, wish: control.Apply) -> list[Message]:
        """A changed definition: numbered, the old model kept at work until a new one is learned."""
        state, current = self.memory.state, self.memory.activation
        if current is None or wish.request in state.requests:
            return []
        state.requests = [*state.requests[1 - REQUESTS :], wish.request]
        following = succeed(current, wish.definition, who=wish.who, at=wish.at, why=wish.why)
        if following.feature_set_version != current.feature_set_version:
            state.layout = following.layout
            state.ready = state.learned + max((f.window or 0 for f in following.definition.features), default=0)
            self.table.clear()
            self.learner, self.memory.learner = None, None
        elif wish.definition.learning != current.definition.learning:
            self.learner, self.memory.learner = None, None
        state.partitions = wish.partitions
        return self._activate(following)

    def _passed(self, told: control.PassedDay) -> list[Message]:
        """A partition has sent all samples of a day; learns every day that all of them have passed."""
        state = self.memory.state
        state.partitions = told.partitions
        state.passed[told.partition] = max(told.through, state.passed.get(told.partition, 0))
        if self.memory.activation is None or len(state.passed) < state.partitions:
            return []
        through = min(state.passed.values())
        period = self.engine.activation.definition.learn_every
        if state.learned == 0:
            first = min((entry[0].as_of for entry in self.table.entries.values()), default=through)
            state.learned = min((first - 1) // period * period, through - period)
        messages: list[Message] = []
        while (day := (state.learned // period + 1) * period) <= through:
            messages += self._boundary(day)
        # Said again also when nothing is new: whoever waits for it may have begun to listen late.
        return [*messages, passed_message(self.partition, through)]

    # --- learning

    def _boundary(self, day: int) -> list[Message]:
        """Learns one day."""
        state, learning = self.memory.state, self.engine.activation.definition.learning
        self.table.close(day)
        news = self.table.between(state.learned, day)
        state.learned = day
        due = False
        if self.learner is None:
            latest = self.table.latest(day)
            if len(latest) >= max(learning.warm_start, learning.k) and day >= state.ready:
                self.learner = self._new_learner()
                state.low, state.high = [], []
                self._find_clips(self._vectors(latest))
                self.learner.start(self._vectors(latest))
                due = True
        elif news:
            self.learner.learn(self._vectors(news))
            due = day - state.published >= learning.publish_every
        self.table.prune(day, day - KEPT_FOR)
        if self.learner is not None:
            self.memory.learner = self.learner.dump()
        return self._publish(day) if due else []

    def _vectors(self, samples: Sequence[Sample]) -> Float64:
        """Samples as the learner sees them: after clip and log1p, only what is in the distance."""
        raw = self._raw(samples)
        x = np.empty_like(raw)
        transform(self.engine.plan.arrays, raw, x)
        x = np.ascontiguousarray(x[:, self.used])
        return np.clip(x, *self._clips()) if self.memory.state.low else x

    def _raw(self, samples: Sequence[Sample]) -> Float64:
        """Samples in real units, (samples, own columns); what was retained for an older model is left out."""
        own = len(self.used)
        return np.array([sample.vector[:own] for sample in samples], np.float64).reshape(len(samples), own)

    def _clips(self) -> tuple[Float64, Float64]:
        """The learned limits per used column; infinite where none were asked for."""
        state, n = self.memory.state, int(self.used.sum())
        if not state.low:
            return np.full(n, -np.inf), np.full(n, np.inf)
        return np.array(state.low), np.array(state.high)

    def _find_clips(self, x: Float64) -> None:
        """Learns the quantile limits that features ask for, once, from the customers the learner begins with."""
        columns = [column for column, used in zip(self.engine.plan.columns, self.used, strict=False) if used]
        asked = [column.feature.quantile_clip for column in columns]
        if any(asked):
            bounds = [np.quantile(x[:, f], q) if q else (-np.inf, np.inf) for f, q in enumerate(asked)]
            self.memory.state.low = [float(low) for low, _ in bounds]
            self.memory.state.high = [float(high) for _, high in bounds]

    def _publish(self, day: int) -> list[Message]:
        """A new version: recorded, described, and put in force everywhere."""
        state, current = self.memory.state, self.engine.activation
        assert self.learner is not None
        snapshot = self.learner.snapshot()
        latest = self.table.latest(day)
        state.versions += 1
        state.published = day
        model = self._version(snapshot, len(latest), day)
        # Customers adopt it one by one for a day. Until they have, the first model on changed features leaves in
        # place what the one before it needs.
        before = current.model.feature_set_version if current.model else current.feature_set_version
        changed = before != current.feature_set_version
        following = msgspec.structs.replace(
            current,
            number=current.number + 1,
            model=model,
            retained=current.retained if changed else (),
            aliases={},
            ramp="walk",
            who="learn",
            at=day,
            why=f"version {model.version}: learned from {len(latest)} customers",
        )
        following = laid_out(current, following)
        described = definition_messages(
            following, self.engine.plan, self._raw(latest), self._vectors(latest), state.history
        )
        return [model_message(model, following.definition.name), *described, *self._activate(following)]

    def _version(self, snapshot: Snapshot, samples: int, day: int) -> ModelVersion:
        definition, plan = self.engine.activation.definition, self.engine.plan
        columns = [column for column, used in zip(plan.columns, self.used, strict=False) if used]
        low, high = self._clips()
        return ModelVersion(
            version=self.memory.state.versions,
            tier=definition.tier,
            feature_set_version=feature_set_version(definition),
            learner=definition.learning.learner,
            columns=tuple(column.name for column in columns),
            centers=snapshot.centers,
            mean=snapshot.mean,
            scale=snapshot.scale,
            clip_low=tuple(None if np.isinf(v) else float(v) for v in low),
            clip_high=tuple(None if np.isinf(v) else float(v) for v in high),
            segments=names_of(snapshot.centers, columns, definition.levers),
            samples=samples,
            trained_at=day,
        ).sealed()

    def _activate(self, activation: Activation) -> list[Message]:
        """Puts an activation in force here, and in every events partition."""
        self.memory.activation = activation
        self._compile(activation)
        return [
            control.control(EVENTS, control.ACTIVATE, activation, partition)
            for partition in range(self.memory.state.partitions)
        ]
