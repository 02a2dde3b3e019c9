"""The whole system beside a test: a segmentation of its own on real servers, its stages as real processes."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from stream_seg.adapters.kafka.admin import Admin
from stream_seg.adapters.kafka.topics import group_name, topic_name
from stream_seg.adapters.redis.inspection import RedisInspection
from stream_seg.bootstrap.connect import broker_of
from stream_seg.bootstrap.definition import begin, everywhere, publish
from stream_seg.bootstrap.servers import create_topics
from stream_seg.config import Config, load
from stream_seg.core.activation import Activation
from stream_seg.pipeline import label_state, learn_state
from stream_seg.ports import LogRange, Slot

T = TypeVar("T")
PATIENCE = 120.0  # bounds a wait; nothing is asserted about how long things take
_numbers = itertools.count(1)


class Worker:
    """One stage's process. What it says is kept."""

    def __init__(self, command: Sequence[str], output: Path, stderr: int | None = None) -> None:
        self._output = output
        self.command = " ".join(command)
        with output.open("wb") as file:
            # A stage ends when its standard input does: its supervisor is gone then.
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=file if stderr is None else stderr,
                env=_environment(),
            )

    def output(self) -> str:
        return self._output.read_text(errors="replace")

    def says(self, *words: str) -> bool:
        """Whether one line of its output has all these words."""
        return any(all(word in line for word in words) for line in self.output().splitlines())

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def code(self) -> int | None:
        """The exit code; None while it runs."""
        return self.process.poll()

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.terminate()
        return self.process.wait(PATIENCE)

    def children(self) -> list[int]:
        """The processes that it started itself and that still run."""
        listed = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [int(pid) for pid in listed.read_text().split()] if self.code is None else []

    def end(self) -> None:
        """However it is: away with it, and with what it started."""
        for pid in self.children():
            os.kill(pid, signal.SIGKILL)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()


class Stack:
    """``with Stack(kafka.bootstrap, redis.url, tmp_path, YAML) as stack:`` — topics are there, nothing runs yet.

    text  the configuration without ``name``, ``kafka`` and ``redis``, which are the stack's own
    """

    def __init__(
        self,
        bootstrap: str,
        redis_url: str,
        directory: Path,
        text: str,
        *,
        partitions: int = 4,
        topics: bool = True,
        name: str = "",
    ) -> None:
        self.name = name or f"live-{os.getpid()}-{next(_numbers)}"
        self.directory = directory / self.name
        self.directory.mkdir()
        self.bootstrap, self.redis_url, self.partitions = bootstrap, redis_url, partitions
        self.file = self.write(text)
        self.workers: list[Worker] = []
        if topics:
            self.create_topics()

    def write(self, text: str, file: str = "segmentation.yaml") -> Path:
        """A configuration file of this stack."""
        path = self.directory / file
        path.write_text(
            f"name: {self.name}\nkafka: {{bootstrap: ['{self.bootstrap}'], partitions: {self.partitions}, replication: "
            f"1}}\nredis: {{url: '{self.redis_url}'}}\n{text}"
        )
        return path

    @property
    def config(self) -> Config:
        return load(self.file, {})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.end()

    def topic(self, logical: str) -> str:
        return topic_name(self.name, logical)

    def create_topics(self) -> None:
        create_topics(self.config, retention_days=7, dry_run=False)

    # ------------------------------------------------------------------ processes

    def start(self, stage: str, file: Path | None = None, stderr: int | None = None) -> Worker:
        """One process of a stage: ``ingest``, ``label``, ``learn``; `stderr`: where its log goes instead."""
        command = [sys.executable, "-m", "stream_seg.bootstrap.worker", stage, str(file or self.file)]
        return self._launch(command, stderr)

    def command(self, *words: str) -> Worker:
        """``stream-seg <words>`` as a process."""
        return self._launch([sys.executable, "-c", "from stream_seg.cli import main; main()", *words])

    def told(self, *words: str, code: int = 0) -> dict[str, Any]:
        """What a command answers, which ends with `code`."""
        command = self.command(*words, "--json")
        assert command.process.wait(120) == code, command.output()
        text = command.output()
        answer: dict[str, Any] = json.loads(text[text.index("{") :])
        return answer

    def _launch(self, command: Sequence[str], stderr: int | None = None) -> Worker:
        worker = Worker(command, self.directory / f"output-{len(self.workers)}", stderr)
        self.workers.append(worker)
        return worker

    def until(self, done: Callable[[], Any], what: str = "") -> None:
        """Waits until `done` is true; fails with what the workers said."""
        give_up = time.monotonic() + PATIENCE
        while not done():
            if time.monotonic() > give_up:
                raise TimeoutError(f"never: {what or done}; the workers said:\n{self.said()}")
            time.sleep(0.05)

    def said(self) -> str:
        """The last that every worker said."""
        return "\n".join(f"--- {worker.command} ({worker.code}):\n{worker.output()[-4000:]}" for worker in self.workers)

    # ------------------------------------------------------------------ the log

    def activate(self, activation: Activation | None = None) -> None:
        """Puts the file's definition in force, or an activation as it is, in both logs."""
        if activation is None:
            begin(self.config, who="test", why="first")
        else:
            wait_for(self._activate(activation))

    async def _activate(self, activation: Activation) -> None:
        await publish(self.config, await everywhere(self.config, activation))

    def produce(self, records: Sequence[tuple[bytes | None, bytes | None]], topic: str = "events", **how: Any) -> None:
        """(key, value) records, partitioned by key as Java's producer does. `how`: partition, headers, timestamp_ms."""
        wait_for(self._produce(self.topic(topic) if "." not in topic else topic, records, how))

    async def _produce(
        self, topic: str, records: Sequence[tuple[bytes | None, bytes | None]], how: dict[str, Any]
    ) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap, acks="all", enable_idempotence=True, max_request_size=2**25
        )
        await producer.start()
        try:
            for sent in [await producer.send(topic, value, key=key, **how) for key, value in records]:
                await sent
        finally:
            await producer.stop()

    def read(self, topic: str) -> list[ConsumerRecord]:
        """Everything that a topic holds now, partition after partition."""
        return wait_for(self._read(self.topic(topic) if "." not in topic else topic))

    async def _read(self, topic: str) -> list[ConsumerRecord]:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap, enable_auto_commit=False, fetch_max_wait_ms=20,
            max_partition_fetch_bytes=2**24, auto_offset_reset="earliest",
        )  # fmt: skip
        await consumer.start()
        try:
            await consumer._client.force_metadata_update()  # a topic made a moment ago
            count = len(await consumer._client._wait_on_metadata(topic) or ())
            found: list[ConsumerRecord] = []
            for tp in [TopicPartition(topic, partition) for partition in range(count)]:
                consumer.assign([tp])
                end = (await consumer.end_offsets([tp]))[tp]
                await consumer.seek_to_beginning(tp)
                while await consumer.position(tp) < end:
                    found += (await consumer.getmany(tp, timeout_ms=200)).get(tp, [])
            return found
        finally:
            await consumer.stop()

    def log_range(self, logical: str, partition: int, stage: str = "label") -> LogRange:
        """Where a log begins and ends and how far the stage's group has committed."""

        async def ask() -> LogRange:
            async with Admin(broker_of(self.config.kafka)) as admin:
                return await admin.log_range(self.topic(logical), partition, group_name(self.name, stage))

        return wait_for(ask())

    def administer(self, do: Callable[[AIOKafkaAdminClient], Awaitable[object]]) -> None:
        """``stack.administer(lambda admin: admin.delete_topics([…]))``."""

        async def run() -> None:
            admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
            await admin.start()
            try:
                await do(admin)
            finally:
                await admin.close()

        wait_for(run())

    def ends(self, logical: str) -> list[int]:
        """The next offset of every partition."""

        async def ask() -> list[int]:
            async with Admin(broker_of(self.config.kafka)) as admin:
                facts = await admin.topic(self.topic(logical))
                tps = [TopicPartition(self.topic(logical), p) for p in range(facts.partitions if facts else 0)]
                ends = await admin.ends(tps)
                return [ends[tp] for tp in tps]

        return wait_for(ask())

    # ------------------------------------------------------------------ the store

    def look(self, ask: Callable[[RedisInspection], Any], url: str | None = None) -> Any:
        """Asks Redis: ``stack.look(lambda redis: redis.counts(slot))``."""

        async def look() -> Any:
            inspection = RedisInspection(url or self.redis_url, self.name)
            try:
                return await ask(inspection)
            finally:
                await inspection.close()

        return wait_for(look())

    def applied(self, stage: str = "label") -> list[int]:
        """The applied offset of every partition of a stage's log; 0 where nobody was yet."""
        offset_in = label_state.offset_in if stage == "label" else learn_state.offset_in
        count = self.partitions if stage == "label" else 1

        async def ask(inspection: RedisInspection) -> list[int]:
            metas = [await inspection.meta(Slot(stage, p)) for p in range(count)]  # type: ignore[arg-type]  # label, learn
            return [offset_in(meta) if meta else 0 for meta in metas]

        offsets: list[int] = self.look(ask)
        return offsets

    def states(self) -> list[label_state.LabelState]:
        """LABEL's own state, partition by partition."""

        async def ask(inspection: RedisInspection) -> list[label_state.LabelState]:
            slots = [Slot("label", p) for p in range(self.partitions)]
            return [label_state.Memory(await inspection.meta(slot), 0).state for slot in slots]

        states: list[label_state.LabelState] = self.look(ask)
        return states

    def relayed(self, stage: str = "label") -> bool:
        """Whether everything decided is acknowledged by Kafka."""
        count = self.partitions if stage == "label" else 1

        async def ask(inspection: RedisInspection) -> bool:
            return not any([await inspection.outbox_length(Slot(stage, p)) for p in range(count)])  # type: ignore[arg-type]  # as above

        done: bool = self.look(ask)
        return done

    def settle(self, *stages: str) -> None:
        """Waits until the stages (default: label) have applied their whole logs and published what they decided."""
        for stage in stages or ("label",):
            log = {"label": "events", "learn": "samples"}[stage]
            self.until(lambda: self.applied(stage) >= self.ends(log), f"{stage} at the end of {log}")  # noqa: B023 — in this round
            self.until(lambda: self.relayed(stage), f"{stage} has published all")  # noqa: B023 — as above


def wait_for(question: Coroutine[Any, Any, T]) -> T:
    """The answer of a coroutine, in a thread of its own: who asks may be called by a coroutine itself."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, question).result()


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("STREAM_SEG_")}
