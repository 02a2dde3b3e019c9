"""``stream-seg who``: the customers that a question is about, ranked, with reasons."""

# ruff: noqa: D301, PLC0415  # \b keeps examples in lines; imports wait for the command, so that --help is fast

from typing import TYPE_CHECKING, Annotated

import typer

from stream_seg.cli.options import DEFAULT_CONFIG, ConfigFile, Json, output, read_config
from stream_seg.cli.output import Output, amount, span, table
from stream_seg.errors import ConfigError

if TYPE_CHECKING:
    from stream_seg.config import Config
    from stream_seg.core.views import View
    from stream_seg.pipeline.answers import Ground, Ranked, WhoAnswer

CAUSES = {"event": "by what it did", "time": "as time passed"}


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("who", short_help="Who is drifting away, primed for upsell …: ranked, with reasons.")(who)


def who(
    context: typer.Context,
    view: Annotated[
        str | None, typer.Argument(metavar="[VIEW]", help="Which question. Without it: all of them.")
    ] = None,
    *,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="So many customers at most.")] = 20,
    config: ConfigFile = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Answers a question about customers: who it is about, the highest score first, and why. Without one, lists them.

    Views stand under `views` in the configuration; a change there needs no `apply`. Each reason is the value now, with
    what is typical of the segment that the customer left (before → now) or of everybody. Redis is read page by page
    beside the workers, with pauses.

    \b
    Examples:
      stream-seg who
      stream-seg who drifting-away --limit 50
      stream-seg who needs-onboarding --json | jq -r '.ranked[].customer_id'
    """
    out = output(context, json=json)
    settings = read_config(config)
    if view is None:
        _list(settings, out)
        return
    asked = _named(settings, view)
    from stream_seg.bootstrap import commands as bootstrap

    answer = bootstrap.who(settings, asked, limit)
    out.result(answer, rendered(answer))


def _list(settings: "Config", out: Output) -> None:
    from stream_seg.core.ready_made import why_not

    views = [
        {"view": one.name, "question": one.question, "cannot": why_not(one, settings.definition.features)}
        for one in settings.views
    ]
    rows = [(str(one["view"]), f"{one['question']}{_cannot(one['cannot'])}") for one in views]
    out.result({"views": views}, table(rows))


def _cannot(why: str | None) -> str:
    return f" Cannot be answered: {why}." if why else ""


def _named(settings: "Config", name: str) -> "View":
    """The view of a name, if it can be asked."""
    from stream_seg.config.problems import choose
    from stream_seg.core.ready_made import why_not

    views = {one.name: one for one in settings.views}
    if name not in views:
        raise typer.BadParameter(f"there is no view {name!r}, {choose(name, views)}", param_hint="VIEW")
    if why := why_not(views[name], settings.definition.features):
        raise ConfigError([f"{settings.path}: features: {name} cannot be answered: {why}"])
    return views[name]


def rendered(answer: "WhoAnswer") -> str:
    """The answer as a person reads it: a line of sums, then one customer after another, a reason a line."""
    first = f"{answer['question']} {answer['found']:,} of {answer['customers']:,} customers"
    if answer["unranked"]:
        first += f", {answer['unranked']:,} of them without anything to rank by"
    if len(answer["ranked"]) < answer["found"] - answer["unranked"]:
        first += f"; the first {len(answer['ranked']):,}"
    if not answer["ranked"]:
        return first
    rows = [("customer", "score", "segment", "why")]
    for one in answer["ranked"]:
        segment = "–" if one["segment"] is None else f"{one['segment']} {one['segment_name']}"
        lines = _why(one) or ["–"]
        rows.append((one["customer_id"], f"{one['score']:.2f}", segment, lines[0]))
        rows += [("", "", "", line) for line in lines[1:]]
    return f"{first}\n\n{table(rows, right=[1])}"


def _why(one: "Ranked") -> list[str]:
    moved = one["moved"]
    if moved is None:
        return [_said(ground) for ground in one["reasons"]]
    how = f"moved {span(moved['ago'])} ago, {CAUSES[moved['cause']]}"
    came = f"was in {moved['before']} {moved['before_name']}; {how}"
    return [came, *(_said(ground) for ground in one["reasons"])]


def _said(ground: "Ground") -> str:
    """A reason: ``order rarely: orders_30d 9.8 → 1``.

    >>> _said({"text": "order rarely", "term": "orders", "value": 1.0, "before": 9.8, "population": 4.2, "unit": None})
    'order rarely: orders 9.8 → 1'
    """

    def shown(value: float | str | None) -> str:
        return span(value) if ground["unit"] == "s" and isinstance(value, float) else amount(value)

    now = shown(ground["value"])
    if "." in ground["term"]:  # a word of views says what it is
        return f"{ground['text']} {now}"
    called = f"{ground['text']}: {ground['term']}" if ground["text"] not in ("", ground["term"]) else ground["term"]
    if ground["before"] is not None:
        return f"{called} {shown(ground['before'])} → {now}"
    return f"{called} {now}" + (
        f", everybody {shown(ground['population'])}" if ground["population"] is not None else ""
    )
