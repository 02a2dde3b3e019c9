"""``stream-seg replay``: the same pipeline over what is stored."""

# ruff: noqa: D301, PLC0415  # \b keeps examples in lines; imports wait for the command, so that --help is fast

from pathlib import Path
from typing import Annotated

import typer

from stream_seg.cli.options import (
    DEFAULT_CONFIG,
    AnyForm,
    AnyFormat,
    ConfigFile,
    Json,
    instant,
    output,
    present,
    read_config,
)
from stream_seg.cli.output import amount, table


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("replay", short_help="Runs the pipeline in memory over stored events.")(replay)


def replay(
    context: typer.Context,
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT...", help="Files, or topics with --format kafka.")],
    *,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for labels and movements; made if it is not there.")],
    config: ConfigFile = DEFAULT_CONFIG,
    form: AnyFormat = None,
    start: Annotated[str | None, typer.Option("--from", metavar="TIME", help="Only events at or after it.")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Only events before it.")] = None,
    json: Json = False,
) -> None:
    """Runs the pipeline in memory over stored events, and writes labels and movements.

    The same events and the same configuration give the same bytes every time. Files, and topics that producers wrote
    (TOPIC, TOPIC:PARTITION or TOPIC:PARTITION:FIRST-END), are sorted by event time and learned from, too. The events
    topic of a live run is followed as it is and gives what that run gave; there --from and --to are the broker's times.
    CSV, Parquet and own JSON need `input.mapping` in the configuration.

    Into DIR go movements.ndjson (decided_at is the instant of the movement), labels.ndjson (the last of each customer),
    definitions.ndjson, models/VERSION.json, dead-letters.ndjson and late-events.ndjson (with the place of each) and
    summary.json. They get their names when the replay is whole.

    \b
    Examples:
      stream-seg replay events.ndjson --out replayed
      stream-seg replay 2017-*.csv --config shop.yaml --out replayed --from 2017-03-01 --to 2017-06-01
      stream-seg replay shop.events.v1 --format kafka --out replayed --json
      stream-seg replay shop.events.v1:2:0-100000 --format kafka --out replayed
    """
    shown = output(context, json=json)
    first, last = instant(start, "--from"), instant(end, "--to")
    if first is not None and last is not None and first >= last:
        raise typer.BadParameter("is not after --from", param_hint="--to")
    if form is not AnyForm.kafka:
        present(inputs)
    settings = read_config(config)
    from stream_seg.bootstrap import commands as bootstrap

    with shown.progress() as tell:
        done = bootstrap.replay(
            settings, inputs, out, form=form.value if form is not None else None, start=first, end=last, tell=tell
        )
    figures = [(name, amount(value)) for name, value in done.items() if isinstance(value, int | float)]
    written = [f"written: {path}" for path in done.get("out", [])]
    shown.result(done, "\n".join([table(figures, right=[1]), *written]))
