"""How long labels stand while workers are replaced one after the other: ``python -m benchmarks.handover``.

Two LABEL workers, events that arrive evenly. For each worker in turn another one is started, then it is ended in order,
as a rolling update of `deploy/kubernetes` does. Of each partition the longest time without progress is told, before and
while that happens.
Writes ``benchmarks/results/handover.json`` and prints it as the last line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from benchmarks.bench import Bench, Progress, prepared
from benchmarks.events import Workload
from benchmarks.origin import origin
from benchmarks.throughput import machine, say
from stream_seg.bootstrap.servers import worker_environment
from tests.servers.kafka import KafkaServer

RESULTS = Path(__file__).parent / "results" / "handover.json"
LOOK = 0.02  # seconds
WORKERS = 2


class Watch:
    """The longest time that each partition made no progress, in seconds."""

    def __init__(self) -> None:
        self.longest: dict[int, float] = {}
        self._last: dict[int, tuple[int, float]] = {}

    def saw(self, partition: int, offset: int) -> None:
        now = time.monotonic()
        before, since = self._last.get(partition, (-1, now))
        if offset != before:
            self._last[partition] = offset, now
        self.longest[partition] = max(self.longest.get(partition, 0.0), now - since)

    def take(self) -> list[float]:
        found = [round(seconds, 2) for _, seconds in sorted(self.longest.items())]
        self.longest = {}
        return found


def worker(bench: Bench) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "stream_seg.bootstrap.worker", "label", str(bench.config.path)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, env=worker_environment(bench.config))


def kill(workers: list[subprocess.Popen[bytes]]) -> None:
    for one in workers:
        one.kill()


async def feed(bench: Bench, rate: int) -> None:
    """`rate` events a second, in ten pieces, until it is cancelled."""
    async with AIOKafkaProducer(bootstrap_servers=bench.kafka.bootstrap, linger_ms=5) as producer:
        workload = Workload(10_000_000, customers=20_000)
        for chunk in workload.chunks():
            for at in range(0, len(chunk.keys), rate // 10):
                piece = slice(at, at + rate // 10)
                for key, value in zip(chunk.keys[piece], chunk.values[piece], strict=True):
                    await producer.send(bench.events_topic, value, key=key)
                await asyncio.sleep(0.1)


async def watched(bench: Bench, watch: Watch) -> None:
    """Looks at every partition until it is cancelled."""
    progress = Progress(bench)
    while True:
        for partition, state in enumerate(await progress.states()):
            watch.saw(partition, state.offset)
        await asyncio.sleep(LOOK)


async def replaced(bench: Bench, rate: int, settle: float) -> dict[str, Any]:
    watch = Watch()
    with ExitStack() as ending:
        running = [worker(bench) for _ in range(WORKERS)]
        ending.callback(kill, running)
        beside = [asyncio.create_task(feed(bench, rate)), asyncio.create_task(watched(bench, watch))]
        await asyncio.sleep(3 * settle)
        watch.take()
        await asyncio.sleep(settle)
        steady = watch.take()
        turns = []
        for number in range(WORKERS):
            say(f"worker {number + 1} of {WORKERS} is replaced")
            old, running[number] = running[number], worker(bench)
            await asyncio.sleep(settle)
            old.terminate()
            await asyncio.to_thread(old.wait, 60)
            await asyncio.sleep(settle)
            turns.append(watch.take())
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        for one in running:
            one.terminate()
        if codes := [code for one in running if (code := one.wait(60))]:
            raise RuntimeError(f"workers ended with {codes}")
    longest = max(max(turn) for turn in turns)
    return {"steady_s": steady, "replacing_s": turns, "longest_s": longest, "longest_steady_s": max(steady)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=2_000, help="events a second")
    parser.add_argument("--settle", type=float, default=10.0, help="seconds after each start and each end")
    asked = parser.parse_args()
    with KafkaServer() as kafka, prepared(kafka, "bench-handover") as bench:
        figures = asyncio.run(replaced(bench, asked.rate, asked.settle))
    result = {
        "date": datetime.now(UTC).date().isoformat(),
        **origin(),
        "machine": machine(),
        "rate": asked.rate,
        "workers": WORKERS,
        **figures,
    }
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
