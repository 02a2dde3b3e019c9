"""What must have come out: the same logs folded by one worker, in one go, while nothing goes wrong."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat

import msgspec
import orjson

from stream_seg.adapters.memory.log import LogRecord, Member, MemoryLog
from stream_seg.adapters.memory.slots import MemorySlots
from stream_seg.adapters.memory.world import MemoryWorld
from stream_seg.core.definition import Definition
from stream_seg.pipeline.ingest import Ingest, IngestSettings
from stream_seg.pipeline.label import Labeller
from stream_seg.pipeline.label_settings import LabelSettings
from stream_seg.pipeline.learn import Learn, LearnSettings
from stream_seg.pipeline.table import Sample
from stream_seg.wire import control
from tests.simulation.hop import sources
from tests.simulation.scenario import EVENTS, SAMPLES
from tests.simulation.shell import Work

_sample = msgspec.json.Decoder(Sample).decode


class Fold:
    """A log folded in order, and the outputs of that."""

    def __init__(self, topics: dict[str, int]) -> None:
        self.log = MemoryLog(topics, clock=lambda: 0)
        self.slots = MemorySlots()
        self.world = MemoryWorld(self.log, Member("oracle"), self.slots)

    def run(self, work: Work, topic: str, partition: int) -> None:
        self.log.assign(self.world.member, topic, partition)
        at = self.world.run(work.open())
        self.world.run(work.process(self.log.read(topic, partition, at)))
        self.world.run(work.owner.relay())


def ingested(log: MemoryLog, events_partitions: int, rules: Definition, products: dict[str, int]) -> MemoryLog:
    """INGEST's events and dead letters of the product topics of a run. Its clock stands, so it tells no progress."""
    found = MemoryLog({EVENTS: events_partitions, "dead-letters": 1, **products}, clock=lambda: 0)
    world = MemoryWorld(found, Member("oracle"))
    for source in sources(products):
        topic, partition = source.topic, source.partition
        _copy(found, log.read(topic, partition, 0))
        found.assign(world.member, topic, partition)
        ingest = Ingest(topic, partition, IngestSettings(), repeat(0))
        ingest.follow(rules, events_partitions)
        at = world.run(ingest.open())
        world.run(ingest.process(found.read(topic, partition, at)))
    return found


def labelled(log: MemoryLog, topics: dict[str, int]) -> Fold:
    """LABEL's fold of the events log of a run."""
    fold = Fold(topics)
    for p in range(topics[EVENTS]):
        _copy(fold.log, log.read(EVENTS, p, 0))
    for p in range(topics[EVENTS]):
        labeller = Labeller(EVENTS, p, LabelSettings(origin="replay"), repeat(0))
        fold.run(labeller, EVENTS, p)
    return fold


def learned(log: MemoryLog, topics: dict[str, int]) -> Fold:
    """LEARN's fold of the samples of a run in another order: whatever comes before a day's end comes first.

    All samples stand before the days' ends, latest customers first as far as one customer's own order allows.
    So this is as far from the run's order as LABEL's partitions could ever make it. With people's orders between them
    the days' ends stay in their places: an order is about what was learned when it came.
    """
    fold = Fold(topics)
    records = log.read(SAMPLES, 0, 0)
    controls = [record for record in records if control.kind_of(record) is not None]
    samples: dict[tuple[str, int, int], LogRecord] = {}
    for record in records:
        if control.kind_of(record) is None:
            sample = _sample(record.value or b"")
            samples.setdefault((sample.customer_id, sample.incarnation, sample.number), record)
    firsts = [record for record in controls if control.kind_of(record) == control.ACTIVATE]
    days = [record for record in controls if control.kind_of(record) in {control.PASSED_DAY, control.ORDER}]
    if all(control.kind_of(record) == control.PASSED_DAY for record in days):
        days.sort(key=lambda record: control.read(record, control.PassedDay).through)
    _copy(fold.log, [*firsts, *(samples[key] for key in sorted(samples)), *days])
    fold.run(Learn(SAMPLES, 0, LearnSettings()), SAMPLES, 0)
    return fold


def _copy(log: MemoryLog, records: Iterable[LogRecord]) -> None:
    for record in records:
        log.append(
            record.topic, record.key, record.value, record.headers, partition=record.partition,
            timestamp=record.timestamp, timestamp_type=record.timestamp_type or 0,
        )  # fmt: skip


def bodies(log: MemoryLog, topic: str) -> list[dict[str, object]]:
    """The JSON values of an output topic; a tombstone is left out."""
    return [orjson.loads(record.value) for record in log.read(topic, 0, 0) if record.value is not None]
