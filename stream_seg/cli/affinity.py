"""``stream-seg affinity``: fits projections of what goes together in customers' baskets."""

# ruff: noqa: D301, PLC0415  # \b keeps examples in lines; imports wait for the command, so that --help is fast

from typing import Annotated

import typer

from stream_seg.cli.options import (
    DEFAULT_CONFIG,
    At,
    ConfigFile,
    FileFormat,
    Json,
    extra_explore,
    instant,
    output,
    present,
    read_config,
)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("affinity", short_help="Fits projections of what goes together.")(affinity)


def affinity(
    context: typer.Context,
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT...", help="Files of events.")],
    *,
    config: ConfigFile = DEFAULT_CONFIG,
    of: Annotated[str, typer.Option(metavar="PREFIX", help="How the names of the features begin that are parts.")],
    components: Annotated[int, typer.Option(min=1, max=16, help="How many projections.")] = 3,
    name: Annotated[str, typer.Option(help="What they are called; a number follows.")] = "affinity",
    at: At = None,
    form: FileFormat = None,
    json: Json = False,
) -> None:
    """Fits projections of what goes together and prints them as features to paste into the configuration.

    The events go through the real features. The shares that each customer has in the features of PREFIX (counts or
    sums, one for each category) are looked at together: a correspondence analysis, by principal components with a
    full decomposition, so the same events give the same weights. The weights stand in the file: they are part of the
    definition, and a new fit is a new feature set version. Nothing is written. Needs the extra `explore`.

    \b
    Examples:
      stream-seg affinity 2017.parquet --of buys_
      stream-seg affinity events.csv -c segmentation.yaml --of spend_ --components 2 --name taste
      stream-seg affinity events.ndjson --of buys_ --at 2017-10-05 --json | jq -r .yaml
    """
    shown = output(context, json=json)
    present(inputs)
    settings = read_config(config, model=False)
    with extra_explore():
        from stream_seg.bootstrap.affinity import Asked, parts_of, run_affinity

    asked = Asked(of, components, name)
    parts_of(settings.definition, asked)
    with shown.progress() as tell:
        found = run_affinity(
            settings, inputs, asked, form=form.value if form is not None else None, end=instant(at, "--at"),
            tell=tell,
        )  # fmt: skip
    shown.result(found, found["yaml"].rstrip("\n"))
