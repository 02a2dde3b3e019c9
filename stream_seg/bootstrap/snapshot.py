"""A segmentation's state in one file, and back: ``stream-seg snapshot``, ``stream-seg restore``.

A file is a header, then pieces of slots (`adapters.redis.snapshots`), each a length and MessagePack, then a checksum of
everything before it. Nothing of it is loaded as a whole.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TypedDict

import msgspec

from stream_seg.adapters.kafka.admin import Admin
from stream_seg.adapters.kafka.topics import group_name, topic_name
from stream_seg.adapters.redis.snapshots import Counts, Customers, Meta, Outbox, Piece, SlotFiles
from stream_seg.bootstrap.connect import broker_of, now
from stream_seg.bootstrap.resting import check_resting
from stream_seg.config import Config
from stream_seg.errors import Damaged, Stop
from stream_seg.pipeline.owner import GUARD, check_guard
from stream_seg.ports import Slot, Stage
from stream_seg.wire.timestamps import rfc3339

MAGIC = b"stream_seg snapshot\n"
FORMAT = 1
LARGEST = 1 << 30  # bytes of one piece: more is a damaged length
LOGS: dict[Stage, str] = {"label": "events", "learn": "samples"}


class Header(msgspec.Struct, frozen=True):
    """What a file says of itself. `created`: RFC 3339; slots: (stage, partition)."""

    format: int
    name: str
    created: str
    slots: list[tuple[Stage, int]]


class Beginning(msgspec.Struct, frozen=True, tag="slot", array_like=True):
    """The pieces of this slot follow."""

    stage: Stage
    partition: int


class Done(TypedDict):
    """What was written or read: of how many partitions and customers, in how many bytes."""

    file: str
    created: str
    partitions: int
    customers: int
    bytes: int


_piece = msgspec.msgpack.Decoder(Beginning | Customers | Counts | Outbox | Meta)
_encode = msgspec.msgpack.Encoder().encode


def write_snapshot(config: Config, path: Path) -> Done:
    """Every slot that was ever written. The file appears under its name when it is whole."""
    created, partitions, customers = asyncio.run(_write(config, path))
    return _done(path, created, partitions, customers)


def read_snapshot(config: Config, path: Path, *, force: bool) -> Done:
    """Back into Redis.

    Raises `Stop` where workers run, and where there is state already (but for `force`), `GuardMismatch` where the log
    is another one than that of the file, `Damaged` where the file is not as it was written; before it writes anything.
    """
    if not path.is_file():
        raise Stop(f"there is no file {path}")
    header, guards, customers = _checked(path)
    asyncio.run(_read(config, path, header, guards, force=force))
    return _done(path, header.created, len(guards), customers)


def _done(path: Path, created: str, partitions: int, customers: int) -> Done:
    size = path.stat().st_size
    return Done(file=str(path), created=created, partitions=partitions, customers=customers, bytes=size)


async def _write(config: Config, path: Path) -> tuple[str, int, int]:
    """When it was made, of how many partitions and customers."""
    files = SlotFiles(config.redis.connection_url, config.definition.name)
    half = path.with_name(f"{path.name}.part")
    customers = 0
    try:
        slots = [slot for slot in await _slots(config) if await files.meta(slot)]
        if not slots:
            raise Stop(f"Redis at {config.redis.url} holds nothing of {config.definition.name!r}")
        header = Header(FORMAT, config.definition.name, rfc3339(now()), [(s.stage, s.partition) for s in slots])
        with half.open("wb") as file:
            out = _Summed(file)
            out.write(MAGIC)
            out.framed(_encode(header))
            for slot in slots:
                out.framed(_encode(Beginning(slot.stage, slot.partition)))
                async for piece in files.read(slot):
                    out.framed(_encode(piece))
                    customers += len(piece.rows) if isinstance(piece, Customers) else 0
            file.write(out.digest())
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)
        await files.close()
    return header.created, len(slots), customers


async def _read(config: Config, path: Path, header: Header, guards: dict[Slot, str], *, force: bool) -> None:
    if header.name != config.definition.name:
        raise Stop(f"{path} is of {header.name!r}, the configuration is {config.definition.name!r}")
    await _check_guards(config, guards)
    files = SlotFiles(config.redis.connection_url, header.name)
    try:
        taken = [slot for slot in guards if await files.meta(slot)]
        if taken and not force:
            places = ", ".join(f"{slot.stage} {slot.partition}" for slot in taken)
            raise Stop(
                f"Redis at {config.redis.url} has state already ({places}). Stop the workers, and say --force to write "
                "over it"
            )
        for slot in guards:
            await files.clear(slot)
        into = Slot(*header.slots[0])
        for piece in _pieces(path):
            if isinstance(piece, Beginning):
                into = Slot(piece.stage, piece.partition)
            else:
                await files.write(into, piece)
    finally:
        await files.close()


async def _slots(config: Config) -> list[Slot]:
    """Those that the topics have room for."""
    found = []
    async with Admin(broker_of(config.kafka)) as admin:
        for stage, log in LOGS.items():
            facts = await admin.topic(topic_name(config.definition.name, log))
            found += [Slot(stage, partition) for partition in range(facts.partitions if facts else 0)]
    return found


async def _check_guards(config: Config, guards: dict[Slot, str]) -> None:
    """Nobody may write meanwhile. State must be of the very logs that are there now: it goes on where it stood."""
    name = config.definition.name
    async with Admin(broker_of(config.kafka)) as admin:
        await check_resting(admin, name, *LOGS)
        for slot, guard in guards.items():
            topic = topic_name(name, LOGS[slot.stage])
            found = await admin.log_range(topic, slot.partition, group_name(name, slot.stage))
            check_guard(f"{topic} partition {slot.partition}", {GUARD: guard.encode()}, found.guard)


def _checked(path: Path) -> tuple[Header, dict[Slot, str], int]:
    """Reads the whole file once: its header, the guard of each slot, and how many customers there are."""
    guards: dict[Slot, str] = {}
    slot, customers = None, 0
    for piece in _pieces(path):
        if isinstance(piece, Beginning):
            slot = Slot(piece.stage, piece.partition)
        elif isinstance(piece, Meta) and slot is not None:
            guards[slot] = piece.fields[GUARD.encode()].decode()
        elif isinstance(piece, Customers):
            customers += len(piece.rows)
    with path.open("rb") as file:
        header = _header(path, _Summing(path, file))
    if {(slot.stage, slot.partition) for slot in guards} != set(header.slots):
        raise Damaged(f"{path}: a partition is missing; take another snapshot")
    return header, guards, customers


def _pieces(path: Path) -> Iterator[Beginning | Piece]:
    """Everything after the header. Raises `Damaged` at the end where the checksum does not hold."""
    size = path.stat().st_size
    with path.open("rb") as file:
        summing = _Summing(path, file)
        _header(path, summing)
        while file.tell() < size - summing.digest_size:
            yield _piece.decode(summing.framed())
        if file.read() != summing.digest():
            raise Damaged(f"{path} does not match its checksum: bytes were changed or lost; take another snapshot")


def _header(path: Path, file: _Summing) -> Header:
    if file.read(len(MAGIC)) != MAGIC:
        raise Stop(f"{path} is no snapshot of stream-seg")
    header = msgspec.msgpack.decode(file.framed(), type=Header)
    if header.format != FORMAT:
        raise Stop(f"{path} has format {header.format}, this version reads {FORMAT}")
    return header


class _Summed:
    """Writes, and sums what it writes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._sum = hashlib.sha256()

    def write(self, data: bytes) -> None:
        self._sum.update(data)
        self._file.write(data)

    def framed(self, data: bytes) -> None:
        self.write(len(data).to_bytes(8, "big") + data)

    def digest(self) -> bytes:
        return self._sum.digest()


class _Summing:
    """Reads, and sums what it reads. Raises `Damaged` where the file ends too soon."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file
        self._sum = hashlib.sha256()
        self.digest_size = self._sum.digest_size

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self._sum.update(data)
        return data

    def framed(self) -> bytes:
        size = int.from_bytes(self.read(8), "big")
        data = self.read(size) if size <= LARGEST else b""
        if len(data) != size:
            raise Damaged(f"{self._path} is cut off or damaged; take another snapshot")
        return data

    def digest(self) -> bytes:
        return self._sum.digest()
