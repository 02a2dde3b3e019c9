"""Three runbooks, walked: the failure is made, seen as the page says, mended by the page's commands, and verified."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from stream_seg.bootstrap.feeding import feed_live
from stream_seg.core.definition import DAY
from tests.dashboards.executing import Prometheus
from tests.docs.pages import ROOT, text_of
from tests.live.conftest import StackMaker
from tests.live.oracle import check
from tests.live.stack import Stack, Worker
from tests.live.test_metrics import Scrape, free_ports, get
from tests.live.workload import SECONDS, SHIFTS_AT, START, WEEKS, Orders, given, shifted, weeks
from tests.servers.kafka import jars
from tests.servers.redis import RedisServer

pytestmark = [pytest.mark.servers, pytest.mark.slow]

LARGE = json.dumps({"broken": "x" * 20_000}).encode()


class Runbook:
    """A page of docs/runbooks/, its alert in a real Prometheus that scrapes the stack, and its commands."""

    def __init__(self, name: str, stack: Stack, prometheus: Prometheus) -> None:
        self._text = text_of(ROOT / f"docs/runbooks/{name}.md")
        self._stack, self._prometheus = stack, prometheus
        (self.alert,) = re.findall(r"^Alert: `(\w+)`", self._text, re.MULTILINE)

    def alerting(self) -> bool:
        """Whether its rule is true: it fires, or will when it has been true for as long as it asks."""
        return bool(self._prometheus.ask(f'ALERTS{{alertname="{self.alert}"}}'))

    def ran(self, part: str) -> list[tuple[int, str]]:
        """Runs the commands that stand as code under a heading; exit code and output of each."""
        section = self._text.partition(f"## {part}\n")[2].partition("\n## ")[0]
        lines = re.findall(r"^ {4,}(.*)$", section, re.MULTILINE)
        assert lines, f"no commands under {part}"
        return [self._done(line) for line in lines]

    def _done(self, line: str) -> tuple[int, str]:
        program, *words = shlex.split(line.replace("<name>", self._stack.name).replace("…", self._stack.bootstrap))
        if program == "stream-seg":
            command = self._stack.command(*words, "--config", str(self._stack.file))
            return command.process.wait(120), command.output()
        assert program == "kafka-configs", line
        java = shutil.which("java")
        assert java, "Java (17 or newer) is missing: kafka-configs cannot run"
        tool = [java, "-cp", f"{jars()}/*", "kafka.admin.ConfigCommand", *words]
        done = subprocess.run(tool, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr


@contextmanager
def watched(stack_of: StackMaker, text: str, book: str, **how: Any) -> Iterator[tuple[Stack, Runbook, int]]:
    """A stack whose LABEL and LEARN a Prometheus scrapes with the committed rules, its runbook, and LABEL's port."""
    port = free_ports(3)
    stack = stack_of(f"{text}run: {{metrics_port: {port}}}\n", **how)
    prometheus = Prometheus(stack.directory, port + 2, (port, port + 1))
    with prometheus.running():
        yield stack, Runbook(book, stack, prometheus), port


def begun(stack: Stack) -> Worker:
    return stack.command("run", "--stages", "label,learn", "--config", str(stack.file))


def scrape(port: int) -> Scrape:
    return Scrape(get(port, "metrics")[1])


def test_redis_is_down(stack_of: StackMaker, own_redis: RedisServer) -> None:
    with watched(stack_of, SECONDS, "redis-down", redis_url=own_redis.url) as (stack, book, port):
        stack.activate(given(stack.config))
        run, orders = begun(stack), Orders()
        stack.produce(orders.some(300))
        stack.settle()
        stack.until(lambda: scrape(port).sum("redis_up") == 1, "Redis answers: 1")
        assert not book.alerting()
        own_redis.kill()
        stack.produce(orders.some(300))

        # How to see it.
        stack.until(book.alerting, book.alert)
        assert scrape(port).sum("redis_up") == 0
        assert get(port, "readyz")[0] == 503
        assert "Redis does not answer" in get(port, "readyz")[1]
        assert get(port, "livez") == (200, "ok\n")
        stack.until(lambda: run.says("Redis at", "trying again in"), "the log says so")
        behind = scrape(port).sum("consumer_lag_seconds")
        stack.until(lambda: scrape(port).sum("consumer_lag_seconds") > behind + 1, "Behind, in seconds grows")
        ((code, said),) = book.ran("How to see it")
        assert code == 3
        assert "FAIL  redis" in said

        # What to do, and how to verify.
        own_redis.start()
        stack.until(lambda: get(port, "readyz") == (200, "ok\n"), "/readyz says ok")
        stack.until(lambda: not book.alerting(), f"{book.alert} is over")
        assert [code for code, _ in book.ran("How to verify")] == [0, 0]
        stack.until(lambda: scrape(port).sum("consumer_lag_records") == 0, "the lag falls")
        assert scrape(port).sum("redis_up") == 1
        assert run.stop() == 0
        check(stack)
        assert sum(state.accepted for state in stack.states()) == orders.sent


def test_a_partition_has_stopped(stack_of: StackMaker) -> None:
    with watched(stack_of, SECONDS, "partition-stopped") as (stack, book, port):
        stack.activate(given(stack.config))
        letters = ConfigResource(ConfigResourceType.TOPIC, stack.topic("dead-letters"), {"max.message.bytes": "5000"})
        stack.administer(lambda admin: admin.alter_configs([letters]))
        run, orders = begun(stack), Orders()
        stack.produce(orders.some(300))
        stack.settle()
        assert not book.alerting()
        stack.produce([(b"shopper-1", LARGE)])
        stack.produce(orders.some(300))

        # How to see it.
        stack.until(book.alerting, book.alert)
        assert run.says("ALARM", "stopped", stack.topic("dead-letters"), "Raise max.message.bytes")
        waits = re.findall(r"partition (\d) has stopped and waits for a person", get(port, "readyz")[1])
        assert len(waits) == scrape(port).sum("partitions_stopped") == 1
        of = {"partition": waits[0]}
        behind = scrape(port).sum("consumer_lag_seconds", **of)
        stack.until(lambda: scrape(port).sum("consumer_lag_seconds", **of) > behind + 1, "Behind, in seconds grows")
        ((code, said),) = book.ran("How to see it")
        assert code == 3
        assert "max.message.bytes is 5000" in said
        assert f"partition {waits[0]} has stopped and waits for a person" in said
        assert "(Undeliverable)" in text_of(ROOT / "docs/operating.md")

        # What to do, and how to verify.
        assert [code for code, _ in book.ran("What to do")] == [0]
        label, _ = run.children()
        os.kill(label, signal.SIGTERM)
        stack.until(lambda: run.says("label ended with 0", "starting it again"), "the supervisor starts it again")
        stack.until(lambda: get(port, "readyz") == (200, "ok\n"), "/readyz says ok")
        stack.until(lambda: not book.alerting(), f"{book.alert} is over")
        (_, told), (drained, _) = book.ran("How to verify")
        assert "max.message.bytes" not in told
        assert drained == 0
        assert scrape(port).sum("partitions_stopped") == 0
        stack.until(lambda: scrape(port).sum("consumer_lag_records") == 0, "the lag falls")
        assert run.stop() == 0
        check(stack)
        assert [record.value for record in stack.read("dead-letters")] == [LARGE]
        assert sum(state.accepted for state in stack.states()) == orders.sent


def test_customers_have_drifted(stack_of: StackMaker) -> None:
    text = f"{WEEKS}drift: {{retrain: false}}\n"
    with watched(stack_of, text, "drift-act") as (stack, book, port):
        stack.activate()
        begun(stack)
        stack.until(lambda: get(port, "readyz")[0] == get(port + 1, "readyz")[0] == 200, "both are ready")
        versions: list[int] = []

        def day(_: int, through: int) -> None:
            """The feeder waits for whoever walks: the day on which it alarms lasts as long as that takes."""
            learned = "learned_through_timestamp_seconds"
            stack.until(lambda: scrape(port + 1).sum(learned) * 1000 >= through, "LEARN says how far it is")
            grave = scrape(port + 1).by("drift_severity", "subject").get(("spend",), 0) >= 2  # act
            if not grave or versions:
                return
            assert through > START + SHIFTS_AT * DAY

            # How to see it.
            stack.until(book.alerting, book.alert)
            ((code, listed),) = book.ran("How to see it")
            assert code == 0
            versions.append(newest(listed))

            # What to do: let it learn.
            ((code, said),) = book.ran("What to do")
            assert code == 0, said
            ((code, listed),) = book.ran("How to verify")
            assert code == 0
            assert newest(listed) == versions[0] + 1

        asyncio.run(feed_live(stack.config, shifted(weeks(5, customers=80, days=45)), day, lambda: None))
        stack.settle("label", "learn", "label")

        # How to verify: some days later what is usual now is the measure.
        assert versions
        stack.until(lambda: not book.alerting(), f"{book.alert} is over")


def newest(listed: str) -> int:
    """The newest version that `stream-seg model list` lists."""
    versions = listed.partition(" standing ")[2].partition("\n\n")[0]
    return max(int(number) for number in re.findall(r"^ *(\d+) ", versions, re.MULTILINE))
