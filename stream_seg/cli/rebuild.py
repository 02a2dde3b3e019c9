"""``stream-seg rebuild``: one partition's state, anew from the log."""

# ruff: noqa: D301, PLC0415  # \b keeps examples in lines; imports wait for the command, so that --help is fast

from typing import Annotated

import typer

from stream_seg.cli.options import DEFAULT_CONFIG, ConfigFile, Json, output, read_config


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("rebuild", short_help="Builds one partition's state anew from the log.")(rebuild)


def rebuild(
    context: typer.Context,
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    partition: Annotated[int, typer.Option(min=0, help="Of the events log.", show_default=False)],
    offset: Annotated[
        int | None,
        typer.Option("--from", min=0, help="Default: the oldest offset of the log.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Forgets what Redis has of one events partition; the next worker reads it again, from an offset on.

    For state that is damaged (`customer record … is damaged`) while the log is whole. The workers of label must be
    stopped. From the log's beginning everything comes out as it was, and what is published again bears the same ids.
    From later on, customers begin anew at their first event there: their windows fill again, their movements are
    numbered from 1 in a new incarnation, which subscribers take for the newer one; who has no event there is unknown.

    \b
    Examples:
      stream-seg rebuild --partition 3
      stream-seg rebuild --partition 3 --from 1200000
    """
    out = output(context, json=json)
    settings = read_config(config)
    from stream_seg.bootstrap import commands as bootstrap

    done = bootstrap.rebuild(settings, partition, offset)
    out.result(
        done,
        f"Partition {partition} begins again at {done['offset']:,}: {done['records']:,} records. Start workers.",
    )
