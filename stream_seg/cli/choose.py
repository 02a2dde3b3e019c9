"""``stream-seg choose``: how many segments, and the files with which a run begins."""

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
from stream_seg.cli.output import FINDINGS, table
from stream_seg.cli.rerun import held_against


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("choose", short_help="How many segments: measures each number, writes the way on.")(choose)


def choose(
    context: typer.Context,
    inputs: Inputs = None,
    *,
    out: Run,
    config: ConfigFile = DEFAULT_CONFIG,
    k: Annotated[
        int | None, typer.Option("--k", min=2, max=64, help="This many segments, whatever comes first.")
    ] = None,
    most: Annotated[int, typer.Option(min=2, max=64, help="Measures 2 to this many segments.")] = 12,
    at: At = None,
    form: FileFormat = None,
    again: Again = None,
    json: Json = False,
) -> None:
    """Measures every number of segments on stored events, and writes the files with which a run begins.

    Say first what is good, under `good` in the configuration: the smallest share that is worth a campaign, how many may
    move in a month, which outcomes the segments must differ in. Each number of segments is held against it, then ranked
    by six measures: gap statistic, silhouette, agreement with other draws of the customers and from month to month,
    names that differ in words, how few move. The page says why each stands where it does, and whether there are any
    clusters at all.

    Into RUN go report.html (opens without a network), report.json, model.json and segmentation.yaml (a run with them
    begins warm), labels.ndjson (what that run says of the same events), config.yaml and run.json (with which --from
    makes it again, and says whether it is the same). The folder gets its name when it is whole.

    Exit code 3: there is something to look at, as no clusters, nothing that is good, or another outcome of --from.

    \b
    Examples:
      stream-seg choose events.csv --out chosen
      stream-seg choose 2017.parquet --config shop.yaml --out chosen --k 5
      stream-seg choose events.ndjson --at 2017-06-01 --out june --json | jq '.ranking[0].because'
      stream-seg choose --from chosen --out again
    """
    shown = output(context, json=json)
    end = instant(at, "--at")
    files_or_run(context, inputs or [], again, out)
    settings = read_config(config, model=False) if again is None else None
    with extra_explore():
        from stream_seg.bootstrap.choosing import Choice, run_again, run_choose

    with shown.progress() as tell:
        if settings is None:
            assert again is not None  # one of both was asked for
            found = run_again(again, out, tell)
        else:
            choice = Choice(form.value if form is not None else None, end, k, most)
            found = run_choose(settings, inputs or [], out, choice, tell)
    told = rendered(found)
    if again is not None:
        told += "\n" + held_against(again, out, found)
    shown.result(found, told)
    if found["findings"] or found.get("differing"):
        raise typer.Exit(FINDINGS)


def rendered(found: Mapping[str, Any]) -> str:
    """The choice as a person reads it."""
    head = ("segments", "misses", "mean place", "smallest", "silhouette", "other draws", "moves")
    lines = [
        (
            str(one["k"]), str(len(one["misses"])), f"{one['mean_place']:.1f}", f"{min(one['shares']):.1%}",
            f"{one['silhouette']:.2f}", f"{one['other_draws']:.2f}",
            "–" if one["moves_30d"] is None else f"{one['moves_30d']:.0%}",
        )
        for one in found["ranking"]
    ]  # fmt: skip
    chosen = next(one for one in found["ranking"] if one["k"] == found["chosen"])
    segments = [
        (str(j), name, f"{share:.1%}")
        for j, (name, share) in enumerate(zip(chosen["names"], chosen["shares"], strict=True))
    ]
    counts = found["events"]
    unused = counts["events"] - counts["accepted"]
    gap = "none" if found["gap_best"] == 1 else found["gap_best"]
    return "\n".join([
        f"{counts['accepted']:,} of {counts['events']:,} events counted"
        + (f"; {unused:,} did not: `stream-seg replay` says why" if unused else ""),
        f"{found['customers']:,} customers; segments by the gap statistic: {gap}, by the elbow: {found['elbow']}", "",
        table([head, *lines], right=range(7)), "",
        f"Chosen: {found['chosen']}. {chosen['because']}", "",
        table([("segment", "name", "share"), *segments], right=[2]), "",
        *found["findings"], *([""] if found["findings"] else []),
        *(f"written: {path}" for path in found["out"]),
    ])  # fmt: skip
