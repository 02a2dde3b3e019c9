"""docs/operating.md: the rights that it lists are those that workers, queries and doctor need of Redis."""

from __future__ import annotations

import asyncio
import re
import time

import pytest

from stream_seg.adapters.redis.inspection import RedisInspection
from stream_seg.adapters.redis.server import clock_reading, server_facts
from stream_seg.adapters.redis.slots import RedisSlots
from stream_seg.errors import StreamSegError
from stream_seg.ports import Claim, Load, Packed, ReadOutbox, Slot, Trim, Write
from tests.docs.pages import ROOT, text_of
from tests.servers.redis import RedisServer

pytestmark = pytest.mark.servers

LISTED = re.findall(r"^```text redis-acl\n(.*?)^```$", text_of(ROOT / "docs/operating.md"), re.MULTILINE | re.DOTALL)
RIGHTS = " ".join(LISTED).split()
SLOT = Slot("label", 0)


async def everything(url: str) -> None:
    slots, looks = RedisSlots(url, "shop"), RedisInspection(url, "shop")
    try:
        claim = (await slots.execute(Claim(SLOT))).claim
        first = Write(
            SLOT, claim, 0, b"a", meta={"state": b"x"}, ids=[b"ann", b"bob"], records=Packed.of([b"1", b"2"]),
            ring=[(b"ann", 1), (b"bob", 2)], due=[(b"ann", 5), (b"bob", 6)], counts={b"s:0": 2, b"s:1": 1},
            history=[(b"ann", b"h")], outbox=b"o",
        )  # fmt: skip
        await slots.execute(first)
        await slots.execute(
            Write(SLOT, claim, 1, b"b", erased=[b"ann"], undue=[b"bob"], counts={b"s:1": -1}, outbox=b"p")
        )
        await slots.execute(Load(SLOT, [b"ann", b"bob"], due_until=9, due_limit=1, ring=(-1, 9), ring_limit=1))
        await slots.execute(ReadOutbox(SLOT))
        await slots.execute(Trim(SLOT, claim, 1))
        await looks.meta(SLOT)
        assert await looks.record(SLOT, b"bob") == b"2"
        await looks.history(SLOT, b"bob")
        assert await looks.counts(SLOT) == {b"s:0": 2}
        assert await looks.customers(SLOT) == 1
        assert await looks.outbox_length(SLOT) == 1
        await looks.ring(SLOT)
        await looks.due(SLOT)
        await looks.overdue(SLOT, 9)
        await server_facts(url)
        await clock_reading(url, lambda: time.time_ns() // 1_000_000)
    finally:
        await slots.close()
        await looks.close()


def with_rights(rights: list[str]) -> None:
    with RedisServer() as server:
        if b"setinfo" not in server.command("COMMAND", "LIST", "FILTERBY", "PATTERN", "client|setinfo"):
            rights = [right for right in rights if right != "+client|setinfo"]  # as the page says
        reply = server.command("ACL", "SETUSER", "worker", "on", ">secret", "~shop:*", "-@all", *rights)
        assert reply == b"+OK\r\n"
        asyncio.run(everything(f"redis://worker:secret@127.0.0.1:{server.port}/0"))


def test_the_rights_that_the_page_lists_are_enough() -> None:
    assert len(RIGHTS) > 20
    with_rights(RIGHTS)


@pytest.mark.parametrize("missing", ["+mget", "+evalsha", "+zrangebyscore", "+xadd", "+hmget", "+mset", "+xtrim"])
def test_one_right_less_is_refused_with_a_remedy(missing: str) -> None:
    with pytest.raises(StreamSegError, match=r"docs/operating\.md|NOPERM|permission|ACL|can't run this command"):
        with_rights([right for right in RIGHTS if right != missing])
