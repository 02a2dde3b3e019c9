"""A `Summary` as a person wants to read it: who is here, who moved, who went silent, and one customer's way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from io import StringIO
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from stream_seg.pipeline.summary import Story, Summary

BAR = 24  # characters of the longest bar
SPARSE = 0.5  # below this part of the largest flow, a flow is printed dim
CAUSES = {
    "event": "did something",
    "time": "did nothing",
    "model": "the segments were learned anew",
    "tier": "another tier",
    "identity": "two profiles became one",
    "deletion": "deleted",
    "forgotten": "forgotten after long silence",
    "backfill": "first label",
}
NOWHERE = "–"


def told(summary: Summary, next_steps: Sequence[str] = (), *, width: int = 100, colour: bool = False) -> str:
    """The whole story as text, at most `width` characters wide; with `colour` for a terminal."""
    page = Console(
        file=StringIO(),
        width=width,
        force_terminal=colour,
        no_color=not colour,
        highlight=False,
        color_system="standard" if colour else None,
    )
    names = {one["segment"]: one["name"] for one in summary["segments"]}
    _counts(page, summary)
    _segments(page, summary)
    _movements(page, summary, names)
    _silent(page, summary, names)
    if summary["story"] is not None:
        _story(page, summary["story"], names)
    if next_steps:
        _heading(page, "Where to go next")
        for step in next_steps:
            page.print(f"  {escape(step)}", soft_wrap=True)
    assert isinstance(page.file, StringIO)
    return "\n".join(line.rstrip() for line in page.file.getvalue().splitlines()).strip("\n")


def _heading(page: Console, text: str) -> None:
    page.print()
    page.print(f"[bold]{escape(text)}[/bold]")


def _counts(page: Console, summary: Summary) -> None:
    causes = ", ".join(f"{count:,} {cause}" for cause, count in summary["movements_by_cause"].items())
    rate = f" ({summary['events'] / summary['seconds']:,.0f} a second)" if summary["seconds"] > 0 else ""
    page.print(
        f"{summary['events']:,} events of {summary['customers']:,} customers in {summary['seconds']:.0f} s{rate}"
    )
    page.print(
        f"{summary['accepted']:,} accepted, {summary['dead_letters']:,} dead letters, {summary['late']:,} late, "
        f"{summary['duplicates']:,} duplicates"
    )
    model = "model version" if summary["model_versions"] == 1 else "model versions"
    page.print(f"{summary['movements']:,} movements ({causes or 'none'}), {summary['model_versions']} {model}")


def _segments(page: Console, summary: Summary) -> None:
    _heading(page, "Who is here")
    largest = max((one["customers"] for one in summary["segments"]), default=0)
    table = Table(box=None, padding=(0, 1), show_header=False)
    for justify in ("right", "left", "right", "right", "left"):
        table.add_column(justify=justify, no_wrap=justify == "right")
    for one in summary["segments"]:
        if one["ended"] and not one["customers"]:
            continue
        bar = "█" * max(1 if one["customers"] else 0, round(BAR * one["customers"] / largest)) if largest else ""
        lever = f"\n[dim]→ {escape(one['lever'])}[/dim]" if one["lever"] else ""
        number, name = f"[cyan]{escape(one['segment'])}[/cyan]", escape(one["name"]) + lever
        table.add_row(number, name, f"{one['customers']:,}", f"{one['share']:.0%}", f"[cyan]{bar}[/cyan]")
    page.print(table)


def _movements(page: Console, summary: Summary, names: dict[str, str]) -> None:
    month = summary["last_month"]
    if month["ended"] is None or month["began"] is None:
        _heading(page, "Nobody has moved")
        return
    _heading(page, f"Who moved in the last month ({_day(month['began'])} to {_day(month['ended'])}), from → to")
    flows: dict[tuple[str | None, str | None], int] = {(f["from"], f["to"]): f["count"] for f in month["from_to"]}
    order = list(names)
    rows = [one for one in [None, *order] if any(before == one for before, _ in flows)]
    columns = [one for one in [*order, None] if any(after == one for _, after in flows)]
    largest = max(flows.values(), default=0)
    table = Table(box=None, padding=(0, 1))
    table.add_column("from \\ to")
    for column in columns:
        table.add_column("gone" if column is None else escape(column), justify="right", no_wrap=True)
    for row in rows:
        title = "(new here)" if row is None else f"{row} {names[row]}"
        cells = [_cell(flows.get((row, column), 0), largest) for column in columns]
        table.add_row(escape(title), *cells)
    page.print(table)


def _cell(count: int, largest: int) -> str:
    if not count:
        return "[dim]·[/dim]"
    text = f"{count:,}"
    return f"[dim]{text}[/dim]" if count < SPARSE * largest else f"[bold]{text}[/bold]"


def _silent(page: Console, summary: Summary, names: dict[str, str]) -> None:
    if not summary["silent_customers"]:
        return
    who = "customer" if summary["silent_customers"] == 1 else "customers"
    title = f"Who went silent in that month: {summary['silent_customers']:,} {who} moved because nothing happened"
    _heading(page, title)

    def way(one: dict[str, Any]) -> tuple[str, str]:
        return _name(one["from"], names), _name(one["to"], names)

    for (before, after), group in groupby(sorted(summary["silent"], key=way), key=way):
        examples = ", ".join(f"{one['customer']} ({_day(one['since'])})" for one in group)
        page.print(f"  {escape(before)} [dim]→[/dim] {escape(after)}: {escape(examples)}")


def _story(page: Console, story: Story, names: dict[str, str]) -> None:
    _heading(page, f"One customer's way: {story['customer']}")
    if story["earlier"]:
        page.print(f"  [dim]… {story['earlier']} earlier movements[/dim]")
    table = Table(box=None, padding=(0, 1), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column()
    for step in story["steps"]:
        why = "; ".join(step["why"])
        cause = CAUSES.get(step["cause"], step["cause"])
        table.add_row(
            f"[dim]{_day(step['at'])}[/dim]",
            f"{escape(_name(step['to'], names))}\n[dim]{escape(cause + (': ' + why if why else ''))}[/dim]",
        )
    page.print(table)


def _name(segment: str | None, names: dict[str, str]) -> str:
    return NOWHERE if segment is None else names.get(segment, f"segment {segment}")


def _day(instant: str) -> str:
    """An RFC 3339 instant as a day.

    >>> _day("2017-12-31T10:00:00.000Z")
    '31 Dec 2017'
    """
    at = datetime.fromisoformat(instant)
    return f"{at.day} {at:%b %Y}"
