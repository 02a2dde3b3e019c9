"""One assigned partition of a product topic, live: the shell around INGEST's steps."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from stream_seg.core.definition import Definition
from stream_seg.pipeline.ingest import Ingest
from stream_seg.ports import Record
from stream_seg.runtime.effects import Effects
from stream_seg.runtime.phases import Phases
from stream_seg.telemetry import PartitionTelemetry, PartitionTraces


class Rules(NamedTuple):
    """What INGEST works by: the definition in force and how many partitions the events log has."""

    definition: Definition
    events_partitions: int


class LiveSource:
    """Opens, moves batches, tells progress. `rules` is asked before every batch and may give the same for a while.

    A new `Ingest` is made for every opening: it begins at the last commit. A publish that fails is repeated as it is,
    byte for byte, by a new producer, before anything after it is looked at: as good as reading the batch again.
    """

    def __init__(
        self,
        ingest: Callable[[], Ingest],
        effects: Effects,
        rules: Callable[[], Awaitable[Rules]],
        told: PartitionTelemetry | None = None,
        traces: PartitionTraces | None = None,
    ) -> None:
        self._new_ingest = ingest
        self._phases = Phases("decode")
        self._told = told or PartitionTelemetry()
        self._traces = traces or PartitionTraces()
        self._effects = effects
        self._rules = rules
        self._ingest: Ingest | None = None

    async def open(self, commit: Callable[[int], Awaitable[bool]]) -> int:
        self._effects.commit = commit
        ingest = self._new_ingest()
        ingest.follow(*await self._rules())
        offset = await self._effects.run(ingest.open())
        self._ingest = ingest
        return offset

    async def process(self, records: Sequence[Record]) -> int:
        ingest = self._opened()
        ingest.follow(*await self._rules())
        self._phases.restart()
        began = time.time_ns()
        offset = await self._effects.run(ingest.process(records), self._phases)
        self._traces.handled(ingest.traced, began)
        self._told.spent(self._phases.take())
        return offset

    async def idle(self) -> None:
        await self._effects.run(self._opened().idle())

    async def close(self) -> None:
        """Nothing is in hand between batches."""
        self._ingest = None

    def _opened(self) -> Ingest:
        assert self._ingest is not None, "a partition is opened before it works"  # PartitionHandler's order
        return self._ingest
