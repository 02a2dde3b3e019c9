"""``stream-seg run``: the workers."""

# ruff: noqa: D301, PLC0415  # \b keeps examples in lines; imports wait for the command, so that --help is fast

from typing import Annotated, cast

import typer

from stream_seg.cli.options import DEFAULT_CONFIG, ConfigFile, Json, output, read_config
from stream_seg.cli.output import Output

STAGES = ("ingest", "label", "learn")


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("run", short_help="Runs the workers.")(run)


def run(
    context: typer.Context,
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    stages: Annotated[
        str, typer.Option(metavar="NAMES", help="Which, with commas; ingest only where there is something to ingest.")
    ] = ",".join(STAGES),
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, help="Processes per stage. Default: run.workers of the file.")
    ] = None,
    embedded: Annotated[
        bool,
        typer.Option("--embedded", help="Start a broker and a store of its own, gone at the end.", show_default=False),
    ] = False,
    json: Json = False,
) -> None:
    """Runs the stages until SIGTERM or Ctrl-C, which finish what is in hand and exit with 0.

    ingest reads the product topics (left out where none are named), label keeps every customer's features
    and segment, learn keeps the model. A second Ctrl-C exits at once; nothing is lost.

    \b
    Examples:
      stream-seg run
      stream-seg run --stages label --workers 4
      stream-seg run --config shop.yaml --embedded
    """
    out = output(context, json=json)
    settings = read_config(config, {} if workers is None else {("run", "workers"): workers})
    from stream_seg.bootstrap import commands as bootstrap

    chosen = _stages(stages, topics=bool(settings.input_topics))
    bootstrap.run(settings, cast("list[bootstrap.Stage]", chosen), settings.run.workers, embedded=embedded)
    document = {"stages": chosen, "workers": settings.run.workers, "finished": True}
    out.result(document, "Finished: everything read is written and published.")


def _stages(text: str, *, topics: bool) -> list[str]:
    asked = [part.strip() for part in text.split(",") if part.strip()]
    for stage in asked:
        if stage not in STAGES:
            raise typer.BadParameter(f"{stage!r} is not a stage, use {', '.join(STAGES)}", param_hint="--stages")
    chosen = [stage for stage in STAGES if stage in asked and (topics or stage != "ingest")]
    if not chosen:
        why = "only ingest, and there are no input.topics for it" if asked else "no stage"
        raise typer.BadParameter(f"names {why}, use {', '.join(STAGES[not topics :])}", param_hint="--stages")
    if len(chosen) < len(set(asked)):
        Output.note("ingest is left out: no input.topics are named, others write into the events topic themselves")
    return chosen
