"""``stream-seg doctor``: whether everything is as it has to be."""

# ruff: noqa: D301, PLC0415  # \b keeps examples in lines; imports wait for the command, so that --help is fast

import typer

from stream_seg.cli.options import DEFAULT_CONFIG, ConfigFile, Json, output, read_config
from stream_seg.cli.output import FINDINGS, OK, table


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("doctor", short_help="Looks whether everything is as it has to be.")(doctor)


def doctor(context: typer.Context, config: ConfigFile = DEFAULT_CONFIG, *, json: Json = False) -> None:
    """Looks at the configuration, Kafka, the topics, Redis and the clocks, and says what to do about each fault.

    It changes nothing. Exits with 0 when all is well, with 3 when there is anything to look at.

    \b
    Examples:
      stream-seg doctor
      stream-seg doctor --config shop.yaml
      stream-seg doctor --json | jq '.findings[] | select(.status != "ok")'
    """
    out = output(context, json=json)
    settings = read_config(config)
    from stream_seg.bootstrap import commands as bootstrap

    findings = bootstrap.doctor(settings)
    faults = [one for one in findings if one.status != "ok"]
    rows = [(one.status.upper() if one.status != "ok" else "ok", one.check, one.detail) for one in findings]
    cures: dict[str, list[str]] = {}
    for one in faults:
        cures.setdefault(one.remedy, []).append(one.check)
    remedies = [f"{remedy}  ({', '.join(checks)})" for remedy, checks in cures.items()]
    text = "\n".join([table(rows), *(["", "To do:", *remedies] if remedies else [])])
    document = {
        "ok": not faults,
        "findings": [
            {"check": one.check, "status": one.status, "detail": one.detail, "remedy": one.remedy} for one in findings
        ],
    }
    out.result(document, text)
    raise typer.Exit(FINDINGS if faults else OK)
