"""LEARN: a deterministic fold over one samples partition. Samples and people's orders in, model versions out.

Its clock is the least day that every events partition has passed, so the step at a boundary sees exactly the samples
dated at or before it, in one order, however the partitions raced. A version is published with its definitions and
put in force by an activation in every events partition, all through the outbox: once, or again with the same number.

`Training` learns; `Registry` says what comes of it; this file is the way of a batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from stream_seg.core.ring import RING, position_of
from stream_seg.errors import Stop
from stream_seg.pipeline.facts import LearnFacts, Traced, unmarked
from stream_seg.pipeline.learn_state import Memory, offset_in
from stream_seg.pipeline.owner import SlotOwner
from stream_seg.pipeline.registry import Registry
from stream_seg.pipeline.table import Sample, Table
from stream_seg.ports import Load, Loaded, Message, Packed, Record, Slot, Step
from stream_seg.wire import control
from stream_seg.wire.definitions import passed_message

PAGE = 500
OUTBOX_BYTES = 4_000_000  # what is decided goes out beyond this, however many records of the batch are left

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
        self.mark: Callable[[str], None] = unmarked
        self.traced: Sequence[Traced] = ()  # a sample belongs to no trace of one event

    def open(self) -> Step[int]:
        """Claims the partition and reads its table back; returns the offset to read from."""
        meta, offset = yield from self.owner.open(offset_in)
        self.memory = Memory(meta, offset)
        if not meta:
            yield from self.owner.write(meta=self.memory.changed())
        self.table = Table(0, 1)
        self.registry = Registry(self.memory, self.table)
        if self.memory.activation is not None:
            self.registry.compile(self.memory.activation)
            yield from self._read_table()
        return self.memory.state.offset

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

    def facts(self) -> LearnFacts:
        """For who watches."""
        activation = self.memory.activation
        every = float(activation.definition.learn_every) if activation else 0
        if activation and activation.definition.input.clock == "event":
            every = math.inf
        return LearnFacts(self.memory.state.learned, every, [tier.facts() for tier in self.registry.tiers.values()])

    def process(self, records: Sequence[Record]) -> Step[int]:
        """Applies a batch; returns the next offset."""
        if self.owner.waiting > self.settings.outbox_limit:
            yield from self.owner.relay()
        self.mark("learn")
        messages: list[Message] = []
        for record in records:
            said = self._take(record)
            messages += said
            self.memory.state.offset = record.offset + 1
            if said and sum(len(message.value or b"") for message in messages) > OUTBOX_BYTES:
                yield from self._write(messages)
                yield from self.owner.relay()
                messages = []
        yield from self._write(messages)
        return self.memory.state.offset

    def _take(self, record: Record) -> list[Message]:
        """One record; what it makes LEARN say."""
        match control.kind_of(record) if record.headers else None:
            case None:
                self._sampled(record)
            case control.ACTIVATE:
                return self.registry.first(control.activation(record))
            case control.APPLY:
                return self.registry.changed(control.read(record, control.Apply))
            case control.ORDER:
                return self.registry.obey(*control.order(record))
            case control.PASSED_DAY:
                return self._passed(control.read(record, control.PassedDay))
        return []

    def _write(self, messages: Sequence[Message]) -> Step[None]:
        self.registry.dump()
        table = self.table
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

    def _sampled(self, record: Record) -> None:
        sample = _sample(record.value or b"")
        if sample.layout >= self.memory.state.layout and sample.tier in self.registry.tiers:
            self.table.add(sample, self.memory.state.learned)

    def _passed(self, told: control.PassedDay) -> list[Message]:
        """A partition has sent all samples of a day; learns every day that all of them have passed.

        What stands before the first activation is of a state that was lost, and LABEL sends it again.
        """
        state = self.memory.state
        if self.memory.activation is None:
            return []
        state.partitions = told.partitions
        state.passed[told.partition] = max(told.through, state.passed.get(told.partition, 0))
        if len(state.passed) < state.partitions:
            return []
        through = min(state.passed.values())
        period = self.memory.activation.definition.learn_every
        if state.learned == 0:
            first = min((entry[0].as_of for entry in self.table.entries.values()), default=through)
            state.learned = min((first - 1) // period * period, through - period)
        messages: list[Message] = []
        while (day := (state.learned // period + 1) * period) <= through:
            messages += self.registry.boundary(day)
        # Said again also when nothing is new: whoever waits for it may have begun to listen late.
        return [*messages, passed_message(self.partition, through)]
