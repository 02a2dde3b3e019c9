"""Redis lost everything. What the log still holds gives it back: all of it, or as much as is there."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import numpy as np
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import RecordsToDelete

from stream_seg.adapters.kafka.topics import group_name
from stream_seg.bootstrap.definition import begin
from stream_seg.bootstrap.feeding import feed_live
from stream_seg.core.definition import DAY
from stream_seg.wire.activations import read_activated
from stream_seg.wire.control import activation, kind_of
from tests.live.conftest import StackMaker
from tests.live.oracle import check, check_learning, check_state
from tests.live.stack import Stack
from tests.live.workload import START, WEEKS, Events, weeks
from tests.servers.redis import RedisServer

pytestmark = [pytest.mark.servers, pytest.mark.slow]


def reset(stack: Stack, stage: str, log: str) -> None:
    """``kafka-consumer-groups --reset-offsets --to-earliest``."""

    async def reset() -> None:
        group = group_name(stack.name, stage)
        consumer = AIOKafkaConsumer(bootstrap_servers=stack.bootstrap, group_id=group, enable_auto_commit=False)
        await consumer.start()
        try:
            tps = [TopicPartition(stack.topic(log), p) for p in range(len(stack.ends(log)))]
            consumer.assign(tps)
            await consumer.commit(await consumer.beginning_offsets(tps))
        finally:
            await consumer.stop()

    asyncio.run(reset())


def fed(stack: Stack) -> None:
    """Two weeks of purchases, labelled and learned; two days go by before anything else is fed."""
    stack.activate()
    stack.start("label")
    stack.start("learn")
    asyncio.run(feed_live(stack.config, weeks(3, customers=60, days=15), lambda *_: None, lambda: None))
    stack.settle("label", "learn", "label")


def later() -> list[Events]:
    """What the same people bought in the week after."""
    days = [(e.times >= START + 17 * DAY, e) for e in weeks(3, customers=60, days=22)]
    chosen = [(np.flatnonzero(then).tolist(), e) for then, e in days]
    return [Events([e.values[i] for i in at], [e.keys[i] for i in at], e.times[at]) for at, e in chosen]


def finished(stack: Stack) -> None:
    """Everything is decided and published, and nobody is at work any more."""
    stack.settle("label", "learn", "label")
    assert [worker.stop() for worker in stack.workers if worker.code is None] == [0, 0]


def models(stack: Stack) -> dict[int, bytes]:
    return {json.loads(record.value)["version"]: record.value for record in stack.read("models")}


def test_a_whole_log_gives_everything_back_to_the_byte(stack_of: StackMaker, own_redis: RedisServer) -> None:
    stack = stack_of(WEEKS, redis_url=own_redis.url)
    fed(stack)
    finished(stack)
    published, versions = check(stack), check_learning(stack)
    assert len(versions) > 1
    own_redis.command("FLUSHALL")
    reset(stack, "label", "events")
    reset(stack, "learn", "samples")
    assert begin(stack.config, who="test", why="run") is None  # it is all there
    stack.start("label")
    stack.start("learn")
    finished(stack)
    assert check(stack) == published
    assert check_learning(stack) == versions


def asked(stack: Stack, *words: str, code: int = 0) -> dict[str, Any]:
    command = stack.command(*words, "--json")
    assert command.process.wait(120) == code, command.output()
    text = command.output()
    answer: dict[str, Any] = json.loads(text[text.index("{\n") :])
    return answer


def test_a_log_that_forgot_what_was_in_force_is_begun_again_from_the_history(
    stack_of: StackMaker, own_redis: RedisServer
) -> None:
    stack = stack_of(WEEKS.replace("publish_every: 4d", "publish_every: 60d"), redis_url=own_redis.url)
    fed(stack)
    for order in ("freeze", "retrain"):
        asked(stack, "model", order, "-c", str(stack.file))
    finished(stack)
    before = models(stack)
    history = [read_activated(record.value) for record in stack.read("activations")]
    last = max(entry.number for entry in history)
    version = next(entry.model_version for entry in history if entry.number == last)
    assert version is not None
    assert version < max(before)  # the newest waits and was never in force

    cut = {TopicPartition(stack.topic("samples"), 0): RecordsToDelete(before_offset=1)}  # the first definition
    for record in stack.read("events"):
        if kind_of(record) == "activate":
            place = TopicPartition(stack.topic("events"), record.partition)
            cut[place] = RecordsToDelete(before_offset=record.offset + 1)
    stack.administer(lambda admin: admin.delete_records(cut))
    own_redis.command("FLUSHALL")

    note = begin(stack.config, who="test", why="run")
    assert note is not None
    assert "its logs have forgotten what was in force. Look first whether redis.url is right" in note
    apply = ("apply", str(stack.file), "--why", "Redis was empty")
    ends = stack.ends("events")
    for stage, log in (("label", "events"), ("learn", "samples")):
        refused = asked(stack, *apply, code=1)["error"]["message"]
        assert f"--reset-offsets --to-earliest --group {stack.name}-{stage} --topic {stack.topic(log)}" in refused
        reset(stack, stage, log)
    assert stack.ends("events") == ends

    done = asked(stack, *apply)
    assert done["activation"] == last + 1
    assert done["changes"][1] == f"tier all: version {version} labels again"
    stack.start("label")
    stack.start("learn")
    asyncio.run(feed_live(stack.config, later(), lambda *_: None, lambda: None))
    stack.settle("label", "learn", "label")
    check_state(stack)
    newest = [activation(r) for r in stack.read("events") if kind_of(r) == "activate"]
    assert {a.model.version for a in newest if a.number == last + 1 and a.model} == {version}

    # Learning goes on, and no number is given twice.
    again = asked(stack, "model", "retrain", "-c", str(stack.file))
    stack.settle("learn", "label")
    after = models(stack)
    assert {number: after[number] for number in before} == before
    assert f"version {max(after)} is" in again["answer"]
    assert max(after) > max(before)
    finished(stack)
