"""Ranges of a topic, on a real Kafka: values are audited like lines, and told by their offsets."""

from __future__ import annotations

import json
import uuid

import pytest
from confluent_kafka import Producer

from tests.explore.audit.asking import audited, refused, rows_of, told
from tests.servers.kafka import KafkaServer

pytestmark = pytest.mark.servers
Capture = pytest.CaptureFixture[str]


def topic_of(kafka: KafkaServer, values: list[bytes | None]) -> str:
    topic = kafka.create_topic(f"audit-{uuid.uuid4().hex[:8]}", 1)
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    for value in values:
        producer.produce(topic, value, partition=0)
    assert producer.flush(30) == 0
    return topic


def test_records_are_audited_and_named_by_their_offsets(kafka: KafkaServer, capsys: Capture) -> None:
    values: list[bytes | None] = [
        json.dumps({"user_id": who, "at": at, "amount": float(amount)}, indent=1).encode()
        for who, at, amount in rows_of()
    ]
    values[3] = None
    values[10] = b"no json"
    values[20] = json.dumps({"user_id": "c1", "at": "2024-02-01T10:00:00Z", "amount": "12,50"}).encode()
    topic = topic_of(kafka, values)
    where = ["--format", "kafka", "--bootstrap", kafka.bootstrap]
    document = audited(capsys, topic, *where, code=3)
    assert document["tables"][0]["rows"] == len(values) - 2
    assert told(document, "no_value")[0]["evidence"]["records"] == 1
    assert told(document, "broken_rows")
    examples = [one for found in told(document, "mixed_types", "amount") for one in found["evidence"]["examples"]]
    assert {(one["file"], one["row"]) for one in examples} == {(f"{topic}:0", 20)}
    assert document["mapping"]["mapping"]["customer"] == "user_id"

    part = audited(capsys, f"{topic}:0:100-150", *where)
    assert part["tables"][0]["rows"] == 50
    assert "there is no 7" in refused(capsys, f"{topic}:7", *where, code=1)
    assert "there is no topic" in refused(capsys, "none-of-that-name", *where, code=1)
    assert "there is no record with a value" in refused(capsys, f"{topic}:0:3-4", *where)
