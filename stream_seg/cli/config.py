"""``stream-seg config``: whether the file is right."""

# ruff: noqa: D301, PLC0415  # \b keeps examples in lines; imports wait for the command, so that --help is fast

from pathlib import Path
from typing import Annotated

import typer

from stream_seg.cli.options import DEFAULT_CONFIG, Json, output, read_config

app = typer.Typer(rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def group(context: typer.Context) -> None:
    """Checks a configuration.

    \b
    Examples:
      stream-seg config check
      stream-seg config check shop.yaml --json
    """
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command("check", short_help="Tells every mistake in a configuration.")
def check(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="[FILE]", envvar="STREAM_SEG_CONFIG", help="The configuration.")
    ] = DEFAULT_CONFIG,
    *,
    json: Json = False,
) -> None:
    """Reads a configuration and tells every mistake in it, as `file:line:column: key: what is wrong, remedy`.

    Opens no connection. Exits with 2 when there is a mistake. What is right and still worth a look follows as lines of
    the same form: segments without a lever are academic. All keys are explained in docs/configuration.md.

    \b
    Examples:
      stream-seg config check
      stream-seg config check shop.yaml
      stream-seg config check shop.yaml --json | jq -r '.error.problems[]'
      stream-seg config check shop.yaml --json | jq '.academic'
    """
    out = output(context, json=json)
    settings = read_config(file)
    definition = settings.definition
    from stream_seg.config.notices import academic
    from stream_seg.core.definition import feature_set_version

    version = feature_set_version(definition)
    names = [feature.name for feature in definition.features]
    document = {
        "file": str(file),
        "name": definition.name,
        "feature_set_version": version,
        "features": names,
        "k": definition.learning.k,
        "learner": definition.learning.learner,
        "academic": academic(definition),
        "notices": list(settings.notices),
    }
    text = (
        f"{file}: fine. {definition.name}: {len(names)} features (version {version}), {definition.learning.k} segments."
    )
    out.result(document, "\n".join([text, *settings.notices]))
