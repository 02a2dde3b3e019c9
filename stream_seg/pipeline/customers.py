"""The customers of one partition under the rules in force: brought to hand, folded, carried to the clock, written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from stream_seg.core.adoption import at_once
from stream_seg.core.engine import Engine, compile_engine
from stream_seg.core.fold import fold, settle
from stream_seg.core.instants import look_ahead
from stream_seg.core.model import Int64
from stream_seg.core.record import ALIVE, HASH, pack_rows, tag_of
from stream_seg.core.ring import position_of
from stream_seg.core.state import Rows
from stream_seg.core.windows import NEVER
from stream_seg.errors import Stop
from stream_seg.pipeline.filling import Filler
from stream_seg.pipeline.label_settings import LabelSettings
from stream_seg.pipeline.label_state import Memory
from stream_seg.pipeline.outcome import Outcome
from stream_seg.pipeline.owner import SlotOwner
from stream_seg.pipeline.residents import NOT_INDEXED, UNSEEN, Residents
from stream_seg.ports import NOTHING, Load, Loaded, Packed, Step

BESIDES = 300  # bytes that a customer at hand costs besides its row: id, dictionary, index
INSTANTS_AHEAD = 16  # how many instants of silence are looked at for each touched customer


class Customers:
    """Made anew when the rules change: layouts may differ then, so nobody stays at hand.

    `now` gives the wall clock (ms) for ``decided_at``, which decides nothing.
    """

    def __init__(
        self,
        owner: SlotOwner,
        memory: Memory,
        settings: LabelSettings,
        now: Iterator[int],
        filler: Filler | None = None,
    ) -> None:
        self.owner = owner
        self.memory = memory
        self.settings = settings
        self.now = now
        self.filler = filler
        activations = memory.activations
        self.engine: Engine = compile_engine(activations)
        self.at_once = at_once(activations, self.engine)
        layouts = {a.layout: a for a in activations if a.layout != activations[-1].layout}
        plans = {tag_of(a.layout): compile_engine([a]).plan for a in layouts.values()}
        row = 8 * (self.engine.plan.width + len(self.engine.plan.columns)) + BESIDES
        capacity = max(settings.cache_bytes // row, 2 * settings.most_customers)
        self.residents = Residents(self.engine, plans, capacity, filler.plan if filler is not None else None)

    def bring(self, ids: Sequence[bytes]) -> Step[tuple[Int64, Int64]]:
        """Brings customers to hand; returns the row of each, and the rows of those whom nobody knew before."""
        residents = self.residents
        missing = residents.begin(ids)
        values: Sequence[bytes | None] = ()
        filled: Sequence[bytes | None] = ()
        if missing:
            loaded: Loaded = yield Load(self.owner.slot, missing)
            values = loaded.values
            if self.filler is not None:
                filled = yield from self.filler.records(missing)
        try:
            new = residents.admit(missing, values, filled)
        except Stop:
            yield from self.owner.confirm()  # an heir may have written it by rules that are further on in the log
            raise
        return residents.rows(ids), new

    def outcome(self) -> Outcome:
        return Outcome(self.engine, self.owner.slot.partition, next(self.now), self.settings.origin)

    def fold(self, rows: Rows, outcome: Outcome) -> Int64:
        """Runs the compiled fold over all rows, draining what it decides; returns the fate of each row."""
        r, plan = self.residents, self.engine.plan.arrays
        fate = np.zeros(len(rows.slot), np.int64)
        layout = self.engine.activation.layout
        at = 0
        while at < len(rows.slot):
            at = fold(plan, self.engine.models, r.people, layout, rows, at, fate, r.out, r.work)
            outcome.take(r)
        return fate

    def end_filling(self) -> Step[None]:
        """Everybody has the cells of the new features: what they came from may go."""
        if self.filler is not None:
            yield from self.filler.clear()
            self.filler = self.residents.source = None
            self.memory.state.filling = 0
            yield from self.owner.write(meta=self.memory.changed())

    def _settle(self, slots: Int64, outcome: Outcome) -> None:
        """Carries customers to the clock; those who are to take the newest activation at once do so there."""
        r, state, plan = self.residents, self.memory.state, self.engine.plan.arrays
        restart = state.restarting
        adopt = self.at_once if state.adopting else np.zeros_like(self.at_once)
        at = 0
        while at < len(slots):
            at = settle(
                plan, self.engine.models, r.people, slots, state.clock, restart, adopt, at, r.out, r.work
            )  # fmt: skip
            outcome.take(r)

    def write(self, slots: Int64, new: Int64, outcome: Outcome) -> Step[None]:
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
        self.memory.moves.update(outcome.moves)
        self.memory.returns.update(outcome.returns)
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
