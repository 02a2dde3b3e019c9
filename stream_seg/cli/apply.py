"""``stream-seg apply``: a changed definition into force."""

# ruff: noqa: D301, PLC0415  # \b keeps examples in lines; imports wait for the command, so that --help is fast

import getpass
from pathlib import Path
from typing import Annotated

import typer

from stream_seg.cli.options import WAIT, Json, Wait, output, read_config


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("apply", short_help="Puts a changed configuration in force.")(apply)


def apply(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The changed configuration.")],
    *,
    why: Annotated[str, typer.Option(metavar="TEXT", help="The reason; it is kept in the log.")],
    who: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who decided. Default: the user of this shell.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what it would do, and do nothing.", show_default=False)
    ] = False,
    backfilled: Annotated[
        bool,
        typer.Option("--backfilled", help="New features begin with what `backfill` computed.", show_default=False),
    ] = False,
    wait: Wait = WAIT,
    json: Json = False,
) -> None:
    """Puts a changed configuration in force, in every partition of the log, and says what it will do.

    Workers take features, segments, time and input from the log, never from a file: so all of them change at the same
    record. New customers follow at once, known ones on their next daily visit. LEARN numbers a changed definition.
    Exits with 1 where it does not answer; what is in the log is carried out once, however late.

    \b
    Examples:
      stream-seg apply segmentation.yaml --why "weekend feature for the spring campaign" --dry-run
      stream-seg apply segmentation.yaml --why "weekend feature for the spring campaign" --who ann
      stream-seg apply segmentation.yaml --why "weekend feature, from the log" --backfilled
    """
    out = output(context, json=json)
    if not why.strip():
        raise typer.BadParameter("is empty, say why: the log keeps it", param_hint="--why")
    settings = read_config(file)
    from stream_seg.bootstrap import commands as bootstrap

    done = bootstrap.apply(
        settings, why=why, who=who or getpass.getuser(), dry_run=dry_run, wait=wait, backfilled=backfilled
    )
    lines = [str(change) for change in done.get("changes", [])] or ["Nothing changes."]
    out.result(done, "\n".join(lines))
