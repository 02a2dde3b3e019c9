"""On a Redis Cluster each slot's keys live on one node, and the store finds it, also after they moved."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from redis.crc import key_slot

from stream_seg.adapters.redis.inspection import RedisInspection
from stream_seg.adapters.redis.keys import SlotKeys
from stream_seg.adapters.redis.slots import RedisSlots
from stream_seg.errors import Unavailable
from stream_seg.ports import Claim, Load, OutboxEntry, Packed, ReadOutbox, Slot, Trim, Write
from tests.servers.redis import RedisServer, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.servers
HALF = 8192
NAME = "shop"


@pytest.fixture
def cluster() -> Iterator[list[RedisServer]]:
    """Two primaries, each with half of the hash slots."""
    with ExitStack() as running:
        nodes = [
            running.enter_context(RedisServer(cluster_enabled="yes", cluster_port=str(free_port()))) for _ in range(2)
        ]
        asked(nodes[0], "CLUSTER", "ADDSLOTSRANGE", "0", str(HALF - 1))
        asked(nodes[1], "CLUSTER", "ADDSLOTSRANGE", str(HALF), "16383")
        bus = nodes[1].settings["cluster-port"]
        asked(nodes[0], "CLUSTER", "MEET", "127.0.0.1", str(nodes[1].port), bus)
        asyncio.run(until_whole(nodes))
        yield nodes


async def until_whole(nodes: list[RedisServer]) -> None:
    for _ in range(600):
        told = [node.command("CLUSTER", "INFO") for node in nodes]
        if all(b"cluster_state:ok" in info and b"cluster_known_nodes:2" in info for info in told):
            return
        await asyncio.sleep(0.05)
    pytest.fail("the two nodes did not form a cluster")


def asked(node: RedisServer, *words: str | bytes) -> bytes:
    reply = node.command(*words)
    assert not reply.startswith(b"-"), reply
    return reply


def node_id(node: RedisServer) -> bytes:
    return asked(node, "CLUSTER", "MYID").split(b"\r\n")[1]


def owner_of(slot: Slot) -> int:
    return 0 if key_slot(SlotKeys(NAME, slot).meta) < HALF else 1


def full_write(slot: Slot, claim: int, rev: int, value: bytes) -> Write:
    ids = [b"ann", b"{other tag}bob", b"cy}"]
    return Write(
        slot, claim, rev, b"%d" % rev, meta={"offset": value}, ids=ids, records=Packed.of([value] * 3),
        erased=[b"dee"], ring=[(b"ann", 1)], due=[(b"ann", 1)], counts={b"x": 1}, history=[(b"bob", value)],
        outbox=value,
    )  # fmt: skip


async def test_every_slot_is_found_from_any_node_and_all_its_keys_share_one(cluster: list[RedisServer]) -> None:
    label = [Slot("label", partition) for partition in range(12)]
    assert {owner_of(slot) for slot in label} == {0, 1}
    for start in cluster:
        slots, looks = RedisSlots(start.url, NAME, claim_step=lambda: 1), RedisInspection(start.url, NAME)
        for slot in label:
            state = await slots.execute(Claim(slot))
            await slots.execute(full_write(slot, state.claim, state.rev, b"v"))
            assert (await slots.execute(Load(slot, [b"{other tag}bob"], due_until=9))).values == [b"v"]
            assert await slots.execute(ReadOutbox(slot)) == [OutboxEntry(state.rev + 1, b"v")]
            await slots.execute(Trim(slot, state.claim, state.rev + 1))
            assert await looks.record(slot, b"ann") == b"v"
        await slots.close()
        await looks.close()


async def test_a_slot_that_moves_to_another_node_is_followed(cluster: list[RedisServer]) -> None:
    slot = next(slot for slot in (Slot("label", number) for number in range(50)) if owner_of(slot) == 1)
    slots = RedisSlots(cluster[0].url, NAME, claim_step=lambda: 1)
    state = await slots.execute(Claim(slot))
    await slots.execute(full_write(slot, state.claim, 0, b"1"))
    hash_slot, ids = str(key_slot(SlotKeys(NAME, slot).meta)), [node_id(node) for node in cluster]
    asked(cluster[0], "CLUSTER", "SETSLOT", hash_slot, "IMPORTING", ids[1])
    asked(cluster[1], "CLUSTER", "SETSLOT", hash_slot, "MIGRATING", ids[0])
    keys = asked(cluster[1], "CLUSTER", "GETKEYSINSLOT", hash_slot, "100").split(b"\r\n")[2::2]
    half = len(keys) // 2
    move = ("MIGRATE", "127.0.0.1", str(cluster[0].port), "", "0", "5000", "KEYS")
    asked(cluster[1], *move, *keys[:half])
    with pytest.raises(Unavailable):  # half of its keys are here, half there
        await slots.execute(full_write(slot, state.claim, 1, b"2"))
    asked(cluster[1], *move, *keys[half:])
    for node in cluster:
        asked(node, "CLUSTER", "SETSLOT", hash_slot, "NODE", ids[0])
    await slots.execute(full_write(slot, state.claim, 1, b"2"))
    assert await slots.execute(ReadOutbox(slot)) == [OutboxEntry(1, b"1"), OutboxEntry(2, b"2")]
    assert b"*2\r\n" in cluster[0].command("XRANGE", SlotKeys(NAME, slot).outbox, "-", "+")
    await slots.close()


async def test_a_node_that_is_away_is_unavailable_and_another_url_is_asked_next(cluster: list[RedisServer]) -> None:
    slot = next(slot for slot in (Slot("label", number) for number in range(50)) if owner_of(slot) == 1)
    slots = RedisSlots([node.url for node in cluster], NAME, reply_seconds=1, claim_step=lambda: 1)
    await slots.execute(Claim(slot))
    cluster[1].kill()
    for _ in range(3):
        with pytest.raises(Unavailable):
            await slots.execute(Claim(slot))
    cluster[1].start()
    await until_whole(cluster)
    assert (await slots.execute(Claim(slot))).claim == 2
    await slots.close()
