"""LABEL: a deterministic fold over one events partition. Records in, state, movements and samples out.

The way of a batch: `process` cuts it into runs at the records that change the rules; `_run` decodes a run, brings
the customers it touches at hand, folds, and writes everything in one call; `_sweep` carries on those whom silence
or the daily walk moves. Every method is a step (`stream_seg.ports`): it decides, the shell does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from stream_seg.core.activation import Activation
from stream_seg.core.engine import Engine, compile_engine
from stream_seg.core.event import Decoded
from stream_seg.core.fold import ACCEPTED, DUPLICATE, LATE, Rows, fold, look_ahead, settle
from stream_seg.core.hashing import partition_of
from stream_seg.core.model import Int64
from stream_seg.core.record import ALIVE, HASH, pack_rows, tag_of
from stream_seg.core.ring import RING, arcs, position_of
from stream_seg.core.windows import NEVER
from stream_seg.errors import BadEvent, Stop
from stream_seg.pipeline.label_state import Memory, offset_in
from stream_seg.pipeline.outcome import Outcome
from stream_seg.pipeline.owner import SlotOwner
from stream_seg.pipeline.residents import NOT_INDEXED, UNSEEN, Residents
from stream_seg.ports import NOTHING, Load, Loaded, Packed, Publish, Record, Slot, Step
from stream_seg.wire import control
from stream_seg.wire.dead_letters import dead_letter, late_event
from stream_seg.wire.decode import Decoder
from stream_seg.wire.output import SAMPLES
from stream_seg.wire.rejections import rejection
from stream_seg.wire.timestamps import in_future

BESIDES = 300  # bytes that a customer at hand costs besides its row: id, dictionary, index
INSTANTS_AHEAD = 16  # how many instants of silence are looked at for each touched customer


@dataclass(frozen=True, slots=True)
class LabelSettings:
    """What differs between workers and changes no result.

    cache_bytes        for customers at hand
    most_customers     most customers written in one call (Redis serves nobody else meanwhile)
    outbox_limit       messages waiting for Kafka above which nothing more is applied
    origin             live or replay
    trust_timestamps   take the producer's time of a record for the broker's (an embedded broker does not stamp)
    """

    cache_bytes: int = 64_000_000
    most_customers: int = 1_000
    outbox_limit: int = 20_000
    origin: str = "live"
    trust_timestamps: bool = False
    group: str = "label"
    samples_partitions: int = 1


class Labeller:
    """LABEL's work on one partition. `now` gives the wall clock (ms) for ``decided_at``, which decides nothing."""

    def __init__(self, topic: str, partition: int, settings: LabelSettings, now: Iterable[int]) -> None:
        self.owner = SlotOwner(Slot("label", partition), topic)
        self.partition = partition
        self.settings = settings
        self.now = iter(now)

    # --- opening

    def open(self) -> Step[int]:
        """Claims the partition and settles what an interrupted sweep left; returns the offset to read from."""
        meta, offset = yield from self.owner.open(offset_in)
        self.memory = Memory(meta, offset)
        if not meta:
            yield from self.owner.write(meta=self.memory.changed())
        self.swept = -1
        if self.memory.in_use:
            self._compile()
            yield from self._sweep()
        return self.memory.state.offset

    def _compile(self) -> None:
        """Compiles what is in force. Everybody at hand is dropped, since layouts may differ."""
        activations = self.in_force = list(self.memory.activations)
        self.engine: Engine = compile_engine(activations)
        layouts = {a.layout: a for a in activations if a.layout != activations[-1].layout}
        plans = {tag_of(a.layout): compile_engine([a]).plan for a in layouts.values()}
        row = 8 * (self.engine.plan.width + len(self.engine.plan.columns)) + BESIDES
        capacity = max(self.settings.cache_bytes // row, 2 * self.settings.most_customers)
        self.residents = Residents(self.engine, plans, capacity)
        rules = self.engine.activation.definition.input
        # What INGEST or a feeder wrote is Segment-spec JSON by now: a mapping is for what producers write here.
        mapping = rules.mapping if rules.keyed_by_customer else None
        self.decoder = Decoder(self.engine.fields, mapping, keyed=rules.keyed_by_customer)

    # --- a batch

    def process(self, records: Sequence[Record]) -> Step[int]:
        """Applies a batch; returns the next offset. What was decided waits in ``owner.pending`` for the relay."""
        if self.owner.waiting > self.settings.outbox_limit:
            yield from self.owner.relay()
        yield from self._find_first(records)
        for run, rule in self._runs(records):
            if run:
                yield from self._apply(run)
            if rule is not None:
                yield from self._obey(rule)
        return self.memory.state.offset

    def _find_first(self, records: Sequence[Record]) -> Step[None]:
        """The first activation of a log also holds for the events that arrived before it."""
        if self.memory.in_use:
            return
        for record in records:
            if record.headers and control.kind_of(record) == control.ACTIVATE:
                self.memory.activate(control.activation(record))
                self._compile()
                yield from self.owner.write(meta=self.memory.changed())
                return
        raise Stop(
            f"{self.owner.topic} partition {self.partition} has {len(records)} records and no activation among them; "
            "run `stream-seg apply` before producing events"
        )

    def _runs(self, records: Sequence[Record]) -> Iterator[tuple[Sequence[Record], Record | None]]:
        """Cuts a batch before every record that changes the rules, and where one call would write too many customers.

        Where it is cut changes no result; a run must be cut before any of it is looked at, since marks and progress
        are written with the offset.
        """
        start, keys = 0, set[bytes | None]()
        for i, record in enumerate(records):
            keys.add(record.key)
            if record.headers and control.kind_of(record) in (control.ACTIVATE, control.SOURCES, control.END):
                yield records[start:i], record
                start, keys = i + 1, set()
            elif len(keys) > self.settings.most_customers:
                yield records[start:i], None
                start, keys = i, {record.key}
        if start < len(records):
            yield records[start:], None

    def _obey(self, record: Record) -> Step[None]:
        """A record that changes the rules."""
        state, kind = self.memory.state, control.kind_of(record)
        if kind == control.ACTIVATE:
            activation = control.activation(record)
            if self.memory.activate(activation):
                self._compile()
                if self._for_everybody(activation):
                    state.adopting = activation.number
                state.restarting = self._other_instants()
        elif kind == control.SOURCES:
            self.memory.expect(control.read(record, control.Sources).sources)
        else:
            state.ended = True
        state.offset = record.offset + 1
        yield from self.owner.write(meta=self.memory.changed())
        yield from self._sweep()

    def _for_everybody(self, activation: Activation) -> bool:
        """Whether all known customers adopt it at once, instead of at their next visit.

        So does the first model, one that a person wants now, and one whose features leave out what an older model
        that is still in use would need.
        """
        before = self.memory.activations[:-1]
        first = activation.model is not None and not any(a.model for a in before)
        return bool(before) and (first or activation.ramp == "now" or self.engine.cut_off)

    def _other_instants(self) -> bool:
        """Whether the newest definition reads features, or visits customers, at other instants than the one before."""
        rules = [(d.learn_every, d.evaluate_every, d.utc_offset) for d in (a.definition for a in self.in_force[-2:])]
        return rules[0] != rules[-1]

    def _apply(self, records: Sequence[Record]) -> Step[None]:
        """A run of records under one set of rules: one fold, one write, then what silence did meanwhile."""
        state = self.memory.state
        events, clocks = self._advance(records)
        state.offset = records[-1].offset + 1
        decoded, times = yield from self._decode(events)
        state.latest = max(state.latest, int(times.max(initial=0)))
        ids = decoded.customers
        self.residents.begin(ids)
        wanted = self.residents.missing(ids)
        loaded = yield from self._load(wanted)
        new = yield from self._admit(wanted, loaded)
        slots = self.residents.rows(ids)
        rows = Rows(
            slot=slots,
            offset=np.fromiter((events[i].offset for i in decoded.rows), np.int64, len(ids)),
            time=times,
            clock=clocks[decoded.rows],
            mask=self.engine.conditions.masks(decoded).view(np.int64),
            message=decoded.messages,
            numbers=decoded.numbers,
            codes=decoded.codes.astype(np.int64),
            hashes=decoded.hashes,
        )
        outcome = self._outcome()
        fate = self._fold(rows, outcome)
        state.accepted += int(np.count_nonzero(fate == ACCEPTED))
        state.duplicates += int(np.count_nonzero(fate == DUPLICATE))
        late = decoded.rows[fate == LATE].tolist()
        if late:
            state.late += len(late)
            yield from self.owner.confirm()  # a record that an heir wrote already would make late what is not
            yield Publish([late_event(events[i], self.settings.group, self._log_id) for i in late])
        touched = np.unique(slots)
        yield from self._write(touched, new, outcome)
        yield from self._sweep()

    def _advance(self, records: Sequence[Record]) -> tuple[list[Record], Int64]:
        """The events of a run and the partition's clock at each; leaves the clock where the run ends."""
        state = self.memory.state
        by_append = self.engine.activation.definition.input.clock == "append"
        events: list[Record] = []
        clocks: list[int] = []
        for record in records:
            if by_append:
                if record.timestamp_type != 1 and not self.settings.trust_timestamps:
                    raise Stop(
                        f"{record.topic} does not stamp records with the broker's time, and input.clock is append; "
                        "set message.timestamp.type=LogAppendTime on the topic (`stream-seg topics create` does)"
                    )
                state.clock = max(state.clock, record.timestamp)
            if record.headers and not self._is_event(record):
                continue
            events.append(record)
            clocks.append(state.clock)
        return events, np.array(clocks, np.int64)

    def _is_event(self, record: Record) -> bool:
        """Takes the headers of our own: control records move the clock, and a source's record counts once."""
        for name, value in record.headers:
            if name == control.HEADER:
                if value.decode() == control.PROGRESS:
                    told = control.read(record, control.Progress)
                    self.memory.progress(told.source, self._witnessed(told.through, record))
                return False
            if name == control.SOURCE and self.memory.taken(value.decode()):
                self.memory.state.duplicates += 1
                return False
        return True

    def _witnessed(self, through: int, record: Record) -> int:
        """Live progress, by the broker's clock at most: one machine whose clock runs ahead must not age everybody."""
        live = self.engine.activation.definition.input.clock == "progress"
        return min(through, record.timestamp) if live else through

    def _decode(self, events: list[Record]) -> Step[tuple[Decoded, Int64]]:
        """The usable events and their times; the others are dead letters, published before the offset moves on."""
        decoded = self.decoder.decode(events)
        appended = np.fromiter((events[i].timestamp for i in decoded.rows), np.int64, len(decoded))
        skew = self.engine.activation.definition.max_skew
        future = decoded.times > appended + skew
        misplaced = np.fromiter(map(self._is_misplaced, decoded.customers), np.bool_, len(decoded))
        wrong = np.flatnonzero(future | misplaced)
        bad = list(decoded.rejected)
        for i in wrong.tolist():
            row = int(decoded.rows[i])
            error = in_future(int(decoded.times[i]), int(appended[i]), skew)
            bad.append((row, error or self._misplaced(decoded.customers[i])))
        if bad:
            self.memory.state.rejected += len(bad)
            yield Publish([dead_letter(events[i], error, self.settings.group, self._log_id) for i, error in bad])
        if len(wrong):
            keep = ~(future | misplaced)
            decoded, appended = decoded.only(keep), appended[keep]
        return decoded, np.minimum(decoded.times, appended)

    def _is_misplaced(self, customer: bytes) -> bool:
        """Whether an unknown customer's id does not hash to this partition: its producer partitions otherwise."""
        if customer in self.residents.slots:
            return False
        return partition_of(customer, self._partitions) != self.partition

    def _misplaced(self, customer: bytes) -> BadEvent:
        right = partition_of(customer, self._partitions)
        return rejection(
            "wrong_partition", "$key", f"this key belongs to partition {right}, the record is in {self.partition}"
        )

    @property
    def _partitions(self) -> int:
        """Partitions of the events topic, as the guard says."""
        return int(self.owner.guard.split(":")[1])

    @property
    def _log_id(self) -> str:
        return self.owner.guard.partition(":")[0]

    # --- folding and writing

    def _load(self, ids: Sequence[bytes]) -> Step[Sequence[bytes | None]]:
        if not ids:
            return ()
        loaded: Loaded = yield Load(self.owner.slot, ids)
        return loaded.values

    def _admit(self, ids: Sequence[bytes], values: Sequence[bytes | None]) -> Step[Int64]:
        """Brings loaded records to hand; returns the rows of new customers."""
        try:
            return self.residents.admit(ids, values)
        except Stop:
            yield from self.owner.confirm()  # an heir may have written it by rules that are further on in the log
            raise

    def _outcome(self) -> Outcome:
        return Outcome(self.engine, self.in_force, self.partition, next(self.now), self.settings.origin)

    def _fold(self, rows: Rows, outcome: Outcome) -> Int64:
        """Runs the compiled fold over all rows, draining what it decides; returns the fate of each row."""
        r, plan = self.residents, self.engine.plan.arrays
        fate = np.zeros(len(rows.slot), np.int64)
        layout = self.engine.activation.layout
        at = 0
        while at < len(rows.slot):
            at = fold(plan, self.engine.models, r.people, layout, rows, at, fate, r.out, r.work)
            outcome.take(r)
        return fate

    def _settle(self, slots: Int64, outcome: Outcome) -> None:
        """Carries customers to the clock; with a ramp of `now` they take the newest activation there."""
        r, state, plan = self.residents, self.memory.state, self.engine.plan.arrays
        adopt, restart = state.adopting != 0, state.restarting
        at = 0
        while at < len(slots):
            at = settle(
                plan, self.engine.models, r.people, slots, state.clock, restart, adopt, at, r.out, r.work
            )  # fmt: skip
            outcome.take(r)

    def _write(self, slots: Int64, new: Int64, outcome: Outcome) -> Step[None]:
        """One call: the records that changed, the due index, counts, history, outbox and the partition's state."""
        r, people = self.residents, self.residents.people
        self._settle(slots, outcome)
        forgotten = sorted(outcome.forgotten)
        r.indexed[forgotten] = NOT_INDEXED
        due, undue = self._index(slots)
        alive = people.words[slots, ALIVE] == 1
        kept = slots[alive & (people.changed[slots] == 1)]
        buffer, ends = pack_rows(people.words, kept, r.tag) if len(kept) else (NOTHING.buffer, NOTHING.ends)
        unwritten = dict.fromkeys([*new.tolist(), *forgotten])
        begun = [slot for slot in unwritten if people.words[slot, ALIVE] == 1]
        yield from self.owner.write(
            meta=self.memory.changed(),
            messages=outcome.messages,
            ids=[r.ids[slot] for slot in kept.tolist()],
            records=Packed(buffer, ends),
            erased=[r.ids[slot] for slot in forgotten],
            ring=[(r.ids[slot], position_of(int(people.words[slot, HASH]))) for slot in begun],
            due=due,
            undue=undue,
            counts=outcome.counts(),
            history=[(customer, entry) for customer, entries in outcome.histories.items() for entry in entries],
        )
        people.changed[slots] = 0
        # Who was forgotten, and who sent nothing but late events, is new again the next time.
        for slot in unwritten:
            if people.words[slot, ALIVE] != 1:
                r.forget(slot)

    def _index(self, slots: Int64) -> tuple[list[tuple[bytes, int]], list[bytes]]:
        """What to change in the due index. An entry to come that is too early stays: it costs one look when it is due.

        One that is due already is replaced here, so that the sweep does not bring up who was just carried on.
        """
        r = self.residents
        indexed = r.indexed[slots]
        lapsed = indexed <= self.memory.state.clock  # nobody knows of those just loaded: `UNSEEN` has lapsed too
        ahead = np.where(lapsed, NEVER, indexed)
        to_come = ahead.copy()
        look_ahead(self.engine.plan.arrays, self.engine.models, r.people, slots, INSTANTS_AHEAD, r.work, ahead)
        enter = ahead < to_come
        leave = lapsed & (indexed != UNSEEN) & (ahead == NEVER)
        r.indexed[slots] = ahead
        due = [(r.ids[slot], at) for slot, at in zip(slots[enter].tolist(), ahead[enter].tolist(), strict=True)]
        return due, [r.ids[slot] for slot in slots[leave].tolist()]

    # --- silence

    def _sweep(self) -> Step[None]:
        """Carries on everybody whom silence moves or the walk visits up to the clock, a bounded number a call.

        Interrupted, it begins again: who was carried on already is not changed twice.
        """
        state = self.memory.state
        everybody = state.adopting != 0 or state.restarting
        if not self.memory.in_use or (state.clock == self.swept and not everybody):
            return
        limit = self.settings.most_customers
        period = self.engine.activation.definition.learn_every
        walk = [(-1, RING - 1)] if everybody else arcs(state.walked, state.clock, period)
        while True:
            loaded: Loaded = yield Load(
                self.owner.slot,
                due_until=state.clock,
                due_limit=limit,
                ring=walk[0] if walk else None,
                ring_limit=limit,
            )
            visited = [customer for customer, _ in loaded.ring]
            if walk and len(visited) < limit:
                walk.pop(0)
            elif walk:
                walk[0] = (loaded.ring[-1][1], walk[0][1])
            due = dict(loaded.due)
            ids = list(dict.fromkeys([*due, *visited]))
            for at in range(0, len(ids), limit):  # a limit cuts no instant in two, and midnight is one for many
                yield from self._carry_on(ids[at : at + limit], due)
            if not walk and len(due) < limit:
                break
        state.walked = state.clock
        self.swept = state.clock
        yield from self._swept(period)

    def _carry_on(self, ids: list[bytes], due: dict[bytes, int]) -> Step[None]:
        """Settles some customers to the clock and writes what changed. `due`: what the due index says of them."""
        self.residents.begin(ids)
        wanted = self.residents.missing(ids)
        values = yield from self._load(wanted)
        gone = {customer for customer, value in zip(wanted, values, strict=True) if value is None}
        if gone:
            yield from self.owner.confirm()  # another owner, or a Redis that was set back, between two looks
            raise Stop(
                f"partition {self.partition}: the index names {len(gone)} customers without a record; rebuild it"
            )
        yield from self._admit(wanted, values)
        slots = self.residents.rows(ids)
        outcome = self._outcome()
        for customer, slot in zip(ids, slots.tolist(), strict=True):
            if customer in due:
                self.residents.indexed[slot] = due[customer]
        yield from self._write(slots, np.zeros(0, np.int64), outcome)

    def _swept(self, period: int) -> Step[None]:
        """A whole sweep is done: old activations may go, and LEARN hears of every day that has passed."""
        state = self.memory.state
        adopted = state.adopting != 0
        state.adopting, state.restarting = 0, False
        self.memory.retire(period)
        day = state.clock // period * period
        if day > state.passed or adopted:
            state.passed = max(day, state.passed)
            value = control.PassedDay(self.partition, self._partitions, state.passed)
            told = [
                control.control(SAMPLES, control.PASSED_DAY, value, partition, barrier=True)
                for partition in range(self.settings.samples_partitions)
            ]
            yield from self.owner.write(meta=self.memory.changed(), messages=told)
