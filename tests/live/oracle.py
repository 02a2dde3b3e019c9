"""What a log must have come to: the same steps over the same records, in memory, alone and undisturbed.

`check` holds a live run to it: every customer's record to the byte, clock and marks, counts, histories, movements by
id, labels, samples and what was put aside. ``decided_at`` and ``origin`` may differ, and everything may have been
published more than once.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any

import msgspec

from stream_seg.adapters.memory.log import Member, MemoryLog
from stream_seg.adapters.memory.replay import OUTPUTS
from stream_seg.adapters.memory.slots import MemorySlots
from stream_seg.adapters.memory.world import MemoryWorld
from stream_seg.adapters.redis.inspection import RedisInspection
from stream_seg.pipeline.label import Labeller
from stream_seg.pipeline.label_settings import LabelSettings
from stream_seg.pipeline.label_state import STATE, LabelState, Memory
from stream_seg.pipeline.learn import Learn, LearnSettings
from stream_seg.ports import Record, Slot, Step
from stream_seg.wire.control import TICK, kind_of
from tests.live.stack import Stack

BATCH = 333  # unlike any batch of a live worker
YEAR_2100 = 4_102_444_800_000
Told = dict[str, dict[str, Any]]  # topic -> identity of a message -> the message


class Oracle:
    """LABEL over an events log, or LEARN over a samples log, partition by partition."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.slots = MemorySlots()
        self.log = MemoryLog(
            {"events": stack.partitions, "samples": 1, **dict.fromkeys(OUTPUTS, 1)},
            clock=lambda: YEAR_2100,
        )

    def label(self, records: Sequence[Record]) -> None:
        """Follows an events log."""
        for partition, first in firsts(records).items():
            for _ in range(first):
                self.log.append("events", None, None, partition=partition)
            self.log.expire("events", partition, first)
        for r in records:  # it looks ahead in its log
            stamped: dict[str, Any] = {"timestamp": r.timestamp, "timestamp_type": r.timestamp_type}
            self.log.append("events", r.key, r.value, r.headers, partition=r.partition, **stamped)
        for partition in range(self._stack.partitions):
            labeller = Labeller("events", partition, LabelSettings(origin="replay"), repeat(YEAR_2100))
            self._follow(labeller, "events", [r for r in records if r.partition == partition])

    def learn(self, records: Sequence[Record]) -> None:
        """Follows a samples log."""
        self._follow(Learn("samples", 0, LearnSettings()), "samples", records)

    def _follow(self, work: Labeller | Learn, topic: str, records: Sequence[Record]) -> None:
        member = Member(f"oracle-{topic}")
        self.log.assign(member, topic, work.partition)
        world = MemoryWorld(self.log, member, self.slots)
        offset = world.run(work.open())
        assert [r.offset for r in records] == list(range(offset, offset + len(records)))
        for at in range(0, len(records), BATCH):
            batch: Step[int] = work.process(records[at : at + BATCH])
            world.run(batch)
            world.run(work.owner.relay())

    def said(self, topic: str) -> dict[str, Any]:
        return told(self.log.read(topic, 0, 0))


def firsts(records: Iterable[Record]) -> dict[int, int]:
    """Where each partition of a log begins; what came before is gone."""
    found: dict[int, int] = {}
    for record in records:
        found[record.partition] = min(record.offset, found.get(record.partition, record.offset))
    return found


def told(records: Iterable[Record]) -> dict[str, Any]:
    """Messages by identity; the same one twice is one, two different ones of one identity are a failure.

    Without control records: of two days that pass within a batch, only the last is told.
    """
    found: dict[str, Any] = {}
    for record in records:
        if kind_of(record) is not None:
            continue
        identity, message = _identified(record)
        assert found.setdefault(identity, message) == message, identity
    return found


def _identified(record: Record) -> tuple[str, Any]:
    headers = {name: value.decode(errors="replace") for name, value in record.headers}
    if "ss-error-id" in headers:  # the topic's id is another one in memory
        place = headers["ss-error-id"].partition(":")[2]
        return place, (headers["ss-error-code"], headers["ss-error-path"], record.key, record.value)
    body = json.loads(record.value) if record.value is not None else None
    if isinstance(body, dict):
        body = {name: value for name, value in body.items() if name not in {"decided_at", "origin"}}
    identity = headers.get("ce_id")
    if identity is None:
        identity = f"{(record.key or b'').decode()} {json.dumps(body, sort_keys=True)}"
    return identity, body


def check(stack: Stack) -> Told:
    """Holds LABEL's work on the whole events log, as it is in Redis and on the topics now, to the oracle's.

    Returns what was published, by topic and identity.
    """
    oracle = check_state(stack)
    published = {}
    for topic in ("segment-changes", "customer-segments", "samples", "dead-letters", "late-events"):
        published[topic] = told(record for record in stack.read(topic) if not _ingests(record))
        _assert_same(published[topic], oracle.said(topic), topic)
    check_sequences(published["segment-changes"])
    assert compacted(stack.read("customer-segments")) == compacted(oracle.log.read("customer-segments", 0, 0))
    return published


def check_state(stack: Stack) -> Oracle:
    """The same of Redis alone: what was published may be of a state before that."""
    oracle = Oracle(stack)
    oracle.label(_applied(stack))
    for partition in range(stack.partitions):
        slot = Slot("label", partition)
        live = stack.look(lambda redis: _contents(redis, slot))  # noqa: B023 — in this round
        _assert_same(live, _expected(oracle.slots, slot), f"partition {partition}")
    return oracle


def check_learning(stack: Stack) -> list[dict[str, Any]]:
    """Holds LEARN's work on the whole samples log to the oracle's; returns the model versions, oldest first."""
    oracle = Oracle(stack)
    oracle.learn(stack.read("samples"))
    slot = Slot("learn", 0)
    expected = {
        "meta": {**oracle.slots.meta(slot), "guard": b""},
        "records": {customer: oracle.slots.record(slot, customer) for customer, _ in oracle.slots.ring(slot)},
    }
    _assert_same(stack.look(lambda redis: _learned(redis, slot)), expected, "samples partition 0")
    for topic in ("models", "segment-definitions", "drift-metrics", "learn-progress", "activations", "trainings"):
        _assert_same(told(stack.read(topic)), oracle.said(topic), topic)
    models = [json.loads(record.value) for record in stack.read("models")]
    return [dict(one) for _, one in sorted({model["version"]: model for model in models}.items())]


def check_sequences(movements: dict[str, Any]) -> None:
    """The movements of every incarnation are numbered without holes."""
    numbers = defaultdict(set)
    for movement in movements.values():
        numbers[movement["customer_id"], movement["incarnation"]].add(movement["sequence"])
    for who, seen in numbers.items():
        assert seen == set(range(min(seen), min(seen) + len(seen))), who
        assert min(seen) == 1, who


def compacted(records: Iterable[Record]) -> dict[bytes, tuple[int, int, str]]:
    """The current labels as a reader of the topic keeps them: the greatest (incarnation, sequence)."""
    labels: dict[bytes, tuple[int, int, str]] = {}
    for record in records:
        if record.key is not None and record.value is not None:
            body = json.loads(record.value)
            label = (body["incarnation"], body["sequence"], body["segment"])
            labels[record.key] = max(label, labels.get(record.key, label))
    return labels


def _ingests(record: Record) -> bool:
    """Whether INGEST put it aside: it never came into the events log."""
    return dict(record.headers).get("ss-error-group", b"").endswith(b"-ingest")


def _applied(stack: Stack) -> list[Record]:
    """The events log as far as LABEL has come: to its end, but for the last ticks of a worker that has left."""
    assert stack.relayed()
    applied = stack.applied()
    records: list[Record] = list(stack.read("events"))
    left = [r for r in records if r.offset >= applied[r.partition]]
    assert all(kind_of(r) == TICK for r in left), "the log was not applied to its end"
    return [r for r in records if r.offset < applied[r.partition]]


async def _contents(redis: RedisInspection, slot: Slot) -> dict[str, Any]:
    ring = await redis.ring(slot)
    customers = [customer for customer, _ in ring]
    return {
        "state": Memory(await redis.meta(slot), 0).state,
        "marks": {name: v for name, v in (await redis.meta(slot)).items() if name not in {STATE, "guard"}},
        "records": {customer: await redis.record(slot, customer) for customer in customers},
        "history": {customer: await redis.history(slot, customer) for customer in customers},
        "counts": await redis.counts(slot),
        "ring": ring,
    }


def _expected(slots: MemorySlots, slot: Slot) -> dict[str, Any]:
    ring = slots.ring(slot)
    return {
        "state": Memory(slots.meta(slot), 0).state,
        "marks": {name: value for name, value in slots.meta(slot).items() if name not in {STATE, "guard"}},
        "records": {customer: slots.record(slot, customer) for customer, _ in ring},
        "history": {customer: slots.history(slot, customer) for customer, _ in ring},
        "counts": slots.counts(slot),
        "ring": ring,
    }


def _assert_same(live: Any, expected: Any, what: str) -> None:
    different = _differences(live, expected)
    assert not different, f"{what}:\n" + "\n".join(line[:2_000] for line in different[:20])


def _differences(live: Any, expected: Any, path: str = "") -> list[str]:
    """Where the two differ, each place as a line."""
    if isinstance(live, LabelState) and isinstance(expected, LabelState):
        # How far the last walk came is written with the next write; until then it would be walked again.
        live, expected = (msgspec.structs.asdict(state) | {"walked": 0} for state in (live, expected))
    if isinstance(live, dict) and isinstance(expected, dict):
        names = sorted(live.keys() | expected.keys(), key=str)
        return [line for n in names for line in _differences(live.get(n), expected.get(n), f"{path}/{n}")]
    return [] if live == expected else [f"{path}: {live!r} is not {expected!r}"]


async def _learned(redis: RedisInspection, slot: Slot) -> dict[str, Any]:
    records = {customer: await redis.record(slot, customer) for customer, _ in await redis.ring(slot)}
    return {"meta": {**await redis.meta(slot), "guard": b""}, "records": records}
