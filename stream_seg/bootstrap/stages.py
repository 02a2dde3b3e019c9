"""One stage as one process: the stage's steps, on Kafka and Redis."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Literal, NoReturn

from stream_seg.adapters.kafka.admin import Admin
from stream_seg.adapters.kafka.partitions import PartitionHandler
from stream_seg.adapters.kafka.ranges import Asked, first_of, ranges
from stream_seg.adapters.kafka.stage import StageApp, StageSettings, run_and_exit
from stream_seg.adapters.kafka.topics import group_name, topic_name
from stream_seg.adapters.kafka.transport import BatchSettings
from stream_seg.adapters.prometheus.counting import PrometheusTelemetry
from stream_seg.adapters.prometheus.serving import serve
from stream_seg.adapters.redis.inspection import RedisInspection
from stream_seg.bootstrap.connect import broker_of, now, piece_of, producer_of, slots_of, traces_of
from stream_seg.bootstrap.ingesting import IngestHandlers
from stream_seg.bootstrap.logs import logs
from stream_seg.bootstrap.polling import poll
from stream_seg.bootstrap.resident import keep_giving_back
from stream_seg.config import Config
from stream_seg.errors import ConfigError
from stream_seg.pipeline.label import Labeller
from stream_seg.pipeline.label_settings import LabelSettings
from stream_seg.pipeline.owner import check_guard
from stream_seg.ports import LogRange, Message, Record, Slot
from stream_seg.runtime.effects import Effects
from stream_seg.runtime.partition import LivePartition, Work
from stream_seg.runtime.watch import SourceWatch
from stream_seg.telemetry import Telemetry, Traces
from stream_seg.wire.control import TICK, activates, control

log = logging.getLogger(__name__)

EMBEDDED_POLL_MS = 20  # the embedded broker wakes a waiting fetch late
GARBAGE = 50_000, 20, 100  # what lives as long as a batch is not looked through while it is worked on


class Handlers:
    """Makes the handler of each partition that the group gives to this process."""

    def __init__(self, config: Config, stage: str, telemetry: Telemetry, traces: Traces, *, embedded: bool) -> None:
        self._config = config
        self._telemetry = telemetry
        self._traces = traces
        self._embedded = embedded
        self._stage = stage
        self._slots = slots_of(config)
        self._inspection = RedisInspection(config.redis.connection_url, config.definition.name)
        self._producer = producer_of(config)
        self._outbox_limit = config.run.outbox_limit

    def partition(self, topic: str, partition: int) -> PartitionHandler:
        effects = Effects(
            self._slots,
            self._producer,
            self._log_range_of(topic),
            ahead=partial(self._first_activation, topic),
            again=partial(piece_of, self._config, topic),
            telemetry=self._telemetry,
        )
        return LivePartition(
            self._work(partition),
            effects,
            outbox_limit=self._outbox_limit,
            tick=_tick,
            publish=self._producer.publish,
            watch=_watch(partition),
            telemetry=self._telemetry,
            told=self._telemetry.partition(topic, partition),
            traces=self._traces.partition(topic, partition),
        )

    def _work(self, partition: int) -> Callable[[], Work]:
        run = self._config.run
        if self._stage == "learn":
            from stream_seg.pipeline.learn import Learn, LearnSettings  # noqa: PLC0415  # river: 150 MB that LABEL spares

            return lambda: Learn("samples", partition, LearnSettings(outbox_limit=self._outbox_limit))
        settings = LabelSettings(
            cache_bytes=run.cache_mb * 1_000_000 // self._config.kafka.partitions,
            outbox_limit=self._outbox_limit,
            group=group_name(self._config.definition.name, "label"),
            trust_timestamps=self._embedded,
        )
        return lambda: Labeller("events", partition, settings, _clock())

    def _log_range_of(self, topic: str) -> Callable[[int], asyncio.Future[LogRange]]:
        group = group_name(self._config.definition.name, self._stage)
        stage: Literal["label", "learn"] = "learn" if self._stage == "learn" else "label"

        async def log_range(partition: int) -> LogRange:
            async with Admin(broker_of(self._config.kafka)) as admin:
                found = await admin.log_range(topic, partition, group)
            # A partition that was added later has no state of its own that could tell.
            check_guard(f"{topic} partition {partition}", await self._inspection.meta(Slot(stage, 0)), found.guard)
            # The embedded broker tells the end of a log too low (docs/embedded.md); it cannot lose a log either.
            return replace(found, next=sys.maxsize) if self._embedded else found

        return log_range  # type: ignore[return-value]  # a coroutine function is awaited the same

    async def _first_activation(self, topic: str, partition: int, offset: int) -> Record | None:
        broker = broker_of(self._config.kafka)
        (part,) = await ranges(broker, Asked(topic, partition, offset))
        return await first_of(broker, part, activates)


def _clock() -> Iterator[int]:
    while True:
        yield now()


def _tick(work: Work) -> Message | None:
    """What an idle events partition appends so that its clock moves: only where append time is the clock."""
    if isinstance(work, Labeller) and work.memory.in_use:
        rules = work.memory.in_use[-1].activation.definition.input
        if rules.clock == "append":
            return control("events", TICK, None, work.partition)
    return None


def _watch(partition: int) -> Callable[[Work], None]:
    """Looks after the sources of an events partition: only where their progress is the clock."""
    watch = SourceWatch(f"events partition {partition}")

    def look(work: Work) -> None:
        if isinstance(work, Labeller) and work.memory.in_use:
            rules = work.memory.in_use[-1].activation.definition.input
            if rules.clock == "progress":
                watch.look(work.memory.state.waits)

    return look


def run_stage(config: Config, stage: str, *, embedded: bool, quiet: bool = False) -> NoReturn:
    """Runs one stage until a signal or an error ends it; ends the process with the exit code.

    `quiet`: only warnings and errors are logged.
    """
    with logs(config.run.log, stage, quiet=quiet):
        try:
            asyncio.run(_run(config, stage, embedded=embedded))
        except ConfigError as error:
            log.error("%s", error)  # noqa: TRY400 — a person mends the file by the message, not by a trace
            raise SystemExit(2) from None
    raise AssertionError("run_and_exit ends the process")


async def _run(config: Config, stage: str, *, embedded: bool) -> NoReturn:
    name = config.definition.name
    own = {"label": "events", "learn": "samples"}
    topics = config.input_topics if stage == "ingest" else (topic_name(name, own[stage]),)
    settings = StageSettings(
        group_name(name, stage),
        topics,
        broker_of(config.kafka),
        batch=BatchSettings(max_batch=config.run.max_batch, long_poll_ms=EMBEDDED_POLL_MS if embedded else 500),
    )
    counting = PrometheusTelemetry(stage) if config.run.metrics_port else None
    telemetry = counting or Telemetry()
    traces = traces_of(config, stage, telemetry)
    # What is loaded by now stays for good; the collector must not look through it again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE)
    handlers = (
        IngestHandlers(config, telemetry, traces, embedded=embedded)
        if stage == "ingest"
        else Handlers(config, stage, telemetry, traces, embedded=embedded)
    )
    health = serve(counting, config.run.bind, config.run.metrics_port) if counting is not None else None
    async with asyncio.TaskGroup() as beside:
        beside.create_task(keep_giving_back())
        if counting is not None and health is not None:
            beside.create_task(poll(config, stage, counting, health))
        await run_and_exit(StageApp(settings, handlers, telemetry=telemetry), traces.close)
    raise AssertionError("run_and_exit ends the process")
