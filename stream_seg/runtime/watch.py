"""Watches the sources that make a partition's clock: one that says nothing freezes it, and that must be heard."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

log = logging.getLogger(__name__)

PATIENCE = 60.0  # seconds without progress after which a source counts as stalled
LONGEST_LOOK = 5.0  # seconds that one look may count for: a worker that was paused has not watched meanwhile


class SourceWatch:
    """How long each source of one events partition has made no progress. `look` often; it alarms once a minute.

    >>> times = iter(range(0, 1000, 5))
    >>> watch = SourceWatch("events-0", clock=lambda: next(times))
    >>> [watch.look({"web:0": 1_000, "app:0": through}) for through in range(14)][-3:]
    [[], [], ['web:0']]
    """

    def __init__(self, place: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._place = place
        self._clock = clock
        self._through: dict[str, int] = {}
        self._silent: dict[str, float] = {}
        self._looked: float | None = None
        self._alarmed: float | None = None

    def look(self, waits: Mapping[str, int]) -> list[str]:
        """Takes how far each source has come (ms); returns those that are stalled, for which the clock stands."""
        now = self._clock()
        passed = 0.0 if self._looked is None else min(now - self._looked, LONGEST_LOOK)
        self._looked = now
        self._silent = {
            source: self._silent[source] + passed if self._through.get(source) == through else 0.0
            for source, through in waits.items()
        }
        self._through = dict(waits)
        stalled = [source for source, silent in self._silent.items() if silent > PATIENCE]
        if stalled and (self._alarmed is None or now - self._alarmed >= PATIENCE):
            self._alarmed = now
            log.error(
                "ALARM %s: the clock stands still, no progress for more than %.0f s from %s; nobody moves by silence "
                "meanwhile. See whether ingest runs (stream-seg run --stages ingest); a topic that is gone for good is "
                "taken out of input.topics with stream-seg apply",
                self._place,
                PATIENCE,
                ", ".join(f"{source} ({_as_of(waits[source])})" for source in stalled),
            )
        return stalled


def _as_of(through: int) -> str:
    if not through:
        return "never heard of"
    return f"last {datetime.fromtimestamp(through / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
