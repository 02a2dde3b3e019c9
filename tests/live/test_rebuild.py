"""``rebuild``: from the log's beginning a partition comes out to the byte as it was, and publishes nothing else."""

from __future__ import annotations

import json

import pytest

from stream_seg.core.hashing import partition_of
from stream_seg.ports import Slot
from tests.live.conftest import StackMaker
from tests.live.oracle import check, told
from tests.live.stack import Stack, Worker
from tests.live.workload import SECONDS, Orders, given
from tests.servers.redis import RedisServer

pytestmark = [pytest.mark.servers, pytest.mark.slow]


def ended(stack: Stack, *words: str) -> Worker:
    command = stack.command(*words, "--config", str(stack.file))
    command.process.wait(120)
    return command


def test_a_damaged_partition_is_built_anew_and_is_what_it_was(stack_of: StackMaker, own_redis: RedisServer) -> None:
    stack = stack_of(SECONDS, redis_url=own_redis.url)
    stack.activate(given(stack.config))
    worker, orders = stack.start("label"), Orders()
    stack.produce(orders.some(400))
    stack.settle()
    running = ended(stack, "rebuild", "--partition", "1")
    assert running.process.returncode == 1
    assert "workers of label run" in running.output()
    assert worker.stop() == 0
    before = told(stack.read("segment-changes"))

    # A record is damaged: its worker stops, and says so.
    customer = next(key for key, _ in orders.some(100) if partition_of(key, stack.partitions) == 1)
    own_redis.command("SET", f"{stack.name}:{{label-1}}:c:{customer.decode()}", "nothing of ours")
    done = ended(stack, "rebuild", "--partition", "1", "--json")
    assert done.process.returncode == 0, done.output()
    rebuilt = json.loads(done.output()[done.output().index("{") :])
    assert rebuilt["offset"] == 0
    assert rebuilt["records"] == stack.ends("events")[1]
    assert stack.look(lambda redis: redis.customers(Slot("label", 1))) == 0

    again = stack.start("label")
    stack.settle()
    assert again.stop() == 0
    check(stack)
    assert told(stack.read("segment-changes")).items() >= before.items()


def test_what_cannot_be_rebuilt_is_told_before_anything_is_forgotten(stack_of: StackMaker) -> None:
    stack = stack_of(SECONDS)
    stack.activate(given(stack.config))
    worker, orders = stack.start("label"), Orders()
    stack.produce(orders.some(200))
    stack.settle()
    assert worker.stop() == 0
    before = stack.states()
    for words, why in (
        (["--partition", "9"], "there is no 9"),
        (["--partition", "1", "--from", "5"], "no activation from 5 on"),
        (["--partition", "1", "--from", "99999"], "there is no offset 99999"),
    ):
        refused = ended(stack, "rebuild", *words)
        assert refused.process.returncode == 1
        assert why in refused.output()
    assert stack.states() == before
