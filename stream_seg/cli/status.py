"""``stream-seg status`` and ``stream-seg drain``: how it stands, and when nothing is left to do."""

# ruff: noqa: D301, PLC0415  # \b keeps examples in lines; imports wait for the command, so that --help is fast

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from stream_seg.cli.options import DEFAULT_CONFIG, ConfigFile, Json, output, read_config
from stream_seg.cli.output import FINDINGS, span, table

if TYPE_CHECKING:
    from stream_seg.pipeline.status import StatusAnswer


def register(app: typer.Typer) -> None:
    """Adds both commands."""
    app.command("status", short_help="How it stands: lag, throughput, segments, models, drift.")(status)
    app.command("drain", short_help="Waits until everything read is applied and published.")(drain)


def status(
    context: typer.Context,
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    every: Annotated[float, typer.Option(min=0.5, help="Seconds between two looks, on a terminal.")] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="One look, then the end.", show_default=False)] = False,
    json: Json = False,
) -> None:
    """Shows how a segmentation stands, out of Kafka and Redis: it asks no worker, so it also answers when none runs.

    On a terminal it looks again every few seconds until Ctrl-C; elsewhere, and with --json, it looks twice, a second
    apart (the second look knows the rates), and ends. --once looks once.

    \b
    Examples:
      stream-seg status
      stream-seg status --every 5
      stream-seg status --json | jq '.stages[] | {stage, behind}'
    """
    out = output(context, json=json)
    settings = read_config(config)
    from stream_seg.bootstrap import commands as bootstrap

    looks = bootstrap.status(settings)
    answer = next(looks)
    if not once and not json and sys.stdout.isatty():
        _watch(answer, looks, every)
        return
    if not once:
        time.sleep(1.0)
        answer = next(looks)
    out.result(answer, rendered(answer))


def drain(
    context: typer.Context,
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    timeout: Annotated[float, typer.Option(min=0.0, help="Seconds to wait at most.")] = 300.0,
    json: Json = False,
) -> None:
    """Waits until every stage has applied its log and published what it decided; the workers must be running.

    Before an upgrade, a snapshot, or the end of a bounded job: stop the producers, drain, stop the workers. Exits with
    0 when nothing is left, with 3 when something still is after --timeout. It changes nothing.

    \b
    Examples:
      stream-seg drain
      stream-seg drain --timeout 60 && systemctl stop stream-seg
    """
    out = output(context, json=json)
    settings = read_config(config)
    from stream_seg.bootstrap import commands as bootstrap

    with out.progress() as tell:
        most = 0

        def told(answer: "StatusAnswer") -> None:
            nonlocal most
            left = _left(answer)
            most = max(most, left)
            tell("records and messages left", most - left, most)

        answer = bootstrap.drain(settings, timeout, told)
    left = ", ".join(
        f"{one['stage']}: {one['behind']:,} records, {one['waiting']:,} messages"
        for one in answer["stages"]
        if one["behind"] or one["waiting"]
    )
    text = f"Still left after {span(timeout)}: {left}" if left else "Nothing is left: all is applied and published."
    out.result({"drained": answer["drained"], "stages": answer["stages"]}, text)
    if left:
        raise typer.Exit(FINDINGS)


def _left(answer: "StatusAnswer") -> int:
    return sum(one["behind"] + one["waiting"] for one in answer["stages"])


def _watch(answer: "StatusAnswer", looks: Iterator["StatusAnswer"], every: float) -> None:
    """In place, until Ctrl-C."""
    from rich.live import Live
    from rich.text import Text

    try:
        with Live(Text(rendered(answer)), auto_refresh=False, screen=True) as screen:
            for later in looks:
                answer = later
                screen.update(Text(f"{rendered(answer)}\n\nevery {every:g} s, Ctrl-C ends it"), refresh=True)
                time.sleep(every)
    except KeyboardInterrupt:
        print(rendered(answer))  # the last look stays


def rendered(answer: "StatusAnswer") -> str:
    """A look as a person reads it."""
    behind = answer["clock_behind_seconds"]
    clock = "no clock runs yet" if behind is None else f"the furthest clock is {span(behind)} behind"
    head = f"{answer['name']}  {answer['at']}  {clock}"
    stages = [("stage", "partitions", "behind", "not published")]
    stages += [
        (one["stage"], str(one["partitions"]), f"{one['behind']:,}", f"{one['waiting']:,}") for one in answer["stages"]
    ]
    events = ", ".join(f"{count:,} {what}" for what, count in answer["events"].items())
    rate = "" if answer["events_per_s"] is None else f"  ({answer['events_per_s']:,.0f} a second)"
    parts = [head, table(stages, right=[1, 2, 3]), f"events: {events}{rate}"]
    here = answer["segments"]
    if here["segments"]:
        most = max(one["customers"] for one in here["segments"]) or 1
        rows = [
            (str(one["segment"]), one["name"], f"{one['customers']:,}", "█" * round(20 * one["customers"] / most))
            for one in here["segments"]
        ]
        parts.append(table([("segment", "name", "customers", ""), *rows], right=[0, 2]))
    moved = ", ".join(f"{count:,} {cause}" for cause, count in here["movements_by_cause"].items()) or "none yet"
    pace = "" if answer["movements_per_minute"] is None else f"  ({answer['movements_per_minute']:,.0f} a minute)"
    parts.append(f"movements: {moved}{pace}")
    parts.append("\n".join(_models(answer)))
    return "\n\n".join(parts)


def _models(answer: "StatusAnswer") -> list[str]:
    lines = []
    for one in answer["models"]:
        known = f"version {one['version']}, learned up to {one['trained_at']}"
        version = "no model yet" if one["version"] is None else known
        frozen = "; publishing is frozen" if one["frozen"] else ""
        moves = one["waiting"]
        waits = "" if moves is None else f"; one waits that would move {moves:.1%}: stream-seg model diff"
        lines.append(f"model of {one['tier']}: {version}{frozen}{waits}")
    grave = [f"drift, {one['severity']} ({one['tier']}): {one['words']}" for one in answer["drift"]]
    return lines + (grave or ["drift: nothing that is not as usual"])
