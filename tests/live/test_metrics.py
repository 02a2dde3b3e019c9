"""What Prometheus scrapes of real processes is what happened, and health says whether it goes on."""

from __future__ import annotations

import asyncio
import json
import math
import os
import shutil
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from stream_seg.adapters.prometheus import catalogue as metric
from stream_seg.adapters.prometheus.catalogue import CATALOGUE, PREFIX
from stream_seg.adapters.prometheus.reference import PROCESS, REASONS, most_series
from stream_seg.adapters.redis.inspection import RedisInspection
from stream_seg.bootstrap.feeding import feed_live
from stream_seg.core.emission import CAUSES
from stream_seg.ports import Slot
from stream_seg.wire.rejections import REMEDIES
from tests.live.conftest import StackMaker
from tests.live.oracle import check
from tests.live.workload import SECONDS, START, WEEKS, Orders, given, weeks
from tests.servers.kafka import KafkaServer
from tests.servers.redis import RedisServer

pytestmark = [pytest.mark.servers, pytest.mark.slow]


def free_ports(count: int) -> int:
    """The first of so many ports in a row on which nobody listens."""
    for first in range(20_000 + 97 * (os.getpid() % 100), 32_000, count):
        try:
            for port in range(first, first + count):
                with socket.socket() as one:
                    one.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise AssertionError("no ports")


def get(port: int, page: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, "nobody listens"


class Scrape:
    """One answer of /metrics."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def sum(self, name: str, **labels: str) -> float:
        return sum(s.value for s in self.samples if s.name == PREFIX + name and labels.items() <= s.labels.items())

    def by(self, name: str, *labels: str) -> dict[tuple[str, ...], float]:
        found: Counter[tuple[str, ...]] = Counter()
        for s in self.samples:
            if s.name == PREFIX + name:
                found[tuple(s.labels[label] for label in labels)] += s.value  # type: ignore[assignment]  # floats add too
        return dict(found)


def within_bounds(scrape: Scrape, **sizes: int) -> None:
    """No metric has more series than docs/metrics.md says, and neither has the whole process."""
    count = Counter(s.name for s in scrape.samples)
    for one in CATALOGUE:
        parts = ("_bucket", "_sum", "_count") if one.kind == "histogram" else ("",)
        there = sum(count.pop(one.full_name + part, 0) for part in parts)
        assert there <= one.most({**sizes, "R": REASONS}), one.full_name
    assert count.total() == PROCESS, count
    assert len(scrape.samples) <= most_series(sizes)


def test_what_is_scraped_is_what_happened(stack_of: StackMaker) -> None:
    port = free_ports(2)
    stack = stack_of(f"{WEEKS}run: {{metrics_port: {port}}}\n")
    stack.activate()
    stack.command("run", "--stages", "label,learn", "--config", str(stack.file))
    count = asyncio.run(feed_live(stack.config, weeks(5), lambda *_: None, lambda: None))
    stack.produce([(b"shopper-1", b"{broken"), (b"shopper-2", b"null")])
    stack.settle("label", "learn", "label")
    stack.until(lambda: get(port, "readyz")[0] == 200 and get(port + 1, "readyz")[0] == 200, "both are ready")
    sizes = Counter[str]()
    for p in range(stack.partitions):
        counts = stack.look(_counts(p))
        sizes.update({field.decode()[2:]: n for field, n in counts.items() if field.startswith(b"s:")})
    here = {(segment,): float(customers) for segment, customers in sizes.items()}
    stack.until(lambda: Scrape(get(port, "metrics")[1]).by("segment_customers", "segment") == here, "who is where")
    label, learn = Scrape(get(port, "metrics")[1]), Scrape(get(port + 1, "metrics")[1])

    # Events, by what became of them.
    states = stack.states()
    assert label.sum("events_total", result="accepted") == sum(s.accepted for s in states)
    assert label.sum("events_total") == sum(s.accepted + s.duplicates + s.late + s.rejected for s in states) >= count
    letters = label.by("dead_letters_total", "reason")
    assert letters.keys() == {(reason,) for reason in REMEDIES}
    assert {reason: n for (reason,), n in letters.items() if n} == {"invalid_json": 1, "not_an_object": 1}
    assert label.sum("consumer_lag_records") == 0
    assert label.sum("records_applied_total") == sum(stack.ends("events"))
    assert label.sum("batch_records_sum") == sum(stack.ends("events"))

    # Movements, by way and by cause.
    moved = check(stack)["segment-changes"].values()
    ways = Counter((str(m["previous_segment"] or "none"), str(m["segment"] or "none")) for m in moved)
    assert label.by("segment_changes_total", "from", "to") == dict(ways)
    causes = Counter(m["cause"] for m in moved)
    assert label.by("movements_total", "cause") == {(cause,): causes[cause] for cause in CAUSES}

    # Models and drift.
    versions = [json.loads(record.value or b"") for record in stack.read("models")]
    assert label.sum("model_version") == max(v["version"] for v in versions) >= 3
    assert learn.sum("learning_customers") == 100
    assert learn.sum("learn_every_seconds") == math.inf  # a past: nothing is late by the clock on the wall
    assert label.by("clock_lag_seconds", "partition") == {(str(p),): 0.0 for p in range(stack.partitions)}
    assert learn.sum("learned_through_timestamp_seconds") > START / 1000
    assert learn.sum("model_waiting") == 0
    assert {key[0] for key in learn.by("drift_score", "method")} >= {"quantisation_error", "outlier_mass"}
    assert learn.sum("messages_published_total", topic="models") == len(versions)

    # No more series than the page says.
    named = {m[end] for m in moved for end in ("previous_segment", "segment")}  # none among them
    columns, alive = len(versions[-1]["columns"]), len(versions[-1]["centers"])
    within_bounds(label, P=stack.partitions, I=1, K=alive, S=len(named), T=1, F=columns)
    within_bounds(learn, P=1, I=1, K=alive, S=len(named), T=1, F=columns)

    # Every metric is there, none names a customer, and Prometheus's own tool finds nothing to mend.
    there = {s.name for scrape in (label, learn) for s in scrape.samples}
    missing = {m.full_name for m in CATALOGUE if not {m.full_name, m.full_name + "_count"} & there}
    # Thresholds need a baseline of four weeks, and nothing drifts here.
    assert missing <= {metric.DRIFT_THRESHOLD.full_name, metric.DRIFT_ALARMS.full_name}
    for scrape in (label, learn):
        assert "shopper" not in scrape.text
        promtool = shutil.which("promtool")
        assert promtool, "promtool is not installed (Debian: apt-get install prometheus)"
        found = subprocess.run(
            [promtool, "check", "metrics"], input=scrape.text, capture_output=True, text=True, check=False
        )
        assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


def test_a_worker_without_redis_is_alive_and_not_ready(stack_of: StackMaker, own_redis: RedisServer) -> None:
    port = free_ports(1)
    stack = stack_of(f"{SECONDS}run: {{metrics_port: {port}}}\n", redis_url=own_redis.url)
    stack.activate(given(stack.config))
    stack.start("label")
    stack.until(lambda: get(port, "readyz")[0] == 200, "ready")
    stack.produce(Orders().some(50))
    stack.settle()
    own_redis.kill()
    stack.until(lambda: get(port, "readyz")[0] == 503, "not ready any more")
    assert "Redis does not answer" in get(port, "readyz")[1]
    assert get(port, "livez") == (200, "ok\n")
    assert Scrape(get(port, "metrics")[1]).sum("redis_up") == 0
    own_redis.start()
    stack.until(lambda: get(port, "readyz")[0] == 200, "ready again")


def test_a_port_in_use_is_told_with_its_remedy_and_ends_the_run(stack_of: StackMaker) -> None:
    port = free_ports(1)
    stack = stack_of(f"{SECONDS}run: {{metrics_port: {port}}}\n")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        run = stack.command("run", "--stages", "label", "--config", str(stack.file))
        stack.until(lambda: run.code is not None, "it ends")
    assert run.code == 2
    assert f"run.metrics_port: cannot listen on 127.0.0.1:{port}" in run.output()


def _counts(partition: int) -> Callable[[RedisInspection], Awaitable[dict[bytes, int]]]:
    return lambda redis: redis.counts(Slot("label", partition))


def test_ingest_counts_what_it_reads_and_what_it_cannot_use(stack_of: StackMaker, kafka: KafkaServer) -> None:
    port = free_ports(2)
    stack = stack_of(SECONDS)
    web = kafka.create_topic(f"{stack.name}.web", 2, message_timestamp_type="LogAppendTime")
    hop = f"input: {{keyed_by_customer: false, clock: progress, topics: [{web}]}}"
    file = stack.write(f"{SECONDS.replace('input: {clock: append}', hop)}run: {{metrics_port: {port}}}\n")
    run = stack.command("run", "--stages", "ingest,label", "--config", str(file))
    stack.until(lambda: get(port, "readyz")[0] == get(port + 1, "readyz")[0] == 200, "both are ready")
    orders = Orders()
    stack.produce([*orders.some(200), (b"shopper-1", b"{broken"), (None, b'{"type": "track"}')], topic=web)
    stack.until(
        lambda: Scrape(get(port + 1, "metrics")[1]).sum("events_total", result="accepted") == orders.sent, "labelled"
    )
    # LABEL may be done with a batch before INGEST has heard that it is committed.
    stack.until(
        lambda: Scrape(get(port, "metrics")[1]).sum("records_applied_total") == orders.sent + 2, "ingest counted it"
    )
    ingest, label = Scrape(get(port, "metrics")[1]), Scrape(get(port + 1, "metrics")[1])
    assert ingest.by("records_applied_total", "stage", "topic") == {("ingest", web): orders.sent + 2}
    assert ingest.sum("dead_letters_total") == 2
    assert ingest.sum("dead_letters_total", reason="invalid_json") == 1
    assert ingest.sum("messages_published_total", topic="events") >= orders.sent
    assert ingest.sum("partitions_open") == 2
    assert ingest.sum("consumer_lag_records") == 0
    assert {phase for (phase,) in ingest.by("phase_seconds_total", "phase")} >= {"fetch", "decode", "publish"}
    assert 0 < label.sum("clock_lag_seconds") < 4 * 600
    assert "shopper" not in ingest.text
    within_bounds(ingest, P=2, I=1, K=0, S=0, T=0, F=0)
    run.signal(signal.SIGTERM)
    assert run.process.wait(60) == 0
