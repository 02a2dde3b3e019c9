"""``stream-seg backfill``: what the log still holds, for new features."""

# ruff: noqa: D301, PLC0415  # \b keeps examples in lines; imports wait for the command, so that --help is fast

from pathlib import Path
from typing import Annotated

import typer

from stream_seg.cli.options import Json, output, read_config
from stream_seg.cli.output import table


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("backfill", short_help="Reads the log again for new features, beside the workers.")(backfill)


def backfill(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The changed configuration.")],
    *,
    partition: Annotated[
        list[int] | None,
        typer.Option(min=0, help="Only this one, more than once for several. Default: all.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Computes new features of a changed configuration from the events log, while the workers go on with the old ones.

    Then `stream-seg apply FILE --backfilled` puts them in force: every customer has them at once, over everything that
    the log still holds, and a model can take them in as soon as their windows are whole. It changes nothing that
    anybody sees; Ctrl-C loses nothing, the next call goes on from there. Redis needs room for a second record of each
    customer meanwhile. Several at once, each with partitions of its own, are faster than one.

    \b
    Examples:
      stream-seg backfill segmentation.yaml
      stream-seg backfill segmentation.yaml --partition 0 --partition 1
      stream-seg backfill segmentation.yaml && stream-seg apply segmentation.yaml --backfilled --why "weekends"
    """
    out = output(context, json=json)
    settings = read_config(file)
    from stream_seg.bootstrap import commands as bootstrap

    with out.progress() as tell:
        done = bootstrap.backfill(settings, partition or [], tell)
    rows = [
        (
            str(one["partition"]),
            one["since"] or "nothing there",
            f"{one['next'] - one['first']:,}",
            f"{one['behind']:,}",
        )
        for one in done
    ]
    text = table([("partition", "since", "records", "behind"), *rows], right=[0, 2, 3])
    out.result({"partitions": done}, f"{text}\n\nNow: stream-seg apply {file} --backfilled --why ...")
