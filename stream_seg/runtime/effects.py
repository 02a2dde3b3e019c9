"""Runs the effects of steps against real servers, and waits out their absences."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

from stream_seg.errors import StreamSegError, Unavailable
from stream_seg.ports import (
    Again,
    Ahead,
    Claim,
    Commit,
    Committed,
    Effect,
    Load,
    LogRange,
    Message,
    Passed,
    Publish,
    ReadOutbox,
    Record,
    Step,
    Trim,
    Write,
)
from stream_seg.runtime.phases import Phases
from stream_seg.telemetry import Telemetry

T = TypeVar("T")
log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0  # seconds


class Slots(Protocol):
    """Where slots live."""

    async def execute(self, effect: Any) -> Any: ...


class Publisher(Protocol):
    """Where messages go; returns when all are acknowledged."""

    async def publish(self, messages: Sequence[Message]) -> None: ...


class Effects:
    """What the effects of one partition's steps mean here.

    Effects that are safe to repeat are repeated until the server is back: every write carries its claim and
    revision, every published record its id. `commit` and `log_range` belong to the partition's assignment; `decided`
    is called when something is written that waits to be published.
    """

    def __init__(
        self,
        slots: Slots,
        publisher: Publisher,
        log_range: Callable[[int], Awaitable[LogRange]],
        passed: Callable[[int], Awaitable[None]] | None = None,
        ahead: Callable[[int, int], Awaitable[Record | None]] | None = None,
        again: Callable[[int, int, int], Awaitable[Sequence[Record]]] | None = None,
        telemetry: Telemetry | None = None,
    ) -> None:
        self._slots = slots
        self._publisher = publisher
        self._log_range = log_range
        self._passed = passed
        self._ahead = ahead
        self._again = again
        self._telemetry = telemetry or Telemetry()
        self.commit: Callable[[int], Awaitable[bool]] | None = None
        self.decided: Callable[[], None] = lambda: None

    async def run(self, step: Step[T], phases: Phases | None = None) -> T:
        """Drives a step to its end and gives what it returns; its errors, and those it lets through, are raised.

        `phases` is told when the step computes and what it waits for.
        """
        phases = phases or Phases("compute")
        try:
            effect: Effect = next(step)
            while True:
                phases.wait(effect)
                try:
                    result = await self._patiently(effect)
                except StreamSegError as error:
                    phases.resume()
                    effect = step.throw(error)
                else:
                    phases.resume()
                    effect = step.send(result)
        except StopIteration as end:
            value: T = end.value
            return value

    async def _patiently(self, effect: Effect) -> Any:
        pause = FIRST_PAUSE
        while True:
            try:
                return await self._once(effect)
            except Unavailable as error:
                self._telemetry.retried("redis" if isinstance(effect, _ON_REDIS) else "kafka")
                if pause >= LONGEST_PAUSE / 2:  # a hiccup is not worth a line
                    log.warning("%s; trying again in %.1f s", error, pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    async def _once(self, effect: Effect) -> Any:
        match effect:
            case Write():
                await self._ask(effect)
                if effect.outbox is not None:
                    self.decided()
                return None
            case Claim() | Load() | ReadOutbox() | Trim():
                return await self._ask(effect)
            case Publish():
                await self._publisher.publish(effect.messages)
                self._telemetry.published(effect.messages)
                return None
            case Commit():
                assert self.commit is not None, "only an assigned partition commits"
                return await self.commit(effect.offset)
            case Committed():
                return await self._log_range(effect.partition)
            case Passed():
                assert self._passed is not None, "only a feeder waits for LEARN"
                return await self._passed(effect.through)
            case Ahead():
                assert self._ahead is not None, "only LABEL looks ahead"
                return await self._ahead(effect.partition, effect.offset)
            case Again():
                assert self._again is not None, "only LABEL and a backfill read again"
                return await self._again(effect.partition, effect.offset, effect.until)

    async def _ask(self, effect: Claim | Load | ReadOutbox | Trim | Write) -> Any:
        began = time.perf_counter()
        result = await self._slots.execute(effect)
        self._telemetry.asked(type(effect).__name__.lower(), time.perf_counter() - began)
        return result


_ON_REDIS = (Claim, Load, ReadOutbox, Trim, Write)
