"""``stream-seg model promote`` and the other orders: LEARN carries them out, once, and answers."""

# ruff: noqa: D301, PLC0415  # \b keeps examples in lines; imports wait for the command, so that --help is fast

import getpass
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from stream_seg.cli.options import DEFAULT_CONFIG, WAIT, ConfigFile, Json, Wait, output, read_config

Why = Annotated[str, typer.Option(metavar="TEXT", help="The reason; the history keeps it.")]
WhyNot = Annotated[str | None, typer.Option(metavar="TEXT", help="The reason, if there is more to say.")]
Who = Annotated[str | None, typer.Option(metavar="NAME", help="Who decided. Default: the user of this shell.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.", show_default=False)]


class Ramp(StrEnum):
    """How known customers come to another version."""

    walk = "walk"
    now = "now"
    zero = "0"  # what `now` is called elsewhere


RampOption = Annotated[
    Ramp, typer.Option(help="walk: each at the next daily visit; now (or 0): all of them at once, which is a storm.")
]

Now = Annotated[bool, typer.Option("--now", help="Said for whoever reads it: a refit by hand is always now.")]

TierOption = Annotated[
    str | None,
    typer.Option(
        metavar="TIER",
        help="Of a file with tiers. Without it: every tier; a rollback without a version means the tier called `all`.",
    ),
]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("promote", short_help="Puts a version in force.")(promote)
    app.command("rollback", short_help="Takes the version in force back.")(rollback)
    app.command("freeze", short_help="Learning goes on, nothing is published by itself.")(freeze)
    app.command("thaw", short_help="Versions are published by themselves again.")(thaw)
    app.command("retrain", short_help="A refit now, and a version of what comes of it.")(retrain)


def promote(
    context: typer.Context,
    version: Annotated[int, typer.Argument(metavar="V", min=1, help="The version.")],
    *,
    why: Why,
    who: Who = None,
    ramp: RampOption = Ramp.walk,
    yes: Yes = False,
    wait: Wait = WAIT,
    config: ConfigFile = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Puts a version in force: the one that waits, or any other that was made of the features in force.

    Takes seconds to start. Known customers follow at their next daily visit (cause: model), so nothing storms; new ones
    at once. Any but the newest is held on to: LEARN publishes nothing by itself until `stream-seg model thaw`. Look at
    `stream-seg model diff` first. Exits with 1 where LEARN refuses or does not answer; an order in the log is carried
    out once, however late.

    \b
    Examples:
      stream-seg model promote 8 --why "looked at the diff, the new split is what marketing wants"
      stream-seg model promote 8 --why "incident 212" --who ann --ramp now --yes
    """
    _put(context, "promote", version, None, why, who, ramp, wait, config, yes=yes, json=json)


def rollback(
    context: typer.Context,
    version: Annotated[
        int | None, typer.Argument(metavar="[V]", min=1, help="The version to go back to. Default: the one before.")
    ] = None,
    *,
    why: Why,
    who: Who = None,
    ramp: RampOption = Ramp.walk,
    yes: Yes = False,
    wait: Wait = WAIT,
    tier: TierOption = None,
    config: ConfigFile = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Takes the version in force back: the one that was in force before it labels again.

    It is an activation of its own, with who and why: the history only grows. What was taken back does not count as
    "before" any more, so a second rollback goes one version further and never returns to what the first one left. LEARN
    publishes nothing by itself until `stream-seg model thaw`. Customers follow as with `promote`.

    \b
    Examples:
      stream-seg model rollback --why "version 8 takes gift cards for regulars"
      stream-seg model rollback 6 --why "7 was wrong already" --ramp now --yes
    """
    _put(context, "rollback", version, tier, why, who, ramp, wait, config, yes=yes, json=json)


def freeze(
    context: typer.Context,
    *,
    why: WhyNot = None,
    who: Who = None,
    wait: Wait = WAIT,
    tier: TierOption = None,
    config: ConfigFile = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Keeps what is in force: LEARN goes on learning and publishes no version by itself. An announced one waits.

    \b
    Examples:
      stream-seg model freeze --why "the autumn campaign compares segments over six weeks"
    """
    _ask(context, "freeze", why, who, tier, wait, config, json=json)


def thaw(
    context: typer.Context,
    *,
    why: WhyNot = None,
    who: Who = None,
    wait: Wait = WAIT,
    tier: TierOption = None,
    config: ConfigFile = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Ends a freeze, also that after a rollback: the next version that is worth it is published at its day's end.

    \b
    Examples:
      stream-seg model thaw
    """
    _ask(context, "thaw", why, who, tier, wait, config, json=json)


def retrain(
    context: typer.Context,
    *,
    now: Now = False,  # noqa: ARG001  # people say it; it is never later
    why: WhyNot = None,
    who: Who = None,
    wait: Wait = WAIT,
    tier: TierOption = None,
    config: ConfigFile = DEFAULT_CONFIG,
    json: Json = False,
) -> None:
    """Refits the segments now, on everything learned up to the last day's end, and makes a version of them.

    The version comes into force or waits as any other would (`segments.max_model_moves`, freeze, notice), however
    little better it is.

    \b
    Examples:
      stream-seg model retrain --now --why "prices changed on Monday"
    """
    _ask(context, "retrain", why, who, tier, wait, config, json=json)


def _put(
    context: typer.Context, kind: Literal["promote", "rollback"], version: int | None,
    tier: str | None, why: str, who: str | None, ramp: Ramp, wait: float, config: Path, *, yes: bool,
    json: bool,
) -> None:  # fmt: skip
    """Names the version, asks, and orders it."""
    out = output(context, json=json)
    if not why.strip():
        raise typer.BadParameter("is empty, say why: the history keeps it", param_hint="--why")
    settings = read_config(config)
    if not yes and not sys.stdin.isatty():
        raise typer.BadParameter("is needed where nobody can be asked", param_hint="--yes")
    from stream_seg.bootstrap import orders

    current, model = orders.meant(settings, kind, version, tier)
    follow = "at their next daily visit" if ramp is Ramp.walk else "all at once"
    question = f"Version {model.version} after {current or 'none'}; customers follow {follow}. Put it in force?"
    if not yes:
        typer.confirm(question, abort=True, err=True)
    done = orders.order(
        settings, kind, who=who or getpass.getuser(), why=why, wait=wait, model=model,
        ramp="walk" if ramp is Ramp.walk else "now",
    )  # fmt: skip
    out.result(done, done["answer"])


def _ask(
    context: typer.Context, kind: Literal["freeze", "thaw", "retrain"], why: str | None, who: str | None,
    tier: str | None, wait: float, config: Path, *, json: bool,
) -> None:  # fmt: skip
    out = output(context, json=json)
    settings = read_config(config)
    from stream_seg.bootstrap import orders

    said = why or "no reason given"
    done = orders.order(settings, kind, who=who or getpass.getuser(), why=said, wait=wait, tier=tier)
    out.result(done, done["answer"])
