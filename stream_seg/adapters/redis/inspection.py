"""Looks into slots without claiming them: what queries, the command line and operators read. Never writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream_seg.adapters.redis.keys import SlotKeys
from stream_seg.adapters.redis.link import CONNECT_SECONDS, REPLY_SECONDS, Link, Reply, Servers
from stream_seg.adapters.redis.resp import command
from stream_seg.adapters.redis.slots import ranged, read_outbox, slot_state

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stream_seg.ports import OutboxEntry, Slot, SlotState


class RedisInspection:
    """Read-only questions about slots, on connections of its own. Parameters as for `RedisSlots`.

    Every method raises `Unavailable` when Redis does not answer and `Stop` when it refuses for good.
    """

    def __init__(
        self,
        urls: str | Sequence[str],
        name: str,
        *,
        connect_seconds: float = CONNECT_SECONDS,
        reply_seconds: float = REPLY_SECONDS,
    ) -> None:
        self._servers = Servers(urls, connect_seconds=connect_seconds, reply_seconds=reply_seconds)
        self._name = name
        self._links: dict[Slot, Link] = {}

    def __repr__(self) -> str:
        return f"RedisInspection({self._servers!r}, {self._name!r})"

    async def close(self) -> None:
        while self._links:
            await self._links.popitem()[1].close()

    async def state(self, slot: Slot) -> SlotState:
        """Claim, revision and the stage's fields, as the last owner left them."""
        return slot_state(await self._ask(slot, b"HGETALL", self._keys(slot).meta))

    async def meta(self, slot: Slot) -> Mapping[str, bytes]:
        """The stage's own fields."""
        return (await self.state(slot)).meta

    async def record(self, slot: Slot, customer: bytes) -> bytes | None:
        found: bytes | None = await self._ask(slot, b"GET", self._keys(slot).record + customer)
        return found

    async def records(self, slot: Slot, customers: Sequence[bytes]) -> list[bytes | None]:
        """The records of several customers, in one answer."""
        keys = self._keys(slot)
        return list(await self._ask(slot, b"MGET", *(keys.record + customer for customer in customers)))

    async def history(self, slot: Slot, customer: bytes) -> list[bytes]:
        """The customer's last movements, newest first."""
        return list(await self._ask(slot, b"LRANGE", self._keys(slot).history + customer, b"0", b"-1"))

    async def histories(self, slot: Slot, customers: Sequence[bytes]) -> dict[bytes, list[bytes]]:
        """The last movements of several customers, newest first, asked in one go."""
        key = self._keys(slot).history
        asked = [command(b"LRANGE", key + customer, b"0", b"-1") for customer in customers]
        return dict(zip(customers, await self._link(slot).ask(asked, len(asked)), strict=True)) if asked else {}

    async def counts(self, slot: Slot) -> dict[bytes, int]:
        flat = await self._ask(slot, b"HGETALL", self._keys(slot).counts)
        return {field: int(count) for field, count in zip(flat[::2], flat[1::2], strict=True)}

    async def customers(self, slot: Slot) -> int:
        """How many customers the slot holds."""
        return int(await self._ask(slot, b"ZCARD", self._keys(slot).ring))

    async def outbox_length(self, slot: Slot) -> int:
        """How many outbox entries Kafka has not acknowledged yet."""
        return int(await self._ask(slot, b"XLEN", self._keys(slot).outbox))

    async def outbox(self, slot: Slot) -> list[OutboxEntry]:
        """Those entries, oldest first."""
        return await read_outbox(self._keys(slot), self._link(slot))

    async def outbox_head(self, slot: Slot) -> int | None:
        """The oldest of them; None: nothing waits."""
        found = await self._ask(slot, b"XRANGE", self._keys(slot).outbox, b"-", b"+", b"COUNT", b"1")
        return int(found[0][0].partition(b"-")[0]) if found else None

    async def ring(self, slot: Slot, after: int = -1, limit: int = 0) -> list[tuple[bytes, int]]:
        """A page of (customer, position) behind `after`; go on behind the last position. Empty: the end."""
        return await ranged(self._link(slot), self._keys(slot).ring, b"(%d" % after, b"+inf", limit)

    async def overdue(self, slot: Slot, until: int) -> int:
        """How many customers the due index has at or before an instant (ms)."""
        return int(await self._ask(slot, b"ZCOUNT", self._keys(slot).due, b"-inf", b"%d" % until))

    async def due(self, slot: Slot) -> list[tuple[bytes, int]]:
        """The whole due index, earliest first: (customer, instant in ms)."""
        return await ranged(self._link(slot), self._keys(slot).due, b"-inf", b"+inf", 0)

    async def _ask(self, slot: Slot, *words: bytes) -> Reply:
        return (await self._link(slot).ask([command(*words)]))[0]

    def _keys(self, slot: Slot) -> SlotKeys:
        return SlotKeys(self._name, slot)

    def _link(self, slot: Slot) -> Link:
        if slot not in self._links:
            self._links[slot] = Link(self._servers)
        return self._links[slot]
