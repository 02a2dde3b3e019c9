"""The half of the batch consumer that lives in Faust's consumer thread, beside aiokafka and its heartbeats.

Everything here runs on that thread's event loop. It leans on internals of Faust and aiokafka that
``tests/kafka/test_internals.py`` holds; ``docs/faust.md`` says which and why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import FetchResult
from aiokafka.errors import (
    CommitFailedError,
    CorruptRecordException,
    GroupAuthorizationFailedError,
    IllegalStateError,
    KafkaError,
    OffsetOutOfRangeError,
    RecordTooLargeError,
    TopicAuthorizationFailedError,
    UnsupportedCodecError,
)
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, ConsumerRebalanceListener
from mode import get_logger

from stream_seg.errors import Fenced, Stop, Unavailable
from stream_seg.ports import Record

log = get_logger(__name__)

PIECE = 256  # records unpacked between two looks at the size of a batch
SHORT_POLL_MS = 10  # the same while a partition with data is left out of it
COMMIT_SECONDS = 30.0


class Owner(NamedTuple):
    """Which assignment a partition was given in. Equal only while nothing about the membership changed."""

    assignment: object
    generation: int
    member: str


class Batch(NamedTuple):
    """What had arrived, in order of offset, and the position after it.

    The position may lie beyond the last record + 1: transaction markers and compacted records take offsets too.
    """

    records: Sequence[Record]
    position: int


class Arrived(msgspec.Struct, frozen=True, gc=False):
    """One record as it arrived: a `stream_seg.ports.Record`, made in a third of the time of aiokafka's own."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


def _arrived(tp: TopicPartition, r: Any) -> Arrived:
    topic, partition = tp
    return Arrived(topic, partition, r.offset, r.timestamp, r.timestamp_type, r.key, r.value, r.headers)


class AssignmentListener(ConsumerRebalanceListener):
    """Pauses what was assigned before anything is fetched: where to start is for the stage to say."""

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        thread: Any = self._thread  # a FetchThread
        thread.on_assigned(assigned)
        await super().on_partitions_assigned(assigned)


class FetchThread(AIOKafkaConsumerThread):
    """Faust's consumer thread plus `take`, `seek_and_resume`, `commit_as`: whole batches of one partition at a time."""

    app: Any  # a faust.App that is a `transport.BatchApp` too
    owner: Owner | None = None

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        settings = self.app.batch_settings
        # Faust has no settings for these three; aiokafka reads them when it starts.
        consumer._fetch_max_wait_ms = settings.long_poll_ms
        consumer._max_partition_fetch_bytes = settings.fetch_bytes
        consumer._isolation_level = settings.isolation_level
        return consumer

    async def on_start(self) -> None:
        await super().on_start()
        self._shorten_polls(self._ensure_consumer()._fetcher)

    def _shorten_polls(self, fetcher: Any) -> None:
        """While fetched records of a partition wait to be taken, its next fetch must not queue behind a long poll.

        aiokafka has one fetch under way per broker. A long poll for the quiet partitions would hold up a busy one,
        which was left out of it because its records were not taken yet, by the whole length of the poll.
        """
        choose = fetcher._get_actions_per_node
        long_poll_ms = self.app.batch_settings.long_poll_ms

        def choose_with_short_polls(assignment: Any) -> Any:
            left_out = bool(fetcher._records)
            fetcher._fetch_max_wait_ms = SHORT_POLL_MS if left_out else long_poll_ms
            return choose(assignment)

        fetcher._get_actions_per_node = choose_with_short_polls

    # ------------------------------------------------------------------ membership

    def on_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self.owner = self.current_owner()
        self._ensure_consumer().pause(*assigned)

    def current_owner(self) -> Owner:
        consumer = self._ensure_consumer()
        coordinator = consumer._coordinator
        return Owner(_assignment(consumer), coordinator.generation, coordinator.member_id)

    async def commit_as(self, owner: Owner, offsets: Mapping[TopicPartition, int]) -> bool:
        """Commits as `owner`. True only if Kafka took it and nothing about the membership changed meanwhile.

        aiokafka retries by itself and reads the generation anew for each try, so a commit could succeed for a later
        assignment, or, with generation -1, for none. Comparing before and after tells: generations never come back.
        """
        if self.current_owner() != owner:
            return False
        consumer = self._ensure_consumer()
        try:
            async with asyncio.timeout(COMMIT_SECONDS):
                await consumer.commit({tp: OffsetAndMetadata(offset, "") for tp, offset in offsets.items()})
        except (CommitFailedError, IllegalStateError) as refused:
            log.info("offsets not committed: %s", refused)
            return False
        except TimeoutError:
            log.warning("offsets not committed: Kafka did not answer within %.0f s", COMMIT_SECONDS)
            return False
        except KafkaError as failed:
            log.warning("offsets not committed: %r", failed)
            return False
        return self.current_owner() == owner

    def check(self) -> None:
        """Looks after aiokafka's coordinator; to be called every second or so.

        Some answers of a broker that has just started (coordinator loading) end its heartbeats without ending itself:
        the membership would run out unseen. Joining again starts them again. Raises what it cannot come back from.
        """
        coordinator = self._ensure_consumer()._coordinator
        try:
            coordinator.check_errors()
        except (GroupAuthorizationFailedError, TopicAuthorizationFailedError) as error:
            raise _stop(error) from error
        except KafkaError as error:
            if coordinator._coordination_task.done():
                raise
            log.warning("joining the group again: %s", error)
            coordinator.request_rejoin()

    # ------------------------------------------------------------------ records

    async def seek_and_resume(self, owner: Owner, tp: TopicPartition, offset: int) -> None:
        """Reads on from `offset`. Raises `Fenced` if the partition is not `owner`'s any more."""
        if self.current_owner() != owner:
            raise Fenced(f"{tp.topic}-{tp.partition} is assigned anew")
        consumer = self._ensure_consumer()
        consumer.seek(tp, offset)
        consumer.resume(tp)

    async def take(self, owner: Owner, tp: TopicPartition, seconds: float) -> Batch:
        """What has arrived on `tp`, bounded in records and bytes; empty if nothing came within `seconds`.

        Raises `Stop` where the log cannot be read on from the position, `Fenced` if it is not `owner`'s any more.
        """
        consumer = self._ensure_consumer()
        fetcher, loop = consumer._fetcher, asyncio.get_running_loop()
        until = loop.time() + seconds
        while True:
            if consumer._subscription.reassignment_in_progress:
                raise Fenced(f"{tp.topic}-{tp.partition} is being reassigned")
            if self.current_owner() != owner:
                raise Fenced(f"{tp.topic}-{tp.partition} is assigned anew")
            try:
                records = await self._drain(fetcher, tp)
                left = until - loop.time()
                if records or left <= 0:
                    return Batch(records, _assignment(consumer).state_value(tp).position)
                arrival = fetcher._create_fetch_waiter()
                await asyncio.wait([arrival], timeout=left)
                if arrival.done():
                    arrival.result()
                else:
                    arrival.cancel()
            except STOPPING as error:
                raise _stop(error) from error
            except KafkaError as error:  # the coordinator's trouble, told to all who wait; `check` sees to it
                raise Unavailable(f"reading {tp.topic}-{tp.partition}: {error}") from error

    def end_of(self, tp: TopicPartition) -> int | None:
        """Where a log ends for this reader, as the last fetch said. May be asked from any thread."""
        consumer = self._consumer
        assignment = None if consumer is None else _assignment(consumer)
        if assignment is None or tp not in assignment.tps:
            return None
        state = assignment.state_value(tp)
        committed = self.app.batch_settings.isolation_level == "read_committed"
        end: int | None = state.lso if committed else state.highwater
        return end

    async def _drain(self, fetcher: Any, tp: TopicPartition) -> list[Record]:
        settings = self.app.batch_settings
        records: list[Record] = []
        size = 0
        while len(records) < settings.max_batch and size < settings.max_batch_bytes:
            most = min(PIECE, settings.max_batch - len(records))
            fetched = fetcher._records.get(tp)
            if isinstance(fetched, FetchResult) and fetched.has_more():
                fetched._partition_records._consumer_record = _arrived
            piece = (await fetcher.fetched_records([tp], timeout=0, max_records=most)).get(tp)
            if not piece:
                break
            records += piece
            size += sum([len(r.value) for r in piece if r.value is not None])
        return records


def _assignment(consumer: AIOKafkaConsumer) -> Any:
    subscription = consumer._subscription.subscription
    return None if subscription is None else subscription.assignment


STOPPING = (
    OffsetOutOfRangeError,
    RecordTooLargeError,
    CorruptRecordException,
    UnsupportedCodecError,
    TopicAuthorizationFailedError,
    GroupAuthorizationFailedError,
)


def _stop(error: KafkaError) -> Stop:
    match error:
        case OffsetOutOfRangeError():
            return Stop(
                f"the log does not hold the offset to read from ({error.args}): records expired before they were "
                "read, or the topic was made anew; restore it, or rebuild the state from a snapshot or an older log"
            )
        case RecordTooLargeError():
            return Stop(f"a record is larger than any fetch ({error}); raise the largest batch in bytes")
        case CorruptRecordException():
            return Stop(f"the log is damaged: {error}; restore the topic, or skip the record")
        case UnsupportedCodecError():
            return Stop(f"the records are compressed in a way that is not installed: {error}; pip install cramjam")
        case _:
            return Stop(f"Kafka does not allow it: {error}; grant Read on the topics and on the consumer group")
