"""``stream-seg demo``: real purchases, no server to install."""

# ruff: noqa: D301, PLC0415  # \b keeps examples in lines; imports wait for the command, so that --help is fast

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from stream_seg.cli.options import Json, output, read_config


class Data(StrEnum):
    """Whose purchases."""

    completejourney = "completejourney"
    cdnow = "cdnow"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("demo", short_help="Shows it on real purchases, with nothing to install.")(demo)


def demo(
    context: typer.Context,
    *,
    data: Annotated[
        Data,
        typer.Option(envvar="DEMO_DATA", help="completejourney: a year of 2,469 households; cdnow: the small one."),
    ] = Data.completejourney,
    days: Annotated[int | None, typer.Option(min=1, help="Only the first so many days.")] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the servers up until Ctrl-C, to look around.", show_default=False)
    ] = False,
    into: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Feed the servers of this configuration; its workers run already."),
    ] = None,
    json: Json = False,
) -> None:
    """Streams real purchases through real workers and tells what it found: segments, movements, who went silent.

    It starts a broker and a store of its own on free ports and removes them at the end (`--keep`: at Ctrl-C).
    With `--into` there are servers and workers already, as in docker-compose.yml, and it only plays the purchases.

    \b
    Examples:
      stream-seg demo
      stream-seg demo --data cdnow --days 90
      stream-seg demo --json > demo.json
    """
    out = output(context, json=json)
    from stream_seg.bootstrap import commands as bootstrap

    steps: list[str] = []
    if into is not None and keep:
        raise typer.BadParameter("keeps servers of the demo's own, and with --into there are none", param_hint="--keep")
    settings = read_config(into) if into is not None else None
    with out.progress() as tell:
        if settings is not None:
            summary = bootstrap.demo_into(settings, data.value, days=days, tell=tell)
        else:
            summary, steps = bootstrap.demo(data.value, days=days, keep=keep, tell=tell)
    from stream_seg.cli.story import told

    out.result(dict(summary), told(summary, steps, colour=sys.stdout.isatty()))
