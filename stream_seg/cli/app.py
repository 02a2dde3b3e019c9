"""The tree of commands."""

# ruff: noqa: D301, PLC0415  # \b keeps examples in lines; imports wait for the command, so that --help is fast

from typing import Annotated

import typer

from stream_seg.cli import (
    affinity,
    apply,
    audit,
    backfill,
    choose,
    compare,
    config,
    customer,
    demo,
    doctor,
    explore,
    feed,
    model,
    quality,
    rebuild,
    replay,
    run,
    segments,
    snapshot,
    status,
    topics,
    who,
)  # fmt: skip

app = typer.Typer(name="stream-seg", rich_markup_mode=None, add_completion=False)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"stream-seg {version('stream_seg')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    *,
    json: Annotated[bool, typer.Option("--json", help="As --json after a command.", show_default=False)] = False,
    debug: Annotated[  # noqa: ARG001  # read from the arguments, so that it also counts when parsing fails
        bool, typer.Option("--debug", help="Show the traceback of an error.", show_default=False)
    ] = False,
    version: Annotated[  # noqa: ARG001  # its callback acts
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_version, show_default=False)
    ] = False,
) -> None:
    """Labels customers while they act: events in from Kafka, segments, movements and models out.

    Every command explains itself with examples: stream-seg COMMAND --help. With --json a command prints exactly one
    JSON document on stdout; messages go to stderr. Exit codes: 0 fine, 1 it failed, 2 wrong usage or configuration,
    3 it worked and found something to look at.

    \b
    Examples:
      stream-seg demo                            a year of real purchases, no server to install
      stream-seg config check segmentation.yaml  every mistake, with its line and column
      stream-seg topics create                   the topics that it needs
      stream-seg run                             all stages, one worker each
      stream-seg status                          how it stands, live
      stream-seg customer ann                    who she is, and why
      stream-seg who drifting-away               whom to call, and why
      stream-seg model diff                      whom another model would move
    """
    context.obj = json
    if context.invoked_subcommand is None:
        print(context.get_help())


for module in (
    run,
    status,
    apply,
    backfill,
    demo,
    audit,
    explore,
    choose,
    compare,
    affinity,
    feed,
    replay,
    quality,
    customer,
    segments,
    who,
    doctor,
    snapshot,
    rebuild,
):
    module.register(app)
app.add_typer(model.app, name="model", short_help="Model versions: list, compare, put in force, take back.")
app.add_typer(topics.app, name="topics", short_help="Makes the topics that a segmentation needs.")
app.add_typer(config.app, name="config", short_help="Checks a configuration.")
