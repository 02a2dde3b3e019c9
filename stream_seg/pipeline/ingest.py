"""INGEST: one partition of a product topic into the events log. Any form and key in, Segment-spec JSON by customer out.

Its whole state is the offset that its group has committed. A batch is judged and rewritten, published and
acknowledged whole, and only then committed; whatever fails between is done again from the last commit. So a record may
be written twice, and LABEL drops the copy by its ``ss-source`` header: a source's last `WINDOW` offsets are remembered
there, and INGEST never has records in hand that lie further apart than that.

Every few seconds it tells all events partitions how far its source has come (`progress`): the clock of a log that
INGEST writes is where the last of its sources stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from stream_seg.core.definition import Definition
from stream_seg.core.marks import WINDOW
from stream_seg.errors import BadEvent, Fenced, StateLost, Stop, Undeliverable
from stream_seg.pipeline.facts import Traced
from stream_seg.ports import Commit, Committed, LogRange, Message, Publish, Record, Step
from stream_seg.wire import control
from stream_seg.wire.canonical import Canonicalizer
from stream_seg.wire.dead_letters import dead_letter
from stream_seg.wire.timestamps import in_future
from stream_seg.wire.traces import TRACEPARENT, context_of

EVENTS = "events"
PROGRESS_EVERY = 5_000  # ms
BROKERS_TIME = 1  # timestamp_type of a record that the broker stamped


def source_name(topic: str, partition: int) -> str:
    """How `sources` and `progress` records call a partition of a product topic.

    >>> source_name("web.tracks", 3)
    'web.tracks:3'
    """
    return f"{topic}:{partition}"


@dataclass(frozen=True, slots=True)
class IngestSettings:
    """What differs between deployments and changes no event.

    group             consumer group, named in dead letters
    trust_ends        the broker tells where a log ends (an embedded broker tells it too low)
    """

    group: str = "ingest"
    trust_ends: bool = True


class Ingest:
    """INGEST's work on one source partition. Create a new one for every assignment, `follow` before `open`.

    now   the wall clock (ms): it says as of when the source was read to its end
    """

    def __init__(self, topic: str, partition: int, settings: IngestSettings, now: Iterable[int]) -> None:
        self.topic = topic
        self.partition = partition
        self.source = source_name(topic, partition)
        self.settings = settings
        self.now = iter(now)
        self.next = 0  # everything before it is in the events log
        self.through = 0  # the source is read up to here (ms)
        self.told_at = 0
        self.followed: Definition | None = None
        self.traced: list[Traced] = []  # of the last batch

    def follow(self, definition: Definition, events_partitions: int) -> None:
        """Works by this definition from the next batch on. Raises `ConfigError` for a mapping that cannot work."""
        if self.followed is None or definition.input.mapping != self.followed.input.mapping:
            self.canonicalizer = Canonicalizer(definition.input.mapping)
        self.followed = definition
        self.max_skew = definition.max_skew
        self.events_partitions = events_partitions

    def open(self) -> Step[int]:
        """The offset to read from: the committed one, or the oldest that there is. Raises `StateLost`."""
        log: LogRange = yield Committed(self.topic, self.partition)
        self.log_id = log.guard.partition(":")[0] or self.topic
        self.next = log.first if log.committed is None else log.committed
        if self.next < log.first or (self.settings.trust_ends and self.next > log.next):
            raise StateLost(
                f"{self.topic} partition {self.partition}: {self.settings.group} has read up to {self.next}, but the "
                f"log holds {log.first} to {log.next}: records were lost before they were read. End ingest and say "
                f"where it shall go on: {self._reset_to(log.first)}"
            )
        return self.next

    def process(self, records: Sequence[Record]) -> Step[int]:
        """Moves a batch into the events log; returns the next offset. Raises `Fenced` when the assignment ended."""
        self.traced.clear()
        for run in _runs(records):
            yield from self._move(run)
        yield from self._tell(reads_on=True)
        return self.next

    def idle(self) -> Step[None]:
        """Nothing has arrived for a while: that, too, is progress."""
        yield from self._tell(reads_on=False)

    # --- records

    def _move(self, records: Sequence[Record]) -> Step[None]:
        """Publishes what became of some records and commits them."""
        usable = self.canonicalizer.canonical(records)
        bad: list[tuple[int, BadEvent]] = list(usable.rejected)
        offsets: list[int] = []  # of the record that a message was made of
        messages: list[Message] = []
        for row, customer, value, at in zip(
            usable.rows.tolist(), usable.customers, usable.values, usable.times.tolist(), strict=True
        ):
            record = records[row]
            error = self._in_future(record, at)
            if error is not None:
                bad.append((row, error))
                continue
            offsets.append(record.offset)
            mark = f"{self.log_id}:{self.partition}:{record.offset}"
            headers: tuple[tuple[str, bytes], ...] = ((control.SOURCE, mark.encode()),)
            if record.headers and (context := self._trace(record, "accepted")) is not None:
                headers = (*headers, (TRACEPARENT, context))
            messages.append(Message(EVENTS, customer, value, headers))
        for row, error in sorted(bad, key=lambda pair: pair[0]):
            offsets.append(records[row].offset)
            self._trace(records[row], "rejected")
            messages.append(dead_letter(records[row], error, self.settings.group, self.log_id))
        messages += self._progress_if_behind(records[-1])
        try:
            yield Publish(messages)
        except Undeliverable as error:
            raise self._refused(offsets[min(error.index, len(offsets) - 1)], error) from error
        following = records[-1].offset + 1
        if not (yield Commit(self.topic, self.partition, following)):
            raise Fenced(f"{self.source}: the commit of {following} was refused; going on from the last one")
        self.next = following

    def _trace(self, record: Record, result: str) -> bytes | None:
        """The context of the trace that a record belongs to, if its sender records it."""
        context = context_of(record.headers)
        if context is not None:
            self.traced.append(Traced(record.offset, context, result))
        return context

    def _in_future(self, record: Record, at: int) -> BadEvent | None:
        """Events from the future of their own record. A time that the producer put there itself proves nothing."""
        if record.timestamp_type != BROKERS_TIME:
            return None
        return in_future(at, record.timestamp, self.max_skew)

    def _refused(self, offset: int, error: Undeliverable) -> Stop:
        return Stop(
            f"{self.topic} partition {self.partition} offset {offset}: {error}. Raise max.message.bytes there; or, to "
            f"leave out this one record, end ingest and run {self._reset_to(offset + 1)}"
        )

    def _reset_to(self, offset: int) -> str:
        """The command that makes the group go on elsewhere: Kafka's committed offset is all there is to change."""
        return (
            f"kafka-consumer-groups --group {self.settings.group} --topic {self.topic}:{self.partition} "
            f"--reset-offsets --to-offset {offset} --execute"
        )

    # --- progress

    def _progress_if_behind(self, last: Record) -> list[Message]:
        """While it catches up, progress follows the records: what is silent ages as if everything had been on time."""
        now = next(self.now)
        self.through = max(self.through, min(last.timestamp, now))
        if now - last.timestamp < PROGRESS_EVERY:
            return []
        self.told_at = now
        return self._progress()

    def _tell(self, *, reads_on: bool) -> Step[None]:
        """Every few seconds: read to the end as of now, or as far as the last record."""
        now = next(self.now)
        if 0 <= now - self.told_at < PROGRESS_EVERY:
            return
        if self.settings.trust_ends or not reads_on:
            # The commit counts too: it has passed the markers of transactions, which are no records.
            log: LogRange = yield Committed(self.topic, self.partition)
            if max(self.next, log.committed or 0) >= log.next:
                self.through = max(self.through, now)
        if self.through:
            yield Publish(self._progress())
            self.told_at = now

    def _progress(self) -> list[Message]:
        value = control.Progress(self.source, self.through)
        return [control.control(EVENTS, control.PROGRESS, value, p) for p in range(self.events_partitions)]


def _runs(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    """Cuts a batch so that no two records in hand are further apart than LABEL remembers.

    By offsets, not by number: compaction and transactions leave gaps.
    """
    start = 0
    for i, record in enumerate(records):
        if record.offset - records[start].offset >= WINDOW:
            yield records[start:i]
            start = i
    if start < len(records):
        yield records[start:]
