"""The load generator, a process of its own: ``python -m benchmarks.load <Load as JSON>``.

librdkafka writes the events into the log as a feeder does: in order of event time, with a `progress` record for every
partition after each `PROGRESS_EVERY` of it, so that time passes for the silent too. Prints what it took as JSON.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from confluent_kafka import KafkaException, Producer

from benchmarks.events import Chunk, Workload
from stream_seg.core.hashing import partition_of
from stream_seg.core.model import Float64
from stream_seg.pipeline.feed import FEEDER
from stream_seg.ports import Message
from stream_seg.wire import control

PROGRESS_EVERY = 300_000  # ms of event time
SLICE = 0.002  # seconds between two looks at the clock, at a given rate


class Load(msgspec.Struct, frozen=True):
    """What to write where. `rate`: events per second, 0: as fast as it goes; `sent_at`: file for the times of sending.

    `feeds`: it writes the events log, and says there what time it is; else a product topic, where nobody does.
    """

    bootstrap: str
    topic: str
    partitions: int
    workload: Workload
    rate: float = 0.0
    sent_at: str = ""
    feeds: bool = True


class Report(msgspec.Struct):
    """events, bytes written; seconds and CPU seconds that writing took, making the events included."""

    events: int
    bytes: int
    seconds: float
    cpu_s: float
    behind_ms: float = 0.0


class Feeder:
    """Writes events and what time it is."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.producer = Producer(
            {
                "bootstrap.servers": load.bootstrap,
                "enable.idempotence": True,
                "linger.ms": 2 if load.rate else 20,
                "batch.size": 256 * 1024,
                "queue.buffering.max.messages": 200_000,
            }
        )
        self.partitions: dict[bytes, int] = {}
        self.failed: list[str] = []

    def control(self, kind: str, value: msgspec.Struct) -> None:
        """One control record into every partition."""
        for partition in range(self.load.partitions):
            message = control.control("events", kind, value, partition)
            self._send(message)

    def _send(self, message: Message) -> None:
        self.producer.produce(
            self.load.topic, message.value, None, message.partition, self._told, headers=list(message.headers)
        )

    def event(self, key: bytes, value: bytes) -> None:
        partition = self.partitions.get(key)
        if partition is None:
            partition = self.partitions[key] = partition_of(key, self.load.partitions)
        try:
            self.producer.produce(self.load.topic, value, key, partition, self._told)
        except BufferError:  # the queue is full: the broker is slower than this loop
            self.producer.poll(0.1)
            self.event(key, value)

    def _told(self, error: Any, _message: Any) -> None:
        if error is not None:
            self.failed.append(str(error))

    def end(self) -> None:
        """Waits for every acknowledgement. Raises where one did not come."""
        if self.producer.flush(120) or self.failed:
            raise KafkaException(self.failed[:1] or "records were not acknowledged")


def write(load: Load) -> Report:
    """Writes the whole workload."""
    feeder = Feeder(load)
    report = Report(0, 0, 0.0, 0.0)
    if load.feeds:
        feeder.control(control.SOURCES, control.Sources((FEEDER,)))
    told, told_to = 0, 0
    pace = _paced(load)
    if load.rate:
        next(pace)
    sent: list[float] = []
    began, cpu = time.perf_counter(), time.process_time()
    for chunk in _ahead(load):
        for key, value, at in zip(chunk.keys, chunk.values, chunk.times.tolist(), strict=True):
            if load.feeds and at - told >= PROGRESS_EVERY:
                told = at // PROGRESS_EVERY * PROGRESS_EVERY
                feeder.control(control.PROGRESS, control.Progress(FEEDER, told))
            if load.rate:
                sent.append(pace.send(feeder))
            feeder.event(key, value)
        feeder.producer.poll(0)
        report.events += len(chunk.keys)
        report.bytes += sum(map(len, chunk.values))
        told_to = int(chunk.times[-1])
    if load.feeds:
        feeder.control(control.PROGRESS, control.Progress(FEEDER, told_to))
    feeder.end()
    report.seconds, report.cpu_s = time.perf_counter() - began, time.process_time() - cpu
    if sent:
        times: Float64 = np.array(sent)
        due = times[0] + np.arange(len(times)) / load.rate
        report.behind_ms = float(1000 * (times - due).max())
        np.save(Path(load.sent_at), times)
    return report


def _ahead(load: Load) -> Iterator[Chunk]:
    """The events; at a given rate all of them are made before the first is sent."""
    return iter(list(load.workload.chunks())) if load.rate else load.workload.chunks()


def _paced(load: Load) -> Any:
    """Gives the moment of sending of each event, and waits while it is too early for it."""
    feeder: Feeder = yield 0.0
    begin = now = time.monotonic()
    if load.workload.live:
        begin += load.workload.begin / 1000 - time.time()
        if begin < now:
            raise RuntimeError("the first event is late already: its maker needs more time")
    count = 0
    while True:
        due = begin + count / load.rate
        while now < due:
            feeder.producer.poll(0)
            time.sleep(SLICE)
            now = time.monotonic()
        count += 1
        feeder = yield now


if __name__ == "__main__":
    print(msgspec.json.encode(write(msgspec.json.decode(sys.argv[1], type=Load))).decode())
