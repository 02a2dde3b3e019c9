"""Many seeds over the processors of this machine."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

from tests.simulation.run import Result, run

CHUNK = 20
SHOWN = 5  # failing seeds whose schedule is told


@dataclass
class Report:
    """What came of many seeds."""

    seeds: int = 0
    steps: int = 0
    struck: Counter[str] = field(default_factory=Counter)
    failed: list[Result] = field(default_factory=list)

    def add(self, result: Result) -> None:
        self.seeds += 1
        self.steps += result.steps
        self.struck += result.struck
        if result.wrong is not None:
            self.failed.append(result)

    def told(self) -> str:
        """The failing seeds, the schedule of the first of them, and how to run one alone."""
        faults = ", ".join(f"{count} × {fault}" for fault, count in sorted(self.struck.items()))
        lines = [f"{self.seeds} schedules, {self.steps} steps, faults: {faults or 'none'}"]
        if self.failed:
            first = self.failed[0]
            lines += [run(first.seed, tell=True).told, ""]
            lines += [f"seed {result.seed}: {result.wrong}" for result in self.failed[:SHOWN]]
            lines += [f"{len(self.failed)} of {self.seeds} seeds fail. Above: the schedule of seed {first.seed}."]
            lines += [f"Run it alone: python -m tests.simulation --seed {first.seed} --verbose"]
        return "\n".join(lines)


def run_many(seeds: Iterable[int]) -> Report:
    """Runs every seed, on all processors."""
    report = Report()
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        for result in pool.map(run, seeds, chunksize=CHUNK):
            report.add(result)
    return report
