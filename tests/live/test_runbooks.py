"""Three runbooks, walked: the failure is made, seen as the page says, mended as it says, and verified."""

from __future__ import annotations

import asyncio
import json
import re

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from stream_seg.bootstrap.feeding import feed_live
from tests.docs.pages import ROOT, text_of
from tests.live.conftest import StackMaker
from tests.live.oracle import check
from tests.live.stack import Stack, Worker
from tests.live.test_metrics import Scrape, free_ports, get
from tests.live.workload import SECONDS, WEEKS, Events, Orders, given, weeks
from tests.servers.redis import RedisServer

pytestmark = [pytest.mark.servers, pytest.mark.slow]

LARGE = json.dumps({"broken": "x" * 20_000}).encode()
SHIFTS_AT = 35  # the day from which everybody spends ten times as much


def page(name: str) -> str:
    """A runbook's words on one line."""
    return re.sub(r"\s+", " ", text_of(ROOT / f"docs/runbooks/{name}.md"))


def ran(stack: Stack, book: str, *words: str) -> Worker:
    """A command that the page names, on the stack, done."""
    assert f"`stream-seg {' '.join(words[:2])}" in page(book) or f"`stream-seg {words[0]}`" in page(book)
    command = stack.command(*words, "--config", str(stack.file))
    command.process.wait(120)
    return command


def scrape(port: int) -> Scrape:
    return Scrape(get(port, "metrics")[1])


def test_redis_is_down(stack_of: StackMaker, own_redis: RedisServer) -> None:
    port = free_ports(1)
    stack = stack_of(f"{SECONDS}run: {{metrics_port: {port}}}\n", redis_url=own_redis.url)
    stack.activate(given(stack.config))
    worker, orders = stack.start("label"), Orders()
    stack.produce(orders.some(300))
    stack.settle()
    own_redis.kill()
    stack.produce(orders.some(300))

    # How to see it.
    stack.until(lambda: scrape(port).sum("redis_up") == 0, "Redis answers: 0")
    assert get(port, "readyz")[0] == 503
    assert "Redis does not answer" in get(port, "readyz")[1]
    assert get(port, "livez")[0] == 200
    stack.until(lambda: worker.says("Redis at", "trying again in"), "the log says so")
    seen = ran(stack, "redis-down", "doctor")
    assert seen.process.returncode != 0
    assert "Redis" in seen.output()

    # What to do, and how to verify.
    own_redis.start()
    stack.until(lambda: get(port, "readyz")[0] == 200, "/readyz says ok")
    stack.settle()
    stack.until(lambda: scrape(port).sum("redis_up") == 1, "Redis answers: 1")
    stack.until(lambda: scrape(port).sum("consumer_lag_records") == 0, "the lag falls")
    assert worker.code is None
    assert worker.stop() == 0
    check(stack)
    assert sum(state.accepted for state in stack.states()) == orders.sent


def test_a_partition_has_stopped(stack_of: StackMaker) -> None:
    port = free_ports(1)
    stack = stack_of(f"{SECONDS}run: {{metrics_port: {port}}}\n")
    stack.activate(given(stack.config))
    letters = ConfigResource(ConfigResourceType.TOPIC, stack.topic("dead-letters"), {"max.message.bytes": "5000"})
    stack.administer(lambda admin: admin.alter_configs([letters]))
    worker, orders = stack.start("label"), Orders()
    stack.produce([(b"shopper-1", LARGE)])
    stack.produce(orders.some(300))

    # How to see it.
    stack.until(lambda: worker.says("ALARM", "stopped"), "the log has a line with ALARM")
    stack.until(lambda: "has stopped and waits for a person" in get(port, "readyz")[1], "/readyz names it")
    assert scrape(port).sum("partitions_stopped") == 1
    assert worker.says("ALARM", "max.message.bytes")

    # What to do: as the message says, and a restart.
    assert "(Undeliverable)" in (ROOT / "docs/operating.md").read_text("utf-8")
    letters = ConfigResource(ConfigResourceType.TOPIC, stack.topic("dead-letters"), {"max.message.bytes": "2000000"})
    stack.administer(lambda admin: admin.alter_configs([letters]))
    worker.stop()
    again = stack.start("label")

    # How to verify.
    stack.until(lambda: get(port, "readyz") == (200, "ok\n"), "/readyz says ok")
    stack.settle()
    assert scrape(port).sum("partitions_stopped") == 0
    stack.until(lambda: scrape(port).sum("consumer_lag_records") == 0, "the lag falls")
    assert again.stop() == 0
    check(stack)
    assert [record.value for record in stack.read("dead-letters")] == [LARGE]
    assert sum(state.accepted for state in stack.states()) == orders.sent


def shifted(parts: list[Events]) -> list[Events]:
    """The same purchases, ten times as dear from a day on."""
    begin = min(int(part.times[0]) for part in parts) + SHIFTS_AT * 86_400_000

    def dearer(value: bytes, at: int) -> bytes:
        body = json.loads(value)
        if at >= begin:
            body["properties"]["total"] *= 10
        return json.dumps(body).encode()

    return [
        Events([dearer(v, t) for v, t in zip(part.values, part.times.tolist(), strict=True)], part.keys, part.times)
        for part in parts
    ]


def test_customers_have_drifted(stack_of: StackMaker) -> None:
    port = free_ports(2)
    stack = stack_of(f"{WEEKS}run: {{metrics_port: {port}}}\n")
    stack.activate()
    stack.command("run", "--stages", "label,learn", "--config", str(stack.file))
    stack.until(lambda: get(port, "readyz")[0] == get(port + 1, "readyz")[0] == 200, "both are ready")
    asyncio.run(feed_live(stack.config, shifted(weeks(5, customers=80, days=45)), lambda *_: None, lambda: None))
    stack.settle("label", "learn", "label")

    # How to see it.
    stack.until(lambda: get(port + 1, "readyz")[0] == 200, "LEARN answers")
    learn = scrape(port + 1)
    assert learn.sum("drift_alarms_total", severity="act") >= 1
    found = [json.loads(record.value or b"") for record in stack.read("drift-metrics")]
    grave = {
        one["subject"]["name"] for one in found if one["severity"] == "act" and one["subject"]["kind"] == "feature"
    }
    assert "spend" in grave
    listed = ran(stack, "drift-act", "model", "list")
    assert listed.process.returncode == 0
    assert "in force" in listed.output()
    before = made(stack)

    # What to do: let it learn.
    retrained = ran(stack, "drift-act", "model", "retrain", "--now", "--why", "the customers changed")
    assert retrained.process.returncode == 0, retrained.output()
    stack.settle("learn", "label")
    assert made(stack) == before + 1

    # How to verify: some days later what is usual now is the measure.
    last = max(one["as_of"] for one in found)
    assert not [one for one in found if one["as_of"] == last and one["severity"] == "act"]
    assert learn.by("drift_severity", "subject")["spend",] < 2


def made(stack: Stack) -> int:
    """The newest model version."""
    versions: list[int] = [json.loads(record.value or b"")["version"] for record in stack.read("models")]
    return max(versions)
