"""What arrives on a partition: which records are events, what time it is at each, and which of them can be used."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import filterfalse

import numpy as np

from stream_seg.core.engine import Engine
from stream_seg.core.event import Decoded
from stream_seg.core.expression import Bools
from stream_seg.core.hashing import partition_of
from stream_seg.core.model import Int64
from stream_seg.errors import BadEvent, Stop
from stream_seg.pipeline.label_settings import LabelSettings
from stream_seg.pipeline.label_state import Memory
from stream_seg.pipeline.owner import SlotOwner
from stream_seg.ports import Record, Step
from stream_seg.wire import control
from stream_seg.wire.dead_letters import dead_letter
from stream_seg.wire.decode import Decoder
from stream_seg.wire.rejections import rejection
from stream_seg.wire.timestamps import in_future
from stream_seg.wire.traces import TRACEPARENT, sampled

COPY = "copy"  # of a record of a source that was taken before


class Intake:
    """Takes records in under the rules in force; made anew when they change.

    known  the customers at hand: they are at home here, whatever their ids hash to
    traced the events of the run that belong to recorded traces: offset -> context
    """

    def __init__(
        self, owner: SlotOwner, memory: Memory, settings: LabelSettings, engine: Engine, known: Collection[bytes]
    ) -> None:
        self.owner = owner
        self.memory = memory
        self.settings = settings
        self.known = known
        self.traced: dict[int, bytes] = {}
        definition = engine.activation.definition
        self.rules, self.max_skew = definition.input, definition.max_skew
        # What INGEST or a feeder wrote is Segment-spec JSON by now: a mapping is for what producers write here.
        mapping = self.rules.mapping if self.rules.keyed_by_customer else None
        self.decoder = Decoder(engine.fields, mapping, keyed=self.rules.keyed_by_customer)

    def advance(self, records: Sequence[Record]) -> tuple[Sequence[Record], Int64]:
        """The events of a run and the partition's clock at each; leaves the clock where the run ends."""
        clocks = np.empty(len(records), np.int64)
        ours: list[int] = []
        start = 0
        self.traced.clear()
        for i, record in control.with_headers(records):
            kind = self._look(record)
            if kind is None:
                continue
            ours.append(i)
            if kind == control.PROGRESS:
                clocks[start : i + 1], start = self._pass(records[start : i + 1]), i + 1
                told = control.read(record, control.Progress)
                self.memory.progress(told.source, self._witnessed(told.through, record))
        clocks[start:] = self._pass(records[start:])
        if not ours:
            return records, clocks
        left_out = set(ours)
        return [record for i, record in enumerate(records) if i not in left_out], np.delete(clocks, ours)

    def _pass(self, records: Sequence[Record]) -> Int64 | int:
        """The clock at each of some records, as far as they themselves move it."""
        state = self.memory.state
        if self.rules.clock != "append" or not records:
            return state.clock
        if not self.settings.trust_timestamps and not all(record.timestamp_type == 1 for record in records):
            raise Stop(
                f"{self.owner.topic} does not stamp records with the broker's time, and input.clock is append; "
                "set message.timestamp.type=LogAppendTime on the topic (`stream-seg topics create` does)"
            )
        appended = np.array([record.timestamp for record in records], np.int64)
        clocks: Int64 = np.maximum.accumulate(np.maximum(appended, state.clock))
        state.clock = int(clocks[-1])
        return clocks

    def _look(self, record: Record) -> str | None:
        """What a record is by its headers: an event (None), a control record's kind, or `COPY`: it counts once."""
        context = None
        for name, value in record.headers:
            if name == control.HEADER:
                return value.decode()
            if name == control.SOURCE and self.memory.taken(value.decode()):
                self.memory.state.duplicates += 1
                return COPY
            if name == TRACEPARENT:
                context = sampled(value)
        if context is not None:
            self.traced[record.offset] = context
        return None

    def _witnessed(self, through: int, record: Record) -> int:
        """Live progress, by the broker's clock at most: one machine whose clock runs ahead must not age everybody."""
        live = self.rules.clock == "progress"
        return min(through, record.timestamp) if live else through

    def decode(self, events: Sequence[Record]) -> Step[tuple[Decoded, Int64]]:
        """The usable events and their times; the others are dead letters, published before the offset moves on."""
        decoded = self.decoder.decode(events)
        appended = np.array([event.timestamp for event in events], np.int64)[decoded.rows]
        future = decoded.times > appended + self.max_skew
        misplaced = self._misplaced(decoded.customers)
        wrong = np.flatnonzero(future | misplaced)
        bad = list(decoded.rejected)
        for i in wrong.tolist():
            row = int(decoded.rows[i])
            error = in_future(int(decoded.times[i]), int(appended[i]), self.max_skew)
            bad.append((row, error or self._says_where(decoded.customers[i])))
        if bad:
            self.memory.state.rejected += len(bad)
            yield from self.owner.send_aside(
                [dead_letter(events[i], error, self.settings.group, self.owner.log_id) for i, error in bad],
                [events[i].offset for i, _ in bad],
            )
        if len(wrong):
            keep = ~(future | misplaced)
            decoded, appended = decoded.only(keep), appended[keep]
        return decoded, np.minimum(decoded.times, appended)

    def _misplaced(self, customers: Sequence[bytes]) -> Bools:
        """Whose id does not hash to this partition, though nobody knows them: their producer partitions otherwise."""
        strangers = set(filterfalse(self.known.__contains__, customers))
        lost = {customer for customer in strangers if self._home(customer) != self.owner.slot.partition}
        if not lost:
            return np.zeros(len(customers), np.bool_)
        return np.array([customer in lost for customer in customers], np.bool_)

    def _says_where(self, customer: bytes) -> BadEvent:
        home, here = self._home(customer), self.owner.slot.partition
        return rejection("wrong_partition", "$key", f"this key belongs to partition {home}, the record is in {here}")

    def _home(self, customer: bytes) -> int:
        return partition_of(customer, self.owner.partitions)
