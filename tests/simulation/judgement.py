"""Holds a finished run against the oracle. Each function raises `Wrong` with what differs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from typing import Any, TypeVar

import msgspec
import numpy as np

from stream_seg.adapters.memory.log import MemoryLog
from stream_seg.adapters.memory.slots import MemorySlots
from stream_seg.core.engine import compile_engine
from stream_seg.core.instants import look_ahead
from stream_seg.core.record import tag_of
from stream_seg.core.windows import NEVER
from stream_seg.pipeline.label_state import LabelState
from stream_seg.pipeline.label_state import Memory as LabelMemory
from stream_seg.pipeline.learn_state import LearnState
from stream_seg.pipeline.learn_state import Memory as LearnMemory
from stream_seg.pipeline.residents import Residents
from stream_seg.pipeline.table import Sample
from stream_seg.ports import Slot
from stream_seg.wire import control
from tests.simulation.oracle import Fold, bodies
from tests.simulation.scenario import EVENTS, SAMPLES

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_sample = msgspec.json.Decoder(Sample).decode


class Wrong(Exception):
    """The run and the oracle disagree."""


def same(what: str, found: Mapping[Any, Any], expected: Mapping[Any, Any]) -> None:
    """Raises `Wrong` where two mappings differ, with the first differing entries."""
    if found == expected:
        return
    keys = sorted((key for key in {**found, **expected} if found.get(key) != expected.get(key)), key=repr)
    lines = [f"  {key!r}: {found.get(key)!r}, expected {expected.get(key)!r}" for key in keys[:4]]
    raise Wrong(f"{what}: {len(keys)} differ\n" + "\n".join(lines))


def once(what: str, pairs: Iterable[tuple[K, V]]) -> dict[K, V]:
    """Key -> value, in order of the first of each key. Raises `Wrong` where one key has two values."""
    found: dict[K, V] = {}
    for key, value in pairs:
        if found.setdefault(key, value) != value:
            raise Wrong(f"{what}: {key!r} says {found[key]!r} and also {value!r}")
    return found


# --- LABEL


def label_state(slots: MemorySlots, fold: Fold, partitions: int) -> None:
    """Records to the bit, histories, counts, the ring and the partition's own state."""
    for p in range(partitions):
        slot = Slot("label", p)
        same(f"{slot} ring", dict(slots.ring(slot)), dict(fold.slots.ring(slot)))
        customers = [customer for customer, _ in slots.ring(slot)]
        same(f"{slot} records", _records(slots, slot), _records(fold.slots, slot))
        same(
            f"{slot} history",
            {customer: slots.history(slot, customer) for customer in _everybody(slots, slot)},
            {customer: fold.slots.history(slot, customer) for customer in _everybody(fold.slots, slot)},
        )
        same(f"{slot} counts", slots.counts(slot), fold.slots.counts(slot))
        same(f"{slot} meta", _label_meta(slots, slot), _label_meta(fold.slots, slot))
        _never_late(slots, slot, customers)


def _records(slots: MemorySlots, slot: Slot) -> dict[bytes, bytes | None]:
    return {customer: slots.record(slot, customer) for customer in _everybody(slots, slot)}


def _everybody(slots: MemorySlots, slot: Slot) -> set[bytes]:
    data = slots._of(slot)
    return {*data.records, *data.history}


def _label_meta(slots: MemorySlots, slot: Slot) -> dict[str, object]:
    """All but how far the walk was written down, which the next opening walks again."""
    meta = slots.meta(slot)
    state = msgspec.msgpack.decode(meta["state"], type=LabelState)
    state.walked = 0
    marks = {name: value for name, value in meta.items() if name.startswith("mark:")}
    return {**msgspec.structs.asdict(state), **marks}


def _never_late(slots: MemorySlots, slot: Slot, customers: list[bytes]) -> None:
    """The due index names everybody whom silence moves, no later than it does."""
    memory = LabelMemory(slots.meta(slot), 0)
    if not memory.in_use:
        return
    activations = list(memory.activations)
    engine = compile_engine(activations)
    plans = {tag_of(a.layout): compile_engine([a]).plan for a in activations}
    residents = Residents(engine, plans, max(1, len(customers)))
    residents.begin(customers)
    residents.admit(customers, [slots.record(slot, customer) for customer in customers])
    rows = residents.rows(customers)
    exact = np.full(len(rows), NEVER, np.int64)
    look_ahead(engine.plan.arrays, engine.models, residents.people, rows, -1, residents.work, exact)
    due = dict(slots.due(slot))
    for customer, instant in zip(customers, exact.tolist(), strict=True):
        if instant != NEVER and due.get(customer, NEVER) > instant:
            raise Wrong(f"{slot}: {customer!r} is due at {instant}, the index says {due.get(customer)}")


def movements(log: MemoryLog, expected: MemoryLog) -> None:
    """The same movements by id, `decided_at` and `origin` apart, each customer's numbered 1 … n in order."""
    found = once("segment-changes", _movements(log))
    same("segment-changes", found, once("oracle", _movements(expected)))
    numbers: dict[tuple[Any, Any], list[int]] = defaultdict(list)
    for body in found.values():
        numbers[body["customer_id"], body["incarnation"]].append(body["sequence"])
    for who, sequence in numbers.items():
        if sequence != list(range(1, len(sequence) + 1)):
            raise Wrong(f"{who} moved {sequence}")


def _movements(log: MemoryLog) -> Iterable[tuple[object, dict[str, Any]]]:
    for body in bodies(log, "segment-changes"):
        yield body["id"], {name: value for name, value in body.items() if name not in {"decided_at", "origin"}}


def current_labels(log: MemoryLog, expected: MemoryLog) -> None:
    """The compacted labels are the same to a reader that keeps the greatest (incarnation, sequence)."""
    last = {(body["customer_id"], body["incarnation"]): body["segment"] for body in bodies(expected, "segment-changes")}
    ended = {who for who, segment in last.items() if segment is None}
    same("customer-segments", _greatest(log, ended), _greatest(expected, ended))


def _greatest(log: MemoryLog, ended: set[tuple[object, object]]) -> dict[object, dict[str, Any]]:
    found: dict[object, dict[str, Any]] = {}
    for body in bodies(log, "customer-segments"):
        customer = body["customer_id"]
        if (customer, body["incarnation"]) not in ended and (
            customer not in found or _rank(body) > _rank(found[customer])
        ):
            found[customer] = body
    return found


def _rank(body: dict[str, Any]) -> tuple[int, int, str, int]:
    return body["incarnation"], body["sequence"], body["as_of"], body["model_version"]


def samples(log: MemoryLog, expected: MemoryLog) -> None:
    """The same samples, and none later than the end of its day."""
    same("samples", once("samples", _samples(log)), once("oracle", _samples(expected)))
    passed: dict[int, int] = {}
    seen: set[object] = set()
    for record in log.read(SAMPLES, 0, 0):
        kind = control.kind_of(record)
        if kind == control.PASSED_DAY:
            day = control.read(record, control.PassedDay)
            passed[day.partition] = max(day.through, passed.get(day.partition, 0))
        elif kind is None:
            sample = _sample(record.value or b"")
            key = sample.customer_id, sample.incarnation, sample.number
            if key not in seen and sample.as_of <= passed.get(sample.partition, 0):
                raise Wrong(f"the sample {key} as of {sample.as_of} comes after its day was said to be sent")
            seen.add(key)
    same("days passed", passed, _passed(expected))


def _passed(log: MemoryLog) -> dict[int, int]:
    told = [record for record in log.read(SAMPLES, 0, 0) if control.kind_of(record) == control.PASSED_DAY]
    days = [control.read(record, control.PassedDay) for record in told]
    return {day.partition: day.through for day in sorted(days, key=lambda day: day.through)}


def _samples(log: MemoryLog) -> Iterable[tuple[object, object]]:
    for record in log.read(SAMPLES, 0, 0):
        if control.kind_of(record) is None:
            sample = _sample(record.value or b"")
            yield (sample.customer_id, sample.incarnation, sample.number), sample


def sent_aside(log: MemoryLog, expected: MemoryLog, ingested: MemoryLog | None) -> None:
    """The same dead letters and late events by id, bytes, key and headers included."""
    for topic in ("dead-letters", "late-events"):
        oracle = once("oracle", _aside(expected, topic))
        if ingested is not None and topic == "dead-letters":
            oracle |= once("oracle", _aside(ingested, topic))
        same(topic, once(topic, _aside(log, topic)), oracle)


def _aside(log: MemoryLog, topic: str) -> Iterable[tuple[object, object]]:
    for record in log.read(topic, 0, 0):
        yield dict(record.headers)["ss-error-id"], (record.key, record.value, record.headers)


# --- LEARN


def models(log: MemoryLog, expected: MemoryLog, partitions: int) -> None:
    """The same versions, meanings and activations, each said in one way only, activations in order everywhere."""
    for topic in ("models", "segment-definitions", "drift-metrics", "activations", "trainings"):
        found, oracle = once(topic, _versions(log, topic)), once("oracle", _versions(expected, topic))
        same(topic, found, oracle)
    for p in range(partitions):
        numbered = once("activations", _activations(log, p))
        if [*numbered] != list(range(1, len(numbered) + 1)):
            raise Wrong(f"activations in events {p}: {[*numbered]}")
        learned = {number: value for number, value in numbered.items() if number > 1}
        told = once("oracle", _activations(expected, p))
        same(f"activations in events {p}", learned, {number: v for number, v in told.items() if number > 1})


def _versions(log: MemoryLog, topic: str) -> Iterable[tuple[object, bytes | None]]:
    for record in log.read(topic, 0, 0):
        # A version that comes back is described once more, under an id of its own.
        yield dict(record.headers)["ce_id"], record.value


def _activations(log: MemoryLog, partition: int) -> Iterable[tuple[int, bytes | None]]:
    for record in log.read(EVENTS, partition, 0):
        if control.kind_of(record) == control.ACTIVATE:
            yield control.activation(record).number, record.value


def learn_state(slots: MemorySlots, fold: Fold) -> None:
    """The same table, learner, activation and clock."""
    slot = Slot("learn", 0)
    same(f"{slot} table", _records(slots, slot), _records(fold.slots, slot))
    same(f"{slot} ring", dict(slots.ring(slot)), dict(fold.slots.ring(slot)))
    same(f"{slot} state", _learn_meta(slots, slot), _learn_meta(fold.slots, slot))


def _learn_meta(slots: MemorySlots, slot: Slot) -> dict[str, object]:
    meta = slots.meta(slot)
    state = msgspec.msgpack.decode(meta["state"], type=LearnState)
    state.offset = 0
    memory = LearnMemory(meta, 0)
    whole = {
        "activation": memory.activation,
        "tiers": {name: (of.learner, of.proposal, of.drift) for name, of in memory.tiers.items()},
    }
    return {**msgspec.structs.asdict(state), **whole}
