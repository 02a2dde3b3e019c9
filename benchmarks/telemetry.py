"""What metrics cost: ``python -m benchmarks.telemetry``.

Two answers. What a batch's counting takes by itself, against what the batch takes: a figure that repeats. And pairs of
`keyed` with and without metrics, scraped every second: real, and as noisy as the machine. Writes
``benchmarks/results/telemetry.json`` and prints it as the last line.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prometheus_client import generate_latest

from benchmarks.bench import prepared
from benchmarks.events import Workload
from benchmarks.origin import origin
from benchmarks.throughput import machine, measure, say
from stream_seg.adapters.prometheus.counting import PrometheusTelemetry
from stream_seg.pipeline.facts import InForceFacts, LabelFacts, Moves
from stream_seg.ports import Message
from tests.servers.kafka import KafkaServer

RESULTS = Path(__file__).parent / "results" / "telemetry.json"
PORT = 19_464
TIMES = 2_000
BATCH = 4_000
PHASES = ("compute", "decode", "read", "features", "write", "silence", "publish")


def counting() -> dict[str, float]:
    """µs of everything that is counted for one batch of `BATCH` events, and of one scrape."""
    telemetry = PrometheusTelemetry("label")
    part = telemetry.partition("bench.events.v1", 0)
    part.opened()
    model = InForceFacts("all", 3, 3, 0, {n: f"segment {n}" for n in range(6)})
    messages = [Message("segment-changes", b"c", b""), Message("customer-segments", b"c", b"")] * (BATCH // 10)
    moves = Moves()
    began = time.process_time()
    for i in range(TIMES):
        part.waited(0.001)
        for _ in range(3):
            telemetry.asked("write", 0.002)
        telemetry.published(messages)
        part.applied(BATCH, 0.06, 1_700_000_000_000, 1_700_000_000_500)
        part.spent(dict.fromkeys(PHASES, 0.01))
        part.outbox(10, None)
        moves[("all", i % 6, (i + 1) % 6, "event")] += BATCH // 10
        part.facts(LabelFacts(BATCH * i, i, i, i, i, moves, Counter(), 5_000, BATCH * i, i, [model]))
        part.stands(BATCH * i, BATCH * i + 5)
    batch = (time.process_time() - began) / TIMES
    began = time.process_time()
    for _ in range(100):
        generate_latest(telemetry.meters.registry)
    return {"batch_us": round(1e6 * batch, 1), "scrape_us": round(1e4 * (time.process_time() - began), 1)}


@contextmanager
def scraped(port: int) -> Iterator[None]:
    """Asks for the metrics every second."""
    done = threading.Event()

    def ask() -> None:
        while not done.wait(1.0):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read()
            except OSError:
                continue  # it has not begun to listen, or has ended

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def pair(kafka: KafkaServer, number: int, events: int) -> dict[str, dict[str, Any]]:
    """`keyed` without and with metrics, one after the other."""
    found = {}
    for name, port in (("without", 0), ("with", PORT)):
        os.environ["STREAM_SEG_RUN__METRICS_PORT"] = str(port)
        with prepared(kafka, f"bench-{name}-{number}") as bench, scraped(PORT):
            result = measure(bench, Workload(events))
        found[name] = {key: result[key] for key in ("events_per_s", "events_per_worker_cpu_s", "worker_rss_mb")}
        say(f"{name}: {found[name]}")
    return found


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.telemetry")
    arguments.add_argument("--events", type=int, default=1_000_000)
    arguments.add_argument("--pairs", type=int, default=4)
    asked = arguments.parse_args()
    code, cost = origin(), counting()
    with KafkaServer() as kafka:
        with prepared(kafka, "bench-warm-up") as bench:
            measure(bench, Workload(50_000, customers=2_000))
        pairs = [pair(kafka, number, asked.events) for number in range(asked.pairs)]
    ratios = [one["with"]["events_per_worker_cpu_s"] / one["without"]["events_per_worker_cpu_s"] for one in pairs]
    rates = [one["without"]["events_per_worker_cpu_s"] for one in pairs]
    result = {
        **cost,
        "batch_share": round(cost["batch_us"] * statistics.median(rates) / BATCH / 1e6, 5),
        "ratio_median": round(statistics.median(ratios), 3),
        "pairs": pairs,
        **code,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
    }
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
