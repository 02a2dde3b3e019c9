"""``stream-seg segments``: who is here."""

# ruff: noqa: D301, PLC0415  # \b keeps examples in lines; imports wait for the command, so that --help is fast

from typing import TYPE_CHECKING

import typer

from stream_seg.cli.options import DEFAULT_CONFIG, ConfigFile, Json, output, read_config
from stream_seg.cli.output import amount, table

if TYPE_CHECKING:
    from stream_seg.pipeline.answers import SegmentsAnswer


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("segments", short_help="Who is here: size, share, profile.")(segments)


def segments(context: typer.Context, config: ConfigFile = DEFAULT_CONFIG, *, json: Json = False) -> None:
    """Shows who is here: each segment with its name, size, share, lever and profile.

    "active" is the share who did something in the last 30 days, "stayed" the share that stayed of those who were there
    30 days ago or left since: of the customers learned from. --json has medians, quartiles, categories and flows too.

    A profile is the mean of the segment's customers in the features' own units, as the segment's definition says. Where
    the definition cannot be read, it is the model's centre.

    \b
    Examples:
      stream-seg segments
      stream-seg segments --config shop.yaml
      stream-seg segments --json | jq '.segments[] | {name, customers}'
    """
    out = output(context, json=json)
    settings = read_config(config)
    from stream_seg.bootstrap import commands as bootstrap

    answer = bootstrap.segments(settings)
    out.result(answer, rendered(answer))


def rendered(answer: "SegmentsAnswer") -> str:
    """The answer as a person reads it: sizes, then profiles side by side."""
    models = [version for version in answer["tiers"].values() if version]
    model = f"model {', '.join(map(str, models))}" if models else "no model yet"
    parts = [f"{answer['customers']:,} customers, {answer['unlabelled']:,} without a segment; {model}"]
    here = answer["segments"]
    if here:
        tiers = len({one["tier"] for one in here}) > 1
        sizes = ("customers", "share", "active", "stayed")
        rows = [("segment", "name", *(["tier"] if tiers else []), *sizes, "lever", "owner", "question")]
        for one in here:
            told = one["learned_from"]
            lately = [_percent(told[key] if told else None) for key in ("reach", "stability")]
            size = (f"{one['customers']:,}", f"{one['share']:.1%}", *lately)
            declared = (one["lever"] or "–", one["owner"] or "–", one["question"] or "–")
            tier = [one["tier"]] if tiers else []
            rows.append((str(one["segment"]), one["name"], *tier, *size, *declared))
        parts.append(table(rows, right=[0, *range(2 + tiers, 6 + tiers)]))
        names = list(dict.fromkeys(name for one in here for name in one["profile"]))
        title = "centre" if answer.get("profiles_from") == "centres" else "profile"
        profile = [(title, *(str(one["segment"]) for one in here))]
        profile += [(name, *(amount(one["profile"].get(name)) for one in here)) for name in names]
        parts.append(table(profile, right=range(1, len(here) + 1)))
    causes = ", ".join(f"{count:,} {cause}" for cause, count in answer.get("movements_by_cause", {}).items())
    if causes:
        back = answer.get("returned_within", {})
        returned = f"{back.get('1d', 0):,} went back to the segment before within a day, {back.get('7d', 0):,} within 7"
        parts.append(f"movements: {causes}; {returned}")
    return "\n\n".join(parts)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"
