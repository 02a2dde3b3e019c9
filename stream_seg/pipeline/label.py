"""LABEL: a deterministic fold over one events partition. Records in, state, movements and samples out.

The way of a batch: `process` cuts it into runs at the records that change the rules; of each run `Intake` makes
usable events, `Customers` folds them over the customers they touch and writes everything in one call, and `Silence`
carries on those whom the clock or the daily walk moves. Every method is a step (`stream_seg.ports`): it decides, the
shell does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from stream_seg.core.activation import Activation
from stream_seg.core.state import ACCEPTED, DUPLICATE, LATE, Rows
from stream_seg.errors import Damaged, Stop
from stream_seg.pipeline.customers import Customers
from stream_seg.pipeline.facts import LabelFacts, Traced, in_force_facts, unmarked
from stream_seg.pipeline.filling import Filler, Unheard
from stream_seg.pipeline.intake import Intake
from stream_seg.pipeline.label_settings import LabelSettings
from stream_seg.pipeline.label_state import Memory, offset_in
from stream_seg.pipeline.owner import SlotOwner
from stream_seg.pipeline.silence import Silence
from stream_seg.ports import Ahead, Record, Slot, Step
from stream_seg.wire import control
from stream_seg.wire.dead_letters import dead_letter, late_event
from stream_seg.wire.rejections import rejection

RESULTS = {ACCEPTED: "accepted", DUPLICATE: "duplicate", LATE: "late"}


class Labeller:
    """LABEL's work on one partition. `now` gives the wall clock (ms) for ``decided_at``, which decides nothing."""

    def __init__(
        self, topic: str, partition: int, settings: LabelSettings, now: Iterable[int], owner: SlotOwner | None = None
    ) -> None:
        self.owner = owner or SlotOwner(Slot("label", partition), topic)
        self.partition = partition
        self.settings = settings
        self.now = iter(now)
        self.mark: Callable[[str], None] = unmarked
        self.traced: list[Traced] = []  # of the last batch

    # --- opening

    def open(self) -> Step[int]:
        """Claims the partition and settles what an interrupted sweep left; returns the offset to read from."""
        meta, offset = yield from self.owner.open(offset_in)
        memory = Memory(meta, offset)
        if not meta:
            yield from self.owner.write(meta=memory.changed())
        filler = None
        if memory.state.filling:
            filler = yield from self._filled(memory.activations[-1], memory.state.filling)
        yield from self.go_on(memory, filler)
        return self.memory.state.offset

    def go_on(self, memory: Memory, filler: Filler | None = None) -> Step[None]:
        """From what was remembered."""
        self.memory = memory
        self.silence = Silence(self.owner, memory, self.settings)
        if memory.in_use:
            self._compile(filler)
            yield from self.silence.sweep(self.customers)

    def _compile(self, filler: Filler | None = None) -> None:
        """Compiles what is in force."""
        self.customers = Customers(self.owner, self.memory, self.settings, self.now, filler)
        engine, known = self.customers.engine, self.customers.residents.slots
        self.intake = Intake(self.owner, self.memory, self.settings, engine, known)

    def facts(self) -> LabelFacts:
        """For who watches."""
        state, memory = self.memory.state, self.memory
        asked = missed = at_hand = 0
        bounded = False
        if memory.in_use:
            residents = self.customers.residents
            asked, missed, at_hand = residents.asked, residents.missed, len(residents.slots)
            bounded = memory.activations[-1].definition.input.clock == "event"
        return LabelFacts(
            state.accepted, state.duplicates, state.late, state.rejected, state.clock, memory.moves, memory.returns,
            at_hand, asked - missed, missed, in_force_facts(memory.activations[-1]) if memory.in_use else (),
            bounded,
        )  # fmt: skip

    # --- a batch

    def process(self, records: Sequence[Record]) -> Step[int]:
        """Applies a batch; returns the next offset. What was decided waits in ``owner.pending`` for the relay."""
        self.traced.clear()
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
        """The first activation of a log also holds for the events that arrived before it, however many they are."""
        if self.memory.in_use:
            return
        first = next((record for _, record in control.with_headers(records) if control.activates(record)), None)
        if first is None:
            after = records[-1].offset + 1
            first = yield Ahead(self.owner.topic, self.partition, after)
        if first is None:
            raise Stop(
                f"{self.owner.topic} partition {self.partition} has records from {records[0].offset} on and no "
                "activation among them; put a definition in force: `stream-seg apply`"
            )
        self.memory.activate(control.activation(first))
        self._compile()
        yield from self.owner.write(meta=self.memory.changed())

    def _runs(self, records: Sequence[Record]) -> Iterator[tuple[Sequence[Record], Record | None]]:
        """Cuts a batch before every record that changes the rules, and where one call would write too many customers.

        Where it is cut changes no result; a run must be cut before any of it is looked at, since marks and progress
        are written with the offset.
        """
        most, start, ruled = self.settings.most_customers, 0, 0
        for i, record in control.with_headers(records):
            if control.kind_of(record) in (control.ACTIVATE, control.SOURCES, control.END):
                for until in _cuts(records, ruled, i, most):
                    yield records[start:until], None
                    start = until
                yield records[start:i], record
                start = ruled = i + 1
        for until in _cuts(records, ruled, len(records), most):
            yield records[start:until], None
            start = until
        if start < len(records):
            yield records[start:], None

    def _obey(self, record: Record) -> Step[None]:
        """A record that changes the rules."""
        state, kind = self.memory.state, control.kind_of(record)
        if kind == control.ACTIVATE:
            try:
                yield from self._activate(control.activation(record), record.offset)
            except Damaged as error:
                yield from self._put_aside(record, error)
        elif kind == control.SOURCES:
            self.memory.expect(control.read(record, control.Sources).sources)
        else:
            state.ended = True
        state.offset = record.offset + 1
        yield from self.owner.write(meta=self.memory.changed())
        if self.memory.in_use:
            yield from self.silence.sweep(self.customers)

    def _activate(self, activation: Activation, offset: int) -> Step[None]:
        if activation.fill is not None and self.partition >= len(activation.fill.offsets):
            raise Damaged(
                f"activation {activation.number} at {self.owner.topic}:{self.partition}:{offset} is backfilled, and "
                "does not say from where in this partition; what was in force stays"
            )
        layout = self.memory.activations[-1].layout
        if not self.memory.activate(activation):
            return
        filler = None
        if activation.fill is not None and activation.layout != layout:
            self.memory.state.filling = offset
            filler = yield from self._filled(activation, offset)
        self._compile(filler)
        if self.customers.at_once.any():
            self.memory.state.adopting = activation.number
        self.memory.state.restarting = self._other_instants()

    def _filled(self, activation: Activation, offset: int) -> Step[Filler]:
        """The fold under the new features of an activation, up to the activation's own offset."""
        assert activation.fill is not None
        owner = Unheard(Slot("fill", self.partition), self.owner.topic)
        fold = Labeller(self.owner.topic, self.partition, self.settings, self.now, owner)
        filler = Filler(fold, owner, activation.definition, activation.fill.offsets[self.partition])
        yield from filler.open(offset)
        yield from filler.fold(offset)
        return filler

    def _put_aside(self, record: Record, error: Damaged) -> Step[None]:
        """A damaged activation: what is in force stays, in this partition alone, until a person gives another."""
        self.memory.state.rejected += 1
        self.owner.alarms.append(f"{self.owner.topic} partition {self.partition}: {error}")
        bad = rejection("damaged_activation", "$", str(error))
        letter = dead_letter(record, bad, self.settings.group, self.owner.log_id)
        yield from self.owner.send_aside([letter], [record.offset])

    def _other_instants(self) -> bool:
        """Whether the newest definition reads features, or visits customers, at other instants than the one before."""
        rules = [
            (d.learn_every, d.evaluate_every, d.utc_offset)
            for d in (a.definition for a in self.memory.activations[-2:])
        ]
        return rules[0] != rules[-1]

    def _apply(self, records: Sequence[Record]) -> Step[None]:
        """A run of records under one set of rules: one fold, one write, then what silence did meanwhile."""
        state, customers = self.memory.state, self.customers
        self.mark("decode")
        events, clocks = self.intake.advance(records)
        state.offset = records[-1].offset + 1
        decoded, times = yield from self.intake.decode(events)
        state.latest = max(state.latest, int(times.max(initial=0)))
        slots, new = yield from customers.bring(decoded.customers)
        rows = Rows(
            slot=slots,
            offset=np.array([event.offset for event in events], np.int64)[decoded.rows],
            time=times,
            clock=clocks[decoded.rows],
            mask=customers.engine.conditions.masks(decoded).view(np.int64),
            message=decoded.messages,
            numbers=decoded.numbers,
            codes=decoded.codes.astype(np.int64),
            hashes=decoded.hashes,
        )
        self.mark("features")
        outcome = customers.outcome()
        if traced := self.intake.traced:
            offsets = enumerate(rows.offset.tolist())
            outcome.contexts = {row: traced[offset] for row, offset in offsets if offset in traced}
        fate = customers.fold(rows, outcome)
        if traced:
            fates = dict(zip(rows.offset.tolist(), fate.tolist(), strict=True))
            self.traced += [
                Traced(offset, context, RESULTS[fates[offset]] if offset in fates else "rejected")
                for offset, context in traced.items()
            ]
        state.accepted += int(np.count_nonzero(fate == ACCEPTED))
        state.duplicates += int(np.count_nonzero(fate == DUPLICATE))
        late = decoded.rows[fate == LATE].tolist()
        if late:
            state.late += len(late)
            yield from self.owner.confirm()  # a record that an heir wrote already would make late what is not
            yield from self.owner.send_aside(
                [late_event(events[i], self.settings.group, self.owner.log_id) for i in late],
                [events[i].offset for i in late],
            )
        yield from customers.write(np.unique(slots), new, outcome)
        self.mark("silence")
        yield from self.silence.sweep(customers)


def _cuts(records: Sequence[Record], start: int, end: int, most: int) -> Iterator[int]:
    """Where to cut a run so that no part has more than `most` keys."""
    if end - start <= most or len({record.key for record in records[start:end]}) <= most:
        return
    keys = set[bytes | None]()
    for i in range(start, end):
        keys.add(records[i].key)
        if len(keys) > most:
            yield i
            keys = {records[i].key}
