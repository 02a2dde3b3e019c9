"""``stream-seg model``: which versions there are, what one would change, and what people decide about them."""

# ruff: noqa: D301, PLC0415  # \b keeps examples in lines; imports wait for the command, so that --help is fast

from typing import Annotated

import typer

from stream_seg.cli import model_orders
from stream_seg.cli.model_text import compared, listed, reproduced, shown
from stream_seg.cli.options import DEFAULT_CONFIG, ConfigFile, Json, output, read_config
from stream_seg.cli.output import FINDINGS

app = typer.Typer(rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def group(context: typer.Context) -> None:
    """Shows model versions, says what one would change, and puts one in force or takes it back.

    LEARN makes versions by itself and puts them in force, unless one would move more customers than
    `segments.max_model_moves`: that one waits for a person. What was in force is never rewritten: a rollback is an
    entry of its own, with who and why. docs/models.md has the whole story.

    \b
    Examples:
      stream-seg model list
      stream-seg model diff
      stream-seg model promote 8 --why "looked at the diff, the new split is what marketing wants"
      stream-seg model rollback --why "version 8 takes gift cards for regulars"
    """
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command("list", short_help="Every version, and who put what in force.")
def list_versions(context: typer.Context, config: ConfigFile = DEFAULT_CONFIG, *, json: Json = False) -> None:
    """Lists every version with its standing, then everything that was in force: who, when and why.

    in force: it labels · waiting: for a person, promote it or leave it · announced: it comes into force by itself ·
    earlier: it was in force, or another was made in its place · damaged: its record cannot be used.

    \b
    Examples:
      stream-seg model list
      stream-seg model list --json | jq '.versions[] | select(.standing == "waiting")'
      stream-seg model list --json | jq -r '.activations[] | [.at, .who, .model_version, .why] | @tsv'
    """
    out = output(context, json=json)
    settings = read_config(config)
    from stream_seg.bootstrap import models

    answer = models.list_models(settings)
    out.result(answer, listed(answer))


@app.command("show", short_help="One version: its segments, its scaling, how it came into force.")
def show(
    context: typer.Context,
    version: Annotated[int, typer.Argument(metavar="V", min=1, help="The version.")],
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    json: Json = False,
) -> None:
    """Shows one version: each segment with its centre in the features' own units, the scaling, who put it in force.

    Where no definition in use has the features that the version was learned on, centres are as the learner saw them
    (after log1p).

    \b
    Examples:
      stream-seg model show 8
      stream-seg model show 8 --json | jq '.segments[] | {name, centre}'
    """
    out = output(context, json=json)
    settings = read_config(config)
    from stream_seg.bootstrap import models

    answer = models.show_model(settings, version)
    out.result(answer, shown(answer))


@app.command("diff", short_help="How many customers would move, from where to where.")
def diff(
    context: typer.Context,
    before: Annotated[
        int | None, typer.Argument(metavar="[V]", min=1, help="The version before. Default: the one in force.")
    ] = None,
    after: Annotated[
        int | None, typer.Argument(metavar="[W]", min=1, help="The version after. Default: the newest.")
    ] = None,
    *,
    sample: Annotated[int, typer.Option(min=0, max=10_000, help="So many customers to name.")] = 10,
    config: ConfigFile = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Says how many customers would move if version W came after V: all customers, by the rule that moves them.

    Changes nothing. The margin counts, the dwell only delays and does not. Redis is read page by page beside the
    workers, with pauses. The customers that it names stand in this output and nowhere else.

    \b
    Examples:
      stream-seg model diff
      stream-seg model diff 7 8 --sample 50
      stream-seg model diff 7 8 --json | jq '{share, too_many}'
    """
    out = output(context, json=json)
    settings = read_config(config)
    from stream_seg.bootstrap import models

    with out.progress() as tell:
        answer = models.compare_models(settings, before, after, sample, tell)
    out.result(answer, compared(answer))


model_orders.register(app)


@app.command("reproduce", short_help="Makes a version again and compares.")
def reproduce(
    context: typer.Context,
    version: Annotated[int, typer.Argument(metavar="V", min=1, help="The version.")],
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    json: Json = False,
) -> None:
    """Makes a version again out of what LEARN recorded: the same vectors, the same learner, the same state before.

    Exits with 0 where centres, mean and scale are the same to the bit, as they are with the same libraries on the same
    kind of processor; else with 3, and says how far they are apart and what differs between then and now.

    \b
    Examples:
      stream-seg model reproduce 8
      stream-seg model reproduce 8 --json | jq '{same, made_with, here}'
    """
    out = output(context, json=json)
    settings = read_config(config)
    from stream_seg.bootstrap import models

    answer = models.reproduce_model(settings, version)
    out.result(answer, reproduced(answer))
    if not answer["same"]:
        raise typer.Exit(FINDINGS)
