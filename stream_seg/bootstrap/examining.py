"""Looking at all that a configuration names: servers, topics, workers, and whether the work goes on. Read only."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Sequence
from typing import Literal, cast

import msgspec

from stream_seg.adapters.kafka.admin import Admin
from stream_seg.adapters.kafka.inspection import cluster_facts, newest_append
from stream_seg.adapters.kafka.topics import group_name, topic_name, topics
from stream_seg.adapters.prometheus.serving import HALTED, NO_REDIS, TURNED_NOT, ask
from stream_seg.adapters.redis.inspection import RedisInspection
from stream_seg.adapters.redis.server import clock_reading, server_facts
from stream_seg.bootstrap.connect import broker_of, now
from stream_seg.bootstrap.definition import changes_of
from stream_seg.bootstrap.snapshot import LOGS
from stream_seg.bootstrap.status import stored
from stream_seg.config import Config
from stream_seg.errors import StreamSegError
from stream_seg.pipeline.diagnosis import (
    NO_TOPIC,
    Finding,
    TopicFault,
    append_finding,
    clock_finding,
    input_finding,
    redis_findings,
    runbook,
    topic_findings,
)
from stream_seg.pipeline.label_state import Memory, newest
from stream_seg.pipeline.owner import messages_in
from stream_seg.pipeline.status import StoredPartition
from stream_seg.pipeline.symptoms import (
    LETTERS_OVER,
    STALE,
    Seen,
    StageFacts,
    activation_finding,
    definition_finding,
    learning_findings,
    letters_finding,
    outbox_finding,
    silence_findings,
    stage_findings,
)
from stream_seg.ports import Slot

AWAY = ("kafka", "topics", "redis")  # failed, these say that a server did not answer
# What a worker may say of itself that needs somebody now, the gravest first.
GRAVE = (
    (TURNED_NOT, "process-down", "end it with SIGKILL; nothing is lost"),
    (NO_REDIS, "redis-down", "start Redis; the worker goes on by itself"),
    (HALTED, "partition-stopped", "find the line with ALARM in its log"),
)
AGAIN_SECONDS = 2.0  # until the second look, where anything waits: a worker at work has done something by then


def examine(config: Config) -> list[Finding]:
    """All of it. What cannot be reached is a finding too; what only a server that is away could tell is left out."""
    return asyncio.run(_examine(config))


async def _examine(config: Config) -> list[Finding]:
    decided = f"{len(config.definition.features)} features, {config.definition.learning.k} segments"
    found = [Finding("configuration", "ok", decided, place=str(config.path))]
    for look in (_look_at_kafka, _look_at_redis, _look_at_pages):
        found += await look(config)
    logs = {topic_name(config.definition.name, log) for log in LOGS.values()}
    if any(
        one.check in AWAY or (one.place in logs and one.detail == NO_TOPIC) for one in found if one.status == "fail"
    ):
        return found
    try:
        return found + await _look_at_work(config)
    except StreamSegError as error:
        return [*found, Finding("work", "fail", str(error), "see whether Kafka and Redis are well, and look again")]
    except msgspec.MsgspecError as error:
        detail = f"what stages keep in Redis is damaged, or a newer version wrote it: {error}"
        remedy = "ask with the version of the workers; else restore or rebuild, as docs/operating.md says"
        return [*found, Finding("work", "fail", detail, remedy, config.redis.url)]


async def _look_at_kafka(config: Config) -> list[Finding]:
    broker, name = broker_of(config.kafka), config.definition.name
    try:
        cluster = await cluster_facts(broker)
    except StreamSegError as error:
        return [Finding("kafka", "fail", str(error), "start it, or correct kafka.bootstrap", broker.bootstrap)]
    release = f"{cluster.brokers} broker(s), Kafka {cluster.release}"
    found = [Finding("kafka", "ok", release, place=broker.bootstrap)]
    try:
        async with Admin(broker) as admin:
            needed = list(topics().values())
            faults = await admin.differences(name, needed, config.kafka.partitions)
            found += topic_findings(
                name, len(needed), [TopicFault(f.topic, f.key, f.found, f.needed, f.remedy) for f in faults]
            )
            for topic in config.input_topics:
                facts = await admin.topic(topic)
                found.append(input_finding(topic, facts.partitions if facts else None))
            events = await admin.topic(topic_name(name, "events"))
        if events is not None:
            newest_at = await newest_append(broker, events.name, events.partitions)
            found.append(append_finding(newest_at, now(), config.definition.max_skew))
    except StreamSegError as error:
        found.append(Finding("topics", "fail", str(error), "look at the broker's log", broker.bootstrap))
    return [msgspec.structs.replace(one, place=one.place or broker.bootstrap) for one in found]


async def _look_at_redis(config: Config) -> list[Finding]:
    url = config.redis.connection_url
    try:
        facts = await server_facts(url)
        theirs, before, after = await clock_reading(url, now)
    except StreamSegError as error:
        remedy = "start it, or correct redis.url"
        return [Finding("redis", "fail", str(error), remedy, config.redis.url, runbook("redis-down"))]
    found = [Finding("redis", "ok", "answers"), *redis_findings(facts, config.redis.memory)]
    found.append(clock_finding("redis", theirs, before, after, config.definition.max_skew))
    return [msgspec.structs.replace(one, place=config.redis.url) for one in found]


# ------------------------------------------------------------------ the workers of this machine


async def _look_at_pages(config: Config) -> list[Finding]:
    """What they say of themselves. The supervisor numbers their ports, and may have been given fewer stages."""
    first, host = config.run.metrics_port, config.run.bind
    if not first:
        return []
    ports = range(first, first + (3 if config.input_topics else 2) * config.run.workers)
    said = await asyncio.gather(*(asyncio.to_thread(_page, host, port) for port in ports))
    last = max((at for at, one in enumerate(said) if one is not None), default=None)
    if last is None:
        detail = "nobody listens: workers are on other machines, serve no metrics, or do not run"
        return [Finding("worker", "ok", detail, place=f"{host}:{first}")]
    return [page_finding(f"{host}:{port}", one) for port, one in zip(ports, said[: last + 1], strict=False)]


def _page(host: str, port: int) -> tuple[int, str] | None:
    """As `page_finding` takes it."""
    try:
        return ask(host, port, "readyz")
    except ConnectionRefusedError:
        return None
    except (OSError, http.client.HTTPException) as error:
        return 0, f"{TURNED_NOT} as long as it was waited for: {str(error) or type(error).__name__}"


def page_finding(place: str, said: tuple[int, str] | None) -> Finding:
    """What a worker's `/readyz` means. `said`: status and text, 0 where it does not answer; None: nobody listens."""
    if said is None:
        detail, remedy = "nobody listens, and on a later port somebody does", "see in the supervisor's log why it ended"
        return Finding("worker", "fail", detail, remedy, place, runbook("process-down"))
    code, text = said[0], "; ".join(said[1].split("\n")).strip("; ")
    if code == http.client.OK:
        return Finding("worker", "ok", "ready", place=place)
    if code not in {0, http.client.SERVICE_UNAVAILABLE}:
        return Finding("worker", "warn", f"{code} for /readyz: this is no worker", "correct run.metrics_port", place)
    for words, page, remedy in GRAVE:
        if words in text:
            return Finding("worker", "fail", text, remedy, place, runbook(page))
    return Finding("worker", "warn", text, "look again; if it stays so, at its log", place, runbook("not-ready"))


# ------------------------------------------------------------------ the work


async def _look_at_work(config: Config) -> list[Finding]:
    name, at = config.definition.name, now()
    letters, events = topic_name(name, "dead-letters"), topic_name(name, "events")
    inspection = RedisInspection(config.redis.connection_url, name)
    try:
        async with Admin(broker_of(config.kafka)) as admin:
            stages = await stored(config, admin, inspection)
            facts = [await _facts(admin, name, stage, parts, at) for stage, parts in stages.items()]
            refused, read = [await _written(admin, topic, at - LETTERS_OVER) for topic in (letters, events)]
        seen = await _seen(inspection, [part for stage in ("label", "learn") for part in stages[stage]])
    finally:
        await inspection.close()
    current = newest(part.meta for part in stages["label"])
    changes = await changes_of(config, current) if current else []
    bounded = (current.definition if current else config.definition).input.clock == "event"
    found = [definition_finding(current, changes, str(config.path)), activation_finding(stages["label"])]
    for one in facts:
        found += stage_findings(one)
    for one in facts:
        mine = [look for look in seen if look.part.stage == one.stage]
        if mine:
            found.append(outbox_finding(one, mine, config.run.outbox_limit))
        if one.stage == "label":
            found += silence_findings(one, mine, at, bounded=bounded)
    return [*found, letters_finding(refused, read, letters), *learning_findings(stages["learn"], at, bounded=bounded)]


async def _facts(admin: Admin, name: str, stage: str, parts: Sequence[StoredPartition], at: int) -> StageFacts:
    recent: dict[tuple[str, int], int] = {}
    for topic in {part.topic for part in parts}:
        for number, (first, _) in enumerate(await admin.since(topic, at - STALE)):
            recent[topic, number] = first
    group = group_name(name, stage)
    return StageFacts(
        stage, group, await admin.members(group), parts, [recent[part.topic, part.number] for part in parts]
    )


async def _written(admin: Admin, topic: str, since: int) -> int:
    return sum(max(0, end - first) for first, end in await admin.since(topic, since))


async def _seen(inspection: RedisInspection, parts: Sequence[StoredPartition]) -> list[Seen]:
    """Two looks, the second only where the first finds anything that waits."""
    heads, overdue = await _waiting(inspection, parts)
    if not any([*heads, *overdue]):
        return [Seen(part) for part in parts]
    await asyncio.sleep(AGAIN_SECONDS)
    again, still = await _waiting(inspection, parts)
    entries = [await inspection.outbox(_slot(part)) if head else [] for part, head in zip(parts, again, strict=True)]
    return [
        Seen(part, sum(len(messages_in(entry)) for entry in waiting), head is not None and head == first, late)
        for part, waiting, head, first, late in zip(parts, entries, heads, again, still, strict=True)
    ]


async def _waiting(inspection: RedisInspection, parts: Sequence[StoredPartition]) -> tuple[list[int | None], list[int]]:
    """The first outbox entry of each, and how many customers of LABEL are overdue by the clock that was stored."""
    heads = [await inspection.outbox_head(_slot(part)) for part in parts]
    overdue = [
        await inspection.overdue(_slot(part), Memory(part.meta, 0).state.clock)
        if part.stage == "label" and part.meta
        else 0
        for part in parts
    ]
    return heads, overdue


def _slot(part: StoredPartition) -> Slot:
    return Slot(cast("Literal['label', 'learn']", part.stage), part.number)
