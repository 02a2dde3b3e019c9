"""``stream-seg explore``: what is in the data, before anything streams."""

# ruff: noqa: D301, PLC0415  # \b keeps examples in lines; imports wait for the command, so that --help is fast

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from stream_seg.cli.options import (
    DEFAULT_CONFIG,
    Again,
    At,
    ConfigFile,
    FileFormat,
    Inputs,
    Json,
    Run,
    extra_explore,
    files_or_run,
    instant,
    output,
    read_config,
)
from stream_seg.cli.output import FINDINGS, amount, table
from stream_seg.cli.rerun import held_against

WARNING = "A t-SNE map shows who is close by, nothing else: sizes and distances of islands mean nothing."


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("explore", short_help="The customer table at a date, and a report on its features.")(explore)


def explore(
    context: typer.Context,
    inputs: Inputs = None,
    *,
    out: Run,
    config: ConfigFile = DEFAULT_CONFIG,
    form: FileFormat = None,
    at: At = None,
    colour: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FEATURE", help="Colours a map; may be given several times. Default: the most telling ones."
        ),
    ] = None,
    again: Again = None,
    json: Json = False,
) -> None:
    """Computes the customer table at any date by the code that labels live, and writes a report on it.

    Which features have a long tail, which say the same twice, when customers come, what is missing and what each way to
    fill it would do, how categories should become numbers, and whether the islands of a map are there or made by its
    settings: each with its figure, in one HTML file that needs no network. docs/explore.md says how to read it.

    Into RUN go report.html, report.json (every figure in it), table.parquet (customers and features, in real units),
    segmentation.yaml and model.json (a run with them begins with the segments of the report), proposed.yaml (what the
    report would change, with the reasons, where there is anything), config.yaml (the configuration as given) and
    run.json. The same input and configuration give the same bytes; --from RUN checks that the inputs are the same,
    does it again and says whether it is the same. Tiers are left out: everybody is looked at together. It needs
    pip install 'stream_seg[explore]'.

    Exit code 3: --from came out differently.

    \b
    Examples:
      stream-seg explore events.ndjson --out explored
      stream-seg explore 2017-*.csv -c shop.yaml --out explored --at 2017-10-01
      stream-seg explore events.parquet --out explored --colour spend_28d --colour silence
      stream-seg explore events.ndjson --out explored --json | jq '.redundancy.pairs'
      stream-seg explore --from explored --out again
    """
    shown = output(context, json=json)
    end = instant(at, "--at")
    files_or_run(context, inputs or [], again, out)
    settings = read_config(config, model=False) if again is None else None
    if settings is not None:
        features = [one.name for one in settings.definition.features]
        if unknown := [one for one in colour or [] if one not in features]:
            raise typer.BadParameter(
                f"no such feature: {', '.join(unknown)}, choose from {', '.join(features)}", param_hint="--colour"
            )
    with extra_explore():
        from stream_seg.bootstrap import reporting
    with shown.progress() as tell:
        if again is not None:
            found = reporting.again(again, out, tell=tell)
        else:
            assert settings is not None  # no --from
            if settings.definition.tiers:
                names = ", ".join(tier.name for tier in settings.definition.tiers)
                shown.note(f"the tiers ({names}) are left out: everybody is looked at together")
            found = reporting.explore(
                settings, inputs or [], out, form=form.value if form is not None else None, end=end,
                colour=colour or [], tell=tell,
            )  # fmt: skip
    told = rendered(found)
    if again is not None:
        told += "\n" + held_against(again, out, found)
    shown.result(found, told)
    if found.get("differing"):
        raise typer.Exit(FINDINGS)


def rendered(found: Mapping[str, Any]) -> str:
    """What a person wants to know first: how much there was, what stands out, and where the report is."""
    customers, unused = found["customers"], found["events"] - found["accepted"]
    first = (
        f"{customers:,} customer{'' if customers == 1 else 's'} at {found['at']}; {found['accepted']:,} of "
        f"{found['events']:,} events counted"
    )
    if unused:
        first += f"; {unused:,} did not: `stream-seg replay` says why"
    if found["segments"]["k"] == 1:
        first += "\nNobody differs from anybody, so there are no segments: it takes more customers, or other features."
    figures = [
        ("columns in the distance", amount(found["columns_in_distance"])),
        ("independent columns that say as much", amount(found["redundancy"].get("independent"))),
        ("redundant pairs", amount(len(found["redundancy"]["pairs"]))),
        ("segments, as configured", amount(found["segments"]["k"])),
        ("silhouette (1: wholly apart, 0: not)", amount(found["segments"]["silhouette"])),
    ]
    maps = found["maps"]
    islands = ([f"{maps['verdict']} {WARNING}"] if maps["maps"] else [f"No map: {maps['why']}"]) + [""]
    proposals = [f"proposed: {one['name']}: {one['why']}" for one in found["changes"]]
    written = [f"written: {path}" for path in found["out"]]
    return "\n".join([first, table(figures, right=[1]), "", *islands, *proposals, *written])
