"""From raw data to a run, on three data sets: ``python -m benchmarks.exploring`` (`make explore`).

Runs the commands as a person would, `audit`, `explore`, `choose` and `compare`, each in a process of its own; then a
live run that begins with what `choose` wrote, over the same events, whose labels are compared with the report's. Seeded
defects are found in a dirty copy of completejourney, and none in the clean one. Writes
``benchmarks/results/exploring.json`` and prints it as the last line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from benchmarks import clickstream, seeding
from benchmarks.origin import origin
from benchmarks.seeds import SEEDS
from benchmarks.sets import SETS
from benchmarks.throughput import machine, say
from stream_seg.adapters.files.demo import load as demo_set
from stream_seg.bootstrap.definition import begin
from stream_seg.bootstrap.feeding import feed_live
from stream_seg.bootstrap.reading import whole_topic
from stream_seg.bootstrap.servers import create_topics, embedded_servers, on_servers, worker_environment
from stream_seg.bootstrap.supervisor import Supervisor
from stream_seg.config import Config, load
from stream_seg.pipeline.feed import TimedEvents

RESULTS = Path(__file__).parent / "results" / "exploring.json"
OK = (0, 3)
# A child's peak begins with what its parent holds when it is forked: so the parent is a small one.
WATCHER = """
import resource, subprocess, sys
program = "from stream_seg.cli import main; main()"
done = subprocess.run([sys.executable, "-c", program, *sys.argv[1:]], stdout=subprocess.DEVNULL)
print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def events_of(name: str) -> tuple[Path, Iterable[TimedEvents]]:
    """The configuration of a data set, and its events in order."""
    if name == "clickstream":
        return clickstream.DEFINITION, clickstream.chunks()
    source = demo_set(name)
    return source.definition, source.batches()


def exported(name: str, folder: Path) -> tuple[Path, Path]:
    """A data set as a person would have it: a configuration and a file of events."""
    definition, batches = events_of(name)
    config, file = folder / f"{name}.yaml", folder / f"{name}.ndjson"
    config.write_text(definition.read_text())
    with file.open("wb") as out:
        for batch in batches:
            out.write(b"\n".join(batch.values) + b"\n")
    return config, file


def command(*words: str | Path) -> dict[str, float]:
    """Runs one command; its seconds and the peak memory, in MB, of its largest process."""
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", WATCHER, *map(str, words)], stdout=subprocess.PIPE, check=False)
    code, peak = map(int, done.stdout.split())
    if code not in OK:
        raise SystemExit(f"stream-seg {words[0]} ended with {code}")
    found = {"seconds": round(time.monotonic() - began, 1), "rss_mb": round(peak / 1024)}
    say(f"{words[0]}: {found['seconds']} s, {found['rss_mb']} MB")
    return found


def live_labels(name: str, file: Path) -> dict[str, str]:
    """The labels of a live run on servers of its own that begins with `file`: customer -> segment."""
    config = load(file, {})
    config = replace(config, kafka=config.kafka.model_copy(update={"partitions": 2}))
    with embedded_servers(config) as servers:
        config = on_servers(config, servers)
        create_topics(config, retention_days=7, dry_run=False)
        begin(config, who="benchmark", why="what choose wrote")
        stages = ("label", "learn")
        supervisor = Supervisor(config.path, stages, 1, worker_environment(config), embedded=True, quiet=True)
        supervisor.start()
        try:
            asyncio.run(feed_live(config, events_of(name)[1], lambda *_: None, supervisor.check))
        finally:
            supervisor.stop()

        return asyncio.run(_labels(config))


async def _labels(config: Config) -> dict[str, str]:
    """The topic of labels as a reader keeps it: a tombstone takes one away."""
    found: dict[str, str] = {}
    async for record in whole_topic(config, "customer-segments"):
        customer = (record.key or b"").decode()
        if record.value is None:
            found.pop(customer, None)
        else:
            found[customer] = orjson.loads(record.value)["segment"]
    return found


def explored(name: str, folder: Path) -> dict[str, Any]:
    """All four on one data set."""
    say(f"--- {name}")
    config, file = exported(name, folder)
    runs = {step: folder / f"{name}-{step}" for step in ("explore", "choose", "compare")}
    found: dict[str, Any] = {"audit": command("audit", file)}
    for step, out in runs.items():
        found[step] = command(step, file, "--config", config, "--out", out)
        found[step]["report_mb"] = round((out / "report.html").stat().st_size / 1e6, 2)
    said = [orjson.loads(line) for line in (runs["choose"] / "labels.ndjson").read_bytes().splitlines()]
    live = live_labels(name, runs["choose"] / "segmentation.yaml")
    found["customers"] = len(said)
    found["live_labels_equal"] = {one["customer_id"]: one["segment"] for one in said} == live
    return found


def seeded(folder: Path) -> dict[str, Any]:
    """The audit of completejourney's raw lines, and of a copy with defects."""
    clean, seconds = seeding.audited(seeding.written(folder / "clean", dirty=False))
    dirty, _ = seeding.audited(seeding.written(folder / "dirty", dirty=True))
    return {
        "audit_seconds": round(seconds, 1),
        "findings_seeded": len(SEEDS),
        "findings_found": len(seeding.found(dirty, clean)),
        "findings_false": len(seeding.false_findings(clean)),
    }


def main() -> None:
    """Measures, writes and prints."""
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.exploring")
    arguments.add_argument("--sets", default=",".join(SETS), help="of " + ", ".join(SETS))
    sets = arguments.parse_args().sets.split(",")
    with tempfile.TemporaryDirectory(prefix="stream-seg-explore-") as place:
        folder = Path(place)
        audits = seeded(folder)
        each = {name: explored(name, folder) for name in sets}
    if set(sets) != set(SETS) and RESULTS.exists():  # of the others stays what was measured before
        before = json.loads(RESULTS.read_text())["sets"]
        each = {name: each.get(name) or before[name] for name in SETS if name in each or name in before}
    first = next(iter(each.values()))
    found = {
        **audits,
        "explore_seconds": first["explore"]["seconds"],
        "choose_seconds": first["choose"]["seconds"],
        "compare_seconds": first["compare"]["seconds"],
        "report_mb": max(one[step]["report_mb"] for one in each.values() for step in ("explore", "choose", "compare")),
        "live_labels_equal": all(one["live_labels_equal"] for one in each.values()),
        "sets": each,
        "machine": machine(),
        "date": datetime.now(UTC).date().isoformat(),
        **origin(),
    }
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
