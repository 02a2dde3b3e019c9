"""A real server that is away, cut off, paused, full, read-only or turned back: nothing is lost or done twice."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from stream_seg.adapters.redis.inspection import RedisInspection
from stream_seg.adapters.redis.slots import RedisSlots
from stream_seg.errors import Fenced, Stop, Unavailable
from stream_seg.ports import Claim, Load, Loaded, OutboxEntry, Packed, ReadOutbox, Slot, SlotState, Trim, Write
from tests.servers.redis import RedisServer, free_port
from tests.store.listener import closed, listening

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.servers
SLOT = Slot("label", 3)
NAME = "shop"


def write(rev: int, value: bytes = b"1", call: bytes | None = None) -> Write:
    return Write(
        SLOT, 1, rev, call or b"call %d" % rev, ids=[b"ann"], records=Packed.of([value]), counts={b"n": 1},
        outbox=value, meta={"offset": value}, history=[(b"ann", value)], due=[(b"ann", rev)], ring=[(b"ann", 1)],
    )  # fmt: skip


@asynccontextmanager
async def slots_on(url: str, reply_seconds: float = 1.0) -> AsyncIterator[RedisSlots]:
    slots = RedisSlots(url, NAME, connect_seconds=2, reply_seconds=reply_seconds, claim_step=lambda: 1)
    try:
        yield slots
    finally:
        await slots.close()


async def counted(url: str) -> dict[bytes, int]:
    looks = RedisInspection(url, NAME)
    try:
        return await looks.counts(SLOT)
    finally:
        await looks.close()


class Cut:
    """A relay in front of a server that can swallow the next answer and hang up, after the server did the work."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.swallow_next = False
        self.swallowed = 0

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.port)
        forward = asyncio.create_task(self._forward(reader, server_writer))
        while answer := await server_reader.read(65536):
            if self.swallow_next:
                self.swallow_next = False
                self.swallowed += 1
                break
            writer.write(answer)
        await closed(writer)
        await forward

    @staticmethod
    async def _forward(reader: asyncio.StreamReader, server_writer: asyncio.StreamWriter) -> None:
        while request := await reader.read(65536):
            server_writer.write(request)
        await closed(server_writer)


@asynccontextmanager
async def cut_before(server: RedisServer) -> AsyncIterator[tuple[Cut, str]]:
    cut = Cut(server.port)
    async with listening(cut.relay) as port:
        yield cut, f"redis://127.0.0.1:{port}/0"


async def test_a_write_whose_answer_is_lost_is_done_once_when_retried(own_redis: RedisServer) -> None:
    async with cut_before(own_redis) as (cut, url), slots_on(url) as slots:
        await slots.execute(Claim(SLOT))
        await slots.execute(write(0))
        cut.swallow_next = True
        with pytest.raises(Unavailable):
            await slots.execute(write(1, b"2"))
        assert cut.swallowed == 1
        assert await counted(own_redis.url) == {b"n": 2}  # the server did it
        await slots.execute(write(1, b"2"))
        assert await counted(own_redis.url) == {b"n": 2}
        assert await slots.execute(ReadOutbox(SLOT)) == [OutboxEntry(1, b"1"), OutboxEntry(2, b"2")]


async def test_a_connection_killed_by_the_server_opens_again_by_itself(own_redis: RedisServer) -> None:
    async with slots_on(own_redis.url) as slots:
        await slots.execute(Claim(SLOT))
        own_redis.command("CLIENT", "KILL", "TYPE", "normal")
        with pytest.raises(Unavailable):
            await slots.execute(write(0))
        await slots.execute(write(0))
        assert await counted(own_redis.url) == {b"n": 1}


async def test_away_at_the_start_is_unavailable_and_then_it_works() -> None:
    server = RedisServer()
    server.port = free_port()
    async with slots_on(server.url) as slots:
        for _ in range(2):
            with pytest.raises(Unavailable, match=f"127.0.0.1:{server.port}"):
                await slots.execute(Claim(SLOT))
        with server:
            assert (await slots.execute(Claim(SLOT))).claim == 1


async def test_killed_in_the_middle_is_unavailable_and_goes_on_where_it_was(own_redis: RedisServer) -> None:
    async with slots_on(own_redis.url) as slots:
        await slots.execute(Claim(SLOT))
        await slots.execute(write(0))
        own_redis.kill()
        for _ in range(2):
            with pytest.raises(Unavailable):
                await slots.execute(write(1, b"2"))
        own_redis.start()
        await slots.execute(write(1, b"2"))  # the scripts are gone from the new process: loaded again unseen
        assert await counted(own_redis.url) == {b"n": 2}
        await slots.execute(Trim(SLOT, 1, 1))
        assert await slots.execute(ReadOutbox(SLOT)) == [OutboxEntry(2, b"2")]


async def test_a_late_answer_is_never_taken_for_another_requests(own_redis: RedisServer) -> None:
    async with slots_on(own_redis.url) as slots:
        await slots.execute(Claim(SLOT))
        await slots.execute(write(0))
        own_redis.pause()
        with pytest.raises(Unavailable):
            await slots.execute(write(1, b"2"))
        with pytest.raises(Unavailable):
            await slots.execute(Load(SLOT, [b"ann"]))
        own_redis.resume()
        await slots.execute(write(1, b"2"))
        assert (await slots.execute(Load(SLOT, [b"ann"], due_until=9))).due == [(b"ann", 1)]
        assert await counted(own_redis.url) == {b"n": 2}


async def test_a_cancelled_request_leaves_no_answer_behind(own_redis: RedisServer) -> None:
    async with slots_on(own_redis.url, reply_seconds=30) as slots:
        await slots.execute(Claim(SLOT))
        own_redis.pause()
        task = asyncio.create_task(slots.execute(write(0)))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        own_redis.resume()
        assert (await slots.execute(Load(SLOT, [b"nobody"]))).values == [None]
        await slots.execute(write(0))
        assert await counted(own_redis.url) == {b"n": 1}


async def test_effects_of_one_slot_started_together_each_get_their_own_answer(own_redis: RedisServer) -> None:
    async with slots_on(own_redis.url) as slots:
        await slots.execute(Claim(SLOT))
        await slots.execute(write(0, b"x"))
        loads = [slots.execute(Load(SLOT, [b"ann"] * number)) for number in range(1, 30)]
        assert [list(loaded.values) for loaded in await asyncio.gather(*loads)] == [[b"x"] * n for n in range(1, 30)]


async def test_paused_clients_are_unavailable_until_the_pause_ends(own_redis: RedisServer) -> None:
    async with slots_on(own_redis.url) as slots:
        await slots.execute(Claim(SLOT))
        own_redis.command("CLIENT", "PAUSE", "60000", "WRITE")
        with pytest.raises(Unavailable, match="Timeout"):
            await slots.execute(write(0))
        assert (await slots.execute(Load(SLOT, [b"ann"]))).values == [None]
        own_redis.command("CLIENT", "UNPAUSE")
        await slots.execute(write(0))
        assert await counted(own_redis.url) == {b"n": 1}


async def test_a_full_redis_is_unavailable_changes_nothing_and_then_it_works(own_redis: RedisServer) -> None:
    async with slots_on(own_redis.url) as slots:
        await slots.execute(Claim(SLOT))
        await slots.execute(write(0))
        own_redis.command("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(Unavailable, match="maxmemory"):
            await slots.execute(write(1, b"2"))
        own_redis.command("CONFIG", "SET", "maxmemory", "0")
        assert await counted(own_redis.url) == {b"n": 1}
        assert (await slots.execute(Load(SLOT, [b"ann"]))).values == [b"1"]
        await slots.execute(write(1, b"2"))
        assert await slots.execute(ReadOutbox(SLOT)) == [OutboxEntry(1, b"1"), OutboxEntry(2, b"2")]


async def test_a_replica_is_unavailable_until_it_is_promoted(own_redis: RedisServer) -> None:
    own_redis.command("CONFIG", "SET", "repl-diskless-sync-delay", "0")
    async with slots_on(own_redis.url, reply_seconds=5) as slots:
        await slots.execute(Claim(SLOT))
        await slots.execute(write(0))
        with RedisServer(replicaof=f"127.0.0.1 {own_redis.port}") as replica:
            for _ in range(600):
                if b"master_link_status:up" in replica.command("INFO", "replication"):
                    break
                await asyncio.sleep(0.05)
            async with slots_on(replica.url, reply_seconds=5) as other:
                for effect in (Claim(SLOT), write(1, b"2")):
                    with pytest.raises(Unavailable, match="replica"):
                        await other.execute(effect)
                replica.command("REPLICAOF", "NO", "ONE")
                await other.execute(write(1, b"2"))
                assert await counted(replica.url) == {b"n": 2}


async def test_on_older_files_everything_turns_back_together(own_redis: RedisServer) -> None:
    async with slots_on(own_redis.url, reply_seconds=5) as slots:
        await slots.execute(Claim(SLOT))
        await slots.execute(write(0, b"1"))
        await slots.execute(write(1, b"2"))
        older = own_redis.copy_aof()
        await slots.execute(write(2, b"3"))
        await slots.execute(Trim(SLOT, 1, 3))
        own_redis.restart_on(older)
        with pytest.raises(Unavailable):
            await slots.execute(write(3, b"4"))
        with pytest.raises(Fenced, match="revision is 2, not 3"):
            await slots.execute(write(3, b"4"))
        assert await slots.execute(Claim(SLOT)) == SlotState(2, 2, {"offset": b"2"})
        loaded = await slots.execute(Load(SLOT, [b"ann"], due_until=9, ring=(0, 9)))
        assert (loaded.values, loaded.due, loaded.ring) == ([b"2"], [(b"ann", 1)], [(b"ann", 1)])
        assert await slots.execute(ReadOutbox(SLOT)) == [OutboxEntry(1, b"1"), OutboxEntry(2, b"2")]
        assert await counted(own_redis.url) == {b"n": 2}


async def test_a_claim_is_never_given_twice_also_on_older_files(own_redis: RedisServer) -> None:
    slots = RedisSlots(own_redis.url, NAME, connect_seconds=2, reply_seconds=5)
    first = await slots.execute(Claim(SLOT))
    older = own_redis.copy_aof()
    cut_off = await slots.execute(Claim(SLOT))
    own_redis.restart_on(older)
    with pytest.raises(Unavailable):
        await slots.execute(Claim(SLOT))
    heir = await slots.execute(Claim(SLOT))
    assert first.claim < cut_off.claim
    assert first.claim < heir.claim
    assert heir.claim != cut_off.claim
    await slots.close()


async def test_an_emptied_redis_refuses_the_owner_it_forgot(own_redis: RedisServer) -> None:
    async with slots_on(own_redis.url) as slots:
        await slots.execute(Claim(SLOT))
        await slots.execute(write(0))
        own_redis.command("FLUSHALL")
        with pytest.raises(Fenced, match="claim is absent"):
            await slots.execute(write(1))
        assert await slots.execute(Claim(SLOT)) == SlotState(1, 0, {})


@pytest.mark.parametrize("key", ["due", "ring", "counts", "outbox", "h:ann"])
async def test_a_foreign_key_stops_the_write_before_anything_is_changed(own_redis: RedisServer, key: str) -> None:
    async with slots_on(own_redis.url) as slots:
        await slots.execute(Claim(SLOT))
        own_redis.command("SET", f"{NAME}:{{label-3}}:{key}", "not ours")
        with pytest.raises(Stop, match="another program writes under this name"):
            await slots.execute(write(0))
        own_redis.command("DEL", f"{NAME}:{{label-3}}:{key}")
        assert (await slots.execute(Load(SLOT, [b"ann"], due_until=9, ring=(0, 9)))) == Loaded([None], [], [])
        await slots.execute(write(0))
        assert await counted(own_redis.url) == {b"n": 1}
        assert await slots.execute(ReadOutbox(SLOT)) == [OutboxEntry(1, b"1")]


async def test_a_wrong_password_stops_and_is_not_shown() -> None:
    with RedisServer(requirepass="right-secret") as server:
        async with slots_on(server.url) as slots:
            assert (await slots.execute(Claim(SLOT))).claim == 1
        for login in ("", ":wrong-secret@", "nobody:wrong-secret@"):
            async with slots_on(f"redis://{login}127.0.0.1:{server.port}/0") as slots:
                with pytest.raises(Stop, match="password") as stopped:
                    await slots.execute(Claim(SLOT))
                assert "secret" not in str(stopped.value)
