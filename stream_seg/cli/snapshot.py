"""``stream-seg snapshot`` and ``stream-seg restore``: all state in one file, and back."""

# ruff: noqa: D301, PLC0415  # \b keeps examples in lines; imports wait for the command, so that --help is fast

from pathlib import Path
from typing import Annotated

import typer

from stream_seg.cli.options import DEFAULT_CONFIG, ConfigFile, Json, output, read_config


def register(app: typer.Typer) -> None:
    """Adds both commands."""
    app.command("snapshot", short_help="Writes all state of Redis into one file.")(snapshot)
    app.command("restore", short_help="Brings a snapshot back into Redis.")(restore)


def snapshot(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Where to; written over when it is there.", show_default=False)],
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    json: Json = False,
) -> None:
    """Writes every customer's state, the models at work and what waits to be published into one file.

    The workers must rest: a partition that is written to meanwhile ends it with 1 and no file. (Redis's own files,
    BGSAVE, are the copy that needs no stop; this one moves between servers and versions.)

    \b
    Examples:
      stream-seg snapshot shop-2026-11-28.snapshot
      stream-seg drain && systemctl stop stream-seg && stream-seg snapshot shop.snapshot
    """
    out = output(context, json=json)
    settings = read_config(config)
    from stream_seg.bootstrap import commands as bootstrap

    done = bootstrap.snapshot(settings, file)
    text = (
        f"{done['customers']:,} customers of {done['partitions']} partitions, {done['bytes']:,} bytes: {done['file']}"
    )
    out.result(done, text)


def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A snapshot.", show_default=False)],
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Write over what Redis has of these partitions.", show_default=False)
    ] = False,
    json: Json = False,
) -> None:
    """Brings a snapshot back, before workers start: they go on from where it stood, and the log tells the rest again.

    What they publish again bears the same ids, so whoever de-duplicates by id sees nothing twice. It refuses while
    workers run, and a file that is damaged or of another log; a log that no longer reaches back stops its partition
    with a clear line.

    \b
    Examples:
      stream-seg restore shop-2026-11-28.snapshot
      stream-seg restore shop-2026-11-28.snapshot --force
    """
    out = output(context, json=json)
    settings = read_config(config)
    from stream_seg.bootstrap import commands as bootstrap

    done = bootstrap.restore(settings, file, force=force)
    out.result(done, f"{done['customers']:,} customers of {done['partitions']} partitions are as of {done['created']}")
