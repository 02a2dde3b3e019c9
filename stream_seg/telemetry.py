"""What a process tells of itself while it works. `Telemetry` and `Traces` tell nobody; `adapters` count and report.

The shells call these once a batch or less often, never once an event: telling must cost next to nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from stream_seg.errors import Stop, StreamSegError
from stream_seg.pipeline.facts import LabelFacts, LearnFacts, Traced
from stream_seg.ports import Message

Server = Literal["kafka", "redis"]
Delivery = Literal["sent", "refused", "dropped"]


class PartitionTelemetry:
    """One partition for as long as it is assigned here. Seconds are those of a monotonic clock."""

    def opened(self) -> None:
        """Its state is claimed and read, records come next."""

    def reopening(self, why: StreamSegError) -> None:
        """Something was refused or away, and it begins again from what is stored."""

    def stopped(self, why: Stop) -> None:
        """A person has to decide; the other partitions go on."""

    def closed(self) -> None:
        """It goes to another worker, or the process ends."""

    def waited(self, seconds: float) -> None:
        """For the next batch, whether or not one came."""

    def applied(self, records: int, seconds: float, oldest: int, newest: int) -> None:
        """A batch is done; oldest, newest: the timestamps of its first and last record (ms since 1970)."""

    def stands(self, position: int, end: int | None) -> None:
        """The next record to read, and where the log ends as far as known."""

    def spent(self, phases: Mapping[str, float]) -> None:
        """Seconds by phase of a batch, as a shell told them apart."""

    def outbox(self, messages: int, since: float | None) -> None:
        """How much waits to be published, and since when (monotonic clock) its oldest entry is the oldest."""

    def facts(self, facts: LabelFacts | LearnFacts) -> None:
        """What the stage's work says of itself after a batch, or while nothing comes."""


class Telemetry:
    """One process, of one stage."""

    def partition(self, topic: str, partition: int) -> PartitionTelemetry:
        """Who hears of one partition; from its assignment on the same one for everybody."""
        return PartitionTelemetry()

    def rebalanced(self) -> None:
        """The group gave out partitions; those that this process got were asked for by `partition` before."""

    def turned(self) -> None:
        """The event loop and the thread that polls Kafka are alive."""

    def asked(self, what: str, seconds: float) -> None:
        """One round trip to Redis, by kind of effect."""

    def retried(self, server: Server) -> None:
        """A server was away or refused for now."""

    def published(self, messages: Sequence[Message]) -> None:
        """Kafka has acknowledged them."""

    def alarmed(self) -> None:
        """Something was said that a person must hear."""

    def traced(self, delivery: Delivery, spans: int) -> None:
        """What became of spans. Called from another thread too."""


class PartitionTraces:
    """One partition in the traces that its producers record."""

    def handled(self, events: Sequence[Traced], began: int) -> None:
        """A batch is done in which these events were; began: ns since 1970."""


class Traces:
    """Reports the work on events to whoever collects the traces that these belong to."""

    def partition(self, topic: str, partition: int) -> PartitionTraces:
        """Who hears of one partition."""
        return PartitionTraces()

    def close(self) -> None:
        """The process ends: what waits is sent, or given up after a moment."""
