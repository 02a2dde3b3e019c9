"""A Faust transport, ``kafkabatch://``, that hands over one batch of raw records per partition.

Faust keeps what it is good at: membership, rebalances, start and stop. What it does per record (about 90 µs and four
asyncio tasks each) does not happen: records never enter a stream. Offsets are positions, not acknowledgements of
single records, so gaps in a log (transaction markers, compaction) cost nothing.

The app that uses it has two attributes more than Faust's: `BatchApp`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar, cast

from aiokafka import TopicPartition
from faust.transport.drivers import TRANSPORTS
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from stream_seg.adapters.kafka.fetching import AssignmentListener, Batch, FetchThread, Owner

T = TypeVar("T")
LAST_COMMIT_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """Bounds of one batch, and whether records of aborted transactions are left out (they never happened)."""

    max_batch: int = 4000
    max_batch_bytes: int = 4 * 1024 * 1024
    fetch_bytes: int = 2 * 1024 * 1024  # of a partition, on its way beside the batch that is worked on
    long_poll_ms: int = 500  # how long the broker holds a fetch that finds nothing
    isolation_level: Literal["read_committed", "read_uncommitted"] = "read_committed"


class BatchReceiver(Protocol):
    """Who gets the batches. `assigned` must not wait; `revoked` returns when nothing of these is under way."""

    def assigned(self, leases: Collection[Lease]) -> None: ...
    async def revoked(self, tps: Collection[TopicPartition]) -> None: ...


class BatchApp(Protocol):
    batch_settings: BatchSettings
    batch_receiver: BatchReceiver


class Lease:
    """One partition for as long as one assignment lasts. After that every call is refused, never carried out."""

    def __init__(self, consumer: Consumer, tp: TopicPartition, owner: Owner) -> None:
        self.tp = tp
        self._consumer = consumer
        self._owner = owner

    def __repr__(self) -> str:
        return f"{self.tp.topic}-{self.tp.partition}"

    @property
    def valid(self) -> bool:
        """Whether the assignment still lasts, as far as this process knows."""
        return self._consumer.fetch_thread.current_owner() == self._owner

    @property
    def end(self) -> int | None:
        """Where the log ends, as the last fetch said; None before the first."""
        return self._consumer.fetch_thread.end_of(self.tp)

    async def take(self, seconds: float) -> Batch:
        """See `FetchThread.take`."""
        thread = self._consumer.fetch_thread
        return await self._consumer.in_thread(thread.take(self._owner, self.tp, seconds))

    async def seek(self, offset: int) -> None:
        thread = self._consumer.fetch_thread
        await self._consumer.in_thread(thread.seek_and_resume(self._owner, self.tp, offset))

    async def commit(self, offset: int) -> bool:
        """Commits `offset` (the next one to read) now. False: refused or failed; let go or try again."""
        return await self._consumer.commit_now(self._owner, {self.tp: offset})

    def applied(self, offset: int) -> None:
        """Everything before `offset` is applied; it is committed within about a second, for lag dashboards."""
        self._consumer.note_applied(self._owner, self.tp, offset)


class Consumer(driver.Consumer):
    """Faust's aiokafka consumer without streams: leases to `BatchApp.batch_receiver`, positional offsets."""

    RebalanceListener = AssignmentListener
    app: Any  # a faust.App that is a BatchApp too

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._owner: Owner | None = None
        self._leased: set[TopicPartition] = set()
        self._applied: dict[TopicPartition, int] = {}
        self._committed: dict[TopicPartition, int] = {}
        super().__init__(*args, **kwargs)

    def _new_consumer_thread(self) -> FetchThread:
        return FetchThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def fetch_thread(self) -> FetchThread:
        return cast("FetchThread", self._thread)

    async def in_thread(self, call: Coroutine[Any, Any, T]) -> T:
        """Runs `call` on the consumer thread's loop; cancelling here cancels it there.

        Not through Faust's method queue: its two workers would be blocked by two calls that wait for Kafka.
        """
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call, self.fetch_thread.thread_loop))

    # ------------------------------------------------------------------ rebalance

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        await super().on_partitions_assigned(assigned, generation_id)
        owner = self._owner = self.fetch_thread.owner
        if owner is not None:
            leases = [Lease(self, TopicPartition(tp.topic, tp.partition), owner) for tp in assigned]
            self._leased = {lease.tp for lease in leases}
            self.app.batch_receiver.assigned(leases)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        # Before super(): it drops all positions, and after it another worker may own the partitions.
        await self._let_go({TopicPartition(tp.topic, tp.partition) for tp in revoked})
        await super().on_partitions_revoked(revoked)

    async def wait_empty(self) -> None:
        """Faust calls this when it stops (and when partitions are revoked, where nothing is left to do)."""
        await self._let_go(set(self._leased))

    async def _let_go(self, tps: Collection[TopicPartition]) -> None:
        await self.app.batch_receiver.revoked(tps)
        try:
            async with asyncio.timeout(LAST_COMMIT_SECONDS):
                await self.force_commit()
        except TimeoutError:
            self.log.warning("left without a last commit: Kafka does not answer; the store has the offsets")
        for tp in tps:
            self._leased.discard(tp)
            self._applied.pop(tp, None)
            self._committed.pop(tp, None)

    # ------------------------------------------------------------------ offsets

    def note_applied(self, owner: Owner, tp: TopicPartition, offset: int) -> None:
        if owner == self._owner:
            self._applied[tp] = offset

    async def commit_now(self, owner: Owner, offsets: dict[TopicPartition, int]) -> bool:
        done = await self.in_thread(self.fetch_thread.commit_as(owner, offsets))
        if done and owner == self._owner:
            self._committed.update(offsets)
        return done

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: FBT001, FBT002, ARG002 — Faust's signature
        """Commits what was applied since the last time. Called by Faust once per `broker_commit_interval`."""
        due = {tp: offset for tp, offset in self._applied.items() if self._committed.get(tp) != offset}
        if not due or self._owner is None:
            return False
        return await self.commit_now(self._owner, due)

    # ------------------------------------------------------------------ what Faust would do with streams

    async def _drain_messages(self, fetcher: Any) -> None:
        """Faust's fetch loop. Batches are asked for, not pushed, so this only lives as long as it must."""
        await fetcher.wait_until_stopped()

    async def perform_seek(self) -> None:
        """Faust would seek to the committed offsets after each rebalance; the stage says where to start."""

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's livelock detector looks at streams and only logs; `watchdog` looks at the log and exits."""

    def _new_offset(self, tp: TP) -> int | None:
        return self._applied.get(TopicPartition(tp.topic, tp.partition))


class Transport(driver.Transport):
    """``broker_consumer="kafkabatch://host:port"``; the producer stays with ``kafka://``."""

    Consumer = Consumer


def register() -> None:
    """Makes the scheme known also where the package is not installed (the entry point ``faust.transports``)."""
    TRANSPORTS.aliases["kafkabatch"] = f"{__name__}:Transport"


register()

__all__ = ["Batch", "BatchApp", "BatchReceiver", "BatchSettings", "Consumer", "Lease", "Transport"]
