"""``stream-seg doctor``: whether everything is as it has to be, and the work goes on."""

# ruff: noqa: D301, PLC0415  # \b keeps examples in lines; imports wait for the command, so that --help is fast

from typing import TYPE_CHECKING

import typer

from stream_seg.cli.options import DEFAULT_CONFIG, ConfigFile, Json, output, read_config
from stream_seg.cli.output import FINDINGS, OK, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream_seg.pipeline.diagnosis import Finding


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("doctor", short_help="Looks whether everything is as it has to be.")(doctor)


def doctor(context: typer.Context, config: ConfigFile = DEFAULT_CONFIG, *, json: Json = False) -> None:
    """Looks at servers, topics, workers and whether the work goes on, and says what to do about each fault.

    Is everything set up as it has to be, does somebody work, does anything wait too long, lag or stand still, does what
    is in force differ from the file, does a model, drift or a dead letter ask for a person? WARN: within the working
    day; FAIL: now. It changes nothing. Exits with 0 when all is well, with 3 when there is anything to look at.

    \b
    Examples:
      stream-seg doctor
      stream-seg doctor --config shop.yaml
      stream-seg doctor --json | jq '.findings[] | select(.status == "fail") | {check, place, remedy, runbook}'
    """
    out = output(context, json=json)
    settings = read_config(config)
    from msgspec.structs import asdict

    from stream_seg.bootstrap import commands as bootstrap

    findings = bootstrap.doctor(settings)
    faults = [one for one in findings if one.status != "ok"]
    rows = [(one.status.upper() if one.status != "ok" else "ok", one.check, one.place, one.detail) for one in findings]
    remedies = _remedies(faults)
    text = "\n".join([table(rows), *(["", "To do:", *remedies] if remedies else [])])
    out.result({"ok": not faults, "findings": [asdict(one) for one in findings]}, text)
    raise typer.Exit(FINDINGS if faults else OK)


def _remedies(faults: "Sequence[Finding]") -> list[str]:
    """Each remedy once, with what it is for and the pages that have more of it."""
    cures: dict[str, dict[str, None]] = {}
    for one in faults:
        about = cures.setdefault(one.remedy, {})
        about |= dict.fromkeys([one.check] if not one.runbook else [one.check, one.runbook])
    return [f"{remedy}  ({', '.join(about)})" for remedy, about in cures.items()]
