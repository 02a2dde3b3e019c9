"""``stream-seg compare``: k-means against other ways to find groups."""

# ruff: noqa: D301, PLC0415  # \b keeps examples in lines; imports wait for the command, so that --help is fast

from collections.abc import Mapping
from enum import StrEnum
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
from stream_seg.cli.output import FINDINGS, table
from stream_seg.cli.rerun import held_against


class Plan(StrEnum):
    """What segments are for."""

    reusable = "reusable"
    niche = "niche"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("compare", short_help="Holds k-means against other ways to find groups.")(compare)


def compare(
    context: typer.Context,
    inputs: Inputs = None,
    *,
    out: Run,
    config: ConfigFile = DEFAULT_CONFIG,
    form: FileFormat = None,
    k: Annotated[
        int | None,
        typer.Option("--k", min=2, max=64, help="Groups for methods that do not count them. Default: segments.k."),
    ] = None,
    at: At = None,
    plan: Annotated[
        Plan | None,
        typer.Option(help="What segments are for. Default: reusable where the configuration names a lever, else both."),
    ] = None,
    again: Again = None,
    json: Json = False,
) -> None:
    """Holds k-means against other ways to find groups, on the table of all customers.

    The table is what the live feature code computes. On it k-means stands beside Ward's tree, BIRCH, a Gaussian mixture
    (EM), mean-shift, DBSCAN, HDBSCAN and river's streaming clusterers: how many groups each finds, how many customers
    are in none, how well the groups are set apart, whether they are found again, who agrees with whom, and whether a
    worker could serve them as centres, with what loss. Parameters are chosen from the data. The advice follows what
    segments are for: definitions that are used again, or niche groups and anomalies.

    Into RUN go report.html (one page, no network), report.json, labels.csv (every customer, every method), config.yaml
    and run.json; the same events give the same bytes. timings.json has seconds and memory, and is the one file that
    differs from run to run. With --from the options and the configuration are those of that run; exit code 3 where a
    file came out differently.

    \b
    Examples:
      stream-seg compare events.ndjson --out compared
      stream-seg compare 2017.parquet -c shop.yaml --out compared --k 5 --at 2017-12-01 --plan niche
      stream-seg compare --from compared --out again
      stream-seg compare events.csv --out compared --json | jq '.methods[] | {method, groups, noise, serving}'
    """
    shown = output(context, json=json)
    end = instant(at, "--at")
    files_or_run(context, inputs or [], again, out)
    with extra_explore():
        from stream_seg.bootstrap.comparing import Asked, Options, asked_again, comparing
    from stream_seg.explore.run import CONFIG, configured

    if again is None:
        options = Options(form.value if form else None, end, k, plan.value if plan else None)
        asked = Asked(tuple(inputs or []), options)
    else:
        asked = asked_again(again)
    settings = read_config(config, model=False) if again is None else configured(again / CONFIG)
    if settings.definition.tiers:
        names = ", ".join(tier.name for tier in settings.definition.tiers)
        shown.note(f"the tiers ({names}) are left out: everybody is compared together")
    with shown.progress() as tell:
        found = comparing(settings, asked, out, tell)
    told = rendered(found)
    if again is not None:
        told += "\n" + held_against(again, out, found)
    shown.result(found, told)
    if found.get("differing"):
        raise typer.Exit(FINDINGS)


def rendered(found: Mapping[str, Any]) -> str:
    """The methods side by side, and the advice."""
    head = ("method", "groups", "in none", "silhouette", "DBCV", "found again", "with k-means", "served", "CPU s", "MB")
    alike = [line[0] for line in found["agreement"]["adjusted_rand"]]
    rows = [head]
    for one, agrees in zip(found["methods"], alike, strict=True):
        cost = found["timings"][one["method"]]
        rows.append((
            one["method"], str(one["groups"]), f"{one['noise']:.0%}", _two(one["silhouette"]), _two(one["dbcv"]),
            _two(one["stability"]["mean"]), _two(agrees), one["serving"]["verdict"], f"{cost['cpu_seconds']:.2f}",
            "–" if cost["peak_mb"] is None else f"{cost['peak_mb']:.0f}",
        ))  # fmt: skip
    left = f" ({found['left_out']:,} out of reach left out)" if found["left_out"] else ""
    who = f"{found['customers']:,} customers as of {found['at'][:10]}{left}"
    lines = [
        f"{who}, {len(found['columns'])} columns, k = {found['k']}",
        "",
        table(rows, right=[1, 2, 3, 4, 5, 6, 8, 9]),
        "",
        *found["advice"],
        *(f"{name} came to no result: {why}" for name, why in found["could_not"].items()),
        "",
        *(f"written: {path}" for path in found["out"]),
    ]
    return "\n".join(lines)


def _two(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
