"""``stream-seg replay``: the pipeline in memory over files, over a topic that anybody wrote, or over the events log.

Files and product topics are sorted by event time and fed day by day, as the demo's feeder does, through LABEL and
LEARN under the definition of the file. The segmentation's own events log is followed instead: what is in force, and
when, stands in the log, and LABEL comes to what the live workers came to.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec
import numpy as np
import orjson

from stream_seg.adapters.files import Batch, RecordJudge, in_order, read
from stream_seg.adapters.files.results import Results
from stream_seg.adapters.kafka.ranges import PIECE, Asked, Range, length, ranges, records_of
from stream_seg.adapters.kafka.topics import topic_name
from stream_seg.adapters.memory.replay import Following, Replay
from stream_seg.adapters.memory.slots import MemorySlots
from stream_seg.bootstrap.connect import broker_of
from stream_seg.config import Config
from stream_seg.core.activation import first_activation
from stream_seg.core.definition import InputRules
from stream_seg.errors import Stop
from stream_seg.pipeline.label import Labeller
from stream_seg.pipeline.queries import PartitionFacts, segments_answer
from stream_seg.ports import LogRange, Record, Slot
from stream_seg.progress import Tell
from stream_seg.wire import control

Form: TypeAlias = Literal["csv", "parquet", "ndjson", "kafka"]
READING, REPLAYING = "reading", "replaying"


def run_replay(
    config: Config,
    inputs: Sequence[str],
    out: Path,
    *,
    form: Form | None,
    start: int | None,
    end: int | None,
    tell: Tell,
) -> dict[str, Any]:
    """Replays `inputs` into the folder `out`; see `stream_seg.bootstrap.commands.replay`."""
    began = time.monotonic()
    with Results(out) as results:
        if form != "kafka":
            summary = _fed(config, read([Path(name) for name in inputs], config.definition.input.mapping, form=form),
                           results, start, end, tell)  # fmt: skip
        else:
            summary = _from_kafka(config, inputs, results, start, end, tell)
        results.summary(summary)
    seconds = round(time.monotonic() - began, 1)
    return {**summary, "seconds": seconds, "out": [str(path) for path in results.paths]}


def _from_kafka(
    config: Config, inputs: Sequence[str], results: Results, start: int | None, end: int | None, tell: Tell
) -> dict[str, Any]:
    broker = broker_of(config.kafka)
    asked = [Asked.read(text) for text in inputs]
    log = topic_name(config.definition.name, "events")
    if any(one.topic == log for one in asked) and len({one.topic for one in asked}) > 1:
        raise Stop(f"{log} holds what the other topics brought already; replay it alone, or them without it")
    parts = [part for one in asked for part in asyncio.run(ranges(broker, one))]
    total = asyncio.run(length(broker, parts))
    if asked[0].topic == log:
        return _followed(parts, lambda part: records_of(broker, part), results, start, end, tell, total)
    files = tuple(str(part) for part in parts)
    mapping = config.definition.input.mapping
    batches = (
        RecordJudge(number, files, mapping).batch(records)
        for number, part in enumerate(parts)
        for records in records_of(broker, part)
    )
    return _fed(config, batches, results, start, end, tell, total)


# --- files and product topics: LABEL and LEARN, day by day


class _Input:
    """Batches in order of time, without what is no event; remembers where those under way come from."""

    def __init__(self, batches: Iterator[Batch], results: Results, tell: Tell) -> None:
        self._batches = batches
        self._results = results
        self._tell = tell
        self.usable = 0
        self.first: int | None = None
        self._under_way: deque[tuple[int, Batch]] = deque()  # (how many events before it, batch)

    def events(self) -> Iterator[Batch]:
        for batch in self._batches:
            for index in sorted(batch.rejected):
                value, error = batch.values[index], batch.rejected[index]
                self._results.rejected(batch.keys[index], value, error, batch.place(index))
            usable = batch
            if batch.rejected:
                usable = batch.take(np.setdiff1d(np.arange(len(batch)), np.array(list(batch.rejected), np.int64)))
            if len(usable):
                self.first = int(usable.times[0]) if self.first is None else self.first
                self._under_way.append((self.usable, usable))
                self.usable += len(usable)
                yield usable

    def place(self, event: int) -> str:
        """Where an event under way stands, by its number."""
        before, batch = next(one for one in reversed(self._under_way) if one[0] <= event)
        return batch.place(event - before)

    def forget(self, before: int) -> None:
        """All events below this number are done with."""
        while self._under_way and self._under_way[0][0] + len(self._under_way[0][1]) <= before:
            self._under_way.popleft()


def _fed(
    config: Config,
    batches: Iterator[Batch],
    results: Results,
    start: int | None,
    end: int | None,
    tell: Tell,
    length: int | None = None,
) -> dict[str, Any]:
    definition = msgspec.structs.replace(config.definition, input=InputRules(clock="event"))
    replay = Replay()
    replay.start(first_activation(definition, config.initial, who="replay", at=0, why="replay"))
    wanted = _Wanted(_within(_counted(batches, tell, length), start, end))
    source = _Input(in_order(iter(wanted)), results, tell)
    definitions: dict[int, dict[str, Any]] = {}

    def place(_partition: int, offset: int) -> str:
        return source.place(replay.event_at(offset))

    def drain(count: int, _through: int) -> None:
        results.movements(replay.take("segment-changes"), in_order=True)
        results.labels(replay.take("customer-segments"))
        for record in replay.take("models"):
            results.model(orjson.loads(record.value or b"")["version"], record.value or b"")
        described = list(replay.take("segment-definitions"))
        for record in described:
            told = orjson.loads(record.value or b"")
            definitions[int(told["segment"])] = told
        results.definitions(described)
        for topic in ("dead-letters", "late-events"):
            results.aside(topic, replay.take(topic), place)
        for topic in ("drift-metrics", "learn-progress", "activations", "trainings"):
            list(replay.take(topic))
        source.forget(count)
        tell(REPLAYING, count, wanted.usable)  # all is read before anything is in order

    replay.run(source.events(), definition.learn_every, drain)
    drain(source.usable, 0)
    facts = _facts(replay.slots, 1)
    return _summary(results, replay.labels, facts, source.usable + results.dead_letters, definitions)


def _counted(batches: Iterator[Batch], tell: Tell, length: int | None) -> Iterator[Batch]:
    count = 0
    for batch in batches:
        count += len(batch)
        tell(READING, count, length)
        yield batch


class _Wanted:
    """Counts the events among what goes through."""

    def __init__(self, batches: Iterator[Batch]) -> None:
        self._batches = batches
        self.usable = 0

    def __iter__(self) -> Iterator[Batch]:
        for batch in self._batches:
            self.usable += len(batch) - len(batch.rejected)
            yield batch


def _within(batches: Iterator[Batch], start: int | None, end: int | None) -> Iterator[Batch]:
    """Only what happened from `start` to before `end`."""
    for batch in batches:
        wanted = np.ones(len(batch), np.bool_)
        if start is not None:
            wanted &= batch.times >= start
        if end is not None:
            wanted &= batch.times < end
        yield batch if wanted.all() else batch.take(np.flatnonzero(wanted).astype(np.int64))


# --- the events log: LABEL alone


def _followed(
    parts: Sequence[Range],
    read_part: Callable[[Range], Iterator[Sequence[Record]]],
    results: Results,
    start: int | None,
    end: int | None,
    tell: Tell,
    length: int | None = None,
) -> dict[str, Any]:
    topic, guard, partitions = parts[0].topic, parts[0].guard, parts[0].partitions
    firsts = {part.partition: part.first for part in parts}

    def ahead(partition: int, offset: int) -> Record | None:
        part = next(part for part in parts if part.partition == partition)
        rest = _until(read_part(replace(part, first=offset)), start, end)
        return next((record for records in rest for record in records if control.activates(record)), None)

    def again(partition: int, offset: int, until: int) -> Sequence[Record]:
        part = next(part for part in parts if part.partition == partition)
        found: list[Record] = []
        for records in _until(read_part(replace(part, first=offset, end=min(part.end, until))), start, end):
            found += records
            if len(found) >= PIECE:
                break
        return found

    logs = [LogRange(None, firsts.get(p, 0), parts[0].end, guard) for p in range(partitions)]
    following = Following(logs, ahead=ahead, again=again)
    models: set[int] = set()
    count = read = 0

    def place(partition: int, offset: int) -> str:
        return f"{topic}:{partition}:{offset}"

    for part in parts:
        for records in _until(read_part(part), start, end):
            following.process(part.partition, records)
            read += len(records)
            kinds = [control.kind_of(record) for record in records]
            count += kinds.count(None)
            for record in (r for r, kind in zip(records, kinds, strict=True) if kind == control.ACTIVATE):
                model = control.activation(record).model
                if model is not None and model.version not in models:
                    models.add(model.version)
                    results.model(model.version, msgspec.json.encode(model))
            results.movements(following.take("segment-changes"), in_order=False)
            results.labels(following.take("customer-segments"))
            for name in ("dead-letters", "late-events"):
                results.aside(name, following.take(name), place)
            tell(REPLAYING, read, length)
    return _summary(results, following.labels, _facts(following.slots, partitions), count, {})


def _until(batches: Iterator[Sequence[Record]], start: int | None, end: int | None) -> Iterator[Sequence[Record]]:
    """Without the events from before `start` (what was in force then still is), and up to the first from `end` on."""
    for batch in batches:
        stop = next((i for i, record in enumerate(batch) if end is not None and record.timestamp >= end), len(batch))
        wanted = [r for r in batch[:stop] if start is None or r.timestamp >= start or control.kind_of(r) is not None]
        if wanted:
            yield wanted
        if stop < len(batch):
            return


# --- the figures


def _facts(slots: MemorySlots, partitions: int) -> list[PartitionFacts]:
    numbers = [Slot("label", partition) for partition in range(partitions)]
    return [PartitionFacts(slots.meta(slot), slots.counts(slot), slots.customers(slot)) for slot in numbers]


def _summary(
    results: Results,
    labels: Sequence[Labeller],
    facts: Sequence[PartitionFacts],
    events: int,
    definitions: dict[int, dict[str, Any]],
) -> dict[str, Any]:
    states = [labeller.memory.state for labeller in labels]
    newest = max((a for labeller in labels for a in labeller.memory.activations), key=lambda a: a.number, default=None)
    return {
        "events": events,
        "accepted": sum(state.accepted for state in states),
        "dead_letters": results.dead_letters + sum(state.rejected for state in states),
        "late": sum(state.late for state in states),
        "duplicates": sum(state.duplicates for state in states),
        "movements": results.causes.total(),
        **segments_answer(facts, definitions),
        "movements_by_cause": dict(sorted(results.causes.items())),
        "feature_set_version": newest.feature_set_version if newest else None,
    }
