"""`stream-seg replay --format kafka` on a real broker."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from stream_seg.adapters.kafka.admin import Admin
from stream_seg.adapters.kafka.connection import Broker
from stream_seg.adapters.memory.log import LogRecord
from stream_seg.cli import call
from stream_seg.ports import Record
from tests.queries.shop import FEATURES, REST, events
from tests.replay.test_following import Recorded
from tests.replay.test_replay import ndjson, without_incarnation
from tests.servers.kafka import KafkaServer

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return Recorded(tmp_path_factory.mktemp("shop"))


def config_for(folder: Path, bootstrap: str) -> tuple[str, str]:
    name = f"shop-{uuid.uuid4().hex[:8]}"
    file = folder / "segmentation.yaml"
    file.write_text(f"name: {name}\nkafka: {{bootstrap: '{bootstrap}', partitions: 2}}\n{FEATURES}{REST}")
    return str(file), name


async def produce(bootstrap: str, topic: str, partition: int, records: Sequence[Record]) -> None:
    async with Admin(Broker(bootstrap)) as admin:
        await admin.create(topic, 2, {})
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=20)
    await producer.start()
    try:
        for record in records:
            await producer.send(topic, record.value, record.key, partition, headers=list(record.headers))
        await producer.flush()
    finally:
        await producer.stop()


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_the_events_log_is_followed_to_the_labels_and_movements_that_it_decided(
    recorded: Recorded, kafka: KafkaServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, name = config_for(tmp_path, kafka.bootstrap)
    assert call(["topics", "create", "-c", config]) == 0
    topic = f"{name}.events.v1"
    for partition in range(2):
        asyncio.run(produce(kafka.bootstrap, topic, partition, recorded.events[partition]))
    capsys.readouterr()
    out = tmp_path / "out"
    asked = ["replay", topic, "--format", "kafka", "-c", config, "--out", str(out), "--json"]
    assert call(asked) == 0
    shown = capsys.readouterr()
    done = json.loads(shown.out)
    assert f"replaying ({sum(map(len, recorded.events)):,})" in shown.err
    assert (done["accepted"], done["customers"]) == (len(events().values), 60)
    assert {body["customer_id"]: body for body in lines(out / "labels.ndjson")} == recorded.labels
    said = {body["id"]: body | {"decided_at": ""} for body in lines(out / "movements.ndjson")}
    assert said == {body["id"]: body | {"decided_at": ""} for body in recorded.movements}

    half = len(recorded.events[1]) // 2
    assert call([*asked[:1], f"{topic}:1:0-{half}", *asked[2:]]) == 0
    some = json.loads(capsys.readouterr().out)
    assert 0 < some["events"] < half
    assert call([*asked[:1], f"{topic}:7", *asked[2:]]) == 1
    assert "has 2 partitions, numbered from 0; there is no 7" in capsys.readouterr().err
    assert call([*asked[:1], "no.such.topic", *asked[2:]]) == 1
    assert "there is no topic no.such.topic" in capsys.readouterr().err


def test_a_product_topic_is_replayed_like_a_file(
    kafka: KafkaServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, name = config_for(tmp_path, kafka.bootstrap)
    given = events()
    records = [LogRecord("web", 0, i, None, value, (), 0) for i, value in enumerate([*given.values, b"{broken"])]
    asyncio.run(produce(kafka.bootstrap, f"{name}.web", 0, records))
    assert call(["replay", ndjson(tmp_path, given.values), "-c", config, "--out", str(tmp_path / "file")]) == 0
    asked = ["replay", f"{name}.web", "--format", "kafka", "-c", config, "--out", str(tmp_path / "topic")]
    assert call(asked) == 0
    shown = capsys.readouterr()
    assert "dead_letters" in shown.out
    assert f"reading ({len(records):,})" in shown.err
    for file in ("labels.ndjson", "movements.ndjson"):
        expected = list(map(without_incarnation, lines(tmp_path / "file" / file)))
        assert list(map(without_incarnation, lines(tmp_path / "topic" / file))) == expected
    (dead,) = lines(tmp_path / "topic/dead-letters.ndjson")
    assert dead["place"].startswith(f"{name}.web:")
    assert dead["value"] == "{broken"
