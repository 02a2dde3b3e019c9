"""Puts what was measured into docs/learners.md and docs/drift.md: ``python -m benchmarks.learner_figures``.

Only figures of ``benchmarks/results/quality.json`` and ``trainer.json`` get there; a test compares. What a run did not
measure is a dash.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from benchmarks import bars
from benchmarks.bars import SETS, reached
from benchmarks.origin import told

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks/results/quality.json"
TRAINER = ROOT / "benchmarks/results/trainer.json"
PAGES = (ROOT / "docs/learners.md", ROOT / "docs/drift.md")
BLOCK = re.compile(r"(<!-- (\w+): [^>]*-->\n).*?(<!-- /\2 -->)", re.DOTALL)
LEARNERS = {
    "keyed": "**keyed**, the default",
    "river": "river, `halflife` .02, warm start",
    "river-defaults": "river as it comes",
    "scikit-learn": "scikit-learn `partial_fit`",
    "weekly-refit": "refit every week, numbers unmatched",
}


COLUMNS = {  # figure -> what stands above it, places
    "inertia_ratio_median": ("inertia ratio, median", 3),
    "inertia_ratio_p95": ("… 95 of 100 weeks", 3),
    "model_flips_per_1000": ("flips", 1),
    "model_flips_per_1000_mature": ("mature", 1),
    "ari_batch": ("ARI", 2),
    "dead_clusters": ("dead", 0),
    "learn_us": ("µs a vector", 0),
}


def learners(results: dict[str, Any]) -> str:
    """Learner by learner, the three sets side by side."""
    lines = [["learner", *(title for title, _ in COLUMNS.values())], ["---"] * (1 + len(COLUMNS))]
    for name, what in LEARNERS.items():
        of = [results[one]["learners"][name] for one in SETS]
        lines.append([what, *(_side(of, key, places) for key, (_, places) in COLUMNS.items())])
    return "\n".join([*map(_line, lines), "", f"{' / '.join(SETS.values())}, k = 6, {_of(results)}."])


def _side(figures: list[dict[str, Any]], key: str, places: int) -> str:
    return " / ".join("–" if one[key] is None else f"{one[key]:.{places}f}" for one in figures)


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _of(results: dict[str, Any]) -> str:
    """Where and when, and of which code."""
    return f"{results['date']}, two processes at a time ({results['machine']['cpu']}), {told(results)}"


def the_bars(results: dict[str, Any]) -> str:
    """The bars, and what the sign beside a figure means."""
    sign = f"{bars.SHORT}: within the bar, if there is one, and short of the goal"
    return f"{bars.table(results)}\n\n{sign}. {_of(results)}."


ALL = bars.least(1.0, "all")
DRIFT = {  # a bar, and the way to the median of the days that it takes
    bars.Bar("false alarms in 30 days", ("drift_false_alarms_per_30d",), bars.most(0.15)): (),
    bars.Bar("share of × 1.5 found within 3 days", ("drift", "x1.5", "found_within_3"), ALL): ("x1.5", "median"),
    bars.Bar("share of × 1.2 found within 7 days", ("drift", "x1.2", "found_within_7"), ALL): ("x1.2", "median"),
    bars.Bar("far groups of 5 % found", ("emergence_found",), bars.least(0.9)): ("emergence_median_days",),
    bars.Bar("groups found in 30 days, none injected", ("emergence_false_alarms_per_30d",), bars.most(0.05)): (),
}


def drift(results: dict[str, Any]) -> str:
    """How often drift is cried and how soon it is found."""
    lines = [["", "bar", *SETS.values()], ["---"] * (2 + len(SETS))]
    for bar, way in DRIFT.items():
        cells = [bars.cell(bar, name, results[name]) for name in SETS]
        if way:
            days = [reached(results[name], ("drift", *way)) for name in SETS]
            cells = [f"{cell} ({_days(median)})" for cell, median in zip(cells, days, strict=True)]
        lines.append([bar.what, bar.bar.words, *cells])
    return "\n".join([*map(_line, lines), "", f"k = 6, days: the median; {_of(results)}."])


def _days(median: float | None) -> str:
    return "–" if median is None else f"{median:g} day" + ("" if median == 1 else "s")


def trainer(results: dict[str, Any]) -> str:
    """What `benchmarks.trainer` found, as a paragraph."""
    memory = {int(customers): mb for customers, mb in results["resident_mb"].items()}
    first, last = min(memory), max(memory)
    after = {name: f"{memory[at]:.0f} MB" for name, at in (("first", first), ("last", last))}
    return (
        f"The trainer's memory is bounded by `segments.table`, not by how many customers there are: `python -m "
        f"benchmarks.trainer` sends\na sample of each of {last:,} through LEARN, {first:,} a day. Resident are "
        f"{after['first']} after the first day, {after['last']} after the last, {max(memory.values()):.0f} MB at "
        f"most,\neverything that stands for Redis and Kafka included; a sample takes {results['us_a_sample']:.1f} µs "
        f"of CPU ({results['date']}, {results['machine']['cpu']}, {told(results)})."
    )


def filled(page: str, results: dict[str, Any], of_trainer: dict[str, Any]) -> str:
    """A page with everything in its place."""
    made = {
        "learners": lambda: learners(results), "bars": lambda: the_bars(results), "drift": lambda: drift(results),
        "trainer": lambda: trainer(of_trainer),
    }  # fmt: skip
    return BLOCK.sub(lambda found: f"{found[1]}{made[found[2]]()}\n{found[3]}", page)


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(filled(page.read_text("utf-8"), read(RESULTS), read(TRAINER)), "utf-8")
