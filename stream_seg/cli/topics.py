"""``stream-seg topics``: the topics that a segmentation needs."""

# ruff: noqa: D301, PLC0415  # \b keeps examples in lines; imports wait for the command, so that --help is fast

from typing import Annotated

import typer

from stream_seg.cli.options import DEFAULT_CONFIG, ConfigFile, Json, output, read_config
from stream_seg.cli.output import table

app = typer.Typer(rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def group(context: typer.Context) -> None:
    """Makes the topics that a segmentation needs.

    \b
    Examples:
      stream-seg topics create --dry-run
      stream-seg topics create --config shop.yaml
    """
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command("create", short_help="Creates the topics that are missing.")
def create(
    context: typer.Context,
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    retention_days: Annotated[int, typer.Option(min=7, help="How many days back the log reaches.")] = 7,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what is missing, make nothing.", show_default=False)
    ] = False,
    json: Json = False,
) -> None:
    """Creates the topics that are missing, with the partitions, retention and compaction that they need.

    Those that are there already are left alone; `stream-seg doctor` compares their settings. Choose
    `kafka.partitions` generously: more of them later need a migration.

    \b
    Examples:
      stream-seg topics create --dry-run
      stream-seg topics create --config shop.yaml --retention-days 30
    """
    out = output(context, json=json)
    settings = read_config(config)
    from stream_seg.bootstrap import servers

    done = servers.create_topics(settings, retention_days=retention_days, dry_run=dry_run)
    made = "missing" if dry_run else "created"
    rows = [(one["topic"], str(one["partitions"]), made if one["created"] else "there", one["why"]) for one in done]
    out.result(
        {"topics": done, "dry_run": dry_run}, table([("topic", "partitions", "", "what it holds"), *rows], right=[1])
    )
