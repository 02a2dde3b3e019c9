"""One live partition: what it relays when, over stores in memory that can be held up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from stream_seg.adapters.memory.slots import MemorySlots
from stream_seg.pipeline.facts import LearnFacts, Traced, unmarked
from stream_seg.pipeline.owner import SlotOwner
from stream_seg.ports import Load, LogRange, Message, Record, Slot, Step
from stream_seg.runtime.effects import Effects
from stream_seg.runtime.partition import LivePartition

SLOT = Slot("label", 0)
LIMIT = 10


class Store:
    """Slots in memory and a log of what was published; each waits while its gate is closed."""

    def __init__(self) -> None:
        self.slots = MemorySlots()
        self.published: list[bytes | None] = []
        self.loads, self.publishing = asyncio.Event(), asyncio.Event()
        self.loads.set()
        self.publishing.set()

    async def execute(self, effect: Any) -> Any:
        if isinstance(effect, Load):
            await self.loads.wait()
        return self.slots.execute(effect)

    async def publish(self, messages: Sequence[Message]) -> None:
        await self.publishing.wait()
        self.published += [message.value for message in messages]

    async def log_range(self, partition: int) -> LogRange:
        return LogRange(None, 0, partition, "log:1:murmur2")


class Decides:
    """Writes one decision for a batch, then looks at the silent: what LABEL does."""

    def __init__(self) -> None:
        self.owner = SlotOwner(SLOT, "events")
        self.mark: Callable[[str], None] = unmarked
        self.traced: Sequence[Traced] = ()

    def facts(self) -> LearnFacts:
        return LearnFacts(0, 0, ())

    def open(self) -> Step[int]:
        meta, offset = yield from self.owner.open(_nothing_applied)
        if meta:
            yield from self.owner.write(meta={}, messages=[Message("segment-changes", b"ann", b"swept")])
        return offset

    def process(self, records: Sequence[Record]) -> Step[int]:
        message = Message("segment-changes", b"ann", b"moved %d" % len(records))
        yield from self.owner.write(meta={}, messages=[message])
        yield Load(SLOT, [b"ann"])
        return len(records)


def _nothing_applied(_: Mapping[str, bytes]) -> int:
    return 0


async def accepted(_: int) -> bool:
    return True


def live(store: Store) -> LivePartition:
    return LivePartition(Decides, Effects(store, store, store.log_range), outbox_limit=LIMIT)


async def until(holds: Any) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 — the stores do not call back
            await asyncio.sleep(0)


async def test_what_is_decided_is_published_while_the_batch_still_looks_at_the_silent() -> None:
    store = Store()
    partition = live(store)
    await partition.open(accepted)
    store.loads.clear()
    batch = asyncio.create_task(partition.process([Any, Any]))  # type: ignore[list-item]  # only counted
    await until(lambda: store.published == [b"moved 2"])
    assert not batch.done()
    store.loads.set()
    assert await batch == 2
    await partition.close()
    assert (store.published, store.slots.outbox_length(SLOT)) == ([b"moved 2"], 0)


async def test_opened_again_it_relays_what_the_claim_before_it_left_and_nothing_of_that_claim_goes_on() -> None:
    store = Store()
    partition = live(store)
    await partition.open(accepted)
    store.publishing.clear()
    await partition.process([Any])  # type: ignore[list-item]  # only counted
    await partition.open(accepted)
    store.publishing.set()
    await partition.process([Any, Any])  # type: ignore[list-item]  # only counted
    await partition.close()
    assert (store.published, store.slots.outbox_length(SLOT)) == ([b"moved 1", b"swept", b"moved 2"], 0)


async def test_what_a_person_must_hear_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    partition = live(Store())
    await partition.open(accepted)
    assert partition.work is not None
    partition.work.owner.alarms.append("something is damaged")
    for _ in range(2):
        await partition.process([Any])  # type: ignore[list-item]  # only counted
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        "ALARM something is damaged"
    ]
    await partition.close()


async def test_nothing_more_is_applied_while_more_than_the_limit_waits_for_kafka() -> None:
    store = Store()
    partition = live(store)
    await partition.open(accepted)
    store.publishing.clear()
    async with asyncio.timeout(10):
        for _ in range(LIMIT + 1):  # the last of them finds as many as may wait
            assert await partition.process([Any]) == 1  # type: ignore[list-item]  # only counted
    batch = asyncio.create_task(partition.process([Any, Any]))  # type: ignore[list-item]  # only counted
    for _ in range(1_000):  # turns of the loop: a batch takes a dozen
        await asyncio.sleep(0)
    assert (batch.done(), store.slots.outbox_length(SLOT), store.published) == (False, LIMIT + 1, [])
    store.publishing.set()
    assert await batch == 2
    await partition.close()
    assert store.published == [b"moved 1"] * (LIMIT + 1) + [b"moved 2"]
