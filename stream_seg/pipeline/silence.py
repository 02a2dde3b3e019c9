"""Silence: who does nothing is carried on all the same, when the due index or the daily walk comes by."""

from __future__ import annotations

from stream_seg.core.ring import RING, arcs
from stream_seg.errors import Stop
from stream_seg.pipeline.customers import Customers
from stream_seg.pipeline.label_settings import LabelSettings
from stream_seg.pipeline.label_state import Memory
from stream_seg.pipeline.owner import SlotOwner
from stream_seg.ports import Load, Loaded, Step
from stream_seg.wire import control
from stream_seg.wire.output import SAMPLES


class Silence:
    """The sweeps of one partition. `swept`: the clock of the last one that came to its end here."""

    def __init__(self, owner: SlotOwner, memory: Memory, settings: LabelSettings) -> None:
        self.owner = owner
        self.memory = memory
        self.settings = settings
        self.swept = -1

    def sweep(self, customers: Customers) -> Step[None]:
        """Carries on everybody whom silence moves or the walk visits up to the clock, a bounded number a call.

        Interrupted, it begins again: who was carried on already is not changed twice.
        """
        state = self.memory.state
        everybody = state.adopting != 0 or state.restarting or state.filling != 0
        if state.clock == self.swept and not everybody:
            return
        limit = self.settings.most_customers
        period = customers.engine.activation.definition.learn_every
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
                yield from self._carry_on(customers, ids[at : at + limit], due)
            if not walk and len(due) < limit:
                break
        yield from customers.end_filling()
        state.walked = state.clock
        self.swept = state.clock
        yield from self._passed(period)

    def _carry_on(self, customers: Customers, ids: list[bytes], due: dict[bytes, int]) -> Step[None]:
        """Settles some customers to the clock and writes what changed. `due`: what the due index says of them."""
        slots, new = yield from customers.bring(ids)
        if len(new):
            yield from self.owner.confirm()  # another owner, or a Redis that was set back, between two looks
            raise Stop(
                f"partition {self.owner.slot.partition}: the index names {len(new)} customers without a record; "
                "rebuild it"
            )
        for customer, slot in zip(ids, slots.tolist(), strict=True):
            if customer in due:
                customers.residents.indexed[slot] = due[customer]
        yield from customers.write(slots, new, customers.outcome())

    def _passed(self, period: int) -> Step[None]:
        """A whole sweep is done: old activations may go, and LEARN hears of every day that has passed."""
        state = self.memory.state
        adopted = state.adopting != 0
        state.adopting, state.restarting = 0, False
        self.memory.retire(period)
        day = state.clock // period * period
        if day > state.passed or adopted:
            state.passed = max(day, state.passed)
            value = control.PassedDay(self.owner.slot.partition, self.owner.partitions, state.passed)
            told = [
                control.control(SAMPLES, control.PASSED_DAY, value, partition, barrier=True)
                for partition in range(self.settings.samples_partitions)
            ]
            yield from self.owner.write(meta=self.memory.changed(), messages=told)
