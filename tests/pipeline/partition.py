"""One events partition in memory: a log written by hand, and LABEL's work on it, cut wherever a test likes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import msgspec
import numpy as np
import orjson

from stream_seg.adapters.memory.log import LogRecord, Member, MemoryLog
from stream_seg.adapters.memory.slots import MemorySlots
from stream_seg.adapters.memory.world import MemoryWorld
from stream_seg.core.activation import Activation
from stream_seg.core.engine import convert
from stream_seg.core.record import unpack_rows
from stream_seg.pipeline.label import Labeller
from stream_seg.pipeline.label_settings import LabelSettings
from stream_seg.pipeline.outcome import remembered
from stream_seg.ports import Message, Slot
from stream_seg.wire import control
from stream_seg.wire.timestamps import rfc3339

EVENTS = "events"
OUTPUTS = ("segment-changes", "customer-segments", "samples", "dead-letters", "late-events")
SLOT = Slot("label", 0)


def event_value(customer: str, time: int, values: Mapping[str, Any], message: str = "") -> bytes:
    """An event as Segment-spec JSON; `values` by dotted path."""
    body: dict[str, Any] = {
        "type": "track",
        "userId": customer,
        "timestamp": rfc3339(time),
        "properties": {},
        "traits": {},
    }
    if message:
        body["messageId"] = message
    for path, value in values.items():
        root, _, name = path.partition(".")
        if name:
            body[root][name] = value
        else:
            body[root] = value
    return orjson.dumps(body)


class Log:
    """Records of one partition, appended one by one."""

    def __init__(self) -> None:
        self.records: list[LogRecord] = []

    def append(
        self, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]], at: int
    ) -> LogRecord:
        record = LogRecord(EVENTS, 0, len(self.records), key, value, headers, at)
        self.records.append(record)
        return record

    def event(self, customer: str, time: int, at: int, values: Mapping[str, Any], message: str = "") -> LogRecord:
        return self.append(customer.encode(), event_value(customer, time, values, message), (), at)

    def control(self, kind: str, value: msgspec.Struct | None, at: int) -> LogRecord:
        message: Message = control.control(EVENTS, kind, value, 0)
        return self.append(message.key, message.value, message.headers, at)

    def activate(self, activation: Activation, at: int) -> LogRecord:
        return self.control(control.ACTIVATE, activation, at)


@dataclass(frozen=True)
class Snapshot:
    """Everything LABEL has decided up to an offset."""

    records: dict[bytes, bytes]
    history: dict[bytes, list[Any]]
    counts: dict[bytes, int]
    ring: list[tuple[bytes, int]]
    state: dict[str, int]
    movements: dict[str, dict[str, Any]]
    samples: dict[tuple[str, int, int], dict[str, Any]]
    labels: dict[str, list[dict[str, Any] | None]]
    passed: int
    side: list[tuple[str, bytes]]


@dataclass
class Partition:
    """LABEL on one partition; `run` gives it batches, `snapshot` tells what came of them."""

    settings: LabelSettings = field(default_factory=lambda: LabelSettings(origin="replay"))

    def __post_init__(self) -> None:
        self.log = MemoryLog({EVENTS: 1, **dict.fromkeys(OUTPUTS, 1)}, clock=lambda: 0)
        self.slots = MemorySlots()
        self.now = 0
        self.open()

    def open(self) -> None:
        """Another worker takes the partition: whatever the one before had in memory is gone."""
        member = Member("label")
        self.log.assign(member, EVENTS, 0)
        self.world = MemoryWorld(self.log, member, self.slots)
        self.labeller = Labeller(EVENTS, 0, self.settings, repeat(self.now))
        self.world.run(self.labeller.open())

    def run(self, records: Iterable[LogRecord], *, known: bool = False) -> None:
        """One batch. `known`: the log has it already, and some of it may have been applied."""
        batch = list(records)
        for record in () if known else batch:
            self.log.append(EVENTS, record.key, record.value, record.headers, partition=0, timestamp=record.timestamp)
        if known:
            batch = [record for record in batch if record.offset >= self.labeller.memory.state.offset]
            if not batch:
                return
        assert self.world.run(self.labeller.process(batch)) == batch[-1].offset + 1
        if not self.settings.cache_bytes:
            assert len(self.labeller.customers.residents.people.words) <= 2 * self.settings.most_customers
        self.world.run(self.labeller.owner.relay())

    def output(self, topic: str) -> list[LogRecord]:
        return list(self.log.read(topic, 0, 0))

    def snapshot(self) -> Snapshot:
        data = self.slots._slots[SLOT]
        movements = [orjson.loads(record.value or b"") for record in self.output("segment-changes")]
        samples = [
            orjson.loads(record.value or b"") for record in self.output("samples") if control.kind_of(record) is None
        ]
        told = [record for record in self.output("samples") if control.kind_of(record) == control.PASSED_DAY]
        labels: dict[str, list[dict[str, Any] | None]] = {}
        for record in self.output("customer-segments"):
            found = labels.setdefault((record.key or b"").decode(), [])
            found.append(orjson.loads(record.value) if record.value else None)
        state = self.labeller.memory.state
        ids = [movement["id"] for movement in movements]
        assert len(set(ids)) == len(ids), "a movement was published twice"
        return Snapshot(
            records=dict(data.records),
            history={customer: [remembered(entry) for entry in entries] for customer, entries in data.history.items()},
            counts=dict(data.counts),
            ring=sorted(self.slots.ring(SLOT)),
            state={
                name: getattr(state, name)
                for name in ("offset", "clock", "walked", "passed", "late", "duplicates", "accepted", "rejected")
            },
            movements={m["id"]: {k: v for k, v in m.items() if k != "decided_at"} for m in movements},
            samples={(s["customer_id"], s["incarnation"], s["number"]): s for s in samples},
            labels=labels,
            passed=control.read(told[-1], control.PassedDay).through if told else 0,
            side=sorted((t, r.value or b"") for t in ("dead-letters", "late-events") for r in self.output(t)),
        )

    def row(self, customer: bytes) -> np.ndarray[Any, np.dtype[np.int64]]:
        """A customer's stored record in today's layout: (1, words)."""
        value = self.slots.record(SLOT, customer)
        assert value is not None, customer
        engine, residents = self.labeller.customers.engine, self.labeller.customers.residents
        plan = engine.plan if value[1] == residents.tag else residents.layouts[value[1]]
        row = unpack_rows(value, np.array([len(value)]), value[1], plan.width)
        return row if plan is engine.plan else convert(row, plan, engine.plan, engine.activation.layout)


def small(most_customers: int) -> LabelSettings:
    """Everything in many small steps: so few customers written at a time, and twice as many at hand."""
    return LabelSettings(origin="replay", cache_bytes=0, most_customers=most_customers)
