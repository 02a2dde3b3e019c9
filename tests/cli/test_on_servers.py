"""`topics create` and `doctor` on a real Kafka and a real Redis."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path
from typing import Any

import pytest

from stream_seg.cli import call
from tests.servers.kafka import KafkaServer
from tests.servers.redis import RedisServer

pytestmark = pytest.mark.servers


def config_for(tmp_path: Path, bootstrap: str, redis_url: str, memory: str = "1mb") -> str:
    file = tmp_path / "segmentation.yaml"
    file.write_text(
        f"name: shop-{uuid.uuid4().hex[:8]}\nfeatures:\n- {{name: orders, aggregate: count, window: 7d, tiles: "
        f"7}}\nkafka: {{bootstrap: '{bootstrap}', partitions: 3}}\nredis: {{url: '{redis_url}', memory: {memory}}}\n"
    )
    return str(file)


def asked(arguments: list[str], capsys: pytest.CaptureFixture[str], code: int) -> dict[str, Any]:
    assert call([*arguments, "--json"]) == code
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def test_topics_are_created_once_and_then_the_doctor_has_nothing_to_say_about_them(
    kafka: KafkaServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with RedisServer(maxmemory="64mb") as redis:
        config = config_for(tmp_path, kafka.bootstrap, redis.url)
        before = asked(["doctor", "-c", config], capsys, 3)
        assert "there is no such topic" in {one["detail"] for one in before["findings"]}
        assert "work" not in {one["check"] for one in before["findings"]}  # said already

        planned = asked(["topics", "create", "-c", config, "--dry-run"], capsys, 0)
        made = asked(["topics", "create", "-c", config], capsys, 0)
        assert planned["topics"] == made["topics"]
        assert all(one["created"] for one in made["topics"])
        again = asked(["topics", "create", "-c", config], capsys, 0)
        assert not any(one["created"] for one in again["topics"])

        after = asked(["doctor", "-c", config], capsys, 0)
        assert after["ok"]
        checks = [one["check"] for one in after["findings"]]
        assert {"configuration", "kafka", "topics", "redis", "redis eviction", "clock kafka", "clock redis"} <= {
            *checks
        }


def test_state_that_cannot_be_read_is_a_finding(
    kafka: KafkaServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with RedisServer(maxmemory="64mb") as redis:
        config = config_for(tmp_path, kafka.bootstrap, redis.url)
        (name,) = re.findall(r"^name: (\S+)", Path(config).read_text(), re.MULTILINE)
        asked(["topics", "create", "-c", config], capsys, 0)
        redis.command("HSET", f"{name}:{{label-1}}:meta", "state", "no state", "guard", "id:3:murmur2")
        (found,) = [one for one in asked(["doctor", "-c", config], capsys, 3)["findings"] if one["status"] != "ok"]
        assert (found["check"], found["place"]) == ("work", redis.url)
        assert "is damaged" in found["detail"]


def test_a_product_topic_that_is_not_there_is_a_finding_of_its_own(
    kafka: KafkaServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with RedisServer(maxmemory="64mb") as redis:
        config = config_for(tmp_path, kafka.bootstrap, redis.url)
        name = uuid.uuid4().hex[:8]
        there, missing = kafka.create_topic(f"web-{name}", 3), f"app-{name}"
        with Path(config).open("a") as file:
            file.write(f"input: {{keyed_by_customer: false, clock: progress, topics: [{there}, {missing}]}}\n")
        asked(["topics", "create", "-c", config], capsys, 0)
        findings = asked(["doctor", "-c", config], capsys, 3)["findings"]
        found = {
            (one["check"], one["place"]): (one["status"], one["detail"], one["remedy"])
            for one in findings
            if one["check"] == "input topic"
        }
        remedy = "create it, or take it out of input.topics"
        assert found == {
            ("input topic", there): ("ok", "3 partition(s)", ""),
            ("input topic", missing): ("fail", "there is no such topic", remedy),
        }
        assert [one["place"] for one in findings if one["status"] != "ok"] == [missing]


def test_a_redis_that_forgets_customers_is_found(
    kafka: KafkaServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with RedisServer(maxmemory="64mb", maxmemory_policy="allkeys-lru", appendonly="no") as redis:
        config = config_for(tmp_path, kafka.bootstrap, redis.url, memory="1gb")
        found = asked(["doctor", "-c", config], capsys, 3)["findings"]
        faults = {one["check"]: one["status"] for one in found if one["check"].startswith("redis")}
        assert faults == {
            "redis": "ok",
            "redis version": "ok",
            "redis role": "ok",
            "redis eviction": "fail",
            "redis persistence": "warn",
            "redis memory": "warn",
        }


def test_servers_that_do_not_answer_are_findings_with_a_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = config_for(tmp_path, "127.0.0.1:1", "redis://127.0.0.1:1/0")
    found = asked(["doctor", "-c", config], capsys, 3)["findings"]
    assert [(one["check"], one["status"]) for one in found] == [
        ("configuration", "ok"),
        ("kafka", "fail"),
        ("redis", "fail"),
    ]
    assert "correct kafka.bootstrap" in found[1]["remedy"]
    assert "correct redis.url" in found[2]["remedy"]


def test_a_password_from_the_environment_reaches_redis_and_is_never_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with RedisServer(requirepass="hunter2", maxmemory="64mb") as redis:
        config = config_for(tmp_path, "127.0.0.1:1", f"redis://127.0.0.1:{redis.port}/0")
        refused = asked(["doctor", "-c", config], capsys, 3)["findings"][2]
        assert (refused["check"], refused["status"]) == ("redis", "fail")
        monkeypatch.setenv("STREAM_SEG_REDIS__PASSWORD", "hunter2")
        found = asked(["doctor", "-c", config], capsys, 3)
        assert [one["status"] for one in found["findings"] if one["check"] == "redis"] == ["ok"]
        assert "hunter2" not in json.dumps(found)
