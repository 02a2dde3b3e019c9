"""Whatever producers send, on the real servers: it is put aside untouched with the reason, and the rest counts once."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest
from aiokafka import ConsumerRecord

from stream_seg.core.hashing import partition_of
from tests.live.conftest import StackMaker
from tests.live.oracle import check
from tests.live.stack import Stack
from tests.live.test_faults import QUIET, accepted, through_ingest
from tests.live.workload import Orders, event, given, now
from tests.servers.kafka import KafkaServer

pytestmark = [pytest.mark.servers, pytest.mark.slow]

HOUR = 3_600_000
ANN = b"ann"


@dataclass
class Sent:
    """A record that cannot be used, and the code of the reason; no code: it can be used after all."""

    code: str
    value: bytes | None
    key: bytes | None = ANN
    partition: int | None = None


def changed(**fields: Any) -> bytes:
    """An order of Ann's with some fields otherwise; None: without it."""
    fields = {**json.loads(event("ann", now())), **fields}
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()


def of(customer: str) -> tuple[bytes, bytes]:
    return event(customer, now()), customer.encode()


def bad_records(partitions: int) -> list[Sent]:
    stranger = b"stranger"
    elsewhere = (partition_of(stranger, partitions) + 1) % partitions
    order = event("ann", now())
    return [
        Sent("invalid_json", b'{"type": "track", "userId": "ann", "eve'),
        Sent("invalid_json", order + b" and more"),
        Sent("invalid_json", b""),
        Sent("invalid_json", order[:-1] + b',"note":"' + b"x" * 10_000_000),
        Sent("invalid_utf8", order.replace(b"Order", b"Ord\xff\xfe")),
        Sent("null_value", None),
        Sent("not_an_object", b"[1, 2, 3]"),
        Sent("wrong_type", changed(userId=["ann"])),
        Sent("wrong_type", changed(properties=7)),
        Sent("wrong_type", changed(event={"name": "Order Completed"})),
        Sent("not_a_number", order.replace(b'{"total": 1.0}', b'{"total": NaN}')),
        Sent("not_a_number", order.replace(b'{"total": 1.0}', b'{"total": Infinity}')),
        Sent("not_a_number", order.replace(b'{"total": 1.0}', b'{"total": -Infinity}')),
        Sent("too_deep", order[:-1] + b',"deep":' + b"[" * 1000 + b"]" * 1000 + b"}"),
        Sent("missing_id", changed(userId=None)),
        Sent("missing_id", order.replace(b'"ann"', b"null", 1)),
        Sent("id_too_long", *of("a" * 10_000)),
        Sent("unusable_id", *of("null")),
        Sent("unusable_id", *of("undefined")),
        Sent("unusable_id", *of("")),
        Sent("timestamp_without_zone", changed(timestamp="2024-05-31T10:00:00")),
        Sent("timestamp_out_of_range", changed(timestamp="1970-01-01T00:00:00Z")),
        Sent("timestamp_in_future", changed(timestamp="2100-01-01T00:00:00Z")),
        Sent("timestamp_out_of_range", changed(timestamp="9999-12-31T23:59:59Z")),
        Sent("invalid_timestamp", changed(timestamp="yesterday")),
        Sent("key_mismatch", order, b"bob"),
        Sent("key_mismatch", order, None, 0),
        Sent("wrong_partition", event("stranger", now()), stranger, elsewhere),
    ]


def send(stack: Stack, records: list[Sent], orders: Orders, topic: str) -> None:
    """What cannot be used, orders between, and one large event that is fine."""
    for number, record in enumerate(records):
        headers = [("number", b"%d" % number), ("trace", b"\x00\xff")]
        stack.produce([(record.key, record.value)], topic, headers=headers, partition=record.partition)
        stack.produce(orders.some(5), topic)
    large = event("ann", now(), 5.0, "large", context={"page": "x" * 10_000_000})
    stack.produce([(ANN, large)], topic)


def check_what_was_put_aside(stack: Stack, records: list[Sent], topic: str, stage: str) -> None:
    log = {_number(r): r for r in stack.read(topic) if _number(r) is not None}
    dead = stack.read("dead-letters")
    assert sorted(_number(letter) or 0 for letter in dead) == [n for n, sent in enumerate(records) if sent.code]
    for letter in dead:
        number = _number(letter) or 0
        sent, original = records[number], log[number]
        assert (letter.key, letter.value) == (sent.key, sent.value)
        assert letter.headers[:2] == (("number", b"%d" % number), ("trace", b"\x00\xff"))
        reasons = {name: value.decode() for name, value in letter.headers[2:]}
        assert reasons["ss-error-code"] == sent.code, reasons
        assert reasons["ss-error-path"].startswith("$")
        assert reasons["ss-error-remedy"]
        assert reasons["ss-error-group"] == f"{stack.name}-{stage}"
        assert reasons["__streams.errors.topic"] == topic
        assert reasons["__streams.errors.partition"] == str(original.partition)
        assert reasons["__streams.errors.offset"] == str(original.offset)
        assert reasons["__streams.errors.message"].startswith(sent.code)


def test_what_cannot_be_used_is_put_aside_untouched_and_the_events_between_count_once(stack_of: StackMaker) -> None:
    stack, orders = stack_of(QUIET), Orders()
    stack.activate(given(stack.config))
    records = bad_records(stack.partitions)
    send(stack, records, orders, stack.topic("events"))
    worker = stack.start("label")
    stack.settle()
    assert worker.stop() == 0
    check_what_was_put_aside(stack, records, stack.topic("events"), "label")
    check(stack)
    assert accepted(stack) == orders.sent + 1
    assert sum(state.rejected for state in stack.states()) == len(records)


def test_so_it_is_on_the_way_through_ingest_where_any_key_and_partition_will_do(
    kafka: KafkaServer, stack_of: StackMaker
) -> None:
    stack, orders = stack_of(QUIET), Orders()
    stack.file = through_ingest(stack, kafka)
    (web,) = stack.config.input_topics
    stack.activate(given(stack.config))
    records = bad_records(stack.partitions)
    good = {"key_mismatch", "wrong_partition"}  # to INGEST, which finds the customer in the value
    records = [replace(sent, code="" if sent.code in good else sent.code) for sent in records]
    send(stack, records, orders, web)
    label, ingest = stack.start("label"), stack.start("ingest")
    letters = sum(bool(sent.code) for sent in records)
    stack.until(lambda: sum(stack.ends("dead-letters")) >= letters, "all that cannot be used is put aside")
    stack.until(lambda: sum(s.accepted + s.duplicates for s in stack.states()) >= orders.sent + 4, "the rest")
    assert ingest.stop() == 0
    stack.settle()
    assert label.stop() == 0
    check_what_was_put_aside(stack, records, web, "ingest")
    check(stack)
    assert accepted(stack) == orders.sent + 3  # of Ann's order under another key and without one, one is a duplicate
    assert sum(state.duplicates for state in stack.states()) == 1
    assert sum(state.rejected for state in stack.states()) == 0


def test_an_event_older_than_lateness_allows_goes_to_the_late_events(stack_of: StackMaker) -> None:
    stack = stack_of(QUIET)
    stack.activate(given(stack.config))
    late = event("ann", now() - 2 * HOUR, 9.0, "late")
    stack.produce(
        [
            (ANN, event("ann", now(), 1.0, "in time")),
            (ANN, late),
            (ANN, event("ann", now() - HOUR // 2, 1.0, "a little late")),
            (b"bob", event("bob", now() - 2 * HOUR, 1.0, "old, but bob's first")),
        ]
    )
    worker = stack.start("label")
    stack.settle()
    assert worker.stop() == 0
    (aside,) = stack.read("late-events")
    assert (aside.key, aside.value) == (ANN, late)
    assert dict(aside.headers)["ss-error-code"] == b"too_late"
    check(stack)
    assert accepted(stack) == 3


def _number(record: ConsumerRecord) -> int | None:
    found = dict(record.headers).get("number")
    return None if found is None else int(found)
