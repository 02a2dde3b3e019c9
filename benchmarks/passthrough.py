"""What reading costs when nothing is done with it: plain Faust, and the batch transport, on the same topic.

``python -m benchmarks.passthrough [events]`` starts a broker (or uses STREAM_SEG_KAFKA), fills a topic of 4 partitions
with events of 480 bytes and prints one JSON line. Each reader is a process of its own; the clock runs from its first
record to its last.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import faust

from stream_seg.adapters.kafka.connection import Broker
from stream_seg.adapters.kafka.partitions import Commit
from stream_seg.adapters.kafka.producer import Producer
from stream_seg.adapters.kafka.stage import StageApp, StageSettings
from stream_seg.ports import Message, Record
from tests.servers.kafka import KafkaServer, kafka_from_environment

PARTITIONS = 4
EVENT_BYTES = 480


class Meter:
    """Counts up to `expected`; prints events per second and per CPU second of this process, then ends it."""

    def __init__(self, expected: int) -> None:
        self.expected = expected
        self.seen = 0

    def add(self, count: int) -> None:
        if not self.seen:
            self.begin, self.cpu = time.perf_counter(), time.process_time()
            self.skipped = count  # the first ones were read before the clock ran
        self.seen += count
        if self.seen >= self.expected:
            counted = self.seen - self.skipped
            seconds, cpu = time.perf_counter() - self.begin, time.process_time() - self.cpu
            print(json.dumps({"per_s": round(counted / seconds), "per_cpu_s": round(counted / cpu)}), flush=True)
            os._exit(0)


class Nothing:
    """A stage that does nothing, and its partitions at once."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter

    def partition(self, topic: str, partition: int) -> Nothing:  # noqa: ARG002 — StageHandler's signature
        return self

    async def open(self, commit: Commit) -> int:  # noqa: ARG002 — PartitionHandler's signature
        return 0

    async def process(self, records: Sequence[Record]) -> int:
        self.meter.add(len(records))
        return records[-1].offset + 1

    async def idle(self) -> None: ...
    async def close(self) -> None: ...


def read_plainly(bootstrap: str, topic: str, meter: Meter, *, take: int) -> None:
    app = faust.App(
        f"{topic}-{take}",
        broker=f"kafka://{bootstrap}",
        store="memory://",
        web_enabled=False,
        topic_disable_leader=True,
        table_standby_replicas=0,
        key_serializer="raw",
        value_serializer="raw",
        datadir="/tmp/faust-passthrough",
    )

    async def one_by_one(stream: Any) -> None:
        async for _ in stream:
            meter.add(1)

    async def many(stream: Any) -> None:
        async for values in stream.take(take, within=1):
            meter.add(len(values))

    app.agent(app.topic(topic, key_type=bytes, value_type=bytes))(many if take > 1 else one_by_one)

    async def main() -> None:
        await app.start()
        await app.wait_until_stopped()

    asyncio.run(main())


def read(how: str, bootstrap: str, topic: str, count: int) -> None:
    meter = Meter(count)
    if how == "batches":
        settings = StageSettings(f"{topic}-batches", (topic,), Broker(bootstrap))
        asyncio.run(StageApp(settings, Nothing(meter)).run())
    else:
        read_plainly(bootstrap, topic, meter, take=int(how))


def measure(kafka: KafkaServer, topic: str, how: str, count: int) -> dict[str, int]:
    command = [sys.executable, "-m", "benchmarks.passthrough", "read", how, kafka.bootstrap, topic, str(count)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    found: dict[str, int] = json.loads(done.stdout)
    return found


async def fill(kafka: KafkaServer, topic: str, count: int) -> None:
    async with Producer(Broker(kafka.bootstrap), str) as producer:
        for first in range(0, count, 10_000):
            numbers = range(first, min(count, first + 10_000))
            await producer.publish([Message(topic, b"customer-%d" % n, bytes(EVENT_BYTES)) for n in numbers])


def main(count: int) -> None:
    with kafka_from_environment() as kafka:
        small, large = (kafka.create_topic(f"passthrough-{os.getpid()}-{n}", PARTITIONS) for n in (1, 2))
        plain = min(count, 100_000)
        asyncio.run(fill(kafka, small, plain))
        asyncio.run(fill(kafka, large, count))
        print(
            json.dumps(
                {
                    "faust_async_for": measure(kafka, small, "1", plain),
                    "faust_take_500": measure(kafka, small, "500", plain),
                    "batch_transport": measure(kafka, large, "batches", count),
                }
            )
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["read"]:
        read(sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
