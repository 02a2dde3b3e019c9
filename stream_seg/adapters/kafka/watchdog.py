"""Notices a partition on which nothing is applied although records wait, whatever the reason.

Faust and aiokafka only log when a consumer hangs after an outage or rejoins without consuming. A process that does
nothing is worse than one that ended: a supervisor restarts the second.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

P = TypeVar("P", bound=Hashable)


class Watchdog(Generic[P]):
    """Told now and then how far each partition is and where its log ends, it names those that stand still.

    >>> dog = Watchdog[str](patience=60)
    >>> dog.look(0, {"a": (5, 9), "b": (9, 9)})
    []
    >>> dog.look(59, {"a": (5, 12), "b": (9, 9)})
    []
    >>> dog.look(61, {"a": (5, 12), "b": (9, 9)})
    ['a']
    """

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self._seen: dict[P, tuple[int, float]] = {}

    def look(self, now: float, partitions: Mapping[P, tuple[int, int]]) -> list[P]:
        """`partitions` maps to (next offset to apply, end of the log); `now` is any clock in seconds.

        Returns those that have records waiting and did not move for `patience` seconds. A partition that is not
        mentioned is forgotten.
        """
        stalled = []
        seen: dict[P, tuple[int, float]] = {}
        for partition, (done, end) in partitions.items():
            last, since = self._seen.get(partition, (done, now))
            if done != last or done >= end:
                since = now
            elif now - since > self.patience:
                stalled.append(partition)
            seen[partition] = (done, since)
        self._seen = seen
        return stalled
