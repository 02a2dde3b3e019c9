"""One stage as one process: a Faust app that gives batches to the stage's handlers and ends with an exit code.

::

    code = asyncio.run(StageApp(StageSettings("shop-label", ("shop.events.v1",), Broker("kafka:9092")), handler).run())

| ends with | because |
|---|---|
| 0 | SIGTERM or SIGINT: the batch in flight was finished, offsets committed |
| 1 | an error nobody foresaw, every partition stopped, or records waited and nothing was applied for too long |
| 130, 143 | a second SIGINT or SIGTERM: at once; what was not committed is read again |
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, NoReturn, cast

import faust
from aiokafka import TopicPartition
from faust.app.base import BootStrategy
from mode import get_logger

from stream_seg.adapters.kafka.admin import Admin
from stream_seg.adapters.kafka.connection import Broker, calm, until
from stream_seg.adapters.kafka.fetching import FetchThread
from stream_seg.adapters.kafka.partitions import PartitionHandler, Partitions, StageHandler
from stream_seg.adapters.kafka.transport import BatchSettings, Consumer
from stream_seg.adapters.kafka.watchdog import Watchdog
from stream_seg.errors import Stop, Unavailable
from stream_seg.telemetry import Telemetry

log = get_logger(__name__)

GOODBYE_SECONDS = 5.0  # for the last commit, and for Faust and aiokafka to leave the group
FOR_EVER = 10 * 365 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class StageSettings:
    """`group` is the consumer group, `topics` are real names.

    `finish_seconds` bounds the batch in flight when partitions go, twice (to end, then to close).
    `stall_seconds`: records wait and nothing is applied for this long, and the process ends with 1.
    """

    group: str
    topics: tuple[str, ...]
    broker: Broker
    batch: BatchSettings = field(default_factory=BatchSettings)
    session_seconds: float = 10.0
    heartbeat_seconds: float = 3.0
    commit_seconds: float = 1.0
    finish_seconds: float = 2.0
    stall_seconds: float = 300.0


class ConsumerOnly(BootStrategy):
    """No producer of Faust's (ours is `producer.Producer`), no web server: its health route is a constant."""

    enable_kafka_producer = False
    enable_web = False


class BatchFaust(faust.App):
    """A Faust app whose records go to `batch_receiver` in batches."""

    BootStrategy = ConsumerOnly

    def __init__(self, settings: StageSettings, receiver: Partitions) -> None:
        self.batch_settings = settings.batch
        self.batch_receiver = receiver
        super().__init__(
            settings.group,
            broker_producer=settings.broker.url("kafka"),
            broker_consumer=settings.broker.url("kafkabatch"),
            broker_client_id=settings.group,
            broker_credentials=_credentials(settings.broker),
            broker_session_timeout=settings.session_seconds,
            broker_heartbeat_interval=settings.heartbeat_seconds,
            broker_request_timeout=max(40.0, 2 * settings.session_seconds),
            broker_commit_interval=settings.commit_seconds,
            broker_max_poll_interval=FOR_EVER,  # a worker without partitions must not be thrown out for not polling
            consumer_auto_offset_reset="none",
            table_standby_replicas=0,  # else Faust's own assignor, made for tables, wants equal partition counts
            topic_disable_leader=True,
            topic_allow_declare=False,
            key_serializer="raw",
            value_serializer="raw",
            store="memory://",
            autodiscover=False,
        )
        # Faust subscribes to the topics of its agents; no record ever reaches this one.
        self.agent(self.topic(*settings.topics, key_type=bytes, value_type=bytes), name="batches")(_nothing)

    def _create_directories(self) -> None:
        """Faust would make folders for Tables, which are not used."""


def _credentials(broker: Broker) -> faust.SASLCredentials | faust.SSLCredentials | None:
    """The same as `Broker.client`, in Faust's words."""
    if broker.login is not None:
        name, password = broker.login.username, broker.login.password
        return faust.SASLCredentials(
            username=name, password=password, mechanism=broker.login.mechanism, ssl_context=broker.tls
        )
    return None if broker.tls is None else faust.SSLCredentials(broker.tls)


async def _nothing(stream: Any) -> None:
    async for _ in stream:
        raise AssertionError("a record came through a Faust stream")


class StageApp:
    """Runs `handler` on the partitions that the group gives to this process until something ends it."""

    def __init__(
        self,
        settings: StageSettings,
        handler: StageHandler,
        *,
        telemetry: Telemetry | None = None,
    ) -> None:
        self.settings = settings
        self.handler = handler
        self._telemetry = telemetry or Telemetry()
        self._asked = 0
        self._leave = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self, *, signals: bool = True) -> int:
        """The exit code. `signals` False: SIGTERM and SIGINT are somebody else's, `leave` is how to end it."""
        calm()
        self._loop = asyncio.get_running_loop()
        with self._signals() if signals else nullcontext():
            if not await self._kafka_is_there():
                return 0
            partitions = Partitions(
                self.handler, finish_seconds=self.settings.finish_seconds, telemetry=self._telemetry
            )
            app = BatchFaust(self.settings, partitions)
            reason = await self._until_something_ends_it(app, partitions)
            if reason is not None:
                log.error("%s ends: %s", self.settings.group, _line(reason))
            clean = await self._say_goodbye(app)
            return 1 if reason is not None or not clean else 0

    def leave(self) -> None:
        """As if SIGTERM had come. From any thread."""
        if self._loop is None:
            self._leave.set()
        else:
            self._loop.call_soon_threadsafe(self._leave.set)

    # ------------------------------------------------------------------ start

    async def _kafka_is_there(self) -> bool:
        """Waits for the broker and the topics; False if asked to leave before."""
        pause, bootstrap = 0.5, self.settings.broker.bootstrap
        while not self._leave.is_set():
            self._telemetry.turned()  # it waits, it is not dead
            try:
                async with Admin(self.settings.broker) as admin:
                    missing = [t for t in self.settings.topics if await admin.topic(t) is None]
                if not missing:
                    return True
                log.warning("Kafka at %s has no topic %s (stream-seg topics create)", bootstrap, ", ".join(missing))
            except Unavailable as error:
                log.warning("Kafka at %s: %s; trying again in %.1f s", bootstrap, error, pause)
            await until(self._leave, pause)
            pause = min(2 * pause, 5.0)
        return False

    # ------------------------------------------------------------------ run

    async def _until_something_ends_it(self, app: BatchFaust, partitions: Partitions) -> BaseException | None:
        tasks: list[asyncio.Task[Any]] = [
            asyncio.create_task(self._leave.wait()),
            asyncio.create_task(_serve(app)),
            asyncio.create_task(self._watch(app, partitions)),
        ]
        try:
            await asyncio.wait([*tasks, partitions.failed], return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended = [_end_of(task) for task in tasks if task.done()]
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        if partitions.failed.done():
            return partitions.failed.result()
        return next((error for error in ended if error is not None), None)

    async def _watch(self, app: BatchFaust, partitions: Partitions) -> NoReturn:
        """Raises when aiokafka's coordinator died, or when records wait and nothing is applied."""
        patience = self.settings.stall_seconds
        dog = Watchdog[TopicPartition](patience)
        looked = time.monotonic()
        while True:
            await asyncio.sleep(1.0)
            thread = cast("Consumer", app.consumer).fetch_thread
            if thread._consumer is not None and thread._consumer._coordinator is not None:
                await cast("Consumer", app.consumer).in_thread(_check(thread))
            self._telemetry.turned()
            partitions.tell()
            if time.monotonic() - looked < patience / 10:
                continue
            looked = time.monotonic()
            try:
                progress = await self._progress(partitions)
            except Unavailable as error:  # Kafka is away: nothing can be said, and nothing can be done by ending
                log.warning("cannot see whether records wait: %s", error)
                continue
            stalled = dog.look(time.monotonic(), progress)
            if stalled:
                names = ", ".join(f"{tp.topic}-{tp.partition} at {progress[tp]}" for tp in stalled)
                raise RuntimeError(f"records wait and nothing was applied for {patience:.0f} s: {names}")

    async def _progress(self, partitions: Partitions) -> dict[TopicPartition, tuple[int, int]]:
        """How far this process is and where the logs end, asked for on connections of its own.

        Without any partition: how far the whole group is. It may be stuck because this member is.
        """
        done = partitions.progress()
        async with Admin(self.settings.broker) as admin:
            if not partitions.leased:
                done = await admin.committed(self.settings.group, self.settings.topics)
            ends = await admin.ends(done)
        return {tp: (offset, ends[tp]) for tp, offset in done.items()}

    # ------------------------------------------------------------------ end

    async def _say_goodbye(self, app: BatchFaust) -> bool:
        """Finishes the batches in flight, commits, leaves the group; False if that did not end in order."""
        try:
            async with asyncio.timeout(2 * self.settings.finish_seconds + GOODBYE_SECONDS):
                await app.consumer.wait_empty()
                await app.stop()
        except TimeoutError:
            log.warning("Kafka's goodbye did not come in time; leaving without it")
        return app.batch_receiver.failed.done() is False

    @contextmanager
    def _signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        self._asked += 1
        if self._asked > 1:
            os._exit(128 + number)
        self.leave()


async def _serve(app: BatchFaust) -> None:
    """Starts the app and lives as long as it does; raises what it crashed of."""
    await app.start()
    await app.wait_until_stopped()
    if app.crash_reason is not None:
        raise app.crash_reason
    raise RuntimeError("Faust stopped by itself")


def _end_of(task: asyncio.Task[Any]) -> BaseException | None:
    """What a task ended of. Nobody here has cancelled it: if it was, that was a library, and is no end in order."""
    return RuntimeError("a library cancelled what it did not start") if task.cancelled() else task.exception()


async def _check(thread: FetchThread) -> None:
    thread.check()


def _line(error: BaseException) -> str:
    return str(error) if isinstance(error, Stop) else f"{type(error).__name__}: {error}"


async def run_and_exit(app: StageApp, last: Callable[[], None] = lambda: None) -> NoReturn:
    """For the main function of a process: runs `app`, does what is `last`, then ends the process with its code.

    At once: a thread of a driver that still waits for a broker must not keep it.
    """
    code = await app.run()
    last()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


__all__ = ["Broker", "PartitionHandler", "StageApp", "StageHandler", "StageSettings", "run_and_exit"]
