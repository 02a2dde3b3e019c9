"""How good the segments are, learner by learner: ``python -m benchmarks.quality`` (`make quality`).

What the figures mean and which bars they are held to is in docs/learners.md. Writes
``benchmarks/results/quality.json`` and prints it as the last line.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.learners import SPENT, Bare, entered, uncounted
from benchmarks.origin import origin
from benchmarks.scoring import SINGLE, assign_us, estimator_us, score_us
from benchmarks.sets import SETS, days_of
from benchmarks.throughput import machine, say
from stream_seg.adapters.memory.log import LogRecord
from stream_seg.adapters.memory.panel import Panel, Shifts
from stream_seg.adapters.memory.trial import Trial
from stream_seg.bootstrap.quality import AS_IT_IS, AT_FEW, figures_of
from stream_seg.core.definition import Learning
from stream_seg.core.model import Float64, Int64
from stream_seg.pipeline.daily import Day, day_of
from stream_seg.pipeline.verdict import rounded

RESULTS = Path(__file__).parent / "results" / "quality.json"
K, MANY = 6, 8  # segments of the run that the bars of steadiness are about, and most that are looked at
OTHERS = {
    "river-defaults": "river, as it comes",
    "river": "river, halflife .02, warm start",
    "scikit-learn": "scikit-learn partial_fit",
    "weekly-refit": "refit every week, unmatched",
}
NEVER = 1e9  # as `publish_gain`: of the others LEARN's own versions are not asked for
SOME = 2_000  # customers that the others learn from: river learns vector by vector, which takes long
PACKAGES = ("stream_seg", "river", "scikit-learn", "numpy", "numba")
ALONE, BESIDE = "keyed", "others"  # two halves of the work on a set, a process each


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.quality")
    arguments.add_argument("--sets", default=",".join(SETS), help="of " + ", ".join(SETS))
    arguments.add_argument("--only", choices=(ALONE, BESIDE), help="the keyed learner, or what it is compared with")
    arguments.add_argument("--workers", type=int, default=2)
    asked = arguments.parse_args()
    sets = asked.sets.split(",")
    if unknown := set(sets) - set(SETS):
        arguments.error(f"no such set: {', '.join(sorted(unknown))}; there are {', '.join(SETS)}")
    halves = [asked.only] if asked.only else [ALONE, BESIDE]
    code = origin()
    result = {**measured(sets, halves, asked.workers), **code}
    result["date"] = datetime.now(UTC).date().isoformat()
    result["machine"] = machine()
    result["versions"] = {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
    if set(sets) == set(SETS) and len(halves) == 2:  # a part of the figures must not stand for all
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result))


def measured(sets: list[str], halves: list[str], workers: int) -> dict[str, Any]:
    """Set -> its figures; the longest work is begun first."""
    order = ["cdnow", "completejourney", "clickstream"]
    jobs = [(name, half) for name in order if name in sets for half in halves]
    found: dict[str, Any] = {name: {} for name in sets}
    os.environ["OMP_NUM_THREADS"] = "1"  # scikit-learn's threads would only wait for each other
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        under_way = {pool.submit(_job, job): job for job in jobs}
        for done in as_completed(under_way):
            (name, half), figures = under_way[done], done.result()
            say(f"{name}, {half}: {json.dumps(figures)}")
            learners = {**figures.pop("learners"), **found[name].get("learners", {})}
            found[name] |= {**figures, "learners": learners}
    return found


def _job(job: tuple[str, str]) -> dict[str, Any]:
    name, half = job
    entered()
    return keyed(name) if half == ALONE else compared(name)


def keyed(name: str) -> dict[str, Any]:
    """The default learner with 4, 6 and 8 segments and three seeds, shifts and drift."""
    activation, days = days_of(name)
    rules = msgspec.structs.replace(activation.definition.learning, k=K)
    seeds = {f"seed {rules.seed + i}": msgspec.structs.replace(rules, seed=rules.seed + i) for i in (1, 2)}
    by_k = {f"k = {k}": msgspec.structs.replace(rules, k=k) for k in (int(AT_FEW[-1]), MANY)}
    trials = {name: Trial.begin(activation, learning) for name, learning in {AS_IT_IS: rules, **seeds, **by_k}.items()}
    panel = Panel(activation, trials, (AS_IT_IS, *seeds))
    panel.shifts = Aside(panel.optima, K)
    clock = Clock(panel, len(trials))
    for records in days:
        clock.take(records)
    own = panel.courses[AS_IT_IS].figures()
    return {
        **figures_of(panel, rules, lambda *_: None),
        "by_k": {k: rounded(panel.courses[course].figures()) for k, course in _names(by_k)},
        "learners": {"keyed": {**rounded(own), **clock.costs("keyed")}},
        **scoring(panel, clock, rules),
    }


def scoring(panel: Panel, clock: Clock, rules: Learning) -> dict[str, Any]:
    """What a segment costs to find, by the last model, on the day with the most customers."""
    model = panel.trials[AS_IT_IS].model
    if model is None:
        raise SystemExit("no model was learned")
    arrays, x = panel.space.arrays(model), panel.space.transformed(day_of(clock.last).raw)
    return {
        "assign_us": round(assign_us(arrays, x), 4),
        "score_us": round(score_us(arrays, x), 4),
        "estimator": estimator_us(clock.first, rules),
    }


def _names(by_k: dict[str, Learning]) -> Iterator[tuple[str, str]]:
    yield str(K), AS_IT_IS
    yield from ((str(learning.k), name) for name, learning in by_k.items())


def compared(name: str) -> dict[str, Any]:
    """The other learners, by themselves, over the same days."""
    activation, days = days_of(name)
    rules = msgspec.structs.replace(
        activation.definition.learning, k=K, publish_gain=NEVER, publish_every=0, table=SOME
    )
    trials = {
        learner: Bare.begin(activation, msgspec.structs.replace(rules, learner=learner, options={}))
        for learner in OTHERS
    }
    panel = Panel(activation, trials, ())
    clock = Clock(panel, 1)
    panel.shifts.begun = True  # the keyed learner alone is shifted
    for records in days:
        clock.take(records)
    return {
        "learners": {
            learner: {**rounded(panel.courses[learner].figures()), **clock.costs(learner)} for learner in OTHERS
        }
    }


class Aside(Shifts):
    """Shifts, whose learners learn beside those that are timed: from vectors that `Clock` does not count."""

    def begin(self, today: Day, trial: Trial) -> None:
        with uncounted():
            super().begin(today, trial)

    def take(self, today: Day, records: list[LogRecord]) -> None:
        with uncounted():
            super().take(today, records)


class Clock:
    """Counts the vectors that a panel learned from: `times` over, where so many learners of a name do.

    first  customers and vectors of the first days, as a model sees them; last: the records of the day with the most
    """

    def __init__(self, panel: Panel, times: int) -> None:
        self.panel, self.times = panel, times
        self.vectors = 0
        self.first: list[tuple[Int64, Float64]] = []
        self.last: list[LogRecord] = []

    def take(self, records: list[LogRecord]) -> None:
        self.panel.take(records)
        self.vectors += len(records) * self.times
        self.last = records if len(records) > len(self.last) else self.last
        if sum(len(x) for _, x in self.first) < SINGLE:
            today = day_of(records)
            self.first.append((today.hashes, self.panel.space.seen(today.raw)))

    def costs(self, learner: str) -> dict[str, float]:
        """Microseconds of CPU that a learner's own code takes for each vector that LEARN gets."""
        return {"learn_us": round(1e6 * SPENT.get(learner, 0.0) / max(1, self.vectors), 2)}


if __name__ == "__main__":
    main()
