"""``stream-seg quality``: what the segments learned from stored events are worth."""

# ruff: noqa: D301, PLC0415  # \b keeps examples in lines; imports wait for the command, so that --help is fast

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from stream_seg.cli.options import DEFAULT_CONFIG, ConfigFile, FileFormat, Json, output, present, read_config
from stream_seg.cli.output import amount, table

MEANINGS = {
    "inertia_ratio_median": "inertia over that of the best batch fit, at the ends of weeks, median",
    "inertia_ratio_p95": "the same, 95 of 100 weeks",
    "inertia_ratio_with_margin": "the same for the segments that customers keep under the margin, median",
    "dead_clusters": "segments that nobody was nearest to, all weeks together",
    "silhouette_minus_batch_min": "silhouette minus that of the batch fit, worst week",
    "model_flips_per_1000": "of 1,000 active customers a day, moved by a new model alone",
    "model_flips_per_1000_mature": "the same, 90 days after the first model",
    "ari_seeds_min": "agreement of learners that differ by the seed (adjusted Rand), least",
    "ari_batch_k4": "agreement with the batch fit for 4 segments, median",
    "shift_inertia_ratio_max": "inertia over the best after a feature grew by half overnight, worst day",
    "drift_false_alarms_per_30d": "drift alarms in 30 days without any change of ours",
    "drift_1_5_days": "days until a feature times 1.5 is found, worst (15: not within 14)",
    "drift_1_2_days": "the same for a feature times 1.2",
    "emergence_found": "share of new far groups of 5 % that are found within 14 days",
    "emergence_false_alarms_per_30d": "groups found in 30 days without any of ours",
}


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("quality", short_help="Measures what segments learned from stored events are worth.")(quality)


def quality(
    context: typer.Context,
    *,
    inputs: Annotated[list[str], typer.Option("--input", metavar="FILE", help="Events; may be given several times.")],
    config: ConfigFile = DEFAULT_CONFIG,
    form: FileFormat = None,
    json: Json = False,
) -> None:
    """Measures the segments that would have been learned from stored events, day by day, as if live.

    The events go through the real features and the real learning, with the features, the number of segments and the
    margin of the configuration, and a sample of every customer each day. At the end of each week the model in force is
    compared with the best that a batch fit finds for the same customers. Learners with other seeds, with 4 segments
    and with a feature that suddenly grows by half run beside it; drift detection is tried on changes that are put in.
    Versions that would wait for a person come into force at once. Nothing is written. Tiers are left out: everybody is
    measured together, as if there were none.

    What cannot be measured is null, with the reason under `why`: mature begins 90 days after the first model, drift
    needs 74 days with full windows. docs/learners.md says what each figure means and what is good.

    \b
    Examples:
      stream-seg quality --input events.csv --config segmentation.yaml
      stream-seg quality --input 2017.parquet --input 2018.parquet --json
      stream-seg quality --input events.ndjson --json | jq '{inertia_ratio_median, model_flips_per_1000}'
    """
    shown = output(context, json=json)
    present(inputs, "--input")
    settings = read_config(config)
    from stream_seg.bootstrap.quality import run_quality

    if settings.definition.tiers:
        names = ", ".join(tier.name for tier in settings.definition.tiers)
        shown.note(f"the tiers ({names}) are left out: everybody is measured together")
    with shown.progress() as tell:
        found = run_quality(settings, inputs, form=form.value if form is not None else None, tell=tell)
    shown.result(found, rendered(found))


def rendered(found: Mapping[str, Any]) -> str:
    """The figures as a person reads them: what was measured on, one line a figure, and why some are missing."""
    first = (
        f"{found['accepted']:,} of {found['events']:,} events, {found['customers']:,} customers at once, "
        f"{found['days']:,} days, k = {found['k']}, {found['models']:,} models ({found['learner']})"
    )
    rows = [(name, amount(found[name]), meaning) for name, meaning in MEANINGS.items()]
    missing = [f"{name}: {why}" for name, why in found["why"].items()]
    return "\n".join([first, "", table(rows, right=[1]), *(["", *missing] if missing else [])])
