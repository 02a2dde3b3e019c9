"""INGEST's shell: an unreliable Kafka, an assignment that ends, and sources that fall silent."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import repeat

import pytest

from stream_seg.adapters.memory.log import LogRecord
from stream_seg.core.definition import DAY, Definition, Feature, InputRules
from stream_seg.errors import Fenced, Unavailable
from stream_seg.pipeline.ingest import Ingest, IngestSettings
from stream_seg.ports import LogRange, Message
from stream_seg.runtime.effects import Effects
from stream_seg.runtime.source import LiveSource, Rules
from stream_seg.runtime.watch import PATIENCE, SourceWatch

NOW = 1_717_149_600_000
EVENT = b'{"type":"track","userId":"ann","event":"Bought","timestamp":"2024-05-31T10:00:00Z"}'
DEFINITION = Definition(
    name="shop",
    features=(Feature(name="orders", aggregate="count", window=DAY),),
    input=InputRules(keyed_by_customer=False, clock="progress"),
    lateness=DAY,
    forget_after=97 * DAY,
)


class Kafka:
    """Acknowledges a publish after some failures; `owned` False: commits are refused."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.tried: list[list[Message]] = []
        self.committed: int | None = None
        self.owned = True

    async def publish(self, messages: Sequence[Message]) -> None:
        self.tried.append(list(messages))
        self.failures -= 1
        if self.failures >= 0:
            raise Unavailable("away")

    async def commit(self, offset: int) -> bool:
        if self.owned:
            self.committed = offset
        return self.owned

    async def log_range(self, _partition: int) -> LogRange:
        return LogRange(self.committed, 0, 10, "id-1:1:murmur2")

    async def execute(self, effect: object) -> None:
        raise AssertionError(f"INGEST has no slot, and asks for none: {effect}")

    async def rules(self) -> Rules:
        return Rules(DEFINITION, 2)

    def source(self) -> LiveSource:
        effects = Effects(self, self, self.log_range)
        return LiveSource(lambda: Ingest("web", 0, IngestSettings(), repeat(NOW)), effects, self.rules)


def records(first: int, count: int) -> list[LogRecord]:
    return [LogRecord("web", 0, offset, None, EVENT, (), NOW) for offset in range(first, first + count)]


async def test_a_publish_that_fails_is_repeated_as_it_is_before_anything_is_committed() -> None:
    kafka = Kafka(failures=2)
    source = kafka.source()
    assert await source.open(kafka.commit) == 0
    assert await source.process(records(0, 3)) == 3
    first, *others = [[m for m in tried if m.key] for tried in kafka.tried[:3]]
    assert len(first) == 3
    assert others == [first, first]
    assert kafka.committed == 3


async def test_a_source_that_belongs_to_somebody_else_is_let_go_and_goes_on_from_the_commit() -> None:
    kafka = Kafka()
    source = kafka.source()
    await source.open(kafka.commit)
    await source.process(records(0, 3))
    kafka.owned = False
    with pytest.raises(Fenced):
        await source.process(records(3, 3))
    kafka.owned = True
    assert await source.open(kafka.commit) == 3


async def test_a_source_that_was_never_given_a_record_speaks_to_every_partition_of_the_log() -> None:
    kafka = Kafka()
    kafka.committed = 10  # where the log ends
    source = kafka.source()
    await source.open(kafka.commit)
    await source.idle()
    ((first, second),) = kafka.tried
    assert (first.partition, second.partition) == (0, 1)
    assert first.value == second.value == b'{"source":"web:0","through":%d}' % NOW


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def alarms(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]


def test_a_source_that_makes_no_progress_is_named_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    watch = SourceWatch("events partition 3", clock)
    for second in range(4 * int(PATIENCE)):
        clock.now = second
        watch.look({"web:0": NOW + second, "app:0": NOW, "app:1": 0})
    assert len(alarms(caplog)) == 3
    for line in alarms(caplog):
        assert line.startswith("ALARM events partition 3: the clock stands still")
        assert "app:0 (last 2024-05-31 10:00:00 UTC), app:1 (never heard of)" in line
        assert "web:0" not in line


def test_a_source_that_speaks_again_is_forgiven(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    watch = SourceWatch("events partition 3", clock)
    for second in range(4 * int(PATIENCE)):
        clock.now = second
        watch.look({"web:0": second // 50})
    assert alarms(caplog) == []


def test_a_worker_that_was_paused_itself_accuses_nobody(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    watch = SourceWatch("events partition 3", clock)
    for second in (0, 1, 1000, 1001):
        clock.now = second
        watch.look({"web:0": NOW})
    assert alarms(caplog) == []
