"""What only the memory adapters have: the log, the world, turning back, and sorted scores at size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_seg.adapters.memory import scores
from stream_seg.adapters.memory.log import Member, MemoryLog
from stream_seg.adapters.memory.scores import Scores
from stream_seg.adapters.memory.slots import MemorySlots
from stream_seg.adapters.memory.world import MemoryWorld
from stream_seg.core.hashing import partition_of
from stream_seg.errors import Fenced, StateLost, Stop
from stream_seg.ports import (
    Claim,
    Commit,
    Committed,
    Load,
    LogRange,
    Message,
    Packed,
    Publish,
    ReadOutbox,
    Slot,
    Trim,
    Write,
)

if TYPE_CHECKING:
    from stream_seg.ports import Record, Step

SLOT = Slot("label", 0)


def log_of(**partitions: int) -> MemoryLog:
    return MemoryLog(partitions, clock=lambda: 77)


def test_a_claim_is_never_given_twice_whatever_is_restored() -> None:
    slots = MemorySlots()
    slots.execute(Claim(SLOT))
    before = slots.snapshot()
    cut_off = slots.execute(Claim(SLOT))
    slots.restore(before)
    assert slots.execute(Claim(SLOT)).claim > cut_off.claim


def test_a_snapshot_brings_everything_back_together() -> None:
    slots = MemorySlots()
    slots.execute(Claim(SLOT))
    everything = Write(
        SLOT, 1, 0, b"a", meta={"offset": b"1"}, ids=[b"ann"], records=Packed.of([b"1"]), ring=[(b"ann", 1)],
        due=[(b"ann", 1)], counts={b"x": 1}, history=[(b"ann", b"h")], outbox=b"o",
    )  # fmt: skip
    slots.execute(everything)
    before = slots.snapshot()

    def seen() -> tuple[object, ...]:
        look = slots.execute(Load(SLOT, [b"ann"], due_until=9, ring=(-1, 9)))
        return look, slots.state(SLOT), slots.counts(SLOT), slots.history(SLOT, b"ann"), slots.execute(ReadOutbox(SLOT))

    at_first = seen()
    for _ in range(2):  # a snapshot may be used again
        slots.execute(Trim(SLOT, 1, 1))
        slots.execute(Write(SLOT, 1, 1, b"b", history=[(b"ann", b"i")], counts={b"x": 1}, due=[(b"ann", 2)]))
        slots.execute(Write(SLOT, 1, 2, b"c", erased=[b"ann"], meta={"offset": b"2"}))
        slots.execute(Claim(SLOT))
        assert seen() != at_first
        slots.restore(before)
        assert seen() == at_first
    with pytest.raises(TypeError, match="snapshot"):
        slots.restore(None)


def test_records_are_partitioned_as_java_does_and_stamped_on_append() -> None:
    log = log_of(events=8)
    record: Record = log.append("events", b"ann", b"v", [("h", b"1")])
    assert record.partition == partition_of(b"ann", 8)
    assert (record.offset, record.timestamp, record.timestamp_type) == (0, 77, 1)
    assert log.append("events", b"ann", None, timestamp=5).timestamp == 5
    assert log.append("events", None, b"", partition=3).partition == 3
    assert [found.value for found in log.read("events", record.partition, 0)] == [b"v", None]
    assert [found.value for found in log.read("events", record.partition, 0, 1)] == [b"v"]
    assert list(log.read("events", record.partition, 2)) == []


def test_offsets_below_retention_or_beyond_the_end_are_refused() -> None:
    log = log_of(events=1)
    for number in range(5):
        log.append("events", None, b"%d" % number)
    log.expire("events", 0, 3)
    assert [record.offset for record in log.read("events", 0, 3)] == [3, 4]
    for offset in (2, 6):
        with pytest.raises(StateLost, match="holds 3 to 5"):
            log.read("events", 0, offset)
    log.expire("events", 0, 99)
    assert log.append("events", None, b"").offset == 5


def test_only_the_newest_generation_commits() -> None:
    log = log_of(events=2)
    first, second = Member("g"), Member("g")
    assert not log.execute(Commit("events", 0, 1), first)
    log.assign(first, "events", 0)
    log.assign(first, "events", 1)
    assert log.execute(Commit("events", 0, 4), first)
    log.assign(second, "events", 0)
    assert not log.execute(Commit("events", 0, 9), first)
    assert log.execute(Committed("events", 0), second) == LogRange(4, 0, 0, "events:2:murmur2")
    assert log.execute(Commit("events", 1, 1), first)
    stranger = Member("other group")
    assert log.execute(Committed("events", 0), stranger).committed is None
    log.assign(first, "events", 0)
    assert log.execute(Commit("events", 0, 9), first)
    assert not log.execute(Commit("events", 0, 9), second)


def test_messages_are_published_in_order_to_the_partition_of_their_key() -> None:
    log = log_of(samples=3)
    messages = [
        Message("samples", b"ann", b"1"),
        Message("samples", b"ann", None),
        Message("samples", None, b"c", (), 2),
    ]
    log.execute(Publish(messages), Member("g"))
    place = partition_of(b"ann", 3)
    assert [record.value for record in log.read("samples", place, 0)][:2] == [b"1", None]
    assert log.read("samples", 2, 0)[-1].value == b"c"
    with pytest.raises(Stop, match="no topic 'sample'"):
        log.execute(Publish([Message("sample", b"ann", b"1")]), Member("g"))


def test_the_world_throws_errors_into_the_step_and_returns_its_result() -> None:
    world = MemoryWorld(log_of(events=1), Member("g"))

    def overtaken() -> Step[str]:
        mine = yield Claim(SLOT)
        yield Claim(SLOT)
        try:
            yield Write(SLOT, mine.claim, 0, b"a")
        except Fenced:
            ours = yield Commit("events", 0, 1)
            return f"let go, commit {ours}"
        return "not reached"

    assert world.run(overtaken()) == "let go, commit False"

    def careless() -> Step[None]:
        yield Trim(SLOT, 0, 1)

    with pytest.raises(Fenced):
        world.run(careless())


changes = st.lists(st.tuples(st.binary(max_size=2), st.none() | st.integers(-3, 12)), max_size=200)


@given(changes, st.none() | st.integers(-4, 12), st.integers(-4, 12), st.integers(0, 6))
def test_scores_equal_a_sorted_list(
    puts: list[tuple[bytes, int | None]], after: int | None, until: int, limit: int
) -> None:
    plain: dict[bytes, int] = {}
    sorted_scores = Scores()
    usual, scores.BUCKET = scores.BUCKET, 3
    try:
        for member, score in puts:
            if score is None:
                plain.pop(member, None)
                sorted_scores.remove(member)
            else:
                plain[member] = score
                sorted_scores.put(member, score)
    finally:
        scores.BUCKET = usual
    inside = sorted((score, member) for member, score in plain.items() if score <= until)
    inside = [pair for pair in inside if after is None or pair[0] > after]
    if 0 < limit < len(inside):
        inside = [pair for pair in inside if pair[0] <= inside[limit - 1][0]]
    assert sorted_scores.between(after, until, limit) == [(member, score) for score, member in inside]
    assert len(sorted_scores) == len(plain)
