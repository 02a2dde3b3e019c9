"""What tracing costs: ``python -m benchmarks.traces``.

Two answers. What one span takes, made and sent. And pairs of `keyed` with `run.traces` off and on, over a log in which
no event belongs to a trace, in alternating order: what those pay who trace something else. Writes
``benchmarks/results/traces.json`` and prints it as the last line.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.bench import prepared
from benchmarks.events import Workload
from benchmarks.origin import origin
from benchmarks.throughput import machine, measure, say
from stream_seg.adapters.traces.otlp import OtlpTraces
from stream_seg.bootstrap.stages import GARBAGE
from stream_seg.pipeline.facts import Traced
from stream_seg.telemetry import Telemetry
from tests.servers.kafka import KafkaServer

RESULTS = Path(__file__).parent / "results" / "traces.json"
SPANS, ROUNDS = 2_000, 20
CONTEXT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Sink(BaseHTTPRequestHandler):
    """A collector that looks at nothing."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing on standard error."""


@contextmanager
def collector() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def spans(url: str) -> dict[str, float]:
    """µs of one span: in the thread that works, and in the whole process until it is sent and taken."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE)  # as in a worker: else two thirds of it are the collector's
    made = sent = 0.0
    for _ in range(ROUNDS):
        traces = OtlpTraces(url, "bench-label", {}, Telemetry())
        part = traces.partition("bench.events.v1", 0)
        events = [Traced(offset, CONTEXT, "accepted") for offset in range(SPANS)]
        thread, process = time.thread_time(), time.process_time()
        part.handled(events, time.time_ns())
        made += time.thread_time() - thread
        traces.close()
        sent += time.process_time() - process
    count = SPANS * ROUNDS
    return {"span_made_us": round(1e6 * made / count, 1), "span_sent_us": round(1e6 * sent / count, 1)}


def pair(kafka: KafkaServer, url: str, number: int, events: int) -> dict[str, dict[str, Any]]:
    """`keyed` off and on, one after the other."""
    found = {}
    for name in ("off", "on")[:: -1 if number % 2 else 1]:
        if name == "on":
            os.environ["STREAM_SEG_RUN__TRACES"] = url
        with prepared(kafka, f"bench-{name}-{number}") as bench:
            result = measure(bench, Workload(events))
        os.environ.pop("STREAM_SEG_RUN__TRACES", None)
        found[name] = {key: result[key] for key in ("events_per_s", "events_per_worker_cpu_s", "worker_rss_mb")}
        say(f"{name}: {found[name]}")
    return found


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.traces")
    arguments.add_argument("--events", type=int, default=500_000)
    arguments.add_argument("--pairs", type=int, default=8)
    asked = arguments.parse_args()
    code = origin()
    with collector() as url, KafkaServer() as kafka:
        cost = spans(url)
        say(str(cost))
        with prepared(kafka, "bench-warm-up") as bench:
            measure(bench, Workload(50_000, customers=2_000))
        pairs = [pair(kafka, url, number, asked.events) for number in range(asked.pairs)]
    rates = {name: [one[name]["events_per_worker_cpu_s"] for one in pairs] for name in ("off", "on")}
    memory = {name: statistics.median(one[name]["worker_rss_mb"] for one in pairs) for name in ("off", "on")}
    result = {
        **cost,
        "ratio_of_medians": round(statistics.median(rates["on"]) / statistics.median(rates["off"]), 3),
        "memory_mb": round(memory["on"] - memory["off"], 1),
        "pairs": pairs,
        **code,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
    }
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
