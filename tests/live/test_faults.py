"""Workers and servers that die, hang, forget or turn back: nothing is lost, nothing counts twice, every end is told."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import NewPartitions, RecordsToDelete

from stream_seg.adapters.redis.link import Script
from stream_seg.adapters.redis.slots import TRIM, WRITE
from stream_seg.bootstrap.definition import publish
from stream_seg.wire.control import ACTIVATE, TICK, control
from tests.live.conftest import StackMaker
from tests.live.oracle import check, check_learning
from tests.live.proxy import RedisProxy, When
from tests.live.stack import Stack, Worker
from tests.live.workload import SECONDS, Orders, given
from tests.servers.kafka import KafkaServer
from tests.servers.redis import RedisServer

pytestmark = [pytest.mark.servers, pytest.mark.slow]

QUIET = SECONDS.replace("clock: append", "clock: event")  # no ticks: a write is a batch's


def begun(stack: Stack, orders: Orders) -> Worker:
    """A model in force, a worker, and some orders that it has labelled."""
    stack.activate(given(stack.config))
    worker = stack.start("label")
    stack.produce(orders.some(300))
    stack.settle()
    return worker


def accepted(stack: Stack) -> int:
    return sum(state.accepted for state in stack.states())


def through_ingest(stack: Stack, kafka: KafkaServer) -> Path:
    """A product topic with room for large records, and the stack's file for events that come through it."""
    web = kafka.create_topic(
        f"{stack.name}.web", stack.partitions, max_message_bytes="20000000", message_timestamp_type="LogAppendTime"
    )
    hop = f"input: {{keyed_by_customer: false, clock: progress, topics: [{web}]}}"
    return stack.write(SECONDS.replace("input: {clock: append}", hop))


def finished(stack: Stack, orders: Orders) -> None:
    """All is applied and published, as if nothing had ever happened."""
    stack.settle()
    assert [worker.stop() for worker in stack.workers if worker.code is None][-1] == 0
    check(stack)
    assert accepted(stack) == orders.sent


def test_a_worker_killed_before_or_after_its_write_or_its_outbox_ack_loses_nothing(
    stack_of: StackMaker, redis_server: RedisServer
) -> None:
    moments: list[tuple[Script, When]] = [(WRITE, "before"), (WRITE, "after"), (TRIM, "before"), (TRIM, "after")]
    with ExitStack() as proxies:
        cases = []
        for script, when in moments:
            proxy = proxies.enter_context(RedisProxy(redis_server))
            stack, orders = stack_of(QUIET, redis_url=proxy.url), Orders()
            worker = begun(stack, orders)
            proxy.at(script, when, worker.kill)
            stack.produce(orders.some(300))
            stack.until(proxy.fired.is_set, "the moment to kill")
            stack.start("label")
            stack.produce(orders.some(100))
            cases.append((stack, orders))
        for stack, orders in cases:
            finished(stack, orders)


def test_a_reply_that_is_lost_after_the_write_took_effect_makes_no_second_write(
    stack_of: StackMaker, redis_server: RedisServer
) -> None:
    with RedisProxy(redis_server) as proxy:
        stack, orders = stack_of(QUIET, redis_url=proxy.url), Orders()
        begun(stack, orders)
        for script in (WRITE, TRIM, WRITE):
            proxy.at(script, "after", lambda: None)
            stack.produce(orders.some(100))
            stack.until(proxy.fired.is_set, "a lost reply")
        finished(stack, orders)


def test_a_zombies_late_write_is_refused(stack_of: StackMaker, redis_server: RedisServer) -> None:
    with RedisProxy(redis_server) as proxy:
        stack, orders = stack_of(QUIET, redis_url=proxy.url), Orders()
        zombie = begun(stack, orders)
        # Its write is on the way when it stops, for longer than its session lasts …
        proxy.at(WRITE, "before", lambda: zombie.signal(signal.SIGSTOP), hold=True)
        stack.produce(orders.some(100))
        stack.until(proxy.fired.is_set, "a write on the way")
        heir = stack.start("label")
        stack.produce(orders.some(100))
        stack.settle()
        # … and arrives when somebody else has been at work.
        proxy.release()
        stack.until(lambda: proxy.late_reply, "the answer to the late write")
        assert b"claim is" in proxy.late_reply
        zombie.signal(signal.SIGCONT)
        stack.until(lambda: zombie.output().count("partitions assigned") > 1, "the zombie joins again")
        stack.produce(orders.some(100))
        stack.settle()
        assert heir.stop() == 0
        finished(stack, orders)


def everything(stack: Stack, kafka: KafkaServer) -> str:
    """A definition in force for events that come through INGEST; the product topic."""
    stack.file = through_ingest(stack, kafka)
    stack.activate(given(stack.config))
    (web,) = stack.config.input_topics
    return web


def told_of(stack: Stack, server: str, *workers: Worker, before: Sequence[int] = (0, 0, 0)) -> None:
    """Waits until each of them has said once more than before that it waits for a server."""
    for worker, count in zip(workers, before, strict=False):
        stack.until(lambda: waits_said(server, worker) > count, f"a line about {server}")  # noqa: B023 — in this round


def waits_said(server: str, worker: Worker) -> int:
    return sum(server in line and "trying again" in line for line in worker.output().splitlines())


def all_finished(stack: Stack, orders: Orders, ingest: Worker, label: Worker, learn: Worker) -> None:
    """As `finished`, one stage after the other: each has nothing more to come when it ends."""
    stack.until(lambda: accepted(stack) >= orders.sent, "all orders are accepted")
    assert ingest.stop() == 0
    stack.settle("label")
    assert label.stop() == 0
    stack.settle("learn")
    assert learn.stop() == 0
    check(stack)
    check_learning(stack)
    assert accepted(stack) == orders.sent


def test_redis_may_be_away_at_start_and_in_the_middle(
    kafka: KafkaServer, stack_of: StackMaker, own_redis: RedisServer
) -> None:
    stack, orders = stack_of(QUIET, redis_url=own_redis.url), Orders()
    web = everything(stack, kafka)
    own_redis.kill()
    ingest, label, learn = (stack.start(stage) for stage in ("ingest", "label", "learn"))
    told_of(stack, "Redis at", label, learn)
    own_redis.start()
    stack.produce(orders.some(300), web)
    stack.until(lambda: accepted(stack) == orders.sent, "all orders are accepted")
    own_redis.kill()
    before = [waits_said("Redis at", worker) for worker in (label, learn)]
    stack.produce(orders.some(300), web)
    asyncio.run(publish(stack.config, [control("samples", TICK, None, 0)]))  # something for LEARN to write down
    told_of(stack, "Redis at", label, learn, before=before)
    own_redis.start()
    all_finished(stack, orders, ingest, label, learn)


def test_kafka_may_be_away_at_start_and_in_the_middle(stack_of: StackMaker) -> None:
    with KafkaServer(heap="400m") as kafka:
        stack, orders = stack_of(QUIET, bootstrap=kafka.bootstrap), Orders()
        web = everything(stack, kafka)
        kafka.kill()
        ingest, label, learn = (stack.start(stage) for stage in ("ingest", "label", "learn"))
        told_of(stack, "Kafka at", ingest, label, learn)
        kafka.start()
        stack.produce(orders.some(300), web)
        stack.until(lambda: accepted(stack) == orders.sent, "all orders are accepted")
        stack.produce(orders.some(300), web)
        kafka.kill()
        kafka.start()
        stack.produce(orders.some(300), web)
        all_finished(stack, orders, ingest, label, learn)


def test_a_redis_restarted_on_older_files_is_brought_to_the_same_end(
    stack_of: StackMaker, own_redis: RedisServer
) -> None:
    stack, orders = stack_of(QUIET, redis_url=own_redis.url), Orders()
    worker = begun(stack, orders)
    older, then = own_redis.copy_aof(), stack.applied()
    stack.produce(orders.some(300))
    stack.settle()
    assert stack.applied() > then
    own_redis.restart_on(older)
    assert stack.applied() == then
    stack.produce(orders.some(100))
    finished(stack, orders)
    assert worker.code == 0


def test_an_emptied_redis_stops_the_worker_and_is_never_taken_for_silence(
    stack_of: StackMaker, own_redis: RedisServer
) -> None:
    stack, orders = stack_of(QUIET, redis_url=own_redis.url), Orders()
    at_work = begun(stack, orders)
    stack.until(lambda: stack.log_range("events", 0).committed, "a commit")
    own_redis.command("FLUSHALL")
    stack.produce(orders.some(100))
    assert at_work.process.wait(120) == 1
    afterwards = stack.start("label")
    assert afterwards.process.wait(120) == 1
    for worker in (at_work, afterwards):
        for partition in range(stack.partitions):
            assert worker.says("ALARM", f"events.v1-{partition} stopped", "Redis holds no state for it")
    assert stack.applied() == [0] * stack.partitions


def refused(stack: Stack, *words: str) -> None:
    """A worker that is started now ends, and says for every partition why."""
    worker = stack.start("label")
    assert worker.process.wait(120) == 1
    for partition in range(stack.partitions):
        assert worker.says("ALARM", f"events.v1-{partition} stopped", *words), worker.output()


def test_another_log_under_the_same_name_is_refused(stack_of: StackMaker, kafka: KafkaServer) -> None:
    stack, orders = stack_of(QUIET), Orders()
    assert begun(stack, orders).stop() == 0
    then = stack.applied()
    stack.administer(lambda admin: admin.create_partitions({stack.topic("events"): NewPartitions(6)}))
    stack.partitions = 6
    refused(stack, ":4:murmur2, the topic is", "re-partitioned")
    stack.partitions = 4
    stack.administer(lambda admin: admin.delete_topics([stack.topic("events")]))
    stack.until(lambda: not stack.ends("events"), "the topic is gone")
    stack.create_topics()
    stack.activate(given(stack.config))
    refused(stack, "the topic is", "re-created")
    assert stack.applied() == then


def test_records_that_expired_before_they_were_read_are_an_alarm(stack_of: StackMaker) -> None:
    stack, orders = stack_of(QUIET), Orders()
    assert begun(stack, orders).stop() == 0
    then = stack.applied()
    stack.produce(orders.some(300))
    everything = {TopicPartition(stack.topic("events"), p): RecordsToDelete(before_offset=-1) for p in range(4)}  # all
    stack.administer(lambda admin: admin.delete_records(everything))
    refused(stack, "but the log begins at", "records are lost")
    assert stack.applied() == then


def test_a_log_that_a_newer_version_decides_stops_an_older_worker_where_it_does(stack_of: StackMaker) -> None:
    stack, orders = stack_of(QUIET), Orders()
    worker = begun(stack, orders)
    newer = given(stack.config, number=2, engine=99)
    asyncio.run(publish(stack.config, [control("events", ACTIVATE, newer, 0)]))
    stack.until(lambda: worker.says("ALARM", "events.v1-0 stopped", "needs engine 99"), "an alarm")
    stack.produce(orders.some(300))
    ends = stack.ends("events")
    stack.until(lambda: stack.applied()[1:] == ends[1:], "the other partitions go on")
    assert stack.applied()[0] < ends[0]
    assert worker.stop() == 0
