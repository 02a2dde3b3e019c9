"""Memory and a real Redis, driven by the same random effects, must answer alike for ever."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from stream_seg.adapters.memory.slots import MemorySlots
from stream_seg.adapters.redis.inspection import RedisInspection
from stream_seg.adapters.redis.slots import RedisSlots
from stream_seg.errors import Fenced
from stream_seg.ports import NOTHING, Claim, Load, Packed, ReadOutbox, Slot, Trim, Write

if TYPE_CHECKING:
    from stream_seg.adapters.redis.slots import SlotEffect
    from tests.servers.redis import RedisServer

customers = st.sampled_from([b"ann", b"bob", b"\x00\r\n", b"", b"dee", b"eve"])
scores = st.integers(-3, 5) | st.integers(0, 2**53 - 1)
values = st.binary(max_size=12)
scored = st.lists(st.tuples(customers, scores), max_size=4)
limits = st.integers(0, 4)
slots = st.sampled_from([Slot("label", 0), Slot("learn", 0)])

parts = st.fixed_dictionaries(
    {},
    optional={
        "meta": st.dictionaries(st.sampled_from(["offset", "clock"]), values),
        "erased": st.lists(customers, max_size=2),
        "ring": scored,
        "due": scored,
        "undue": st.lists(customers, max_size=2),
        "counts": st.dictionaries(st.sampled_from([b"x", b"y"]), st.integers(-2, 2)),
        "history": st.lists(st.tuples(customers, values), max_size=4),
        "history_keep": st.integers(1, 3),
        "outbox": values,
    },
)


class BothStores(RuleBasedStateMachine):
    """Two owners that may be right, late or wrong about claim and revision; both stores see the same."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        name = f"m-{uuid.uuid4().hex}"
        self.memory = MemorySlots()
        self.redis = RedisSlots(self.url, name, claim_step=lambda: 1)
        self.looks = RedisInspection(self.url, name)
        self.writes: list[Write] = []

    def teardown(self) -> None:
        self.loop.run_until_complete(self.redis.close())
        self.loop.run_until_complete(self.looks.close())
        self.loop.close()

    def both(self, effect: SlotEffect) -> None:
        answers: list[Any] = []
        try:
            answers.append(self.memory.execute(effect))
        except Fenced as refused:
            answers.append(str(refused))
        try:
            answers.append(self.loop.run_until_complete(self.redis.execute(effect)))
        except Fenced as refused:
            answers.append(str(refused))
        assert plain(answers[0]) == plain(answers[1])

    @rule(slot=slots)
    def claim(self, slot: Slot) -> None:
        self.both(Claim(slot))

    @rule(
        slot=slots,
        records=st.dictionaries(customers, values, max_size=4),
        parts=parts,
        late=st.sampled_from([0] * 8 + [-1, 1]),
        overtaken=st.sampled_from([0] * 8 + [-1, 1]),
    )
    def write(self, slot: Slot, records: dict[bytes, bytes], parts: Any, late: int, overtaken: int) -> None:
        state = self.memory.state(slot)
        packed = Packed.of(list(records.values())) if records else NOTHING
        call = b"%d" % len(self.writes)
        claim, rev = state.claim - overtaken, max(0, state.rev - late)
        self.writes.append(Write(slot, claim, rev, call, ids=list(records), records=packed, **parts))
        self.both(self.writes[-1])

    @rule(back=st.integers(1, 3))
    def retry(self, back: int) -> None:
        if back <= len(self.writes):
            self.both(self.writes[-back])

    @rule(slot=slots, overtaken=st.sampled_from([0, 0, 0, 1]), through=st.integers(0, 12))
    def trim(self, slot: Slot, overtaken: int, through: int) -> None:
        self.both(Trim(slot, self.memory.state(slot).claim - overtaken, through))

    @rule(
        slot=slots,
        ids=st.lists(customers, max_size=4),
        until=st.none() | scores,
        due_limit=limits,
        ring=st.none() | st.tuples(scores, scores),
        ring_limit=limits,
    )
    def load(self, slot: Slot, ids: list[bytes], until: int | None, due_limit: int, ring: Any, ring_limit: int) -> None:
        self.both(Load(slot, ids, until, due_limit, ring, ring_limit))

    @invariant()
    def everything_stored_is_alike(self) -> None:
        for slot in self.memory.slots():
            self.both(ReadOutbox(slot))
            for look in ("state", "counts", "ring", "due", "customers", "outbox_length"):
                ours = getattr(self.memory, look)(slot)
                assert ours == self.loop.run_until_complete(getattr(self.looks, look)(slot)), look
            for customer in (b"ann", b"\x00\r\n"):
                for look in ("record", "history"):
                    ours = getattr(self.memory, look)(slot, customer)
                    assert ours == self.loop.run_until_complete(getattr(self.looks, look)(slot, customer)), look


def plain(answer: Any) -> Any:
    """Loads compare by what is in them, whether it came as a list or a tuple."""
    return (list(answer.values), list(answer.due), list(answer.ring)) if hasattr(answer, "due") else answer


@pytest.mark.servers
def test_memory_and_redis_answer_alike(redis_server: RedisServer) -> None:
    class OnThisServer(BothStores):
        url = redis_server.url

    run_state_machine_as_test(
        OnThisServer,
        settings=settings(
            max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
        ),
    )
