"""How fast, on real Kafka and real Redis: ``python -m benchmarks.throughput`` (`make bench`).

What is measured and how is in docs/benchmarks.md. Writes ``benchmarks/results/throughput.json`` and prints it as the
last line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import passthrough
from benchmarks.bench import Bench, Progress, prepared, report_of
from benchmarks.events import SPAN, Workload
from benchmarks.latency import latency
from benchmarks.meter import resident_mb
from benchmarks.origin import origin
from tests.servers.kafka import KafkaServer

RESULTS = Path(__file__).parent / "results" / "throughput.json"
VARIANTS = ("keyed", "latency", "passthrough", "hop", "long", "uniform", "many")
IN_TURN = 100_000  # customers of `uniform`: half as many more as there is room for at hand, so nobody is when they come
PASSTHROUGH = 100_000  # records: plain Faust needs ten seconds for them
PACKAGES = (
    "stream_seg", "faust-streaming", "aiokafka", "redis", "numpy", "numba", "msgspec", "orjson", "confluent-kafka",
)  # fmt: skip


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def of_redis(bench: Bench, name: str) -> int:
    """A number out of Redis's INFO."""
    said = bench.redis.command("INFO", "everything").decode()
    return int(next(line.partition(":")[2] for line in said.splitlines() if line.startswith(f"{name}:")))


def measure(bench: Bench, workload: Workload, *, hop: bool = False) -> dict[str, Any]:
    """Fills the log, then lets one worker catch up; figures from its first applied batch to its last acknowledged.

    `hop`: an INGEST worker beside it reads the product topic; both are "the worker" then.
    """
    generator = report_of(bench.generator(workload))
    say(f"{bench.config.definition.name}: {generator.events:,} events are in the log after {generator.seconds:.1f} s")
    memory, loads = of_redis(bench, "used_memory"), of_redis(bench, "keyspace_hits")

    async def watch() -> dict[str, Any]:
        progress = Progress(bench)
        began = time.monotonic()
        with bench.worker() as worker, bench.worker("ingest") if hop else nullcontext() as ingest:
            workers = {"worker": worker.pid} | ({"ingest": ingest.pid} if ingest else {})
            pids = {**workers, "redis": bench.redis.pid, "kafka": bench.kafka.pid}
            first, start = await progress.until(1, worker, pids)
            done, _ = await progress.until(workload.count, worker, pids)
            end = await progress.until_relayed(pids)
            took = end.since(start)
            rss = sum(resident_mb(pid) for pid in workers.values())
            peak = sum(resident_mb(pid, "VmHWM") for pid in workers.values())
            states, customers = await progress.states(), await progress.customers()
            grown = of_redis(bench, "used_memory") - memory
            loaded = of_redis(bench, "keyspace_hits") - loads
        await progress.close()
        wrong = {
            "rejected": sum(state.rejected for state in states),
            "late": sum(state.late for state in states),
            "duplicates": sum(state.duplicates for state in states),
        }
        if done != workload.count or any(wrong.values()):
            raise RuntimeError(f"{done} of {workload.count} events were accepted, {wrong}")
        counted = done - first
        of_workers = sum(took.cpu[name] for name in workers)
        return {
            "events_per_s": round(counted / took.at),
            "events_per_worker_cpu_s": round(counted / of_workers),
            "events_per_cpu_s": round(counted / (of_workers + took.cpu["redis"])),
            "worker_rss_mb": round(rss, 1),
            "worker_peak_rss_mb": round(peak, 1),
            "redis_bytes_per_customer": round(grown / customers),
            "redis_reads_per_event": round(loaded / done, 3),
            "events": workload.count,
            "customers": customers,
            "seconds": round(took.at, 2),
            "seconds_from_process_start": round(end.at - began, 2),
            "cpu_s": {name: round(seconds, 2) for name, seconds in took.cpu.items()},
            "cpu_s_of_others": round(took.machine - sum(took.cpu.values()), 2),
            "generator": {
                "events_per_s": round(generator.events / generator.seconds),
                "cpu_s": round(generator.cpu_s, 2),
                "bytes_per_event": round(generator.bytes / generator.events),
            },
        }

    return asyncio.run(watch())


def plain_faust(bench: Bench, count: int) -> dict[str, Any]:
    """Plain Faust, `async for`, doing nothing with the first `count` records of the log that the worker just read."""
    plain = passthrough.measure(bench.kafka, bench.events_topic, "1", count)
    return {"faust_passthrough_events_per_s": plain["per_s"], "faust_passthrough_per_cpu_s": plain["per_cpu_s"]}


def machine() -> dict[str, Any]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
    memory = int(Path("/proc/meminfo").read_text().split()[1]) * 1024 / 1e9
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory, 1),
        "kernel": platform.release(),
    }


def run(kafka: KafkaServer, wanted: Sequence[str], count: int) -> dict[str, Any]:
    """The figures of `keyed` at the top, those of the others under their names."""
    result: dict[str, Any] = {}
    with prepared(kafka, "bench-warm-up") as bench:  # the broker's JVM, numba's cache on disk
        measure(bench, Workload(50_000, customers=2_000))
    if "keyed" in wanted:
        with prepared(kafka, "bench-keyed") as bench:
            result |= measure(bench, Workload(count))
            if "passthrough" in wanted:  # the same topic, before its broker has other work
                result |= plain_faust(bench, min(count, PASSTHROUGH))
    if "latency" in wanted:
        rate = result.get("events_per_s", 40_000) / 2
        with prepared(kafka, "bench-latency") as bench:
            found = latency(bench, rate)
            result |= {"p50_ms": found["p50_ms"], "p99_ms": found["p99_ms"], "latency": found}
    if "hop" in wanted:
        begin = time.time_ns() // 1_000_000 - SPAN  # INGEST's clock is the wall's: older events would be late
        with prepared(kafka, "bench-hop", hop=True) as bench:
            result["hop"] = measure(bench, Workload(count, begin=begin), hop=True)
        with prepared(kafka, "bench-hop-latency", hop=True) as bench:
            found = latency(bench, result["hop"]["events_per_s"] / 2, hop=True)
            result["hop"] |= {"p50_ms": found["p50_ms"], "p99_ms": found["p99_ms"], "latency": found}
    if "long" in wanted:
        with prepared(kafka, "bench-long") as bench:
            result["long"] = measure(bench, Workload(4 * count))
    if "uniform" in wanted:
        with prepared(kafka, "bench-uniform") as bench:
            result["uniform"] = measure(bench, Workload(count, customers=IN_TURN, uniform=True))
    if "many" in wanted:
        with prepared(kafka, "bench-many") as bench:
            # Within an hour: it is about how many there are, not about what silence does to a million of them.
            result["many"] = measure(bench, Workload(count, customers=count, uniform=True, span=3_600_000))
    return result


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.throughput")
    arguments.add_argument("--events", type=int, default=1_000_000)
    arguments.add_argument("--variants", default=",".join(VARIANTS), help="of " + ", ".join(VARIANTS))
    arguments.add_argument("--quick", action="store_true", help="a tenth of the events")
    asked = arguments.parse_args()
    wanted = asked.variants.split(",")
    if "passthrough" in wanted and "keyed" not in wanted:
        arguments.error("passthrough reads the log of keyed: ask for both")
    if unknown := set(wanted) - set(VARIANTS):
        arguments.error(f"no such variant: {', '.join(sorted(unknown))}; there are {', '.join(VARIANTS)}")
    code = origin()
    with KafkaServer() as kafka:
        result = {**run(kafka, wanted, asked.events // 10 if asked.quick else asked.events), **code}
    result["date"] = datetime.now(UTC).date().isoformat()
    result["machine"] = machine()
    result["versions"] = {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
    if set(wanted) == set(VARIANTS) and not asked.quick:  # a part of the figures must not stand for all
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
