"""What a running system says: one object a line, nobody by name, and nobody has to read it."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from stream_seg.bootstrap.logs import Json, Lines
from stream_seg.errors import Unavailable
from tests.live.conftest import StackMaker
from tests.live.test_faults import QUIET
from tests.live.workload import Orders, event, given, now
from tests.servers.redis import RedisServer

pytestmark = [pytest.mark.servers, pytest.mark.slow]

SMALL = 4_096
F_SETPIPE_SZ = 1031  # Linux


@contextmanager
def full_pipe() -> Iterator[tuple[int, int, int]]:
    """A pipe that nobody reads and nothing more fits into: its two ends, and how much lies in it."""
    ours, theirs = os.pipe()
    try:
        fcntl.fcntl(theirs, F_SETPIPE_SZ, SMALL)
        os.set_blocking(theirs, False)
        filled = os.write(theirs, b"." * SMALL)
        os.set_blocking(theirs, True)
        yield ours, theirs, filled
    finally:
        os.close(ours)
        os.close(theirs)


def test_who_logs_into_a_full_pipe_goes_on_and_what_was_dropped_is_told_later() -> None:
    with full_pipe() as (ours, theirs, filled):
        lines = Lines(theirs, waiting=10)
        logger = logging.Logger("test")  # noqa: LOG001 — of its own: nothing of it stays
        logger.addHandler(lines)
        for number in range(1_000):
            logger.warning("line %d", number)
        assert len(os.read(ours, SMALL)) == filled
        lines.close()
        said = os.read(ours, SMALL).decode().splitlines()
    assert said[0] == "line 0"
    assert said[1] == f"{1_000 - (len(said) - 1)} log lines were dropped: standard error was not read"
    assert len(said) <= 1 + 1 + 10


def test_what_was_lost_while_nobody_was_there_is_counted_once() -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    lines = Lines(theirs)
    logger = logging.Logger("test")  # noqa: LOG001 — of its own: nothing of it stays
    logger.addHandler(lines)
    for number in range(3):
        logger.warning("line %d", number)
    while lines._dropped < 3:
        time.sleep(0.01)
    again, theirs_again = os.pipe()
    os.dup2(theirs_again, theirs)  # somebody reads again
    logger.warning("line 3")
    lines.close()
    assert os.read(again, SMALL) == b"line 3\n3 log lines were dropped: standard error was not read\n"
    for end in (theirs, theirs_again, again):
        os.close(end)


def test_a_line_has_its_time_level_stage_logger_message_error_and_alarm() -> None:
    def record(level: int, words: str, *more: object) -> logging.LogRecord:
        return logging.LogRecord("stream_seg.here", level, "here.py", 1, words, more, None)

    line = json.loads(Json("label").format(record(logging.ERROR, "ALARM %s", Unavailable("Redis \udcff"))))
    assert datetime.fromisoformat(line.pop("time")).tzinfo is not None
    assert line == {
        "level": "error",
        "stage": "label",
        "logger": "stream_seg.here",
        "message": "Redis \\udcff",
        "alarm": True,
        "error": {"kind": "Unavailable", "message": "Redis \\udcff"},
    }
    assert {"alarm", "error"}.isdisjoint(json.loads(Json("label").format(record(logging.INFO, "all is well"))))


def test_every_line_of_a_system_is_an_object_and_names_no_customer(
    stack_of: StackMaker, own_redis: RedisServer
) -> None:
    """A model that moves people, events that nobody can use, a Redis that goes away, a log that was cut."""
    stack = stack_of(f"{QUIET}run: {{log: json}}\n", redis_url=own_redis.url)
    stack.activate(given(stack.config))
    orders = Orders()
    stack.produce(orders.some(300))
    run = stack.command("run", "--stages", "label,learn", "--config", str(stack.file))
    stack.settle()
    stack.produce([(b"shopper-1", b"{broken"), (b"shopper-2", b"null"), (b"shopper-3", event("shopper-4", now()))])
    stack.settle()
    own_redis.kill()
    stack.produce(orders.some(100))
    stack.until(lambda: run.says('"level":"warning"', "trying again"), "the log says that Redis is away")
    own_redis.start()
    stack.settle()
    (label,) = [pid for pid in run.children() if b"\0label\0" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(label, signal.SIGSTOP)  # its log is cut before it has read that
    stack.produce(orders.some(100))
    events = stack.topic("events")
    ends = stack.ends("events")
    stack.administer(
        lambda admin: admin.delete_records(
            {TopicPartition(events, p): RecordsToDelete(before_offset=end) for p, end in enumerate(ends)}
        )
    )
    os.kill(label, signal.SIGKILL)
    stack.until(lambda: run.says('"stage":"run"', "starting it again"), "the supervisor says so")
    stack.until(lambda: run.says('"alarm":true', "stopped", '"error":{"kind":"'), "an alarm")
    run.stop()
    lines = [json.loads(line) for line in run.output().splitlines() if line.startswith("{")]
    others = [line for line in run.output().splitlines() if not line.startswith("{")]
    assert {line["stage"] for line in lines} == {"run", "label", "learn"}
    assert all(line.keys() >= {"time", "level", "stage", "logger", "message"} for line in lines)
    assert all(re.match("stream-seg: |Finished", line) for line in others), others
    assert "shopper" not in run.output()


def test_a_worker_whose_log_nobody_reads_works_on_and_ends_in_order(stack_of: StackMaker) -> None:
    stack = stack_of(f"{QUIET}run: {{log: json}}\n")
    stack.activate(given(stack.config))
    with full_pipe() as (_, theirs, _):
        worker = stack.start("label", stderr=theirs)
        stack.produce(Orders().some(300))
        stack.settle()
        assert worker.stop() == 0
