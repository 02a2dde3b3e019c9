"""`customer`, `segments` and `who` on a real Redis and a real Kafka that hold what a replay came to."""

from __future__ import annotations

import asyncio
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from stream_seg.adapters.kafka.connection import Broker
from stream_seg.adapters.kafka.producer import Producer
from stream_seg.adapters.kafka.topics import topic_name
from stream_seg.adapters.redis.slots import RedisSlots
from stream_seg.bootstrap import queries
from stream_seg.cli import call
from stream_seg.ports import Claim, Message, Packed, Write
from tests.queries import people
from tests.queries.shop import FEATURES, REST, Shop, definition, events
from tests.servers.kafka import KafkaServer
from tests.servers.redis import RedisServer

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(definition(tmp_path_factory.mktemp("shop")), events())


async def stored(shop: Shop, url: str, name: str) -> None:
    """Everything that the replay left in memory, in Redis."""
    redis, memory = RedisSlots(url, name), shop.replay.slots
    for slot in shop.slots():
        state = await redis.execute(Claim(slot))
        ring = memory.ring(slot)
        ids = [customer for customer, _ in ring]
        records = [memory.record(slot, customer) or b"" for customer in ids]
        history = [(customer, entry) for customer in ids for entry in reversed(memory.history(slot, customer))]
        await redis.execute(
            Write(
                slot, state.claim, 0, b"copy", meta=memory.meta(slot), ids=ids, records=Packed.of(records), ring=ring,
                counts=memory.counts(slot), history=history,
            )
        )  # fmt: skip
    await redis.close()


def config_for(tmp_path: Path, bootstrap: str, redis_url: str) -> tuple[str, str]:
    name = f"shop-{uuid.uuid4().hex[:8]}"
    file = tmp_path / "segmentation.yaml"
    servers = f"kafka: {{bootstrap: '{bootstrap}', partitions: 2}}\nredis: {{url: '{redis_url}'}}\n"
    file.write_text(f"name: {name}\n{servers}{FEATURES}{REST}")
    return str(file), name


def asked(arguments: list[str], capsys: pytest.CaptureFixture[str], code: int = 0) -> dict[str, Any]:
    assert call([*arguments, "--json"]) == code
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def test_a_customer_is_found_in_redis_alone(
    shop: Shop, redis_server: RedisServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, name = config_for(tmp_path, "127.0.0.1:1", redis_server.url)
    asyncio.run(stored(shop, redis_server.url, name))
    for customer, label in list(shop.labels.items())[:20]:
        answer = asked(["customer", customer, "-c", config], capsys)
        assert (str(answer["segment"]), answer["since"]) == (label["segment"], label["since"])
        theirs = [m for m in shop.movements if m["customer_id"] == customer][::-1][:8]
        assert [m["sequence"] for m in answer["history"]] == [m["sequence"] for m in theirs]
    assert call(["customer", "c0", "-c", config]) == 0
    assert "c0 is in segment" in capsys.readouterr().out
    asked(["customer", "nobody", "-c", config], capsys, 1)
    asked(["customer", "\udcff", "-c", config], capsys, 1)


def test_segments_come_with_the_profiles_of_their_definitions_and_without_kafka_with_the_models_centres(
    shop: Shop, kafka: KafkaServer, redis_server: RedisServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, name = config_for(tmp_path, kafka.bootstrap, redis_server.url)
    asyncio.run(stored(shop, redis_server.url, name))
    assert call(["topics", "create", "-c", config]) == 0
    capsys.readouterr()

    async def define() -> None:
        async with Producer(Broker(kafka.bootstrap), lambda logical: topic_name(name, logical)) as producer:
            for number, told in sorted(shop.definitions.items()):
                message = Message("segment-definitions", b"all:%d" % number, json.dumps(told).encode())
                await producer.publish([message])

    asyncio.run(define())
    here = asked(["segments", "-c", config], capsys)
    assert (here["customers"], here["profiles_from"]) == (60, "definitions")
    assert {name for one in here["segments"] for name in one["profile"]} == {"orders", "spend", "silence", "items"}
    assert call(["segments", "-c", config]) == 0
    assert "60 customers, 0 without a segment; model 3" in capsys.readouterr().out

    unreachable, _ = config_for(tmp_path, "127.0.0.1:1", redis_server.url)
    Path(unreachable).write_text(Path(unreachable).read_text().replace(_, name))
    assert call(["segments", "-c", unreachable, "--json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["profiles_from"] == "centres"
    assert "profiles are the model's centres" in shown.err


async def commands_done(url: str) -> dict[str, int]:
    """How often Redis has done each command since it started."""
    async with Redis.from_url(url) as redis:
        stats = await redis.info("commandstats")
    return {name.removeprefix("cmdstat_"): int(one["calls"]) for name, one in stats.items()}


def test_who_answers_out_of_redis_alone_as_in_memory_and_only_reads(
    redis_server: RedisServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    population = Shop(definition(tmp_path, people.FEATURES, people.REST), people.people())
    expected = {name: people.asked(population, view) for name, view in people.views(tmp_path).items()}
    config, name = config_for(tmp_path, "127.0.0.1:1", redis_server.url)
    text = Path(config).read_text().replace(FEATURES, people.FEATURES).replace(REST, people.REST)
    Path(config).write_text(text)
    asyncio.run(stored(population, redis_server.url, name))
    monkeypatch.setattr(queries, "PAGE", 7)
    before = asyncio.run(commands_done(redis_server.url))
    for view, answer in expected.items():
        assert asked(["who", view, "-c", config], capsys) == answer
    after = asyncio.run(commands_done(redis_server.url))
    done = {command for command in after if after[command] > before.get(command, 0)}
    assert done <= {"mget", "lrange", "hgetall", "zrangebyscore", "info", "hello", "client|setinfo", "select"}
    assert call(["who", "drifting-away", "-c", config, "--limit", "1"]) == 0
    shown = capsys.readouterr()
    assert "Who is drifting away? 16 of 66 customers; the first 1" in shown.out
    assert "falling-" in shown.out
    assert shown.err == ""


def test_where_no_worker_ever_ran_it_says_so(
    redis_server: RedisServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, name = config_for(tmp_path, "127.0.0.1:1", redis_server.url)
    for arguments in (["customer", "ann"], ["segments"], ["who", "drifting-away"]):
        said = asked([*arguments, "-c", config], capsys, 1)["error"]["message"]
        assert f"holds nothing of '{name}'" in said
