"""One assigned partition of LABEL or LEARN, live: the shell around its steps."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from stream_seg.errors import Fenced
from stream_seg.pipeline.facts import LabelFacts, LearnFacts, Traced
from stream_seg.pipeline.owner import SlotOwner
from stream_seg.ports import Message, Record, Step
from stream_seg.runtime.effects import Effects
from stream_seg.runtime.phases import Phases
from stream_seg.telemetry import PartitionTelemetry, PartitionTraces, Telemetry

log = logging.getLogger(__name__)

TICK_EVERY = 5  # idle seconds


class Work(Protocol):
    """A stage's work on one partition: `Labeller` or `Learn`."""

    owner: SlotOwner
    mark: Callable[[str], None]

    @property
    def traced(self) -> Sequence[Traced]: ...
    def open(self) -> Step[int]: ...
    def process(self, records: Sequence[Record]) -> Step[int]: ...
    def facts(self) -> LabelFacts | LearnFacts: ...


class LivePartition:
    """Opens, applies batches, relays what they decided beside the next batch, and closes.

    A new `Work` is made for every opening, so nothing of a lost claim is left over. `tick` is what an idle
    partition appends to its own log so that its clock moves; None where another clock moves it. `watch` looks at the
    work whenever the partition is where its log is. `telemetry` hears of alarms, `told` of what this partition does,
    `traces` of the events that belong to a trace.
    """

    def __init__(
        self,
        work: Callable[[], Work],
        effects: Effects,
        *,
        outbox_limit: int,
        tick: Callable[[Work], Message | None] = lambda _: None,
        publish: Callable[[Sequence[Message]], Awaitable[None]] | None = None,
        watch: Callable[[Work], None] = lambda _: None,
        telemetry: Telemetry | None = None,
        told: PartitionTelemetry | None = None,
        traces: PartitionTraces | None = None,
    ) -> None:
        self._new_work = work
        self._effects = effects
        self._outbox_limit = outbox_limit
        self._tick = tick
        self._publish = publish
        self._watch = watch
        self._phases = Phases("compute")
        self._telemetry = telemetry or Telemetry()
        self._told = told or PartitionTelemetry()
        self._traces = traces or PartitionTraces()
        self._head: tuple[int, float] | None = None  # the oldest entry of the outbox, and since when it is that
        self._relaying: asyncio.Task[None] | None = None
        self._idle_for = 0
        self.work: Work | None = None
        effects.decided = self._begin_relaying

    async def open(self, commit: Callable[[int], Awaitable[bool]]) -> int:
        await self._stop_relaying()
        self.work = None  # what a lost claim decided is the next owner's to relay, and that may be us
        self._effects.commit = commit
        work = self._new_work()
        work.mark = self._phases.begin
        offset = await self._effects.run(work.open())
        self.work = work
        await self._relay()
        self._tell(work)
        return offset

    async def process(self, records: Sequence[Record]) -> int:
        work = self._opened()
        self._idle_for = 0
        await self._check_relay(wait=work.owner.waiting > self._outbox_limit)
        self._phases.restart()
        began = time.time_ns()
        offset = await self._effects.run(work.process(records), self._phases)
        self._traces.handled(work.traced, began)
        self._told.spent(self._phases.take())
        self._say_alarms(work)
        self._watch(work)
        await self._relay()
        self._tell(work)
        return offset

    async def idle(self) -> None:
        work = self._opened()
        self._watch(work)
        await self._relay()
        self._tell(work)
        self._idle_for += 1
        if self._idle_for % TICK_EVERY == 0 and self._publish is not None:
            tick = self._tick(work)
            if tick is not None:
                await self._publish([tick])

    async def close(self) -> None:
        """Publishes what was decided, so that whoever comes next finds an empty outbox."""
        try:
            await self._check_relay(wait=True)
            if self.work is not None and self.work.owner.pending:
                await self._effects.run(self.work.owner.relay())
        except Fenced:
            pass  # somebody else owns it already, and relays it
        finally:
            await self._stop_relaying()
            self.work = None

    def _say_alarms(self, work: Work) -> None:
        for alarm in work.owner.alarms:
            log.error("ALARM %s", alarm)
            self._telemetry.alarmed()
        work.owner.alarms.clear()

    def _tell(self, work: Work) -> None:
        owner, now = work.owner, time.monotonic()
        head = owner.pending[0][0] if owner.pending else None
        if head is None:
            self._head = None
        elif self._head is None or self._head[0] != head:
            self._head = head, now
        self._told.outbox(owner.waiting, self._head[1] if self._head else None)
        self._told.facts(work.facts())

    def _opened(self) -> Work:
        assert self.work is not None, "a partition is opened before it works"
        return self.work

    async def _relay(self) -> None:
        """Relays in the background if there is something and nobody does. Raises what the last one ended of."""
        await self._check_relay(wait=False)
        if self._opened().owner.pending:
            self._begin_relaying()

    def _begin_relaying(self) -> None:
        """Also in the middle of a batch: nobody should wait for the sweep after it."""
        before = self._relaying
        over = before is None or (before.done() and not before.cancelled() and before.exception() is None)
        if self.work is not None and over:
            self._relaying = asyncio.create_task(self._effects.run(self.work.owner.relay()))

    async def _check_relay(self, *, wait: bool) -> None:
        """Raises what the relay in the background ended of; with `wait`, lets it end."""
        if self._relaying is not None and (wait or self._relaying.done()):
            task, self._relaying = self._relaying, None
            await task

    async def _stop_relaying(self) -> None:
        if self._relaying is not None:
            task, self._relaying = self._relaying, None
            task.cancel()
            await asyncio.wait([task])
