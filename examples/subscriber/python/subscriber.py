"""Follows the movements of customers: acts on each one once, and says when one is missing.

    python subscriber.py 127.0.0.1:9092 shop.segment-changes.v1 crm places.db

`crm` is the consumer group. `places.db` remembers how far every customer has come; it is made if it is not there.
"""

from __future__ import annotations

import json
import signal
import sqlite3
import sys
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message

BATCH = 500
WAIT = 0.5  # seconds: how long SIGTERM waits at most while nothing arrives
HANDED_OVER = {
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError._NO_OFFSET,  # noqa: SLF001 — public, but librdkafka's own codes begin so
}
TABLE = """
CREATE TABLE IF NOT EXISTS places
    (customer_id TEXT PRIMARY KEY, incarnation INTEGER NOT NULL, sequence INTEGER NOT NULL)
"""
FIELDS = {"id", "customer_id", "incarnation", "sequence", "previous_segment", "segment", "cause"}
KNOWN = "SELECT incarnation, sequence FROM places WHERE customer_id = ?"
REMEMBER = """
INSERT INTO places VALUES (?, ?, ?)
ON CONFLICT (customer_id) DO UPDATE SET incarnation = excluded.incarnation, sequence = excluded.sequence
"""


def act(movement: dict[str, Any]) -> None:
    """What you came for: a campaign, a ticket, a row. It may come again after a crash, with the same `id`."""
    before, now = movement["previous_segment"] or "none", movement["segment"] or "none"
    print(f"moved {movement['id']} from {before} to {now} by {movement['cause']}")


class Subscriber:
    def __init__(self, places: sqlite3.Connection) -> None:
        self.acted = self.repeated = self.holes = 0
        self._places = places

    def take(self, messages: list[Message]) -> None:
        """Acts on what is new in a batch, and remembers it before its offsets are committed."""
        with self._places:  # one transaction: if your actions go into the same database, they happen exactly once
            for message in messages:
                self._one(movement_of(message))
        sys.stdout.flush()

    def _one(self, movement: dict[str, Any]) -> None:
        customer, place = movement["customer_id"], (movement["incarnation"], movement["sequence"])
        known = self._places.execute(KNOWN, (customer,)).fetchone() or (0, 0)
        # The id is customer, incarnation and sequence. So the greatest pair of a customer knows every id before it.
        if place <= known:
            self.repeated += 1
            return
        expected = known[1] + 1 if place[0] == known[0] else 1
        if place[1] > expected:
            self.holes += 1
            missing = f"{expected} to {place[1] - 1}"
            print(f"hole {customer} incarnation {place[0]}: {missing} did not come", file=sys.stderr)
        act(movement)
        self._places.execute(REMEMBER, (customer, *place))
        self.acted += 1


def movement_of(message: Message) -> dict[str, Any]:
    """The value of a record. What is none stops the subscriber: it would be lost if it were passed over."""
    if message.error() is not None:
        raise KafkaException(message.error())
    wrong = "fields are missing"
    try:
        movement = json.loads(message.value() or b"null")
        if isinstance(movement, dict) and movement.keys() >= FIELDS:
            return movement
    except ValueError as error:
        wrong = str(error)
    place = f"{message.topic()}, partition {message.partition()}, offset {message.offset()}"
    raise SystemExit(f"{place} is no movement ({wrong}): look whether the topic is the right one")


def follow(bootstrap: str, topic: str, group: str, file: str) -> None:
    """Until SIGTERM or Ctrl-C."""
    ending = False

    def end(*_: object) -> None:
        nonlocal ending
        ending = True

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    places = sqlite3.connect(file)
    places.execute(TABLE)
    subscriber = Subscriber(places)
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "auto.offset.reset": "earliest",  # a group that is new begins with what the topic still holds
            "enable.auto.commit": False,  # not before it was acted on
            "error_cb": lambda error: print(f"Kafka: {error}", file=sys.stderr),
        }
    )
    consumer.subscribe([topic])
    try:
        while not ending:
            messages = consumer.consume(BATCH, WAIT)
            if messages:
                subscriber.take(messages)
                commit(consumer)
    finally:
        consumer.close()
        places.close()
    print(f"{subscriber.acted} acted on, {subscriber.repeated} repeated, {subscriber.holes} holes", file=sys.stderr)


def commit(consumer: Consumer) -> None:
    """Gives back what was read as done. Where a rebalance was quicker, it comes again and is known."""
    try:
        consumer.commit(asynchronous=False)
    except KafkaException as error:
        if error.args[0].code() not in HANDED_OVER:
            raise


if __name__ == "__main__":
    if len(sys.argv) != 5:
        print("subscriber.py BOOTSTRAP TOPIC GROUP PLACES", file=sys.stderr)
        sys.exit(2)
    follow(*sys.argv[1:])
