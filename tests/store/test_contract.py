"""What a slot store promises, held against memory and a real Redis alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stream_seg.errors import Fenced
from stream_seg.ports import NOTHING, Claim, Load, OutboxEntry, Packed, ReadOutbox, Slot, SlotState, Trim, Write

if TYPE_CHECKING:
    from tests.store.conftest import Store

SLOT = Slot("label", 3)


class Owner:
    """Writes as a worker does: under its claim, revision after revision, a new call id for each write."""

    def __init__(self, store: Store, claim: int, rev: int = 0, slot: Slot = SLOT) -> None:
        self.store, self.claim, self.rev, self.slot = store, claim, rev, slot

    @classmethod
    async def of(cls, store: Store, slot: Slot = SLOT) -> Owner:
        state = await store.execute(Claim(slot))
        return cls(store, state.claim, state.rev, slot)

    def effect(self, records: dict[bytes, bytes] | None = None, **parts: Any) -> Write:
        records = records or {}
        call = parts.pop("call", b"%d of %d" % (self.rev, self.claim))
        packed = Packed.of(list(records.values())) if records else NOTHING
        return Write(self.slot, self.claim, self.rev, call, ids=list(records), records=packed, **parts)

    async def write(self, records: dict[bytes, bytes] | None = None, **parts: Any) -> Write:
        effect = self.effect(records, **parts)
        assert await self.store.execute(effect) is None
        self.rev += 1
        return effect

    async def values(self, *ids: bytes) -> list[bytes | None]:
        return list((await self.store.execute(Load(self.slot, ids))).values)


@pytest.fixture
async def owner(store: Store) -> Owner:
    return await Owner.of(store)


async def test_the_first_claim_finds_an_empty_slot_and_each_claim_counts(store: Store) -> None:
    assert await store.execute(Claim(SLOT)) == SlotState(1, 0, {})
    assert await store.execute(Claim(SLOT)) == SlotState(2, 0, {})


async def test_a_claim_shows_what_the_owner_before_wrote(store: Store, owner: Owner) -> None:
    await owner.write(meta={"offset": b"17", "clock": b"\x00\xff"})
    await owner.write(meta={"offset": b"18"})
    assert await store.execute(Claim(SLOT)) == SlotState(2, 2, {"offset": b"18", "clock": b"\x00\xff"})


async def test_slots_do_not_share_anything(store: Store, owner: Owner) -> None:
    await owner.write({b"ann": b"1"}, counts={b"x": 1}, due=[(b"ann", 5)], ring=[(b"ann", 5)], outbox=b"o")
    for other in (Slot("label", 4), Slot("learn", 3)):
        assert await store.execute(Claim(other)) == SlotState(1, 0, {})
        loaded = await store.execute(Load(other, [b"ann"], due_until=9, ring=(-1, 9)))
        assert (list(loaded.values), list(loaded.due), list(loaded.ring)) == ([None], [], [])
        assert await store.execute(ReadOutbox(other)) == []
        assert await store.look("counts", other) == {}


async def test_records_are_given_in_the_order_asked_for(owner: Owner) -> None:
    await owner.write({b"ann": b"1", b"bob": b"22", b"cy": b""})
    assert await owner.values(b"cy", b"nobody", b"ann", b"bob", b"ann") == [b"", None, b"1", b"22", b"1"]


async def test_a_record_written_again_replaces_the_old_one(owner: Owner) -> None:
    await owner.write({b"ann": b"old", b"bob": b"b"})
    await owner.write({b"ann": b"new"})
    assert await owner.values(b"ann", b"bob") == [b"new", b"b"]


async def test_every_byte_value_survives_in_ids_records_and_everything_else(store: Store, owner: Owner) -> None:
    every = bytes(range(256))
    ids = [bytes([value]) for value in range(256)] + [every, b"", b"a\r\n$3\r\nb", b"{x}:c:y"]
    records = {customer: every + customer for customer in ids}
    await owner.write(
        records, ring=[(every, 1)], due=[(every, 2)], counts={every: 3}, history=[(every, every)], outbox=every,
        meta={"größe\r\n": every},
    )  # fmt: skip
    assert await owner.values(*ids) == list(records.values())
    loaded = await store.execute(Load(SLOT, due_until=9, ring=(-1, 9)))
    assert (list(loaded.ring), list(loaded.due)) == ([(every, 1)], [(every, 2)])
    assert await store.look("counts", SLOT) == {every: 3}
    assert await store.look("history", SLOT, every) == [every]
    assert await store.execute(ReadOutbox(SLOT)) == [OutboxEntry(1, every)]
    assert await store.look("meta", SLOT) == {"größe\r\n": every}


async def test_a_retried_call_answers_success_and_is_not_done_twice(store: Store, owner: Owner) -> None:
    effect = await owner.write(
        {b"ann": b"1"}, counts={b"x": 2}, history=[(b"ann", b"h")], outbox=b"o", meta={"offset": b"9"}
    )
    assert await store.execute(effect) is None
    assert await store.execute(effect) is None
    assert await store.look("counts", SLOT) == {b"x": 2}
    assert await store.look("history", SLOT, b"ann") == [b"h"]
    assert await store.execute(ReadOutbox(SLOT)) == [OutboxEntry(1, b"o")]
    assert await store.look("state", SLOT) == SlotState(1, 1, {"offset": b"9"})


async def test_a_call_retried_after_a_later_one_is_refused(store: Store, owner: Owner) -> None:
    first = await owner.write({b"ann": b"1"})
    await owner.write({b"ann": b"2"})
    with pytest.raises(Fenced, match="revision is 2, not 0"):
        await store.execute(first)
    assert await owner.values(b"ann") == [b"2"]


async def test_another_call_at_a_revision_already_taken_is_refused(store: Store, owner: Owner) -> None:
    await owner.write({b"ann": b"1"}, call=b"mine")
    owner.rev -= 1
    with pytest.raises(Fenced, match="revision"):
        await store.execute(owner.effect({b"ann": b"2"}, call=b"not mine", counts={b"x": 1}))
    assert await owner.values(b"ann") == [b"1"]
    assert await store.look("counts", SLOT) == {}


@pytest.mark.parametrize("rev", [1, 7, 2**53])
async def test_a_revision_from_the_future_is_refused(store: Store, owner: Owner, rev: int) -> None:
    owner.rev = rev
    with pytest.raises(Fenced, match="revision is 0"):
        await store.execute(owner.effect({b"ann": b"1"}))
    assert await owner.values(b"ann") == [None]


async def test_a_slot_that_nobody_claimed_refuses_writes_and_trims(store: Store) -> None:
    with pytest.raises(Fenced, match="claim"):
        await store.execute(Owner(store, 1).effect({b"ann": b"1"}))
    with pytest.raises(Fenced, match="claim"):
        await store.execute(Trim(SLOT, 1, 10))


async def test_only_the_newest_of_two_owners_writes(store: Store, owner: Owner) -> None:
    lost = await owner.write({b"ann": b"1"}, outbox=b"first")
    newer = await Owner.of(store)
    with pytest.raises(Fenced, match="claim is 2, not 1"):
        await store.execute(owner.effect({b"ann": b"zombie"}, erased=[b"ann"], outbox=b"zombie", undue=[b"ann"]))
    with pytest.raises(Fenced, match="claim"):
        await store.execute(lost)  # took effect, but its owner has to let go
    with pytest.raises(Fenced, match="claim"):
        await store.execute(Trim(SLOT, owner.claim, 1))
    await newer.write(outbox=b"second")
    assert await newer.values(b"ann") == [b"1"]
    assert await store.execute(ReadOutbox(SLOT)) == [OutboxEntry(1, b"first"), OutboxEntry(2, b"second")]


async def test_the_outbox_is_read_in_order_and_trimmed_through_an_id(store: Store, owner: Owner) -> None:
    for turn in range(150):  # more than one page of a reader
        await owner.write(outbox=b"%d" % turn if turn % 3 else None)
    kept = [OutboxEntry(turn + 1, b"%d" % turn) for turn in range(150) if turn % 3]
    assert await store.execute(ReadOutbox(SLOT)) == kept
    await store.execute(Trim(SLOT, owner.claim, 60))
    assert await store.execute(ReadOutbox(SLOT)) == [entry for entry in kept if entry.id > 60]
    assert await store.look("outbox_length", SLOT) == 60
    await store.execute(Trim(SLOT, owner.claim, 60))
    await store.execute(Trim(SLOT, owner.claim, 10_000))
    assert await store.execute(ReadOutbox(SLOT)) == []
    await owner.write(outbox=b"after")
    assert await store.execute(ReadOutbox(SLOT)) == [OutboxEntry(151, b"after")]


async def test_trimming_leaves_the_revision_alone(store: Store, owner: Owner) -> None:
    await owner.write(outbox=b"o")
    await store.execute(Trim(SLOT, owner.claim, 1))
    assert (await store.look("state", SLOT)).rev == 1


async def test_an_erased_customer_leaves_nothing(store: Store, owner: Owner) -> None:
    everywhere: dict[str, Any] = {
        "ring": [(b"ann", 1), (b"bob", 2)],
        "due": [(b"ann", 1), (b"bob", 2)],
        "history": [(b"ann", b"a"), (b"bob", b"b")],
    }
    await owner.write({b"ann": b"a", b"bob": b"b"}, **everywhere)
    await owner.write(erased=[b"ann", b"never seen"])
    assert await owner.values(b"ann", b"bob") == [None, b"b"]
    loaded = await store.execute(Load(SLOT, due_until=9, ring=(-1, 9)))
    assert (list(loaded.ring), list(loaded.due)) == ([(b"bob", 2)], [(b"bob", 2)])
    assert await store.look("history", SLOT, b"ann") == []
    assert await store.look("history", SLOT, b"bob") == [b"b"]
    assert await store.look("customers", SLOT) == 1


async def test_erased_and_written_in_one_change_begins_anew(store: Store, owner: Owner) -> None:
    old: dict[str, Any] = {"ring": [(b"ann", 1)], "due": [(b"ann", 1)], "history": [(b"ann", b"old")]}
    await owner.write({b"ann": b"old"}, **old)
    new: dict[str, Any] = {"ring": [(b"ann", 7)], "due": [(b"ann", 8)], "history": [(b"ann", b"new")]}
    await owner.write({b"ann": b"new"}, erased=[b"ann"], undue=[b"ann"], **new)
    loaded = await store.execute(Load(SLOT, [b"ann"], due_until=9, ring=(-1, 9)))
    assert (loaded.values[0], list(loaded.ring), list(loaded.due)) == (b"new", [(b"ann", 7)], [(b"ann", 8)])
    assert await store.look("history", SLOT, b"ann") == [b"new"]


async def test_due_customers_come_earliest_first_up_to_the_instant(store: Store, owner: Owner) -> None:
    far = 2**53 - 1
    await owner.write(due=[(b"late", far), (b"b", 20), (b"a", 10), (b"before 1970", -5), (b"c", 30)])
    loaded = await store.execute(Load(SLOT, due_until=20))
    assert list(loaded.due) == [(b"before 1970", -5), (b"a", 10), (b"b", 20)]
    assert list((await store.execute(Load(SLOT, due_until=19))).due) == [(b"before 1970", -5), (b"a", 10)]
    await owner.write(due=[(b"a", 40)], undue=[b"b", b"not there"])
    loaded = await store.execute(Load(SLOT, due_until=far))
    assert list(loaded.due) == [(b"before 1970", -5), (b"c", 30), (b"a", 40), (b"late", far)]
    assert await store.look("due", SLOT) == list(loaded.due)


async def test_a_limit_never_cuts_an_instant_in_two(store: Store, owner: Owner) -> None:
    tied = [(b"t%02d" % number, 10) for number in range(20)]
    await owner.write(due=[(b"first", 1), *tied, (b"last", 30)])
    for limit in (2, 20, 21):
        loaded = await store.execute(Load(SLOT, due_until=99, due_limit=limit))
        assert list(loaded.due) == [(b"first", 1), *tied]
    assert list((await store.execute(Load(SLOT, due_until=99, due_limit=1))).due) == [(b"first", 1)]
    assert len((await store.execute(Load(SLOT, due_until=99, due_limit=22))).due) == 22
    assert len((await store.execute(Load(SLOT, due_until=99, due_limit=0))).due) == 22


async def test_the_ring_is_walked_piece_by_piece_without_losing_ties(store: Store, owner: Owner) -> None:
    customers = [(b"c%03d" % number, (number // 3) * 2**24) for number in range(700)]
    top = [(b"top", 2**32 - 1), (b"top too", 2**32 - 1)]
    await owner.write(ring=[*reversed(customers), *top])
    walked: list[tuple[bytes, int]] = []
    after = -1
    while piece := list((await store.execute(Load(SLOT, ring=(after, 2**32 - 1), ring_limit=50))).ring):
        assert len(piece) < 50 + 3
        walked += piece
        after = piece[-1][1]
    assert walked == customers + top
    bounds = (0, 2 * 2**24)
    assert list((await store.execute(Load(SLOT, ring=bounds))).ring) == customers[3:9]
    assert await store.look("ring", SLOT, 2 * 2**24, 4) == customers[9:15]
    assert await store.look("customers", SLOT) == 702


async def test_one_load_answers_all_three_questions(store: Store, owner: Owner) -> None:
    await owner.write({b"ann": b"1"}, due=[(b"ann", 1)], ring=[(b"ann", 5)])
    loaded = await store.execute(Load(SLOT, [b"ann"], due_until=1, due_limit=9, ring=(4, 5), ring_limit=9))
    assert (list(loaded.values), list(loaded.due), list(loaded.ring)) == ([b"1"], [(b"ann", 1)], [(b"ann", 5)])
    nothing = await store.execute(Load(SLOT))
    assert (list(nothing.values), list(nothing.due), list(nothing.ring)) == ([], [], [])


async def test_a_count_that_reaches_zero_disappears(store: Store, owner: Owner) -> None:
    await owner.write(counts={b"a": 2, b"b": 1, b"zero": 0, b"below": -1})
    assert await store.look("counts", SLOT) == {b"a": 2, b"b": 1, b"below": -1}
    await owner.write(counts={b"a": -1, b"b": -1, b"below": 1})
    assert await store.look("counts", SLOT) == {b"a": 1}


async def test_history_keeps_the_newest_entries_newest_first(store: Store, owner: Owner) -> None:
    await owner.write(history=[(b"ann", b"1"), (b"bob", b"b"), (b"ann", b"2")], history_keep=3)
    await owner.write(history=[(b"ann", b"3"), (b"ann", b"4")], history_keep=3)
    assert await store.look("history", SLOT, b"ann") == [b"4", b"3", b"2"]
    assert await store.look("history", SLOT, b"bob") == [b"b"]
    assert await store.look("history", SLOT, b"nobody") == []


async def test_a_write_may_be_very_large(store: Store, owner: Owner) -> None:
    ids = [b"customer-%d" % number for number in range(8_001)]
    records = {customer: customer * 20 for customer in ids}
    scored = [(customer, number) for number, customer in enumerate(ids)]
    await owner.write(
        records, ring=scored, due=scored, history=[(customer, b"h") for customer in ids],
        counts=dict.fromkeys(ids, 1), meta={f"m{number}": b"v" for number in range(5_000)},
        outbox=bytes(3_000_000),
    )  # fmt: skip
    loaded = await store.execute(Load(SLOT, ids, due_until=10_000, ring=(-1, 10_000)))
    assert list(loaded.values) == list(records.values())
    assert list(loaded.due) == list(loaded.ring) == scored
    assert len(await store.look("counts", SLOT)) == 8_001
    assert len(await store.look("meta", SLOT)) == 5_000
    await owner.write(erased=ids[:-1], undue=ids)
    assert await store.look("ring", SLOT) == scored[-1:]
    assert await store.look("due", SLOT) == []
    assert await owner.values(*ids) == [None] * 8_000 + [records[ids[-1]]]


async def test_an_empty_write_still_moves_the_revision(store: Store, owner: Owner) -> None:
    await owner.write()
    assert (await store.execute(Claim(SLOT))).rev == 1


@pytest.mark.parametrize(
    "parts", [{"ids": [b"ann"]}, {"meta": {".rev": b"1"}}, {"history": [(b"ann", b"h")], "history_keep": 0}]
)
def test_a_write_that_makes_no_sense_cannot_be_built(parts: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"records|dot|history_keep"):
        Write(SLOT, 1, 0, b"call", **parts)
