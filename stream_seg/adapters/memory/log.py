"""`MemoryLog`: topics, partitions and consumer groups in this process, fenced by generation as Kafka's are."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

import msgspec

from stream_seg.core.hashing import partition_of
from stream_seg.errors import StateLost, Stop
from stream_seg.ports import Again, Ahead, Commit, Committed, LogRange, Publish
from stream_seg.wire import control

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from stream_seg.ports import Headers

LOG_APPEND_TIME = 1
LogEffect = Publish | Commit | Committed | Ahead | Again
AT_ONCE = 1_000  # records that `Again` gives


class LogRecord(msgspec.Struct, frozen=True, gc=False):
    """One record of a `MemoryLog`; fits `stream_seg.ports.Record`. A struct: a replay makes millions of them."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp: int
    timestamp_type: int | None = LOG_APPEND_TIME


class Member:
    """A consumer in a group. A worker that comes back after a crash is another member."""

    __slots__ = ("_generations", "group")

    def __init__(self, group: str) -> None:
        self.group = group
        self._generations: dict[tuple[str, int], int] = {}

    def holds(self, topic: str, partition: int) -> int:
        """The generation at which this member was last given the partition; 0: never."""
        return self._generations.get((topic, partition), 0)

    def given(self, topic: str, partition: int, generation: int) -> None:
        self._generations[topic, partition] = generation


class MemoryLog:
    """Topics under their logical names.

    Parameters
    ----------
    partitions
        Topic -> number of partitions.
    clock
        Milliseconds since 1970: the append time of records that do not bring one.

    >>> log = MemoryLog({"events": 2}, clock=lambda: 1_000)
    >>> log.append("events", b"ann", b"{}").offset
    0
    >>> zombie, heir = Member("shop-label"), Member("shop-label")
    >>> log.assign(zombie, "events", 0), log.assign(heir, "events", 0)
    (1, 2)
    >>> log.execute(Commit("events", 0, 1), zombie), log.execute(Commit("events", 0, 1), heir)
    (False, True)
    """

    def __init__(self, partitions: Mapping[str, int], clock: Callable[[], int]) -> None:
        self._topics: dict[str, list[_Partition]] = {
            topic: [_Partition() for _ in range(count)] for topic, count in partitions.items()
        }
        self._clock = clock
        self._generations: dict[tuple[str, str, int], int] = {}
        self._committed: dict[tuple[str, str, int], int] = {}

    def append(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        *,
        partition: int = -1,
        timestamp: int | None = None,
        timestamp_type: int = LOG_APPEND_TIME,
    ) -> LogRecord:
        """Adds one record. `partition` -1: that of the key by murmur2 (no key: 0). `timestamp` None: the clock's."""
        all_partitions = self._of(topic)
        if partition < 0:
            partition = partition_of(key, len(all_partitions)) if key is not None and len(all_partitions) > 1 else 0
        records = all_partitions[partition]
        at = self._clock() if timestamp is None else timestamp
        record = LogRecord(topic, partition, records.next, key, value, headers, at, timestamp_type)
        records.kept.append(record)
        return record

    def read(self, topic: str, partition: int, offset: int, limit: int = 0) -> Sequence[LogRecord]:
        """Records from `offset` on, at most `limit` (0: all). Raises `StateLost` where they are gone already."""
        records = self._of(topic)[partition]
        if not records.first <= offset <= records.next:
            raise StateLost(f"{topic}-{partition} holds {records.first} to {records.next}, not {offset}")
        start = offset - records.first
        return records.kept[start : start + limit if limit else None]

    def next_offset(self, topic: str, partition: int) -> int:
        """The offset that the next record will have."""
        return self._of(topic)[partition].next

    def partitions(self, topic: str) -> int:
        return len(self._of(topic))

    def expire(self, topic: str, partition: int, before: int) -> None:
        """Retention: forgets the records below an offset."""
        records = self._of(topic)[partition]
        first = max(records.first, min(before, records.next))
        del records.kept[: first - records.first]
        records.first = first

    def assign(self, member: Member, topic: str, partition: int) -> int:
        """Gives a partition to a member, for its group. From now on nobody else commits it. The new generation."""
        place = (member.group, topic, partition)
        generation = self._generations.get(place, 0) + 1
        self._generations[place] = generation
        member.given(topic, partition, generation)
        return generation

    def owns(self, member: Member, topic: str, partition: int) -> bool:
        """Whether the group's newest generation of this partition is the member's."""
        return 0 < member.holds(topic, partition) == self._generations.get((member.group, topic, partition), 0)

    @overload
    def execute(self, effect: Publish, member: Member) -> None: ...
    @overload
    def execute(self, effect: Commit, member: Member) -> bool: ...
    @overload
    def execute(self, effect: Committed, member: Member) -> LogRange: ...
    @overload
    def execute(self, effect: Ahead, member: Member) -> LogRecord | None: ...
    @overload
    def execute(self, effect: Again, member: Member) -> Sequence[LogRecord]: ...

    def execute(self, effect: LogEffect, member: Member) -> bool | LogRange | LogRecord | Sequence[LogRecord] | None:
        """Runs one effect as `member` and gives its result. Anybody may publish, also a zombie: as in Kafka."""
        match effect:
            case Publish():
                for message in effect.messages:
                    self.append(message.topic, message.key, message.value, message.headers, partition=message.partition)
                return None
            case Commit():
                owner = self.owns(member, effect.topic, effect.partition)
                if owner:
                    self._committed[member.group, effect.topic, effect.partition] = effect.offset
                return owner
            case Committed():
                records = self._of(effect.topic)[effect.partition]
                committed = self._committed.get((member.group, effect.topic, effect.partition))
                guard = f"{effect.topic}:{self.partitions(effect.topic)}:murmur2"
                return LogRange(committed, records.first, records.next, guard)
            case Ahead():
                following = self.read(effect.topic, effect.partition, effect.offset)
                return next((record for record in following if control.activates(record)), None)
            case Again():
                count = min(effect.until - effect.offset, AT_ONCE)
                return self.read(effect.topic, effect.partition, effect.offset, count) if count > 0 else []

    def _of(self, topic: str) -> list[_Partition]:
        if topic not in self._topics:
            raise Stop(f"there is no topic {topic!r}; there are {', '.join(sorted(self._topics))}")
        return self._topics[topic]


class _Partition:
    __slots__ = ("first", "kept")

    def __init__(self) -> None:
        self.first = 0
        self.kept: list[LogRecord] = []

    @property
    def next(self) -> int:
        return self.first + len(self.kept)
