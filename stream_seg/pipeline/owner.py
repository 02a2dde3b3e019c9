"""Owning one slot: claim, write, relay. LABEL and LEARN both stand on this.

A worker owns a partition when it has raised the slot's claim *and then* committed an offset that Kafka accepted:
Kafka refuses a worker whose assignment has ended, so a zombie that raised the claim too never writes. Each write
carries the claim and the revision it expects, so it happens once however often it is sent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import msgspec

from stream_seg.errors import Fenced, GuardMismatch, StateLost, Stop, Undeliverable
from stream_seg.ports import (
    Claim,
    Commit,
    Committed,
    LogRange,
    Message,
    OutboxEntry,
    Publish,
    ReadOutbox,
    Slot,
    SlotState,
    Step,
    Trim,
    Write,
)

GUARD = "guard"
TRIM_EVERY = 8  # outbox entries; after a crash these are published once more
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[Message]).decode


def check_guard(place: str, meta: Mapping[str, bytes], guard: str) -> None:
    """Raises `GuardMismatch` where a slot's state was built from another log than the one that `guard` identifies."""
    if meta and meta[GUARD].decode() != guard:
        raise GuardMismatch(
            f"{place}: the state in Redis was built from {meta[GUARD].decode()}, the topic is {guard} "
            "(topic id:partitions:partitioner). A re-created or re-partitioned topic needs a new name and new state"
        )


def start_of(place: str, meta: Mapping[str, bytes], log: LogRange, offset_in: Any) -> int:
    """The offset that whoever owns a slot begins at. Raises `GuardMismatch` or `StateLost` where nobody may."""
    if not meta:
        if log.committed is not None and log.committed > log.first:
            raise StateLost(
                f"{place}: the consumer group has read up to {log.committed}, but Redis holds no state for it. "
                "Point redis.url at the right database, restore a snapshot, or reset the group's offsets to rebuild"
            )
        return log.first
    check_guard(place, meta, log.guard)
    offset: int = offset_in(meta)
    if offset < log.first:
        raise StateLost(f"{place}: Redis stands at {offset}, but the log begins at {log.first}: records are lost")
    if offset > log.next:
        raise StateLost(f"{place}: Redis stands at {offset}, but the log ends at {log.next}: the log lost records")
    return offset


def messages_in(entry: OutboxEntry) -> list[Message]:
    """What an outbox entry holds, in order."""
    return _unpack(entry.body)


class SlotOwner:
    """The owner's side of one slot. Create a new one for every claim.

    pending   outbox entries not yet acknowledged and trimmed: (id, messages), oldest first
    alarms    what a person must hear, for the shell to say
    """

    def __init__(self, slot: Slot, topic: str) -> None:
        self.slot = slot
        self.topic = topic
        self.claim = 0
        self.rev = 0
        self.guard = ""
        self.pending: deque[tuple[int, list[Message]]] = deque()
        self.waiting = 0  # messages in `pending`
        self.alarms: list[str] = []

    @property
    def log_id(self) -> str:
        """What tells this log from another one of the same name."""
        return self.guard.partition(":")[0]

    @property
    def partitions(self) -> int:
        """Partitions of the topic, as the guard says."""
        return int(self.guard.split(":")[1])

    def open(self, offset_in: Any) -> Step[tuple[Mapping[str, bytes], int]]:
        """Claims the slot; returns its meta fields and the offset to read from.

        ``offset_in(meta)`` finds the applied offset in the meta fields. Raises `Fenced` when the assignment ended
        meanwhile, `GuardMismatch` when the log is another one, `StateLost` when Redis lost what the group had done.
        """
        state: SlotState = yield Claim(self.slot)
        log: LogRange = yield Committed(self.topic, self.slot.partition)
        self.claim, self.rev, self.guard = state.claim, state.rev, log.guard
        try:
            offset = start_of(f"{self.topic} partition {self.slot.partition}", state.meta, log, offset_in)
        except Stop:
            # Somebody else may have owned it since the claim: then these are two moments, and nothing is wrong.
            if log.committed is not None:
                yield from self._commit(log.committed)
            raise
        yield from self._commit(offset)
        entries: list[OutboxEntry] = yield ReadOutbox(self.slot)
        self.pending = deque((entry.id, messages_in(entry)) for entry in entries)
        self.waiting = sum(len(messages) for _, messages in self.pending)
        return state.meta, offset

    def _commit(self, offset: int) -> Step[None]:
        """Commits an offset, which only the owner can. Raises `Fenced` where that is another worker now."""
        if not (yield Commit(self.topic, self.slot.partition, offset)):
            raise Fenced(f"partition {self.slot.partition} was assigned to another worker while it was being claimed")

    def write(self, *, meta: Mapping[str, bytes], messages: Sequence[Message] = (), **change: Any) -> Step[None]:
        """One atomic change; `messages` go to the outbox with it. Raises `Fenced`."""
        call = b"%d:%d" % (self.claim, self.rev)
        outbox = _pack(list(messages)) if messages else None
        fields = dict(meta) if self.rev else {GUARD: self.guard.encode(), **meta}
        yield Write(self.slot, self.claim, self.rev, call, meta=fields, outbox=outbox, **change)
        self.rev += 1
        if messages:
            self.pending.append((self.rev, list(messages)))
            self.waiting += len(messages)

    def confirm(self) -> Step[None]:
        """Changes nothing. Raises `Fenced` where what was read may not be what this owner wrote."""
        yield from self.write(meta={})

    def send_aside(self, messages: Sequence[Message], offsets: Sequence[int]) -> Step[None]:
        """Publishes what became of single records before the offset moves past them. `offsets`: of each, its record's.

        Raises `Undeliverable` with the place of the record where Kafka refuses one for good.
        """
        try:
            yield Publish(messages)
        except Undeliverable as error:
            raise self._refused(error, messages, f" offset {offsets[error.index]}") from error

    def _refused(self, error: Undeliverable, messages: Sequence[Message], place: str = "") -> Undeliverable:
        message = messages[error.index]
        size = len(message.value or b"") + sum(len(name) + len(value) for name, value in message.headers)
        key = (message.key or b"").decode(errors="replace")[:100]
        return Undeliverable(
            f"{self.topic} partition {self.slot.partition}{place}: {error} (key {key!r}, {size} bytes with its "
            "headers). Raise max.message.bytes of that topic and start the worker again: nothing is left out here",
            error.index,
        )

    def relay(self) -> Step[None]:
        """Publishes what is pending, in order, and forgets it when Kafka has it.

        What is decided meanwhile is published at once too: nothing waits for a trim but every `TRIM_EVERY`-th entry.
        """
        while self.pending:
            published = 0
            while published < min(len(self.pending), TRIM_EVERY):
                entries = list(islice(self.pending, published, None))
                batch = [message for _, messages in entries for message in messages]
                try:
                    yield Publish(batch)
                except Undeliverable as error:
                    raise self._refused(error, batch) from error
                published += len(entries)
            yield Trim(self.slot, self.claim, self.pending[published - 1][0])
            for _ in range(published):
                self.waiting -= len(self.pending.popleft()[1])
