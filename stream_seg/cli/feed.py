"""``stream-seg feed``: the past, played through the running workers."""

# ruff: noqa: D301, PLC0415  # \b keeps examples in lines; imports wait for the command, so that --help is fast

from typing import Annotated

import typer

from stream_seg.cli.options import DEFAULT_CONFIG, ConfigFile, FileFormat, Json, output, present, read_config


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("feed", short_help="Plays stored events through the running workers.")(feed)


def feed(
    context: typer.Context,
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT...", help="Files of events.")],
    *,
    config: ConfigFile = DEFAULT_CONFIG,
    form: FileFormat = None,
    json: Json = False,
) -> None:
    """Plays stored events through the running workers, in order of time, so that a run begins with full windows.

    Without it everybody seems new until the longest window is full. `stream-seg run` works beside it, with the same
    file, and `input.clock` is `event`: time is that of the events. At the end of each day (`time.learn_every`) it waits
    until LEARN is done with it, so every run gives the same labels: those of `replay`, and those in the folder of
    `choose` that the file came from. Rows that are no events become dead letters. The past is played once, on empty
    topics; afterwards take `clock: append` and put it in force with `stream-seg apply`.

    \b
    Examples:
      stream-seg feed orders.csv
      stream-seg feed orders.csv customers.ndjson --config chosen/segmentation.yaml
      stream-seg feed 2024-*.parquet --json | jq .through
    """
    shown = output(context, json=json)
    present(inputs)
    settings = read_config(config)
    from stream_seg.bootstrap import commands as bootstrap

    with shown.progress() as tell:
        done = bootstrap.feed(settings, inputs, form=form.value if form is not None else None, tell=tell)
    shown.result(done, f"{done['events']:,} events, through {done['through']}; `stream-seg segments` says who is where")
