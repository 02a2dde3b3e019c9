"""The ``trainings`` topic: what each version's last operation worked on, compressed and in parts.

The vectors are kept to the bit. Most news of a day are rows of the table too, so each different row is kept once and
both name theirs by its place. A part is far below what Kafka takes by default (1 MB).
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Iterable
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from stream_seg.core.definition import Learning
from stream_seg.core.model import Float64, ModelVersion
from stream_seg.core.operation import Ask, Limits, Operation
from stream_seg.errors import Stop
from stream_seg.ports import Message
from stream_seg.wire.output import cloud_event
from stream_seg.wire.timestamps import rfc3339

TRAININGS = "trainings"
FORMAT = 1
PART = 400_000  # bytes; as base64 a third more
LEVEL = 6


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One part of a record. data: base64; checksum: SHA-256 of the whole record before it was compressed."""

    tier: str
    version: int
    part: int
    parts: int
    checksum: str
    data: str


class Training(NamedTuple):
    """A version's last operation.

    numbers    of each centre that came of it, its segment; made_with: library -> version, and the processor
    """

    operation: Operation
    numbers: tuple[int, ...]
    made_with: dict[str, str]


class _Recorded(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """The record itself. rows: the different vectors, byte by byte in columns, which compresses well."""

    format: int
    asks: tuple[Ask, ...]
    rules: bytes
    state: bytes | None
    columns: int
    rows: bytes
    table: bytes
    news: bytes
    before: Limits
    after: Limits
    numbers: tuple[int, ...]
    made_with: dict[str, str]


def training_messages(
    model: ModelVersion, operation: Operation, numbers: tuple[int, ...], made_with: dict[str, str], name: str
) -> list[Message]:
    """What the version was made by, in parts. `name`: the definition's. The same operation gives the same bytes."""
    rows, places = _different(np.concatenate([operation.table, operation.news]))
    table = len(operation.table)
    whole = msgspec.msgpack.encode(
        _Recorded(
            FORMAT, operation.asks, msgspec.json.encode(operation.rules), operation.state, operation.table.shape[1],
            _by_columns(rows), places[:table].tobytes(), places[table:].tobytes(), operation.before, operation.after,
            numbers, made_with,
        )
    )  # fmt: skip
    packed, checksum = zlib.compress(whole, LEVEL), hashlib.sha256(whole).hexdigest()
    pieces = [packed[at : at + PART] for at in range(0, len(packed), PART)]
    messages = []
    for number, piece in enumerate(pieces, 1):
        key = f"{model.tier}:{model.version}:{number}"
        body = Part(model.tier, model.version, number, len(pieces), checksum, base64.b64encode(piece).decode())
        headers = cloud_event("training", key, name, rfc3339(model.trained_at), key.encode())
        messages.append(Message(TRAININGS, key.encode(), msgspec.json.encode(body), headers))
    return messages


def training_in(values: Iterable[bytes], version: int) -> Training:
    """The operation behind a version, out of its parts. Raises `Stop` where one is missing or damaged."""
    try:
        parts = {part.part: part for part in (msgspec.json.decode(value, type=Part) for value in values)}
        if not parts:
            raise Stop(
                f"nothing is recorded about how version {version} was made: it is older than the trainings topic, or "
                "was made elsewhere"
            )
        expected = next(iter(parts.values()))
        missing = [number for number in range(1, expected.parts + 1) if number not in parts]
        if missing:
            raise Stop(f"part {missing[0]} of {expected.parts} of version {version} is missing in the trainings topic")
        packed = b"".join(base64.b64decode(parts[number].data) for number in range(1, expected.parts + 1))
        whole = zlib.decompress(packed)
        if hashlib.sha256(whole).hexdigest() != expected.checksum:
            raise Stop(f"what the trainings topic has of version {version} does not match its checksum")
        return _training(msgspec.msgpack.decode(whole, type=_Recorded))
    except (msgspec.DecodeError, zlib.error, ValueError) as error:
        raise Stop(f"what the trainings topic has of version {version} cannot be read: {error}") from None


def _training(found: _Recorded) -> Training:
    if found.format != FORMAT:
        raise Stop(f"the training was recorded in form {found.format}, this command reads {FORMAT}; upgrade it")
    rows = _in_rows(found.rows, found.columns)
    operation = Operation(
        found.asks, msgspec.json.decode(found.rules, type=Learning), found.state,
        rows[np.frombuffer(found.table, "<u4")], rows[np.frombuffer(found.news, "<u4")], found.before, found.after,
    )  # fmt: skip
    return Training(operation, found.numbers, found.made_with)


def _different(x: Float64) -> tuple[Float64, npt.NDArray[np.uint32]]:
    """The different rows of x, and of each row its place among them. By bits: -0.0 is not 0.0."""
    bits, places = np.unique(np.ascontiguousarray(x).view(np.int64), axis=0, return_inverse=True)
    return bits.view(np.float64), places.reshape(-1).astype("<u4")


def _by_columns(rows: Float64) -> bytes:
    return np.ascontiguousarray(rows.astype("<f8").view(np.uint8).reshape(len(rows), -1).T).tobytes()


def _in_rows(data: bytes, columns: int) -> Float64:
    raw = np.frombuffer(data, np.uint8).reshape(8 * columns, -1)
    return np.ascontiguousarray(raw.T).view("<f8").astype(np.float64)
