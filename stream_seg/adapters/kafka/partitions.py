"""One loop per assigned partition: open, then batch after batch, then close. At most one batch is under way in each.

A partition asks for its next batch when it is done with the last. So a slow one holds up nobody, and a batch is
whatever has arrived meanwhile: a few records when idle, thousands when behind, no timer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Protocol

from aiokafka import TopicPartition
from mode import get_logger

from stream_seg.adapters.kafka.transport import Lease
from stream_seg.errors import Fenced, Stop, StreamSegError, Unavailable
from stream_seg.ports import Record
from stream_seg.telemetry import PartitionTelemetry, Telemetry

log = get_logger(__name__)

IDLE_SECONDS = 1.0
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0

Commit = Callable[[int], Awaitable[bool]]


class PartitionHandler(Protocol):
    """What a stage does with one assigned partition. Calls come one after the other, never two at once.

    `Fenced` or `Unavailable` from any of them: opened again, after a pause, if still assigned. `Stop`: this partition
    stops with an alarm, the others go on. Anything else ends the process with nothing acknowledged.
    Any call may be cancelled when the partition is revoked and does not end in time.
    """

    async def open(self, commit: Commit) -> int:
        """Claims the partition and returns the offset to start from. `commit` False: refused, not ours any more."""
        ...

    async def process(self, records: Sequence[Record]) -> int:
        """Applies a batch and returns the next offset: what is before it is applied and may be committed."""
        ...

    async def idle(self) -> None:
        """Called about once a second while nothing arrives."""
        ...

    async def close(self) -> None:
        """The partition goes, or the process ends in order: finish what is in flight."""
        ...


class StageHandler(Protocol):
    def partition(self, topic: str, partition: int) -> PartitionHandler: ...


class PartitionRun:
    """The loop of one lease."""

    def __init__(self, lease: Lease, handler: PartitionHandler, told: PartitionTelemetry) -> None:
        self.lease = lease
        self.told = told
        self.stopped: Stop | None = None
        self.next: int | None = None
        self._handler = handler
        self._leaving = False
        self._working = False  # inside `process` or `idle`: worth waiting for
        self._finishing: asyncio.Task[None] | None = None
        self.task = asyncio.create_task(self._run(), name=f"partition {lease}")

    async def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._leaving:
            try:
                offset = await self._handler.open(self.lease.commit)
                await self.lease.seek(offset)
                self.next = offset
                self.told.opened()
                pause = await self._work()
            except (Fenced, Unavailable) as reason:
                if not self.lease.valid:  # assigned anew: its revocation is on the way
                    log.info("%s: %s", self.lease, str(reason) or type(reason).__name__)
                    return
                self.told.reopening(reason)
                log.warning(
                    "%s: %s; opening it again in %.1f s", self.lease, str(reason) or type(reason).__name__, pause,
                    extra={"error": reason},
                )  # fmt: skip
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            except Stop as stop:
                self.stopped = stop
                return

    async def _work(self) -> float:
        while not self._leaving:
            asked = time.monotonic()
            records, position = await self.lease.take(IDLE_SECONDS)
            taken = time.monotonic()
            self.told.waited(taken - asked)
            self._working = True
            try:
                if records:
                    done = self.next = await self._handler.process(records)
                    self.lease.applied(done)
                    seconds = time.monotonic() - taken
                    self.told.applied(len(records), seconds, records[0].timestamp, records[-1].timestamp)
                    if done != records[-1].offset + 1:  # a part of the batch only: read the rest again
                        await self.lease.seek(done)
                else:
                    self.next = position
                    self.lease.applied(position)  # nothing is left before it: markers, compacted records
                    await self._handler.idle()
            finally:
                self._working = False
            self.tell()
            del records  # the next batch takes their memory
        return FIRST_PAUSE

    def tell(self) -> None:
        """Says how far it is. Also while it is stuck or has stopped: that is when somebody has to see it."""
        if self.next is not None and not self._leaving:
            self.told.stands(self.next, self.lease.end)

    async def finish(self, seconds: float) -> None:
        """Waits for the batch in flight, closes the handler; after `seconds` cancels what still runs. Once only."""
        if self._finishing is None:
            self._finishing = asyncio.create_task(self._finish(seconds))
        await asyncio.shield(self._finishing)

    async def _finish(self, seconds: float) -> None:
        self._leaving = True
        if not self._working:
            self.task.cancel()
        await asyncio.wait([self.task], timeout=seconds)
        if not self.task.done():
            log.warning("%s: the batch in flight did not end within %.1f s and is given up", self.lease, seconds)
            self.task.cancel()
            await asyncio.wait([self.task], timeout=seconds)
        self.told.closed()
        if self.failure() is None:
            await self._close(seconds)

    async def _close(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._handler.close()
        except TimeoutError:
            log.warning("%s: closing did not end within %.1f s and is given up", self.lease, seconds)
        except StreamSegError as error:
            log.warning("%s: closing: %s", self.lease, str(error) or type(error).__name__)

    def failure(self) -> BaseException | None:
        """What ended the loop and is a reason to end the process."""
        if not self.task.done() or self.task.cancelled():
            return None
        return self.task.exception()


class Partitions:
    """The runs of all leases of this process: the `BatchReceiver` of a stage.

    `failed` gets the first error that must end the process, or the last `Stop` when no partition is left that runs.
    """

    def __init__(self, stage: StageHandler, *, finish_seconds: float, telemetry: Telemetry) -> None:
        self._stage = stage
        self._finish_seconds = finish_seconds
        self._telemetry = telemetry
        self._runs: dict[TopicPartition, PartitionRun] = {}
        self.failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    @property
    def leased(self) -> bool:
        """Whether any partition is assigned."""
        return bool(self._runs)

    @property
    def running(self) -> Sequence[Lease]:
        return [run.lease for run in self._runs.values() if not run.task.done()]

    def progress(self) -> dict[TopicPartition, int]:
        """The next offset to apply of every partition that runs and has started."""
        return {run.lease.tp: run.next for run in self._runs.values() if run.next is not None and not run.task.done()}

    def tell(self) -> None:
        """Every partition says how far it is."""
        for run in self._runs.values():
            run.tell()

    def assigned(self, leases: Collection[Lease]) -> None:
        for lease in leases:
            if (before := self._runs.get(lease.tp)) is not None:
                before.task.cancel()
            topic, partition = lease.tp
            told = self._telemetry.partition(topic, partition)
            run = PartitionRun(lease, self._stage.partition(topic, partition), told)
            self._runs[lease.tp] = run
            run.task.add_done_callback(lambda _, run=run: self._ended(run))  # type: ignore[misc]  # binds the run
        names = ", ".join(sorted(map(repr, leases))) or "none"
        log.info("partitions assigned: %s", names)
        self._telemetry.rebalanced()

    def _ended(self, run: PartitionRun) -> None:
        failure = run.failure()
        if run.stopped is not None:
            log.error("ALARM %s stopped: %s", run.lease, run.stopped)
            run.told.stopped(run.stopped)
            if not self.running:
                failure = run.stopped
        if failure is not None and not self.failed.done():
            self.failed.set_result(failure)

    async def revoked(self, tps: Collection[TopicPartition]) -> None:
        runs = [run for tp in tps if (run := self._runs.get(tp)) is not None]
        if runs:
            log.info("finishing partitions: %s", ", ".join(sorted(repr(run.lease) for run in runs)))
        await asyncio.gather(*(run.finish(self._finish_seconds) for run in runs))
        for run in runs:
            if self._runs.get(run.lease.tp) is run:
                del self._runs[run.lease.tp]
