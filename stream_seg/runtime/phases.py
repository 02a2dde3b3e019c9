"""Where the time of a batch goes: what is computed, and what is waited for."""

from __future__ import annotations

import time
from collections.abc import Callable

from stream_seg.ports import Claim, Effect, Load, Publish, ReadOutbox, Trim, Write


class Phases:
    """A stopwatch with a hand for each phase; exactly one of them runs.

    A step that is computed belongs to the phase that was last begun. One that waits belongs to what it waits for, other
    partitions' turns on the same thread included.

    >>> times = iter((0, 3, 5, 6, 6))
    >>> phases = Phases("decode", clock=lambda: next(times))
    >>> phases.begin("features")
    >>> phases.wait(Publish([]))
    >>> phases.resume()
    >>> phases.take()
    {'decode': 3.0, 'features': 2.0, 'publish': 1.0}
    """

    def __init__(self, first: str, clock: Callable[[], float] = time.perf_counter) -> None:
        self._first = self._computing = self._running = first
        self._clock = clock
        self._spent: dict[str, float] = {}
        self._since = clock()

    def begin(self, phase: str) -> None:
        """What is computed from here on belongs to `phase`."""
        self._computing = phase
        self._to(phase)

    def wait(self, effect: Effect) -> None:
        self._to(_WAITS.get(type(effect), "wait"))

    def resume(self) -> None:
        self._to(self._computing)

    def restart(self) -> None:
        """A new batch begins; what was not taken, and the time until now, is of no interest."""
        self._spent.clear()
        self._computing = self._running = self._first
        self._since = self._clock()

    def take(self) -> dict[str, float]:
        """Seconds by phase since the batch began."""
        self._to(self._first)
        spent, self._spent = self._spent, {}
        return spent

    def _to(self, phase: str) -> None:
        now = self._clock()
        self._spent[self._running] = self._spent.get(self._running, 0.0) + now - self._since
        self._running, self._since = phase, now


_WAITS: dict[type[Effect], str] = {
    Load: "read",
    ReadOutbox: "read",
    Claim: "write",
    Write: "write",
    Trim: "write",
    Publish: "publish",
}
