"""What a backfill takes, and how long labels stand for it: ``python -m benchmarks.backfill``.

A worker has caught up with a log. A feature is added; the log is folded again beside it; then the changed definition
comes into force, and the worker gives every customer the feature. Writes ``benchmarks/results/backfill.json`` and
prints it as the last line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.bench import Bench, Progress, prepared, report_of
from benchmarks.events import Workload
from benchmarks.origin import origin
from benchmarks.throughput import machine, say
from stream_seg.bootstrap.backfilling import folded, run_backfill
from stream_seg.bootstrap.definition import in_force, publish
from stream_seg.config import Config, load
from stream_seg.core.succession import succeed
from stream_seg.wire.control import ACTIVATE, control
from tests.servers.kafka import KafkaServer

RESULTS = Path(__file__).parent / "results" / "backfill.json"
NEW = '  - {name: viewed_30d, aggregate: count, where: event == "Product Viewed", window: 30d}\nsegments:'


def changed(bench: Bench) -> Config:
    """The same configuration with one more feature."""
    path = bench.config.path.with_name("changed.yaml")
    path.write_text(bench.config.path.read_text().replace("segments:", NEW, 1))
    servers = {"STREAM_SEG_KAFKA__BOOTSTRAP": bench.kafka.bootstrap, "STREAM_SEG_REDIS__URL": bench.redis.url}
    return load(path, servers)


async def caught_up(bench: Bench, count: int) -> None:
    progress = Progress(bench)
    while await progress.accepted() < count:  # noqa: ASYNC110 — nobody calls back
        await asyncio.sleep(0.05)
    await progress.close()


async def put_in_force(bench: Bench, config: Config) -> float:
    """Seconds until every customer of every partition has the new feature."""
    current = await in_force(bench.config)
    assert current is not None
    fill = await folded(config, current)
    following = succeed(current, config.definition, who="bench", at=0, why="bench", fill=fill)
    progress = Progress(bench)
    offsets = [state.offset for state in await progress.states()]
    began = time.monotonic()
    await publish(config, [control("events", ACTIVATE, following, p) for p in range(bench.partitions)])
    while not all(  # noqa: ASYNC110 — nobody calls back
        state.offset > before and not state.filling
        for state, before in zip(await progress.states(), offsets, strict=True)
    ):
        await asyncio.sleep(0.01)
    took = time.monotonic() - began
    await progress.close()
    return took


def measure(bench: Bench, workload: Workload) -> dict[str, Any]:
    report_of(bench.generator(workload))
    with bench.worker():
        asyncio.run(caught_up(bench, workload.count))
        config = changed(bench)
        say("the log is applied; it is read again for a new feature")
        began, cpu = time.monotonic(), time.process_time()
        run_backfill(config, (), lambda *_: None)
        folding, cpu = time.monotonic() - began, time.process_time() - cpu
        stood = asyncio.run(put_in_force(bench, config))
        customers = asyncio.run(_customers(bench))
    return {
        "events": workload.count,
        "customers": customers,
        "partitions": bench.partitions,
        "backfill_s": round(folding, 2),
        "backfill_events_per_s": round(workload.count / folding),
        "backfill_events_per_cpu_s": round(workload.count / cpu),
        "activation_s": round(stood, 2),
        "activation_customers_per_s": round(customers / stood),
    }


async def _customers(bench: Bench) -> int:
    progress = Progress(bench)
    try:
        return await progress.customers()
    finally:
        await progress.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--customers", type=int, default=200_000)
    wanted = parser.parse_args()
    workload = Workload(wanted.events, customers=wanted.customers)
    with KafkaServer() as kafka, prepared(kafka, "bench-backfill") as bench:
        figures = measure(bench, workload)
    result = {"at": datetime.now(UTC).isoformat(timespec="seconds"), **origin(), "machine": machine(), **figures}
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
