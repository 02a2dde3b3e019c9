"""Holds INGEST's part of a finished run against an INGEST that nothing disturbed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from stream_seg.adapters.memory.log import LogRecord, MemoryLog
from stream_seg.adapters.memory.slots import MemorySlots
from stream_seg.pipeline.label_state import Memory
from stream_seg.ports import Slot
from stream_seg.wire import control
from tests.simulation.judgement import Wrong, once, same
from tests.simulation.scenario import EVENTS

Mark = tuple[str, int]  # source, offset


def arrivals(log: MemoryLog, expected: MemoryLog, partitions: int) -> None:
    """The same events in the same partitions, each as often as one likes but always the same, each source in order."""
    for p in range(partitions):
        found, oracle = once(EVENTS, _marked(log, p)), once("oracle", _marked(expected, p))
        same(f"events {p}", found, oracle)
        by_source = defaultdict(list)
        for source, offset in found:  # in order of the first time
            by_source[source].append(offset)
        for source, offsets in by_source.items():
            if offsets != sorted(offsets):
                raise Wrong(f"events {p}: the records of {source} came as {offsets}")


def progress(log: MemoryLog, expected: MemoryLog, partitions: int) -> None:
    """A source said to be read up to an instant has everything before it in the log already."""
    for p in range(partitions):
        to_come = {mark: _appended(expected, mark) for mark, _ in _marked(expected, p)}
        for record in log.read(EVENTS, p, 0):
            if control.kind_of(record) == control.PROGRESS:
                told = control.read(record, control.Progress)
                early = [mark for mark, at in to_come.items() if mark[0] == told.source and at < told.through]
                if early:
                    raise Wrong(f"events {p} offset {record.offset}: {told} comes before {early}")
            elif (mark := _mark(record)) is not None:
                to_come.pop(mark, None)


def counted_once(slots: MemorySlots, expected: MemoryLog, partitions: int) -> None:
    """LABEL took every event once, however often it was sent."""
    for p in range(partitions):
        state, events = Memory(slots.meta(Slot("label", p)), 0).state, len(dict(_marked(expected, p)))
        if state.accepted + state.late != events:
            raise Wrong(f"events {p}: {state.accepted} accepted and {state.late} late of {events} events")


def _marked(log: MemoryLog, partition: int) -> Iterable[tuple[Mark, tuple[bytes | None, bytes | None]]]:
    for record in log.read(EVENTS, partition, 0):
        mark = _mark(record)
        if mark is not None:
            yield mark, (record.key, record.value)


def _mark(record: LogRecord) -> Mark | None:
    found = dict(record.headers).get(control.SOURCE)
    if found is None:
        return None
    source, _, offset = found.decode().rpartition(":")
    return source, int(offset)


def _appended(log: MemoryLog, mark: Mark) -> int:
    topic, _, partition = mark[0].rpartition(":")
    (record,) = log.read(topic, int(partition), mark[1], 1)
    return record.timestamp
