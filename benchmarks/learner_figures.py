"""Puts what was measured into docs/learners.md: ``python -m benchmarks.learner_figures``.

Only figures of ``benchmarks/results/quality.json`` get there; a test compares.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks/results/quality.json"
PAGE = ROOT / "docs/learners.md"
BLOCK = re.compile(r"(<!-- (\w+): [^>]*-->\n).*?(<!-- /\2 -->)", re.DOTALL)
SETS = {"completejourney": "completejourney", "cdnow": "CDNOW", "clickstream": "clickstream"}
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
    return "\n".join(["| " + " | ".join(line) + " |" for line in lines] + ["", _told(results)])


def _side(figures: list[dict[str, Any]], key: str, places: int) -> str:
    return " / ".join("–" if one[key] is None else f"{one[key]:.{places}f}" for one in figures)


def _told(results: dict[str, Any]) -> str:
    return (
        f"{' / '.join(SETS.values())}, k = 6, {results['date']}, two processes at a time ({results['machine']['cpu']})."
    )


def bars(results: dict[str, Any]) -> str:
    """Bar by bar, whether the default learner is within it."""
    head = "| what | bar | completejourney | CDNOW | clickstream |\n|---|---|---|---|---|"
    return "\n".join([head, *(_row(results, bar) for bar in _rows())])


class Bar(NamedTuple):
    """A figure (the way to it in a set's results), what it may be, in words and as numbers: one, or one a set."""

    what: str
    words: str
    path: tuple[str, ...]
    limits: float | dict[str, float]


def _rows() -> Iterator[Bar]:
    for k in ("4", "6", "8"):
        yield Bar(f"inertia ratio, median, k = {k}", "≤ 1.02", ("by_k", k, "inertia_ratio_median"), 1.02)
        yield Bar(f"… 95 of 100 weeks, k = {k}", "≤ 1.06", ("by_k", k, "inertia_ratio_p95"), 1.06)
        yield Bar(f"… with the margin, median, k = {k}", "≤ 1.03", ("by_k", k, "inertia_ratio_with_margin"), 1.03)
        yield Bar(f"dead segments, k = {k}", "0", ("by_k", k, "dead_clusters"), 0.0)
    whole, mature = {"completejourney": 3.0, "cdnow": 10.0}, {"completejourney": 1.0, "cdnow": 5.0}
    yield from (
        Bar("silhouette minus the batch fit's, worst week", "≥ −.03", ("silhouette_minus_batch_min",), -0.03),
        Bar("model flips per 1,000", "≤ 3 / 10 / –", ("model_flips_per_1000",), whole),
        Bar("… 90 days after the first model", "≤ 1 / 5 / –", ("model_flips_per_1000_mature",), mature),
        Bar("agreement of three seeds, least", "≥ .90", ("ari_seeds_min",), 0.9),
        Bar("agreement with the batch fit, k = 4", "≥ .85", ("ari_batch_k4",), 0.85),
        Bar("inertia ratio after a shift, worst day", "≤ 1.02", ("shift_inertia_ratio_max",), 1.02),
        Bar("drift alarms in 30 days, nothing injected", "≤ .15", ("drift_false_alarms_per_30d",), 0.15),
        Bar("days to find a feature × 1.5, worst", "≤ 3", ("drift_1_5_days",), 3.0),
        Bar("days to find a feature × 1.2, worst (15: not in 14)", "≤ 7", ("drift_1_2_days",), 7.0),
        Bar("far groups of 5 % found", "≥ .9", ("emergence_found",), 0.9),
        Bar("groups found in 30 days, none injected", "≤ .05", ("emergence_false_alarms_per_30d",), 0.05),
        Bar("learning, µs a vector", "≤ 25", ("learners", "keyed", "learn_us"), 25.0),
        Bar("assigning, µs a vector", "≤ .1", ("assign_us",), 0.1),
    )


def _row(results: dict[str, Any], bar: Bar) -> str:
    cells = []
    for name in SETS:
        value = results[name]
        for step in bar.path:
            value = value[step]
        limit = bar.limits.get(name) if isinstance(bar.limits, dict) else bar.limits
        cells.append(_cell(value, limit, least=bar.words.startswith("≥")))
    return f"| {bar.what} | {bar.words} | {' | '.join(cells)} |"


def _cell(value: float | None, limit: float | None, *, least: bool) -> str:
    if value is None:
        return "–"
    text = f"{value:.3f}" if 1.0 < value < 2.0 else f"{value:.3g}"
    missed = limit is not None and (value < limit if least else value > limit)
    return f"**{text}** missed" if missed else text


def filled(page: str, results: dict[str, Any]) -> str:
    """The page with the tables in their places."""
    tables = {"learners": learners, "bars": bars}
    return BLOCK.sub(lambda found: f"{found[1]}{tables[found[2]](results)}\n{found[3]}", page)


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text("utf-8"), json.loads(RESULTS.read_text("utf-8"))), "utf-8")
