"""What the pipeline asks of the world, as values: effects out, results back.

A pipeline step is a generator. It yields one of the effects below and is resumed with its result; it never
awaits and opens nothing. A shell runs the effects: the Kafka stage against real servers (``adapters/kafka``,
``adapters/redis``), replay and the fault simulation against ``adapters/memory``. All three therefore run the
same decisions in the same order.

===============  ==========================================================  ==========================
effect           does                                                        result
===============  ==========================================================  ==========================
`Claim`          becomes the owner of a slot: a higher claim number          `SlotState`
`Load`           reads customer records, due customers, a piece of the ring  `Loaded`
`Write`          one atomic change of a slot, if claim and rev still hold    ``None`` or `Fenced`
`ReadOutbox`     what was decided but maybe never published                  ``list[OutboxEntry]``
`Trim`           forgets outbox entries that Kafka has acknowledged          ``None`` or `Fenced`
`Publish`        sends messages in order, returns when all are acknowledged  ``None`` or `Unavailable`
`Commit`         commits an offset to the consumer group                     ``bool``: still the owner?
`Committed`      the group's committed offset, the log's first and next      `LogRange`
`Passed`         waits until LEARN is done with everything up to an instant  ``None``
`Ahead`          looks further on in a log for its first activation          ``Record | None``
`Again`          reads a piece of a log that was read before                 ``Sequence[Record]``
===============  ==========================================================  ==========================
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

Headers: TypeAlias = Sequence[tuple[str, bytes]]


class Record(Protocol):
    """One record read from a log. aiokafka's ``ConsumerRecord`` fits as it is, without a copy."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Headers: ...
    @property
    def timestamp(self) -> int:
        """Milliseconds since 1970."""
        ...

    @property
    def timestamp_type(self) -> int | None:
        """0: set by the producer (CreateTime), 1: set by the broker (LogAppendTime)."""
        ...


class Message(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One record to be published. `topic` is the logical name (``segment-changes``), `partition` -1 means: by key.

    The partition of a key is always Kafka's murmur2 (`stream_seg.core.hashing.partition_of`).
    `barrier`: everything before it must be acknowledged before this one is sent.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    partition: int = -1
    barrier: bool = False


Stage: TypeAlias = Literal["label", "learn", "fill"]


class Slot(NamedTuple):
    """The state of one Kafka partition of one stage; in Redis all its keys share one hash slot.

    ``fill`` is beside ``label`` while a new feature is backfilled (`stream_seg.pipeline.filling`).
    """

    stage: Stage
    partition: int


@dataclass(frozen=True, slots=True)
class Claim:
    slot: Slot


@dataclass(frozen=True, slots=True)
class SlotState:
    """What a slot says on claim. `meta` holds the stage's own fields; it is empty on a slot never written."""

    claim: int
    rev: int
    meta: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Load:
    """Reads only. `due_until`: customers whose index instant (ms) is at or before it, earliest first.

    `ring`: customers whose ring position p satisfies lo < p <= hi, in order of position.
    A limit of 0 is none. A limit never cuts a score in two: all customers of the last instant (or position) that
    it reaches are given, so a result may be longer than the limit, and going on behind its last score skips nobody.
    """

    slot: Slot
    ids: Sequence[bytes] = ()
    due_until: int | None = None
    due_limit: int = 0
    ring: tuple[int, int] | None = None
    ring_limit: int = 0


@dataclass(frozen=True, slots=True)
class Loaded:
    """`values[i]` is the record of ``ids[i]`` or None; `due` and `ring` are (customer, score) pairs."""

    values: Sequence[bytes | None]
    due: Sequence[tuple[bytes, int]] = ()
    ring: Sequence[tuple[bytes, int]] = ()


@dataclass(frozen=True, slots=True)
class Packed:
    """Many byte strings in one buffer: string i is ``buffer[ends[i-1]:ends[i]]`` (from 0 for the first)."""

    buffer: bytes
    ends: npt.NDArray[np.int64]

    @classmethod
    def of(cls, values: Sequence[bytes]) -> Packed:
        return cls(b"".join(values), np.cumsum(np.fromiter(map(len, values), np.int64, len(values)), dtype=np.int64))

    def split(self) -> list[bytes]:
        """The strings one by one (for tests, the memory store and small writes)."""
        starts = [0, *self.ends[:-1].tolist()] if len(self.ends) else []
        return [self.buffer[a:b] for a, b in zip(starts, self.ends.tolist(), strict=True)]


NOTHING = Packed(b"", np.zeros(0, np.int64))


@dataclass(frozen=True, slots=True)
class Write:
    """One atomic change of one slot. Applied only if the slot has this `claim` and this `rev`; then rev + 1.

    A slot already at ``rev + 1`` by the same `call` id answers success: so every write is safe to retry.

    meta       fields of the slot's meta hash to set
    ids        customers whose records `records` holds, in the same order
    erased     customers to forget: record, history, ring and due entry go
    ring       (customer, position 0 … 2**32-1): new in the index of who is here
    due        (customer, instant ms): set the due index; `undue`: take out of it
    counts     field of the counts hash -> increment (fields that reach 0 disappear)
    history    (customer, entry): pushed, the newest `history_keep` are kept
    outbox     one entry, readable again until trimmed, under the id ``rev + 1``; None: no entry

    Removals (`erased`, `undue`) happen before additions: a customer in both is there anew afterwards. An owner
    whose claim was overtaken is refused also when it retries a call that took effect: it must let go.

    Raises ValueError on construction: not as many records as ids, fields of meta that begin with a dot (they are
    the store's own), history entries of which none would be kept.
    """

    slot: Slot
    claim: int
    rev: int
    call: bytes
    meta: Mapping[str, bytes] = field(default_factory=dict)
    ids: Sequence[bytes] = ()
    records: Packed = NOTHING
    erased: Sequence[bytes] = ()
    ring: Sequence[tuple[bytes, int]] = ()
    due: Sequence[tuple[bytes, int]] = ()
    undue: Sequence[bytes] = ()
    counts: Mapping[bytes, int] = field(default_factory=dict)
    history: Sequence[tuple[bytes, bytes]] = ()
    history_keep: int = 8
    outbox: bytes | None = None

    def __post_init__(self) -> None:
        if len(self.records.ends) != len(self.ids):
            raise ValueError(f"{len(self.ids)} ids but {len(self.records.ends)} records")
        if any(name.startswith(".") for name in self.meta):
            raise ValueError("fields of meta that begin with a dot are the store's own")
        if self.history and self.history_keep < 1:
            raise ValueError("history_keep must be at least 1")


@dataclass(frozen=True, slots=True)
class ReadOutbox:
    slot: Slot


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    id: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Trim:
    """Forgets outbox entries with id <= `through`. Checks the claim, leaves rev alone."""

    slot: Slot
    claim: int
    through: int


@dataclass(frozen=True, slots=True)
class Publish:
    messages: Sequence[Message]


@dataclass(frozen=True, slots=True)
class Commit:
    """Commits `offset` (the next one to read). False: refused, the assignment is not ours any more."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Committed:
    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class LogRange:
    """`committed` None: the group never committed here. `first` … `next` are the offsets that the log holds.

    `guard` identifies the log: topic id, partition count and partitioner, as one string.
    """

    committed: int | None
    first: int
    next: int
    guard: str


@dataclass(frozen=True, slots=True)
class Passed:
    """Waits until every samples partition is done with everything dated at or before `through` (ms)."""

    through: int


@dataclass(frozen=True, slots=True)
class Ahead:
    """Finds the first activation of a log from `offset` on; None: there is none up to the log's end of now."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Again:
    """Reads records from `offset` on, before `until`, as many as come at once; none: there are none left."""

    topic: str
    partition: int
    offset: int
    until: int


Effect: TypeAlias = Claim | Load | Write | ReadOutbox | Trim | Publish | Commit | Committed | Passed | Ahead | Again
T = TypeVar("T")
# What comes back depends on the effect (table above); a Protocol per effect would not make the yield typed.
Step: TypeAlias = Generator[Effect, Any, T]
