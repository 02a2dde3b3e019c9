"""From produced to movement readable, at a given rate: what a subscriber waits for."""

from __future__ import annotations

import asyncio
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from confluent_kafka import Consumer, TopicPartition

from benchmarks.bench import Bench, Progress, report_of
from benchmarks.events import Workload
from stream_seg.adapters.kafka.topics import topic_name
from stream_seg.wire.timestamps import read_time

SECONDS = 60
WARM_UP = 20  # seconds not counted: nearly every event is a new customer's then, and a movement
QUIET = 3.0  # seconds without a movement after which there is nothing more to come


class Moved(msgspec.Struct, frozen=True):
    """What is read of a movement."""

    customer_id: str
    cause: str
    event_time: str


class Reader(threading.Thread):
    """A subscriber of segment-changes: each record and the moment at which it could be read."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(daemon=True)
        self.arrived: list[tuple[float, bytes]] = []
        self.last = time.monotonic()
        self.done = False
        self._consumer = Consumer(
            {"bootstrap.servers": bench.kafka.bootstrap, "group.id": "bench-reader", "fetch.wait.max.ms": 10}
        )
        topic = topic_name(bench.config.definition.name, "segment-changes")
        partitions = self._consumer.list_topics(topic, 10).topics[topic].partitions
        self._consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])

    def run(self) -> None:
        while not self.done:
            messages = self._consumer.consume(500, 0.005)
            now = time.monotonic()
            self.arrived += [(now, value) for message in messages if (value := message.value()) is not None]
            if messages:
                self.last = now
        self._consumer.close()


def latency(bench: Bench, rate: float) -> dict[str, Any]:
    """Feeds a running worker at `rate` events/s; p50, p99 and more of what movements caused by an event took, in ms."""
    workload = Workload(int(rate * SECONDS))
    with tempfile.TemporaryDirectory(prefix="stream-seg-latency-") as directory, bench.worker():
        sent_at = Path(directory) / "sent.npy"
        reader = Reader(bench)
        reader.start()
        asyncio.run(_ready(bench))
        generator = report_of(bench.generator(workload, rate=rate, sent_at=str(sent_at)))
        while time.monotonic() < reader.last + QUIET:
            time.sleep(0.1)
        reader.done = True
        reader.join()
        sent = np.load(sent_at)
    waits = _waits(workload, sent, reader.arrived)
    p50, p99, longest = np.percentile(waits, [50, 99, 100])
    return {
        "events_per_s": round(rate),
        "movements": len(waits),
        "p50_ms": round(float(p50), 1),
        "p99_ms": round(float(p99), 1),
        "max_ms": round(float(longest), 1),
        "generator_behind_ms": round(generator.behind_ms, 1),
    }


async def _ready(bench: Bench) -> None:
    """Waits until every partition is opened."""
    progress = Progress(bench)
    while len([state for state in await progress.states() if state.offset]) < bench.partitions:  # noqa: ASYNC110 - Redis is asked
        await asyncio.sleep(0.05)
    await progress.close()


def _waits(workload: Workload, sent: Any, arrived: list[tuple[float, bytes]]) -> Any:
    """How long each movement took that an event caused, in ms. The event is found by customer and instant."""
    decode = msgspec.json.Decoder(Moved).decode
    readable: dict[tuple[bytes, int], float] = {}
    for at, value in arrived:
        moved = decode(value)
        if moved.cause == "event":
            readable.setdefault((moved.customer_id.encode(), read_time(moved.event_time, "event_time")), at)
    begin, n, waits = sent[0] + WARM_UP, 0, []
    for chunk in workload.chunks():
        for key, at in zip(chunk.keys, chunk.times.tolist(), strict=True):
            found = readable.pop((key, at), None)
            if found is not None and sent[n] >= begin:
                waits.append(1000 * (found - sent[n]))
            n += 1
    if readable:
        raise RuntimeError(f"{len(readable)} movements of {len(arrived)} belong to no event that was sent")
    return np.array(waits)
