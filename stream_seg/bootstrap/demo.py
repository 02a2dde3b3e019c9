"""``stream-seg demo``: real purchases through real workers, on servers of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from dataclasses import replace
from typing import Any

import orjson

from stream_seg.adapters.files.demo import load as load_purchases
from stream_seg.adapters.redis.inspection import RedisInspection
from stream_seg.bootstrap.definition import begin
from stream_seg.bootstrap.feeding import feed_live, was_fed
from stream_seg.bootstrap.reading import whole_topic
from stream_seg.bootstrap.saying import say
from stream_seg.bootstrap.servers import create_topics, embedded_servers, on_servers, worker_environment
from stream_seg.bootstrap.supervisor import Supervisor
from stream_seg.config import Config, load
from stream_seg.errors import ConfigError, Stop
from stream_seg.pipeline.label_state import Memory
from stream_seg.pipeline.summary import Counts, Summary, summarise
from stream_seg.ports import Slot
from stream_seg.progress import Tell

PARTITIONS = 2  # as many as there are cores to show it on
FEEDING = "purchases"


def feed_demo(name: str, config: Config, *, days: int | None, tell: Tell) -> Summary:
    """Feeds a data set into the Kafka that `config` names, whose workers run; returns what came of it."""
    began = time.monotonic()
    source = load_purchases(name, days)
    own = load(source.definition, {}).definition.name
    if config.definition.name != own or config.definition.input.clock != "event":
        wrong = f"{config.path}: these purchases go into no other segmentation than {own!r}"
        raise ConfigError([f"{wrong}; take {source.definition.name}"])
    if asyncio.run(was_fed(config)):
        raise Stop(f"{own!r} holds events already; the purchases can be played once, on empty servers")
    tell(FEEDING, 0, source.total)
    fed = asyncio.run(feed_live(config, source.batches(), lambda n, _: tell(FEEDING, n, source.total), lambda: None))
    return asyncio.run(_summary(config, fed, began))


def run_demo(name: str, *, days: int | None, keep: bool, tell: Tell) -> tuple[Summary, list[str]]:
    """Feeds a data set day by day through label and learn; returns what came of it, and where to go next."""
    began = time.monotonic()
    source = load_purchases(name, days)
    config = load(source.definition, {})
    config = replace(config, kafka=config.kafka.model_copy(update={"partitions": PARTITIONS}))
    with embedded_servers(config) as servers:
        config = on_servers(config, servers)
        create_topics(config, retention_days=7, dry_run=False)
        begin(config, who="demo", why="the demo's own definition")
        supervisor = Supervisor(
            config.path, ("label", "learn"), 1, worker_environment(config), embedded=True, quiet=True
        )
        supervisor.start()
        try:
            tell(FEEDING, 0, source.total)

            def check() -> None:
                servers.check()
                supervisor.check()

            fed = asyncio.run(feed_live(config, source.batches(), lambda n, _: tell(FEEDING, n, source.total), check))
        finally:
            supervisor.stop()
        summary = asyncio.run(_summary(config, fed, began))
        if keep:
            _wait_for_ctrl_c(config)
    return summary, _next_steps(name, config)


async def _summary(config: Config, fed: int, began: float) -> Summary:
    movements: list[dict[str, Any]] = [orjson.loads(r.value) async for r in whole_topic(config, "segment-changes")]
    definitions = [orjson.loads(r.value) async for r in whole_topic(config, "segment-definitions")]
    inspection = RedisInspection(config.redis.connection_url, config.definition.name)
    try:
        states = [Memory(await inspection.meta(Slot("label", p)), 0).state for p in range(config.kafka.partitions)]
    finally:
        await inspection.close()
    counts = Counts(
        events=fed,
        accepted=sum(state.accepted for state in states),
        dead_letters=sum(state.rejected for state in states),
        late=sum(state.late for state in states),
        duplicates=sum(state.duplicates for state in states),
        seconds=round(time.monotonic() - began, 1),
    )
    return summarise(movements, definitions, config.definition.features, counts)


def _wait_for_ctrl_c(config: Config) -> None:
    say(f"Kafka {','.join(config.kafka.bootstrap)}, Redis {config.redis.url}; Ctrl-C ends them")
    try:
        signal.pause()
    except KeyboardInterrupt:
        return


def _next_steps(name: str, config: Config) -> list[str]:
    return [
        f"stream-seg demo --data {name} --keep    leaves the servers up: ask `customer ID`, read the topics",
        f"{os.path.relpath(config.path)}    is the segmentation that you have just seen; change it and run again",
        "docs/architecture.md    follows one purchase from its topic to its movement",
    ]
