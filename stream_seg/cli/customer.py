"""``stream-seg customer``: who it is, and why."""

# ruff: noqa: D301, PLC0415  # \b keeps examples in lines; imports wait for the command, so that --help is fast

from typing import TYPE_CHECKING, Annotated

import typer

from stream_seg.cli.options import DEFAULT_CONFIG, ConfigFile, Json, output, read_config
from stream_seg.cli.output import amount, table
from stream_seg.errors import Stop

if TYPE_CHECKING:
    from stream_seg.pipeline.answers import CustomerAnswer


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("customer", short_help="Who a customer is, and why.")(customer)


def customer(
    context: typer.Context,
    customer_id: Annotated[str, typer.Argument(metavar="ID", help="The customer's id, as in the events.")],
    *,
    config: ConfigFile = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Shows one customer: features, segment, how clear-cut it is and why, and the last movements.

    The margin is 0 on the border to the runner-up and comes near 1 far from it. Exits with 1 when the id is not known.

    \b
    Examples:
      stream-seg customer ann
      stream-seg customer ann --json | jq '.history[0]'
      stream-seg customer -- -42
    """
    out = output(context, json=json)
    settings = read_config(config)
    from stream_seg.bootstrap import commands as bootstrap

    answer = bootstrap.customer(settings, customer_id)
    if answer is None:
        what = "look at the id's spelling; a customer is forgotten after `time.forget_after` of silence"
        raise Stop(f"nobody is known by the id {customer_id!r}, {what}")
    out.result(answer, rendered(answer))


def rendered(answer: "CustomerAnswer") -> str:
    """The answer as a person reads it."""
    return "\n\n".join(part for part in (_who(answer), _why(answer), _features(answer), _history(answer)) if part)


def _who(answer: "CustomerAnswer") -> str:
    if answer["segment"] is None:
        lines = [f"{answer['customer_id']} has no segment yet: there is no model."]
    else:
        lines = [f"{answer['customer_id']} is in segment {_named(answer)} since {answer['since'] or 'the beginning'}"]
    if answer["margin"] is not None and answer["runner_up"] is not None:
        lines.append(f"margin {answer['margin']:.2f} to segment {answer['runner_up']}")
    model = "no model" if answer["model_version"] is None else f"model {answer['model_version']}"
    seen = f"last event {answer['last_event'] or 'unknown'}"
    if "as_of" in answer:
        seen += f", read at {answer['as_of']}"
    lines.append(f"{seen}, {model}, features {answer['feature_set_version']}, incarnation {answer['incarnation']}")
    return "\n".join(lines)


def _named(answer: "CustomerAnswer") -> str:
    return f"{answer['segment']} ({answer['segment_name']})" if answer["segment_name"] else str(answer["segment"])


def _why(answer: "CustomerAnswer") -> str:
    if not answer["why"]:
        return ""
    rows = [(f"  {one['text']}", one["feature"], f"{one['effect']:+.2f}") for one in answer["why"]]
    title = "Why" if answer["runner_up"] is None else f"Why here and not in segment {answer['runner_up']}"
    return f"{title}\n{table(rows, right=[2])}"


def _features(answer: "CustomerAnswer") -> str:
    rows = [("  feature", "value", "in the distance")]
    rows += [(f"  {one['name']}", amount(one["value"]), amount(one["in_distance"])) for one in answer["features"]]
    return "Features\n" + table(rows, right=[1, 2])


def _history(answer: "CustomerAnswer") -> str:
    if not answer["history"]:
        return "No movement yet."
    rows = [("  #", "when", "from", "to", "cause", "model")]
    for move in answer["history"]:
        before, after, model = (
            "–" if value is None else str(value) for value in (move["before"], move["after"], move["model_version"])
        )
        rows.append((f"  {move['sequence']}", move["at"], before, after, move["cause"], model))
    return "Movements, newest first\n" + table(rows)
