"""``stream-seg run`` as a person runs it: it ends when it is told to, and says what keeps it from beginning."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.live.conftest import StackMaker
from tests.live.oracle import check
from tests.live.stack import Stack, Worker
from tests.live.test_faults import QUIET, accepted
from tests.live.workload import Orders, given
from tests.servers.kafka import KafkaServer, free_ports
from tests.servers.redis import RedisServer

pytestmark = [pytest.mark.servers, pytest.mark.slow]

SOON = 10.0  # seconds that the promise gives
AT_ONCE = 5.0


@contextmanager
def load(stack: Stack, orders: Orders) -> Iterator[None]:
    """Orders keep coming in."""
    enough = threading.Event()

    def produce() -> None:
        while not enough.is_set():
            stack.produce(orders.some(500))

    thread = threading.Thread(target=produce)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()


def run(stack: Stack, *words: str) -> Worker:
    return stack.command("run", "--config", str(stack.file), *words)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_under_load_one_signal_finishes_the_batch_commits_it_and_exits_0(
    stack_of: StackMaker, number: signal.Signals
) -> None:
    stack, orders = stack_of(QUIET), Orders()
    stack.activate(given(stack.config))
    system = run(stack, "--workers", "2", "--stages", "label")
    stack.until(lambda: min(stack.applied()) > 0, "all partitions are opened")
    with load(stack, orders):
        stack.until(lambda: min(stack.applied()) > 100, "all partitions at work")
        stages = system.children()
        system.signal(number)
        assert system.process.wait(SOON) == 0
    assert len(stages) == 2
    assert not any(map(alive, stages))
    committed = [stack.log_range("events", p).committed for p in range(stack.partitions)]
    assert committed == stack.applied()
    assert stack.relayed()
    stack.start("label")
    stack.settle()
    assert stack.workers[-1].stop() == 0
    check(stack)
    assert accepted(stack) == orders.sent


def test_a_second_ctrl_c_exits_at_once_and_nothing_is_lost(stack_of: StackMaker) -> None:
    with RedisServer() as redis:
        stack, orders = stack_of(QUIET, redis_url=redis.url), Orders()
        stack.activate(given(stack.config))
        system = run(stack, "--stages", "label")
        stack.produce(orders.some(300))
        stack.settle()
        stages = system.children()
        redis.pause()  # the batch that comes now cannot end
        stack.produce(orders.some(300))
        system.signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            system.process.wait(1)
        system.signal(signal.SIGINT)
        assert system.process.wait(AT_ONCE) == 130
        assert not any(map(alive, stages))
        redis.resume()
        stack.start("label")
        stack.settle()
        assert stack.workers[-1].stop() == 0
        check(stack)
        assert accepted(stack) == orders.sent


def test_told_to_end_while_it_still_begins_it_ends_in_order(stack_of: StackMaker) -> None:
    stack = stack_of(QUIET)
    stack.activate(given(stack.config))
    system = run(stack, "--stages", "label")
    stack.until(system.children, "a stage that begins")
    system.signal(signal.SIGTERM)
    assert system.process.wait(SOON) == 0


def test_a_stage_ends_with_its_supervisor_however_that_went(stack_of: StackMaker) -> None:
    stack = stack_of(QUIET)
    stack.activate(given(stack.config))
    system = run(stack, "--stages", "label")
    stack.until(lambda: system.says("partitions assigned"), "a stage at work")
    (stage,) = system.children()
    system.kill()
    stack.until(lambda: not alive(stage), "the stage ends too")


def test_what_keeps_it_from_beginning_is_one_clear_line(
    stack_of: StackMaker, kafka: KafkaServer, redis_server: RedisServer, tmp_path: Path
) -> None:
    nobody, nothing = free_ports(2)
    cases = [
        (stack_of(QUIET, topics=False), "create the topics with `stream-seg topics create`"),
        (stack_of(QUIET, bootstrap=f"127.0.0.1:{nobody}", topics=False), f"127.0.0.1:{nobody}"),
        (stack_of(QUIET, redis_url=f"redis://127.0.0.1:{nothing}/0"), f"Redis at redis://127.0.0.1:{nothing}/0"),
    ]
    systems = [(run(stack), line) for stack, line in cases]
    stack = cases[0][0]
    systems.append((stack.command("run", "--config", str(tmp_path / "nowhere.yaml")), "nowhere.yaml"))
    for system, line in systems:
        assert system.process.wait(120) in {1, 2}
        said = system.output().strip().splitlines()
        assert line in said[-1], system.output()
        assert "Traceback" not in system.output()
