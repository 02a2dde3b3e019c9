"""From produced to movement readable, at a given rate: what a subscriber waits for."""

from __future__ import annotations

import asyncio
import re
import tempfile
import threading
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from confluent_kafka import Consumer, Message, TopicPartition

from benchmarks.bench import Bench, Progress, report_of
from benchmarks.events import Workload
from benchmarks.waits import Moved, events_of, parts, told
from stream_seg.adapters.kafka.topics import topic_name
from stream_seg.core.model import Float64
from stream_seg.wire.timestamps import read_time

SECONDS = 60
WARM_UP = 20  # seconds not counted: nearly every event is a new customer's then, and a movement
QUIET = 3.0  # seconds without a movement after which there is nothing more to come
TO_MAKE = 40_000  # events a second that the generator makes ahead, at least
TO_START = 10.0  # seconds for its process, and INGEST's
MESSAGE = re.compile(rb'"messageId":"ajs-([0-9a-f]{32})"')


class Said(msgspec.Struct, frozen=True):
    """What is read of a movement."""

    customer_id: str
    cause: str
    event_time: str
    decided_at: str


class Reader(threading.Thread):
    """A subscriber of segment-changes: each record and the moment at which it could be read (monotonic, s)."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(daemon=True)
        self.arrived: list[tuple[float, Message]] = []
        self.last = time.monotonic()
        self.done = False
        self._consumer = _consumer(bench, topic_name(bench.config.definition.name, "segment-changes"))

    def run(self) -> None:
        while not self.done:
            messages = self._consumer.consume(500, 0.005)
            now = time.monotonic()
            self.arrived += [(now, message) for message in messages if message.value() is not None]
            if messages:
                self.last = now
        self._consumer.close()

    def moved(self, wall: float) -> list[Moved]:
        """The movements that an event caused, each once; `wall`: the wall clock minus the monotonic one (s)."""
        decode, seen = msgspec.json.Decoder(Said).decode, dict[tuple[str, str], Moved]()
        for at, message in self.arrived:
            said = decode(message.value() or b"")
            if said.cause == "event":
                seen.setdefault(
                    (said.customer_id, said.event_time),
                    Moved(
                        said.customer_id.encode(),
                        read_time(said.event_time, "event_time"),
                        float(read_time(said.decided_at, "decided_at")),
                        float(message.timestamp()[1]),
                        1000 * (at + wall),
                    ),
                )
        return list(seen.values())


def latency(bench: Bench, rate: float, *, hop: bool = False) -> dict[str, Any]:
    """Feeds a running worker at `rate` events/s; p50, p99 and more of what movements caused by an event took, in ms.

    `hop`: through INGEST, whose clock is the wall's: every event has the time at which it is to be sent.
    """
    count = int(rate * SECONDS)
    workload = Workload(count)
    wall = time.time() - time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="stream-seg-latency-") as directory,
        bench.worker(),
        bench.worker("ingest") if hop else nullcontext(),
    ):
        sent_at = Path(directory) / "sent.npy"
        reader = Reader(bench)
        reader.start()
        asyncio.run(_ready(bench))
        if hop:
            begin = time.time() + TO_START + count / TO_MAKE
            workload = Workload(count, begin=int(1000 * begin), span=int(1000 * SECONDS), live=True)
        generator = report_of(bench.generator(workload, rate=rate, sent_at=str(sent_at)))
        while time.monotonic() < reader.last + QUIET:
            time.sleep(0.1)
        reader.done = True
        reader.join()
        sent: Float64 = 1000 * (np.load(sent_at) + wall)
    moved = reader.moved(wall)
    events = events_of(workload, moved, exact=not hop)
    counted = sent[events] >= sent[0] + 1000 * WARM_UP
    moved = [one for one, counts in zip(moved, counted.tolist(), strict=True) if counts]
    events = events[counted]
    of = parts(sent[events], _appended(bench, count)[events], moved)
    figures = told(of, sent[events], float(sent[0]))
    return {"events_per_s": round(rate), **figures, "generator_behind_ms": round(generator.behind_ms, 1)}


async def _ready(bench: Bench) -> None:
    """Waits until every partition is opened."""
    progress = Progress(bench)
    while len([state for state in await progress.states() if state.offset]) < bench.partitions:  # noqa: ASYNC110 - Redis is asked
        await asyncio.sleep(0.05)
    await progress.close()


def _consumer(bench: Bench, topic: str) -> Consumer:
    """Reads a whole topic from its beginning, and is asked soon."""
    settings = {"bootstrap.servers": bench.kafka.bootstrap, "group.id": "bench-reader", "fetch.wait.max.ms": 10}
    consumer = Consumer(settings)
    partitions = consumer.list_topics(topic, 10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
    return consumer


def _appended(bench: Bench, count: int) -> Float64:
    """When the broker put each event into the events log first (wall clock, ms)."""
    found = np.full(count, np.inf)
    consumer, left = _consumer(bench, bench.events_topic), count
    while left:
        messages = consumer.consume(10_000, 5.0)
        if not messages:
            raise RuntimeError(f"{left} of {count} events are not in the events log")
        for message in messages:
            number = MESSAGE.search(message.value() or b"")
            if number is not None:
                n = int(number[1], 16)
                left -= int(np.isinf(found[n]))
                found[n] = min(found[n], message.timestamp()[1])
    consumer.close()
    return found
