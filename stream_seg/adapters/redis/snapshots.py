"""A slot as plain values, out of one Redis and into another: whatever the two are, and in whichever version.

Read in pages, while nobody writes: `read_slot` gives the revision before and after, and a reader compares. Written in
pages too, its revision last, so that a slot that was cut off in the middle has none and is not taken for whole.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence

import msgspec

from stream_seg.adapters.redis.keys import SlotKeys
from stream_seg.adapters.redis.link import Link, Servers
from stream_seg.adapters.redis.resp import command
from stream_seg.adapters.redis.slots import ranged
from stream_seg.errors import Stop
from stream_seg.ports import Slot

PAGE = 500  # customers, or entries, of one question


class Customers(msgspec.Struct, frozen=True, tag="customers", array_like=True):
    """A page of customers: (id, record, ring position, what is due when (0: nothing), history newest first)."""

    rows: list[tuple[bytes, bytes | None, int, int, list[bytes]]]


class Counts(msgspec.Struct, frozen=True, tag="counts", array_like=True):
    fields: dict[bytes, bytes]


class Outbox(msgspec.Struct, frozen=True, tag="outbox", array_like=True):
    """A page of entries, oldest first: (id, body)."""

    entries: list[tuple[bytes, bytes]]


class Meta(msgspec.Struct, frozen=True, tag="meta", array_like=True):
    """The slot's own fields and the stage's; the last of a slot."""

    fields: dict[bytes, bytes]


Piece = Customers | Counts | Outbox | Meta


class SlotFiles:
    """Reads and writes whole slots of one segmentation, on a connection of its own."""

    def __init__(self, url: str, name: str) -> None:
        self._link = Link(Servers(url))
        self._name = name

    async def close(self) -> None:
        await self._link.close()

    async def meta(self, slot: Slot) -> dict[bytes, bytes]:
        """Empty: nothing was ever written there."""
        (flat,) = await self._link.ask([command(b"HGETALL", self._keys(slot).meta)])
        return dict(zip(flat[::2], flat[1::2], strict=True))

    # --- out

    async def read(self, slot: Slot) -> AsyncIterator[Piece]:
        """All pieces of a slot, `Meta` last. Raises `Stop` where it was written to meanwhile."""
        keys = self._keys(slot)
        before = await self.meta(slot)
        due = dict(await ranged(self._link, keys.due, b"-inf", b"+inf", 0))
        after = -1
        while page := await ranged(self._link, keys.ring, b"(%d" % after, b"+inf", PAGE):
            yield Customers(await self._rows(keys, page, due))
            after = page[-1][1]
        (flat,) = await self._link.ask([command(b"HGETALL", keys.counts)])
        yield Counts(dict(zip(flat[::2], flat[1::2], strict=True)))
        async for entries in self._outbox(keys):
            yield entries
        if await self.meta(slot) != before:
            raise Stop(
                f"{slot.stage} partition {slot.partition} was written to while it was read: stop the workers first "
                "(`stream-seg drain` tells when nothing is left), or copy Redis's files (BGSAVE): that needs no stop"
            )
        yield Meta(before)

    async def _rows(
        self, keys: SlotKeys, page: Sequence[tuple[bytes, int]], due: dict[bytes, int]
    ) -> list[tuple[bytes, bytes | None, int, int, list[bytes]]]:
        asked = [command(b"MGET", *(keys.record + customer for customer, _ in page))]
        asked += [command(b"LRANGE", keys.history + customer, b"0", b"-1") for customer, _ in page]
        records, *histories = await self._link.ask(asked, len(asked))
        return [
            (customer, record, position, due.get(customer, 0), list(history))
            for (customer, position), record, history in zip(page, records, histories, strict=True)
        ]

    async def _outbox(self, keys: SlotKeys) -> AsyncIterator[Outbox]:
        after = b"-"
        while True:
            (found,) = await self._link.ask([command(b"XRANGE", keys.outbox, after, b"+", b"COUNT", b"%d" % PAGE)])
            if not found:
                return
            yield Outbox([(name, fields[1]) for name, fields in found])
            after = b"(" + found[-1][0]

    # --- in

    async def clear(self, slot: Slot) -> None:
        """Forgets a slot: its meta first, so that nobody goes on with half of it."""
        keys = self._keys(slot)
        await self._link.ask([command(b"DEL", keys.meta)])
        while page := await ranged(self._link, keys.ring, b"-inf", b"+inf", PAGE):
            gone = [key + customer for customer, _ in page for key in (keys.record, keys.history)]
            members = [customer for customer, _ in page]
            await self._link.ask([command(b"DEL", *gone), command(b"ZREM", keys.ring, *members)], 2)
        await self._link.ask([command(b"DEL", keys.ring, keys.due, keys.counts, keys.outbox)])

    async def waiting(self, slot: Slot) -> int:
        """How many outbox entries Kafka has not acknowledged yet."""
        return int((await self._link.ask([command(b"XLEN", self._keys(slot).outbox)]))[0])

    async def write(self, slot: Slot, piece: Piece) -> None:
        """One piece into a slot that was empty or cleared."""
        commands = list(_commands(self._keys(slot), piece))
        if commands:
            await self._link.ask(commands, len(commands))

    def _keys(self, slot: Slot) -> SlotKeys:
        return SlotKeys(self._name, slot)


def _commands(keys: SlotKeys, piece: Piece) -> Iterator[bytes]:
    match piece:
        case Customers():
            records = [(keys.record + row[0], row[1]) for row in piece.rows if row[1] is not None]
            if records:
                yield command(b"MSET", *(part for pair in records for part in pair))
            yield command(b"ZADD", keys.ring, *(part for row in piece.rows for part in (b"%d" % row[2], row[0])))
            due = [(b"%d" % row[3], row[0]) for row in piece.rows if row[3]]
            if due:
                yield command(b"ZADD", keys.due, *(part for pair in due for part in pair))
            for row in piece.rows:
                if row[4]:
                    yield command(b"RPUSH", keys.history + row[0], *row[4])
        case Counts() | Meta():
            key = keys.meta if isinstance(piece, Meta) else keys.counts
            if piece.fields:
                yield command(b"HSET", key, *(part for pair in piece.fields.items() for part in pair))
        case Outbox():
            for name, body in piece.entries:
                yield command(b"XADD", keys.outbox, name, b"b", body)
