"""Puts what was measured into README.md: ``python -m benchmarks.figures``.

Only figures of ``benchmarks/results/throughput.json`` get there, with the place and day of the measurement; a test
compares.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from benchmarks.origin import told

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks/results/throughput.json"
README = ROOT / "README.md"
BLOCK = re.compile(r"(<!-- figures: [^>]*-->\n).*?(<!-- /figures -->)", re.DOTALL)
MEANINGS = {
    "events_per_s": "events a second, one worker, broker and Redis on its cores",
    "events_per_worker_cpu_s": "events per CPU second of the worker",
    "events_per_cpu_s": "events per CPU second of worker and Redis together",
    "p50_ms": "from produced to movement readable at half load, median, ms",
    "p99_ms": "the same, 99 of 100, ms",
    "worker_rss_mb": "memory of the worker, MB",
    "redis_bytes_per_customer": "Redis, bytes a customer",
    "faust_passthrough_events_per_s": "for comparison: plain Faust doing nothing on the same topic, events a second",
}


def table(results: dict[str, Any]) -> str:
    """The table for README, of the figures that were measured.

    >>> print(table({"events_per_s": 41234.5, "date": "2030-01-01", "machine": {"cpu": "X", "cores": 2}, "events": 10}))
    | figure | |
    |---|---|
    | events a second, one worker, broker and Redis on its cores | 41,234 |
    <BLANKLINE>
    10 events, 2 cores (X), 2030-01-01, commit –; `make bench` measures again.
    """
    rows = [f"| {what} | {results[name]:,.0f} |" for name, what in MEANINGS.items() if name in results]
    machine = results["machine"]
    said = (
        f"{results['events']:,} events, {machine['cores']} cores ({machine['cpu']}), {results['date']}, {told(results)}"
    )
    return "\n".join(["| figure | |", "|---|---|", *rows, "", f"{said}; `make bench` measures again."])


def filled(page: str, results: dict[str, Any]) -> str:
    """README with the table in its place."""
    return BLOCK.sub(lambda found: f"{found[1]}{table(results)}\n{found[2]}", page)


if __name__ == "__main__":
    README.write_text(filled(README.read_text("utf-8"), json.loads(RESULTS.read_text("utf-8"))), "utf-8")
