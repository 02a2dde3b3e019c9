"""A trace that a producer records goes on through INGEST and LABEL to whoever reads the movement."""

from __future__ import annotations

import json
import secrets
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from stream_seg.adapters.kafka.topics import topic_name
from tests.live.collector import Collector
from tests.live.conftest import StackMaker
from tests.live.oracle import Oracle, check
from tests.live.stack import Stack
from tests.live.test_hop import FEATURES, bought, hop, model_in_force, now
from tests.live.test_metrics import Scrape, free_ports, get
from tests.servers.kafka import KafkaServer

pytestmark = [pytest.mark.servers, pytest.mark.slow]

TRACEPARENT = "traceparent"
BLOCKED = "import sys; sys.modules['opentelemetry'] = None; from stream_seg.bootstrap.worker import main; main()"
BLOCKED_RUN = "import sys; sys.modules['opentelemetry'] = None; from stream_seg.cli import main; main()"


def recorded() -> str:
    """The context of a span that its producer records."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def send(stack: Stack, topic: str, customer: str, context: str | None, number: int = 0) -> None:
    value = json.dumps(bought(customer, now(), number)).encode()
    headers = [] if context is None else [(TRACEPARENT, context.encode())]
    stack.produce([(customer.encode(), value)], topic, headers=headers)


def moved(stack: Stack) -> dict[str, str | None]:
    """The context that each customer's first movement bears."""
    found: dict[str, str | None] = {}
    for record in stack.read("segment-changes"):
        context = dict(record.headers).get(TRACEPARENT)
        found.setdefault(record.key.decode(), None if context is None else context.decode())
    return found


def many(count: int) -> Iterator[tuple[bytes, bytes]]:
    at = now()
    for number in range(count):
        customer = f"c{number % 500}"
        yield customer.encode(), json.dumps(bought(customer, at, number)).encode()


def test_a_trace_goes_from_the_producer_through_both_stages_to_the_reader_of_the_movement(
    kafka: KafkaServer, stack_of: StackMaker
) -> None:
    stack = stack_of("input: {}\n" + FEATURES, partitions=2)
    web = kafka.create_topic(f"{stack.name}.web", 1)
    contexts = {
        "ann": recorded(),
        "bob": recorded()[:-1] + "0",
        "cid": None,
        "dee": recorded().upper(),
        "eve": recorded(),
    }
    with Collector() as collector:
        secret = stack.directory / "header"
        secret.write_text("Authorization: Bearer hunter2\n")
        stack.file = stack.write(hop(web) + f"run: {{traces: '{collector.url}/', traces_header_file: {secret}}}\n")
        stack.activate(model_in_force(stack.config))
        began = time.time_ns()
        workers = [stack.start("label"), stack.start("ingest")]
        for customer, context in contexts.items():
            send(stack, web, customer, context)
        stack.produce([(b"x", b"{broken")], web, headers=[(TRACEPARENT, contexts["eve"].encode())])  # type: ignore[union-attr]  # eve has one
        stack.until(lambda: moved(stack).keys() >= contexts.keys(), "everybody has a label")
        stack.until(lambda: len(collector.spans) == 5, "five spans")
        assert [worker.stop() for worker in workers] == [0, 0]
        ended = time.time_ns()

    # Who reads a movement goes on with the producer's context; INGEST wrote it on the keyed record too.
    assert moved(stack) == {**dict.fromkeys(contexts), "ann": contexts["ann"], "eve": contexts["eve"]}
    # Whoever asks the collector sees what each stage did, and nothing of those who record nothing.
    log = topic_name(stack.name, "events")
    at = {r.key.decode(): r for r in stack.read("events") if r.key}
    expected = Counter(
        [
            (f"{stack.name}-ingest", f"process {web}", contexts[c], "0", n, "accepted")
            for c, n in (("ann", 0), ("eve", 4))
        ]
        + [(f"{stack.name}-ingest", f"process {web}", contexts["eve"], "0", 5, "rejected")]
        + [
            (f"{stack.name}-label", f"process {log}", contexts[c], str(at[c].partition), at[c].offset, "accepted")
            for c in ("ann", "eve")
        ]
    )
    place = ("messaging.destination.partition.id", "messaging.kafka.offset", "stream_seg.result")
    assert expected == Counter(
        (s.service, s.name, s.context, *(s.attributes[name] for name in place)) for s in collector.spans
    )
    for span in collector.spans:
        assert began < span.began <= span.ended < ended
        assert span.attributes["messaging.destination.name"] == span.name.partition(" ")[2]
        assert not {*contexts} & {str(value) for value in span.attributes.values()}
    assert {headers["authorization"] for headers in collector.headers} == {"Bearer hunter2"}
    assert not any(worker.says("hunter2") for worker in workers)


def test_a_traced_run_decides_what_its_log_decides_and_a_replay_bears_the_same_contexts(stack_of: StackMaker) -> None:
    with Collector() as collector:
        stack = stack_of(f"input: {{clock: append}}\n{FEATURES}run: {{traces: '{collector.url}'}}\n", partitions=2)
        stack.activate(model_in_force(stack.config))
        first = stack.start("label")
        contexts = {f"c{n}": recorded() if n % 3 else None for n in range(30)}
        for n, (customer, context) in enumerate(contexts.items()):
            if n == 15:
                first.kill()
                stack.start("label")
            send(stack, "events", customer, context)
        stack.until(lambda: moved(stack).keys() >= contexts.keys(), "everybody has a label")
        assert stack.workers[-1].stop() == 0
    assert moved(stack) == contexts
    check(stack)
    oracle = Oracle(stack)
    oracle.label(stack.read("events"))
    replayed = {r.key: dict(r.headers).get(TRACEPARENT) for r in reversed(oracle.log.read("segment-changes", 0, 0))}
    assert {key.decode(): context and context.decode() for key, context in replayed.items() if key} == contexts


@pytest.mark.parametrize("collector", ["away", "silent"])
def test_a_collector_that_is_away_or_never_answers_holds_up_nobody(stack_of: StackMaker, collector: str) -> None:
    port = free_ports(1)
    with Collector(silent=True) as silent, socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = silent.url if collector == "silent" else f"http://127.0.0.1:{nobody.getsockname()[1]}"
        run = f"run: {{traces: '{url}', metrics_port: {port}}}\n"
        stack = stack_of(f"input: {{clock: append}}\n{FEATURES}{run}", partitions=1)
        stack.activate(model_in_force(stack.config))
        label = stack.start("label")
        stack.produce([*many(10_000)], headers=[(TRACEPARENT, recorded().encode())])
        stack.settle()
        stack.until(lambda: Scrape(get(port, "metrics")[1]).sum("trace_spans_total", delivery="dropped") > 0, "dropped")
        if collector == "silent":
            assert silent.asked.is_set()
        stack.produce([(b"zoe", json.dumps(bought("zoe", now())).encode())])
        stack.until(lambda: "zoe" in moved(stack), "a label while spans wait")
        scrape = Scrape(get(port, "metrics")[1])
        assert scrape.sum("trace_spans_total", delivery="sent") == 0
        assert scrape.sum("events_total", result="accepted") == 10_001
        assert label.stop() == 0


def test_what_waits_when_a_worker_ends_is_sent(stack_of: StackMaker) -> None:
    with Collector() as collector:
        stack = stack_of(f"input: {{clock: append}}\n{FEATURES}run: {{traces: '{collector.url}'}}\n", partitions=1)
        stack.activate(model_in_force(stack.config))
        label = stack.start("label")
        send(stack, "events", "ann", recorded())
        stack.until(lambda: len(collector.spans) == 1, "the first")
        stack.produce([*many(2_000)], headers=[(TRACEPARENT, recorded().encode())])
        stack.settle()
        assert label.stop() == 0
        assert len(collector.spans) == 2_001


def test_without_the_extra_a_worker_says_what_to_install_and_off_it_does_not_need_it(stack_of: StackMaker) -> None:
    stack = stack_of(f"input: {{clock: append}}\n{FEATURES}", partitions=1)
    stack.activate(model_in_force(stack.config))
    on = stack.write(f"input: {{clock: append}}\n{FEATURES}run: {{traces: 'http://127.0.0.1:4318'}}\n", "on.yaml")
    for command in ([BLOCKED, "label", str(on)], [BLOCKED_RUN, "run", "--stages", "label", "--config", str(on)]):
        refused = stack._launch([sys.executable, "-c", *command])
        stack.until(lambda: refused.code is not None, "it ends")  # noqa: B023 — in this round
        assert refused.code == 2
        assert refused.says("run.traces:", "opentelemetry", "pip install 'stream_seg[traces]'")

    off = stack._launch([sys.executable, "-c", BLOCKED, "label", str(stack.file)])
    context = recorded()
    send(stack, "events", "ann", context)
    stack.until(lambda: "ann" in moved(stack), "a label")
    assert moved(stack) == {"ann": context}  # what goes on is the log's, not the worker's to decide
    off.signal(signal.SIGTERM)
    assert off.process.wait(60) == 0
