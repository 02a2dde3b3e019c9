"""Puts what was measured into README.md, docs/benchmarks.md and docs/operating.md: ``python -m benchmarks.figures``.

Only figures of ``benchmarks/results/`` get there, with the place and day of the measurement; a test compares. What was
not measured yet has no row.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import sizing
from benchmarks.origin import told as origin_of
from benchmarks.waits import PARTS

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks/results/throughput.json"
TRAINER = ROOT / "benchmarks/results/trainer.json"
EXPLORING = ROOT / "benchmarks/results/exploring.json"  # of `python -m benchmarks.exploring`
MANY_LINES = ROOT / "benchmarks/results/many_lines.json"  # of `python -m benchmarks.many_lines`
COMMANDS = ROOT / "benchmarks/results/commands.json"  # of `python -m benchmarks.commands`
BLOCKS = re.compile(r"(<!-- (figures|waits|sizing|exploring): [^>]*-->\n).*?(<!-- /\2 -->)", re.DOTALL)


class Row(NamedTuple):
    """What is told, of which figures (``variant.figure``; several stand side by side), and what they may be."""

    what: str
    figures: tuple[str, ...]
    bar: str = ""


def _memory(what: str, variant: str = "", bar: str = "") -> Row:
    figures = (f"{variant}worker_rss_mb", f"{variant}worker_peak_rss_mb")
    return Row(f"memory of {what}, at the end / at its peak, MB", figures, bar)


PLAIN = "faust_passthrough_events_per_s"
ROWS = (
    Row("events a second, one worker, broker and Redis on its cores", ("events_per_s",), "≥ 40,000"),
    Row("events per CPU second of the worker", ("events_per_worker_cpu_s",), "≥ 80,000"),
    Row("events per CPU second of worker and Redis together", ("events_per_cpu_s",), "≥ 60,000"),
    Row("from produced to movement readable at half load, median, ms", ("p50_ms",)),
    Row("the same, 99 of 100, ms", ("p99_ms",), "≤ 250"),
    _memory("the worker, 20,000 customers", "", "≤ 300"),
    Row("Redis, bytes a customer", ("redis_bytes_per_customer",), "≤ 1,000"),
    Row("`hop`, through INGEST: events a second", ("hop.events_per_s",)),
    Row("`hop`: produced to readable at half load, median / 99 of 100, ms", ("hop.p50_ms", "hop.p99_ms")),
    _memory("both workers in `hop`", "hop."),
    Row("`long`, 4,000,000 events: events a second", ("long.events_per_s",)),
    Row("`long`: events per CPU second of the worker", ("long.events_per_worker_cpu_s",), "≥ 80,000"),
    _memory("the worker in `long`", "long."),
    Row("`uniform`, nobody is at hand: events a second", ("uniform.events_per_s",)),
    _memory("the worker in `uniform`, 100,000 customers", "uniform."),
    _memory("the worker in `many`, 1,000,000 customers", "many."),
    Row("for comparison: plain Faust doing nothing on the same topic, events a second", (PLAIN,)),
    Row("`make demo`, a year of 1,469,307 lines, s", ("commands.demo_s",), "≤ 180"),
    Row("`make test`, s", ("commands.test_s",), "≤ 900"),
)


def measured() -> dict[str, Any]:
    """Everything that was measured."""
    results: dict[str, Any] = json.loads(RESULTS.read_text("utf-8"))
    results["trainer"] = json.loads(TRAINER.read_text("utf-8"))
    if COMMANDS.exists():
        results["commands"] = json.loads(COMMANDS.read_text("utf-8"))
    if EXPLORING.exists():
        results["exploring"] = json.loads(EXPLORING.read_text("utf-8"))
    if MANY_LINES.exists():
        results["many_lines"] = json.loads(MANY_LINES.read_text("utf-8"))
    return results


def table(results: dict[str, Any]) -> str:
    """The table for README, of the figures that were measured."""
    machine = results["machine"]
    on = f"{machine['cores']} cores ({machine['cpu']}), {results['date']}, {origin_of(results)}"
    said = f"{results['events']:,} events, {on}"
    rows = [f"| {row.what} | {cell} | {row.bar} |" for row, cell in _cells(results)]
    told = f"Bold misses its bar. {said}; `make bench` measures again."
    if "commands" in results:
        told += f" The last rows: `python -m benchmarks.commands`, {results['commands']['date']}."
    return "\n".join(["| figure | | bar |", "|---|---|---|", *rows, "", told])


def _cells(results: dict[str, Any]) -> Iterator[tuple[Row, str]]:
    for row in ROWS:
        values = [_value(results, figure) for figure in row.figures]
        if None not in values:
            yield row, " / ".join(_cell(float(value), row.bar) for value in values)


def _value(results: dict[str, Any], figure: str) -> Any:
    value: Any = results
    for step in figure.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _cell(value: float, bar: str) -> str:
    limit = float(bar[2:].replace(",", "")) if bar else value
    missed = value < limit if bar.startswith("≥") else value > limit
    return f"**{value:,.0f}**" if missed else f"{value:,.0f}"


def waits(results: dict[str, Any]) -> str:
    """What movements wait for, the usual and the slowest ones, with and without INGEST."""
    told = {"`latency`": results.get("latency", {}), "`hop`": results.get("hop", {}).get("latency", {})}
    told = {name: one for name, one in told.items() if "slowest" in one}
    if not told:
        return "Not measured yet."
    columns = [(f"{name}, {which}", one[key]) for name, one in told.items() for which, key in WHICH.items()]
    lines = [["part, ms", *(title for title, _ in columns)], ["---"] * (1 + len(columns))]
    lines += [[what, *(f"{figures[part]:,.0f}" for _, figures in columns)] for part, what in PARTS.items()]
    return "\n".join(["| " + " | ".join(line) + " |" for line in lines] + ["", *map(_when, told.items())])


WHICH = {"around the median": "usual", "the slowest 1 %": "slowest"}


def _when(one: tuple[str, dict[str, Any]]) -> str:
    name, figures = one
    slow = figures["slowest"]
    worst = ", ".join(map(str, slow["worst_seconds"]))
    return (
        f"{name}: {figures['movements']:,} movements at {figures['events_per_s']:,} events a second; the slowest 1 % "
        f"were sent in {slow['seconds_with_any']} different seconds, {slow['share_in_worst_seconds']:.0%} of them in "
        f"seconds {worst} from the start."
    )


STEPS = ("audit", "explore", "choose", "compare")


def exploring(results: dict[str, Any]) -> str:
    """What the way from raw data to a run takes, data set by data set."""
    found = results.get("exploring")
    if found is None:
        return "Not measured yet."
    sets = found["sets"]
    lines = [["", *sets], ["---"] * (1 + len(sets)), ["customers", *(f"{one['customers']:,}" for one in sets.values())]]
    for step in STEPS:
        own = [one[step] for one in sets.values()]
        cells = [f"{one['seconds']:,.0f} / {one['rss_mb']:,}" for one in own]
        lines.append([f"`{step}`, seconds / peak memory, MB", *cells])
    equal = ["yes" if one["live_labels_equal"] else "**no**" for one in sets.values()]
    lines.append(["a live run says what the report says", *equal])
    said = (
        f"Audit of completejourney's raw lines, joined with products and households: {found['audit_seconds']:.0f} s "
        f"(bar 20); {found['findings_found']} of {found['findings_seeded']} seeded defects found, "
        f"{found['findings_false']} false findings on the clean copy. Largest page {found['report_mb']:.1f} MB (bar "
        f"5). Bars of `explore` and `choose` on completejourney: 120 s. {found['machine']['cores']} cores "
        f"({found['machine']['cpu']}), {found['date']}, {origin_of(found)}; `make explore` measures again."
    )
    return "\n".join(["| " + " | ".join(line) + " |" for line in lines] + ["", said, *_many_lines(results)])


def _many_lines(results: dict[str, Any]) -> Iterator[str]:
    """What the same commands take of a far longer input."""
    if many := results.get("many_lines"):
        steps = ", ".join(
            f"{name} {one['seconds']:,.0f} s / {one['rss_mb']:,} MB" for name, one in many["steps"].items()
        )
        yield ""
        yield (
            f"Of {many['lines']:,} lines (bar 2,000 MB): {steps}. {many['machine']['cores']} cores, {many['date']}, "
            f"{origin_of(many)}; `python -m benchmarks.many_lines` measures again."
        )


def filled(page: str, results: dict[str, Any]) -> str:
    """The page with the tables in their places."""
    tables = {"figures": table, "waits": waits, "sizing": sizing.table, "exploring": exploring}
    return BLOCKS.sub(lambda found: f"{found[1]}{tables[found[2]](results)}\n{found[3]}", page)


if __name__ == "__main__":
    for page in (ROOT / "README.md", ROOT / "docs/benchmarks.md", ROOT / "docs/operating.md"):
        page.write_text(filled(page.read_text("utf-8"), measured()), "utf-8")
