"""Servers, topics, a worker and a load generator for one measurement."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks.load import Load, Report
from benchmarks.meter import Reading
from benchmarks.model import SEGMENTATION, activation, committed
from stream_seg.adapters.kafka.topics import topic_name
from stream_seg.adapters.redis.inspection import RedisInspection
from stream_seg.bootstrap.definition import everywhere, publish
from stream_seg.bootstrap.servers import create_topics, worker_environment
from stream_seg.config import Config, load
from stream_seg.pipeline.label_state import LabelState, Memory
from stream_seg.ports import Slot
from tests.servers.kafka import KafkaServer
from tests.servers.redis import RedisServer

KEYED = "input: {keyed_by_customer: true, clock: event}\n"
LOOK = 0.02  # seconds between two looks at how far the worker is
PATIENCE = 900.0


@dataclass(frozen=True)
class Bench:
    """One definition in force on an empty log and an empty Redis."""

    config: Config
    kafka: KafkaServer
    redis: RedisServer

    @property
    def events_topic(self) -> str:
        return topic_name(self.config.definition.name, "events")

    @property
    def input_topic(self) -> str:
        """Where events are produced: the events log itself, or the product topic that INGEST reads."""
        return self.config.input_topics[0] if self.config.input_topics else self.events_topic

    @property
    def partitions(self) -> int:
        return self.config.kafka.partitions

    def generator(self, workload: object, **settings: object) -> subprocess.Popen[bytes]:
        """Starts the load generator."""
        wanted = msgspec.convert(
            {
                "bootstrap": self.kafka.bootstrap,
                "topic": self.input_topic,
                "feeds": self.input_topic == self.events_topic,
                "partitions": self.partitions,
                "workload": workload,
                **settings,
            },
            type=Load,
        )
        command = [sys.executable, "-m", "benchmarks.load", msgspec.json.encode(wanted).decode()]
        return subprocess.Popen(command, stdout=subprocess.PIPE)

    @contextmanager
    def worker(self, stage: str = "label") -> Iterator[subprocess.Popen[bytes]]:
        """One worker process of a stage, as `stream-seg run --stages label` starts it."""
        command = [sys.executable, "-m", "stream_seg.bootstrap.worker", stage, str(self.config.path)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, env=worker_environment(self.config))
        try:
            yield process
        finally:
            process.terminate()
            if process.wait(30) != 0:
                raise RuntimeError(f"the worker ended with {process.returncode}")


def report_of(generator: subprocess.Popen[bytes]) -> Report:
    """Waits for a load generator and gives what it says."""
    said, _ = generator.communicate()
    if generator.returncode != 0:
        raise RuntimeError(f"the load generator ended with {generator.returncode}")
    return msgspec.json.decode(said, type=Report)


@contextmanager
def prepared(kafka: KafkaServer, name: str, *, hop: bool = False) -> Iterator[Bench]:
    """A bench of its own name on a running broker and a new Redis. `hop`: events come through INGEST."""
    with RedisServer() as redis, tempfile.TemporaryDirectory(prefix="stream-seg-bench-") as directory:
        path = Path(directory) / "segmentation.yaml"
        text = SEGMENTATION.read_text().replace("name: bench\n", f"name: {name}\n", 1)
        through_ingest = f"input: {{keyed_by_customer: false, clock: progress, topics: [{name}.product]}}\n"
        path.write_text(text.replace(KEYED, through_ingest) if hop else text)
        servers = {"STREAM_SEG_KAFKA__BOOTSTRAP": kafka.bootstrap, "STREAM_SEG_REDIS__URL": redis.url}
        config = load(path, {**os.environ, **servers})
        create_topics(config, retention_days=7, dry_run=False)
        for topic in config.input_topics:
            kafka.create_topic(topic, config.kafka.partitions)
        asyncio.run(publish(config, asyncio.run(everywhere(config, activation(config, committed())))))
        yield Bench(config, kafka, redis)


class Progress:
    """How far the worker is, read from Redis on a connection of its own."""

    def __init__(self, bench: Bench) -> None:
        self._redis = RedisInspection(bench.config.redis.connection_url, bench.config.definition.name)
        self._slots = [Slot("label", partition) for partition in range(bench.partitions)]

    async def states(self) -> list[LabelState]:
        """What each partition has applied."""
        return [Memory(meta, 0).state for slot in self._slots if (meta := await self._redis.meta(slot))]

    async def accepted(self) -> int:
        return sum(state.accepted for state in await self.states())

    async def relayed(self) -> bool:
        """Whether Kafka has acknowledged everything that was decided."""
        return not any([await self._redis.outbox_length(slot) for slot in self._slots])

    async def customers(self) -> int:
        return sum([await self._redis.customers(slot) for slot in self._slots])

    async def until(self, count: int, worker: subprocess.Popen[bytes], pids: dict[str, int]) -> tuple[int, Reading]:
        """Waits until at least `count` events are applied, and, where that is all, acknowledged too."""
        deadline = time.monotonic() + PATIENCE
        while True:
            done = await self.accepted()
            if done >= count:
                return done, Reading.of(pids)
            if worker.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the worker stands at {done} of {count} events (exit code {worker.poll()})")
            await asyncio.sleep(LOOK)

    async def until_relayed(self, pids: dict[str, int]) -> Reading:
        deadline = time.monotonic() + PATIENCE
        while not await self.relayed():
            if time.monotonic() > deadline:
                raise RuntimeError("movements are not acknowledged")
            await asyncio.sleep(LOOK)
        return Reading.of(pids)

    async def close(self) -> None:
        await self._redis.close()
