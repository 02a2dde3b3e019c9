"""``stream-seg doctor`` on real servers: of workers that are well nothing is said, and every illness has its remedy."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis import Redis

from stream_seg.adapters.kafka.topics import topics
from stream_seg.cli import call
from stream_seg.core.definition import DAY
from stream_seg.core.findings import Finding
from stream_seg.pipeline import label_state, learn_state
from stream_seg.ports import Message
from tests.docs.pages import ROOT
from tests.live.conftest import StackMaker
from tests.live.stack import Stack
from tests.live.test_metrics import free_ports, get
from tests.live.workload import SECONDS, Orders, given, now
from tests.servers.kafka import KafkaServer
from tests.servers.redis import RedisServer

Examined = Callable[[Path, int], list[dict[str, str]]]
pytestmark = [pytest.mark.servers, pytest.mark.slow]


@pytest.fixture
def sound_redis() -> Iterator[RedisServer]:
    """A server as `doctor` wants it, that this test alone may spoil."""
    with RedisServer(appendfsync="always", maxmemory="64mb") as server:
        yield server


@pytest.fixture
def examined(capsys: pytest.CaptureFixture[str]) -> Examined:
    """What `doctor` finds with a configuration; it has to end with an exit code."""

    def examined(file: Path, code: int) -> list[dict[str, str]]:
        assert call(["doctor", "--config", str(file), "--json"]) == code
        document = json.loads(capsys.readouterr().out)
        assert document["ok"] == (code == 0)
        findings: list[dict[str, str]] = document["findings"]
        return findings

    return examined


def test_of_workers_that_are_well_nothing_is_said_and_of_what_is_away_no_trace(
    stack_of: StackMaker, sound_redis: RedisServer, examined: Examined
) -> None:
    port = free_ports(2)
    stack = stack_of(f"{SECONDS}run: {{metrics_port: {port}}}\n", redis_url=sound_redis.url)
    stack.activate(given(stack.config))
    run = stack.command("run", "--stages", "label,learn", "--config", str(stack.file))
    stack.produce(Orders().some(300))
    stack.settle("label", "learn")
    stack.until(lambda: get(port, "readyz")[0] == get(port + 1, "readyz")[0] == 200, "both are ready")

    well = examined(stack.file, 0)
    assert {one["detail"] for one in well if one["check"] in {"label workers", "learn workers"}} == {"1 in the group"}
    assert [one["place"] for one in well if one["check"] == "worker"] == [f"127.0.0.1:{port + n}" for n in (0, 1)]
    _, learn = run.children()
    os.kill(learn, signal.SIGSTOP)
    sound_redis.kill()
    stack.until(lambda: get(port, "readyz")[0] == 503, "LABEL has noticed")
    away = examined(stack.file, 3)
    os.kill(learn, signal.SIGCONT)
    assert [(one["check"], one["runbook"]) for one in away if one["status"] == "fail"] == [
        ("redis", "docs/runbooks/redis-down.md"),
        ("worker", "docs/runbooks/redis-down.md"),
        ("worker", "docs/runbooks/process-down.md"),  # it hangs
    ]


def test_every_illness_is_told_with_its_place_and_remedy(
    stack_of: StackMaker, kafka: KafkaServer, sound_redis: RedisServer, examined: Examined
) -> None:
    port = free_ports(3)
    stack = stack_of(SECONDS, redis_url=sound_redis.url, partitions=3)
    stack.activate(given(stack.config))
    label, learn = stack.start("label"), stack.start("learn")
    stack.produce(Orders().some(300))
    stack.settle("label", "learn")
    assert [label.stop(), learn.stop()] == [0, 0]
    web = kafka.create_topic(f"{stack.name}.web", 2)
    spoil(stack, sound_redis, web)

    hop = f"input: {{keyed_by_customer: false, clock: progress, topics: [{web}]}}"
    changed = SECONDS.replace("input: {clock: append}", hop).replace("window: 8s, tiles: 4", "window: 16s, tiles: 4")
    file = stack.write(f"{changed}run: {{metrics_port: {port}}}\n", "changed.yaml")
    before = everything(stack, sound_redis)
    with socket.create_server(("127.0.0.1", port + 1)):  # which answers nothing
        findings = examined(file, 3)
    assert everything(stack, sound_redis) == before

    found = [one for one in findings if one["status"] != "ok"]
    start = "stream-seg run --stages"
    events, group = stack.topic("events"), stack.name
    assert [(one["check"], one["status"], one["place"], one["remedy"], page(one)) for one in found] == [
        ("redis eviction", "fail", sound_redis.url, "set maxmemory-policy noeviction", ""),
        ("redis persistence", "warn", sound_redis.url, "set appendonly yes and appendfsync everysec", ""),
        ("redis memory", "fail", sound_redis.url, FULL, "redis-near-full"),
        ("worker", "fail", f"127.0.0.1:{port}", "see in the supervisor's log why it ended", "process-down"),
        ("worker", "fail", f"127.0.0.1:{port + 1}", "end it with SIGKILL; nothing is lost", "process-down"),
        ("definition", "warn", str(file), f'stream-seg apply {file} --why "…"', ""),
        ("activation", "warn", f"{events} partition 2", PROMOTE, ""),
        ("ingest workers", "fail", f"{group}-ingest", f"{start} ingest", "stage-missing"),
        ("ingest lag", "fail", f"{web} partition 1", f"{start} ingest", "labels-stale"),
        ("label state", "fail", f"{events} partition 1", MESSAGE, "partition-stopped"),
        ("label workers", "fail", f"{group}-label", f"{start} label", "stage-missing"),
        ("learn workers", "fail", f"{group}-learn", f"{start} learn", "stage-missing"),
        ("label outbox", "fail", f"{events} partition 0", f"{start} label", "outbox-stuck"),
        ("overdue", "warn", f"{events} partition 0", f"{start} label", "overdue-customers"),
        ("clocks", "warn", f"{events} partition 0", f"{start} label", "clock-stands"),
        ("dead letters", "warn", stack.topic("dead-letters"), LETTER, "dead-letters"),
        ("model", "warn", "tier all", "stream-seg model diff", "candidate-waiting"),
        ("drift", "warn", "tier all", "stream-seg model list", "drift-act"),
        ("trainer", "warn", stack.topic("samples"), SEE, "trainer-silent"),
    ]
    details = {one["check"]: one["detail"] for one in found}
    assert "feature orders changes" in details["definition"]
    assert f"source {web}:0 is new" in details["definition"]
    assert details["ingest lag"].startswith("5 records wait")
    assert "Redis holds no state for it" in details["label state"]
    assert details["label outbox"].startswith("3 messages wait")
    assert details["overdue"].startswith("2 customers")
    assert details["dead letters"].startswith("7 in the last 5 minutes")
    assert "would move 70.0%" in details["model"]
    assert details["drift"] == "spend has changed"
    assert details["trainer"] == "nothing was learned for 0.1 days"


PROMOTE = 'look again; if it stays so: stream-seg model promote 1 --ramp now --why "…"'
FULL = "raise maxmemory or add nodes before writes are refused"
MESSAGE = "find the message in docs/operating.md, and do what it says there"
LETTER = "read one: its headers say what is wrong and what its producer has to do"
SEE = "see whether LEARN works, and every events partition"


def page(one: dict[str, str]) -> str:
    """The runbook's name; the page is there."""
    assert not one["runbook"] or (ROOT / one["runbook"]).is_file()
    return one["runbook"].removeprefix("docs/runbooks/").removesuffix(".md")


def spoil(stack: Stack, server: RedisServer, web: str) -> None:
    """What weeks of neglect would do: states that stages could have stored, and a Redis that is set up badly."""
    with Redis.from_url(server.url) as redis:
        # Partition 0: the clock stands, two are overdue, and a movement waits. Partition 1 lost its state. Partition 2
        # was never told of what is in force in partition 0.
        own = f"{stack.name}:{{label-0}}:"
        label = label_state.Memory(stored(redis, own), 0)
        label.state.clock = now() - 2_000_000
        label.activate(msgspec.structs.replace(label.activations[-1], number=2))
        redis.hset(own + "meta", mapping=label.changed())
        redis.zadd(own + "due", {"shopper-1": 1, "shopper-2": 2})
        waits = msgspec.msgpack.encode([Message("segment-changes", b"a", b"{}")] * 3)
        redis.xadd(own + "outbox", {"b": waits}, "9999999-0")
        redis.delete(f"{stack.name}:{{label-1}}:meta")

        own = f"{stack.name}:{{learn-0}}:"
        learn = learn_state.Memory(stored(redis, own), 0)
        learn.state.learned = now() - DAY // 10  # it learns each minute
        tier, model = learn.tier("all"), given(stack.config).model
        assert model is not None
        tier.proposal = learn_state.Proposal(model=model, moves=0.7, why="better", lineage=())
        tier.findings = [Finding(metric="psi", subject="spend", value=1.0, severity="act", words="spend has changed")]
        redis.hset(own + "meta", mapping=learn.changed())

        redis.config_set("maxmemory", int(redis.info("memory")["used_memory"] * 1.1))
        redis.config_set("maxmemory-policy", "volatile-lru")  # nothing here is volatile: it evicts nothing yet
        redis.config_set("appendonly", "no")
    stack.produce(Orders(2).some(5), topic=web, partition=1, timestamp_ms=now() - 400_000)
    stack.produce([(b"a", b"{broken")] * 7, topic="dead-letters")


def stored(redis: Redis, prefix: str) -> dict[str, bytes]:
    found: dict[bytes, bytes] = redis.hgetall(prefix + "meta")  # type: ignore[assignment]  # no coroutine here
    return {field.decode(): value for field, value in found.items() if not field.startswith(b".")}


def everything(stack: Stack, server: RedisServer) -> tuple[Any, ...]:
    """All of Redis, and where each topic ends."""
    with Redis.from_url(server.url) as redis:
        held = {key: redis.dump(key) for key in redis.keys(f"{stack.name}:*")}
    return held, [stack.ends(logical) for logical in topics()]
