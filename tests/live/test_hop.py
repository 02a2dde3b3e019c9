"""Product topics in, movements out: INGEST and LABEL as processes, and time that passes without events."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from stream_seg.adapters.redis.inspection import RedisInspection
from stream_seg.bootstrap.commands import apply
from stream_seg.bootstrap.definition import begin
from stream_seg.config import Config
from stream_seg.core.activation import Activation
from stream_seg.core.definition import feature_set_version
from stream_seg.core.hashing import customer_hash, partition_of
from stream_seg.core.model import ModelVersion
from stream_seg.errors import Stop
from stream_seg.pipeline.label_state import LabelState, Memory
from stream_seg.ports import Slot
from stream_seg.wire.timestamps import rfc3339
from tests.live.conftest import StackMaker
from tests.live.oracle import Oracle, told
from tests.live.stack import Stack
from tests.servers.kafka import KafkaServer
from tests.servers.redis import RedisServer

pytestmark = [pytest.mark.servers, pytest.mark.slow]

PARTITIONS = 3
WINDOW, TILE = 20_000, 5_000  # of the one feature
SILENT, HERE = "0", "1"  # the two segments of the model in force
FEATURES = """
features:
- {name: orders, aggregate: count, where: 'event == "Bought"', window: 20s, tiles: 4}
time: {lateness: 1h}
segments: {k: 2}
"""
EVERYBODY = ("ann", "bob", "cid", "gus", "eve", "fay")


def hop(*topics: str, more: str = "") -> str:
    return f"input: {{keyed_by_customer: false, clock: progress, topics: [{', '.join(topics)}]{more}}}\n{FEATURES}"


def model_in_force(config: Config) -> Activation:
    """Whoever has bought within the window is here, everybody else is silent."""
    version = feature_set_version(config.definition)
    model = ModelVersion(
        version=1,
        tier=config.definition.tier,
        feature_set_version=version,
        learner="river",
        columns=("orders",),
        centers=((0.0,), (1.0,)),
        mean=(0.0,),
        scale=(1.0,),
        clip_low=(None,),
        clip_high=(1.0,),
        segments=("silent", "here"),
        samples=2,
        trained_at=0,
    ).sealed()
    return Activation(
        number=1, definition=config.definition, feature_set_version=version, model=model, who="test", at=0, why="given"
    )


def now() -> int:
    return time.time_ns() // 1_000_000


def bought(customer: str, at: int, number: int = 0) -> dict[str, Any]:
    message = f"{customer}-{at}-{number}"
    return {"type": "track", "event": "Bought", "userId": customer, "messageId": message, "timestamp": rfc3339(at)}


def encoded(events: Sequence[dict[str, Any]], key: bytes | None = None) -> list[tuple[bytes | None, bytes | None]]:
    return [(key, json.dumps(event).encode()) for event in events]


def movements(stack: Stack) -> dict[str, list[dict[str, Any]]]:
    """The movements of every customer in their order, each once; `published`: when Kafka was given it (ms)."""
    seen: dict[str, dict[str, Any]] = {}
    for record in stack.read("segment-changes"):
        body = json.loads(record.value)
        seen.setdefault(body["id"], {**body, "published": record.timestamp})
    by: dict[str, list[dict[str, Any]]] = {}
    for one in sorted(seen.values(), key=lambda one: (one["incarnation"], one["sequence"])):
        by.setdefault(one["customer_id"], []).append(one)
    return by


def silent(stack: Stack, customers: Sequence[str] = EVERYBODY) -> bool:
    """Whether everybody of them has come and gone silent."""
    moved = movements(stack)
    return all(customer in moved and moved[customer][-1]["segment"] == SILENT for customer in customers)


def leaves(customer: str, at: int) -> int:
    """When an event of that time leaves the customer's window, whose tiles begin at a phase of her own."""
    phase = ((customer_hash(customer.encode()) & 0xFFFFFFFF) * (TILE >> 8) >> 32) << 8
    return (at + phase) // TILE * TILE - phase + WINDOW


def awake(stack: Stack, topic: str, warm: str = "zoe") -> None:
    """Waits until the whole way has been gone once: what is timed afterwards is not how fast processes start."""
    stack.produce([(warm.encode(), json.dumps(bought(warm, now())).encode())], topic)
    stack.until(lambda: warm in movements(stack), "the first label")
    stack.until(lambda: all(one.clock for one in state(stack)), "the clock goes")


def state(stack: Stack) -> list[LabelState]:
    async def ask(redis: RedisInspection) -> list[LabelState]:
        metas = [await redis.meta(Slot("label", p)) for p in range(stack.partitions)]
        return [Memory(meta, 0).state for meta in metas]

    found: list[LabelState] = stack.look(ask)
    return found


def check_that_silence_moved_them(stack: Stack, last: dict[str, int]) -> None:
    """`last`: the time of everybody's last event."""
    moved = movements(stack)
    for customer, at in last.items():
        *_, here, gone = moved[customer]
        assert (here["segment"], here["cause"]) == (HERE, "event")
        assert (gone["previous_segment"], gone["segment"], gone["cause"]) == (HERE, SILENT, "time")
        assert gone["event_time"] == rfc3339(leaves(customer, at)), customer
        assert gone["published"] - leaves(customer, at) < 60_000  # the promise: out within a minute of its instant


def check_that_the_replayed_log_says_the_same(stack: Stack) -> None:
    oracle = Oracle(stack)
    oracle.label(stack.read("events"))
    for topic in ("segment-changes", "customer-segments", "late-events"):
        assert told(stack.read(topic)) == oracle.said(topic), topic


def test_events_of_every_form_become_labels_and_silence_moves_customers_at_its_instant(
    kafka: KafkaServer, stack_of: StackMaker
) -> None:
    stack = stack_of("input: {}\n" + FEATURES, partitions=PARTITIONS)
    web, app = f"{stack.name}.web", f"{stack.name}.app"
    kafka.create_topic(web, 2)
    kafka.create_topic(app, 1)
    mapping = "mapping: {customer: who, time: at, time_format: epoch_ms, event: =Bought}"
    stack.file = stack.write(hop(web, app, more=f", {mapping}"))
    stack.activate(model_in_force(stack.config))
    stack.start("label")
    stack.start("ingest")
    awake(stack, app)
    at = now()
    stack.produce(encoded([bought("ann", at)], key=b"any"), web)
    stack.produce(encoded([{"who": "bob", "at": at}, bought("eve", at)]), app)
    cloud = {"specversion": "1.0", "id": "1", "source": "/s", "type": "Bought", "subject": "cid", "time": rfc3339(at)}
    stack.produce(encoded([cloud | {"data": {}}]), web, partition=1)
    binary = {f"ce_{name}": text for name, text in (cloud | {"subject": "gus", "id": "2"}).items()}
    headers = [(name, text.encode()) for name, text in (binary | {"content-type": "application/json"}).items()]
    stack.produce(encoded([{}]), app, headers=headers)
    stack.produce([(None, b"{broken"), (b"k", b'{"who": null}')], web, partition=0)
    stack.until(lambda: len(movements(stack)) == 6, "everybody has a label")
    later = now()  # only one partition hears of anybody again: the others are idle, and age
    stack.produce(encoded([bought("fay", later), bought("ann", later)]), web)
    stack.until(lambda: silent(stack), "everybody has gone silent")
    check_that_silence_moved_them(
        stack, {"ann": later, "fay": later, **dict.fromkeys(("bob", "cid", "gus", "eve"), at)}
    )
    assert {partition_of(customer.encode(), PARTITIONS) for customer in EVERYBODY} == {0, 1, 2}
    codes = {dict(record.headers)["ss-error-code"] for record in stack.read("dead-letters")}
    assert codes == {b"invalid_json", b"missing_id"}
    assert [worker.stop() for worker in stack.workers] == [0, 0]
    check_that_the_replayed_log_says_the_same(stack)


def test_customers_of_a_keyed_log_age_by_append_time_and_ticks(stack_of: StackMaker) -> None:
    stack = stack_of("input: {clock: append}\n" + FEATURES, partitions=PARTITIONS)
    stack.activate(model_in_force(stack.config))
    label = stack.start("label")
    awake(stack, "events")
    at = now()
    stack.produce([(c.encode(), json.dumps(bought(c, at)).encode()) for c in EVERYBODY])
    stack.until(lambda: silent(stack), "everybody has gone silent")
    check_that_silence_moved_them(stack, dict.fromkeys(EVERYBODY, at))
    assert label.stop() == 0
    check_that_the_replayed_log_says_the_same(stack)


def test_a_source_that_never_speaks_or_falls_silent_stops_the_clock_and_is_named(
    kafka: KafkaServer, redis_server: RedisServer, tmp_path: Path
) -> None:
    def stack(name: str) -> Stack:
        (tmp_path / name).mkdir()
        text = "input: {}\n" + FEATURES
        return Stack(kafka.bootstrap, redis_server.url, tmp_path / name, text, partitions=PARTITIONS)

    with stack("paused") as paused, stack("mute") as mute:
        _test_stalled_sources(kafka, paused, mute)


def _test_stalled_sources(kafka: KafkaServer, paused: Stack, mute: Stack) -> None:
    """`paused`: INGEST stops in the middle. `mute`: one of two topics is read by nobody."""
    for stack in (paused, mute):
        for topic in ("web", "app"):
            kafka.create_topic(f"{stack.name}.{topic}", 1)
        stack.file = stack.write(hop(f"{stack.name}.web", f"{stack.name}.app"))
        stack.activate(model_in_force(stack.config))
    only_web = mute.write(hop(f"{mute.name}.web"), "only-web.yaml")
    stalled = paused.start("ingest")
    mute.start("ingest", only_web)  # as if the topic `app` were read by nobody
    for stack in (paused, mute):
        stack.start("label")
    awake(paused, f"{paused.name}.app")
    at = now()
    for stack in (paused, mute):
        stack.produce(encoded([bought(customer, at) for customer in EVERYBODY]), f"{stack.name}.web")
        stack.until(lambda: {*EVERYBODY} <= movements(stack).keys(), "everybody has a label")  # noqa: B023 — in this round
    stalled.signal(signal.SIGSTOP)
    for stack, topics in ((paused, ("web", "app")), (mute, ("app",))):
        label = stack.workers[-1]
        for topic in topics:
            stack.until(lambda: label.says("ALARM", f"{stack.name}.{topic}:0"), f"alarm: {topic}")  # noqa: B023 — as above
    assert now() - leaves("ann", at) > 20_000  # so everybody's window has long been empty …
    for stack in (paused, mute):
        moved = movements(stack)
        assert {moved[customer][-1]["segment"] for customer in EVERYBODY} == {HERE}  # … and nobody was moved
    assert {one.clock for one in state(mute)} == {0}
    assert not mute.workers[-1].says("ALARM", f"{mute.name}.web:0")
    alarms = [line for line in mute.workers[-1].output().splitlines() if "ALARM" in line]
    assert len(alarms) <= 2 * PARTITIONS  # a line a minute, not one a look

    stalled.signal(signal.SIGCONT)
    mute.file = only_web
    note = begin(mute.config, who="test", why="another run")
    assert note is not None
    assert f"source {mute.name}.app:0 goes" in note  # told of, and left to a person
    assert apply(mute.config, why="app is gone", who="test", dry_run=False, wait=0)["changes"] == [
        f"source {mute.name}.app:0 goes: the clock waits for it no longer"
    ]
    for stack in (paused, mute):
        stack.until(lambda: silent(stack), "everybody has gone silent")  # noqa: B023 — as above
        moved = movements(stack)
        for customer in EVERYBODY:
            assert moved[customer][-1]["event_time"] == rfc3339(leaves(customer, at))


def test_a_killed_ingest_loses_nothing_and_nothing_counts_twice(kafka: KafkaServer, stack_of: StackMaker) -> None:
    stack = stack_of("input: {}\n" + FEATURES, partitions=PARTITIONS)
    web = kafka.create_topic(f"{stack.name}.web", 2)
    stack.file = stack.write(hop(web) + "run: {max_batch: 50}\n")
    stack.activate(model_in_force(stack.config))
    stack.start("label")
    ingest = stack.start("ingest")
    sent = 0
    for _ in range(3):
        events = [bought(f"c{number % 40}", now(), number) for number in range(sent, sent + 3_000)]
        stack.produce(encoded(events, key=None), web)
        sent += len(events)
        stack.until(lambda: sum(one.accepted for one in state(stack)) > sent - 2_500, "some of them")  # noqa: B023 — in this round
        ingest.kill()  # in the middle of them
        ingest = stack.start("ingest")
    stack.until(lambda: sum(one.accepted for one in state(stack)) >= sent, "all of them")
    stack.until(lambda: ingest.says("partitions assigned"), "it listens: before, a signal just ends it")
    assert ingest.stop() == 0

    asyncio.run(rewind(stack, web, 1_000))  # as if a thousand acknowledgements had been lost
    before = len(events_of(stack))
    ingest = stack.start("ingest")
    stack.until(lambda: len(events_of(stack)) >= before + 2_000, "they are sent again")
    stack.settle("label")
    assert sum(one.accepted for one in state(stack)) == sent
    assert sum(one.duplicates for one in state(stack)) == len(events_of(stack)) - sent >= 2_000
    assert [worker.stop() for worker in (ingest, stack.workers[0])] == [0, 0]
    check_that_the_replayed_log_says_the_same(stack)


def events_of(stack: Stack) -> list[ConsumerRecord]:
    return [record for record in stack.read("events") if "ss-source" in dict(record.headers)]


async def rewind(stack: Stack, topic: str, by: int) -> None:
    """Sets the offsets of INGEST's group back."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=stack.bootstrap, group_id=f"{stack.name}-ingest", enable_auto_commit=False
    )
    await consumer.start()
    try:
        tps = [TopicPartition(topic, partition) for partition in (0, 1)]
        consumer.assign(tps)
        await consumer.commit({tp: (await consumer.committed(tp) or 0) - by for tp in tps})
    finally:
        await consumer.stop()


def test_a_first_definition_is_written_once_however_many_hosts_start_at_once(stack_of: StackMaker) -> None:
    stack = stack_of("input: {clock: append}\n" + FEATURES, partitions=PARTITIONS)
    for host in ("one", "two"):
        assert begin(stack.config, who=host, why="first run") is None
    assert len(stack.read("events")) == PARTITIONS
    with pytest.raises(Stop, match="no worker has read it yet"):
        apply(stack.config, why="again", who="test", dry_run=False, wait=0)
