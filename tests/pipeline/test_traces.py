"""Traces go through INGEST and LABEL as a function of the records, and change nothing else."""

from __future__ import annotations

import msgspec
import pytest

from stream_seg.adapters.memory.log import LogRecord
from stream_seg.core.definition import DAY
from stream_seg.pipeline.facts import Traced
from stream_seg.wire import control
from stream_seg.wire.traces import TRACEPARENT
from tests.core.drawing import START
from tests.pipeline.partition import EVENTS, Log, Partition, event_value
from tests.pipeline.test_activations import activation
from tests.pipeline.test_ingest import WEB, Source, order

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def parent(number: int, flags: str = "01") -> bytes:
    return f"00-{TRACE}-{number:016x}-{flags}".encode()


def bearing(value: bytes | None) -> tuple[tuple[str, bytes], ...]:
    return () if value is None else ((TRACEPARENT, value),)


def paid(log: Log, customer: str, at: int, number: int, context: bytes | None) -> LogRecord:
    value = event_value(customer, at, {"event": "Paid"}, f"m{number}")
    return log.append(customer.encode(), value, bearing(context), at)


def told(partition: Partition) -> list[tuple[str, str, bytes | None]]:
    """Of each movement its segment, its cause and the context that it bears."""
    found = []
    for record in partition.output("segment-changes"):
        body = msgspec.json.decode(record.value or b"")
        found.append((body["segment"], body["cause"], dict(record.headers).get(TRACEPARENT)))
    return found


def year(*, traces: bool = True) -> Log:
    """Ann comes, comes often, falls silent, comes back. With six visits and more in eight days she is in segment 1."""
    log = Log()
    log.activate(activation(1, 1.0, 9.0), START)
    contexts = [parent(1), None, parent(3, "00"), b"00-broken", parent(5), None, parent(7), parent(8)]
    for number, context in enumerate(contexts):
        paid(log, "ann", START + number, number, context if traces else None)
    paid(log, "ann", START + 20 * DAY, 8, parent(9) if traces else None)
    paid(log, "bob", START + 20 * DAY, 9, parent(10) if traces else None)
    return log


@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_movement_bears_the_context_of_the_event_that_caused_it_and_of_no_other(size: int) -> None:
    partition, records = Partition(), year().records
    for at in range(0, len(records), size):
        partition.run(records[at : at + size])
    assert told(partition) == [
        ("0", "event", parent(1)),
        ("1", "event", None),  # by the sixth visit, which belongs to no trace; its neighbours do
        ("0", "time", None),  # silence moved her, before the event that was applied then
        ("0", "event", parent(10)),
    ]


def test_labels_states_and_bodies_are_those_of_the_same_log_without_traces() -> None:
    traced, plain = Partition(), Partition()
    traced.run(year().records)
    plain.run(year(traces=False).records)
    assert traced.snapshot() == plain.snapshot()
    assert not [r for r in traced.output("customer-segments") if TRACEPARENT in dict(r.headers)]


def test_who_inherits_an_outbox_publishes_the_context_too() -> None:
    partition, records = Partition(), year().records[:2]
    for record in records:
        partition.log.append(EVENTS, record.key, record.value, record.headers, timestamp=record.timestamp)
    partition.world.run(partition.labeller.process(records))
    partition.open()  # the one before died with a movement decided and not published
    partition.world.run(partition.labeller.owner.relay())
    assert told(partition) == [("0", "event", parent(1))]


def test_label_says_what_became_of_each_traced_event_of_the_batch() -> None:
    log, partition = Log(), Partition()
    log.activate(activation(1, 1.0, 9.0), START)
    at = START + 40 * DAY
    paid(log, "ann", at, 1, parent(1))
    paid(log, "ann", at + 1, 1, parent(2))
    log.append(b"ann", event_value("ann", START, {"event": "Paid"}, "m3"), bearing(parent(3)), at + 2)
    log.append(b"ann", b"{broken", bearing(parent(4)), at + 3)
    paid(log, "ann", at + 4, 5, None)
    paid(log, "ann", at + 5, 6, parent(6, "00"))
    copied = (*bearing(parent(7)), (control.SOURCE, b"x:0:7"))
    for _ in range(2):
        log.append(b"ann", event_value("ann", at, {"event": "Paid"}, "m7"), copied, at + 6)
    partition.run(log.records)
    assert partition.labeller.traced == [
        Traced(1, parent(1), "accepted"),
        Traced(2, parent(2), "duplicate"),
        Traced(3, parent(3), "late"),
        Traced(4, parent(4), "rejected"),
        Traced(7, parent(7), "accepted"),  # and nothing of its copy, which INGEST wrote twice
    ]
    partition.run([paid(log, "ann", at + 7, 8, None)])
    assert partition.labeller.traced == []


def test_ingest_hands_recorded_contexts_on_and_no_other_header() -> None:
    source = Source()
    for number, context in enumerate([parent(1), None, parent(2, "00"), b"00-broken"]):
        source.send(order(f"c{number}"), headers=(("other", b"x"), *bearing(context)))
    source.send(b"{broken", headers=bearing(parent(4)))
    source.work()
    written = {record.key: record.headers for record in source.written()}
    assert written == {
        f"c{n}".encode(): ((control.SOURCE, f"{WEB}:0:{n}".encode()), *bearing(parent(1) if n == 0 else None))
        for n in range(4)
    }
    (letter,) = source.log.read("dead-letters", 0, 0)
    assert dict(letter.headers)[TRACEPARENT] == parent(4)
    assert source.ingest.traced == [Traced(0, parent(1), "accepted"), Traced(4, parent(4), "rejected")]
    source.send(order("c9"))
    source.work()
    assert source.ingest.traced == []
