"""``stream-seg audit``: what is in the data, before anybody counts on it."""

# ruff: noqa: D301, PLC0415  # \b keeps examples in lines; imports wait for the command, so that --help is fast

import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from stream_seg.cli.options import (
    DEFAULT_CONFIG,
    AnyForm,
    AnyFormat,
    Json,
    extra_explore,
    instant,
    output,
    present,
    read_config,
)
from stream_seg.cli.output import FINDINGS
from stream_seg.errors import ConfigError


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("audit", short_help="Says what is in raw data, what is wrong with it, and proposes the mapping.")(audit)


def audit(
    context: typer.Context,
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT...", help="Files, or topics with --format kafka.")],
    *,
    form: AnyFormat = None,
    meaning: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Units, sources and roles of columns. Default: INPUT.meaning.yaml, if there."
        ),
    ] = None,
    outcome: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="What is to be explained: no other column may know it already.")
    ] = None,
    now: Annotated[
        str | None, typer.Option(metavar="TIME", help="What lies after it is in the future. Default: the clock.")
    ] = None,
    write_mapping: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the proposed `input` section there.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write over a file that is there.", show_default=False)
    ] = False,
    config: Annotated[
        Path,
        typer.Option(
            "--config", "-c", metavar="FILE", envvar="STREAM_SEG_CONFIG", help="Where Kafka is, with --format kafka."
        ),
    ] = DEFAULT_CONFIG,
    bootstrap: Annotated[
        list[str] | None,
        typer.Option("--bootstrap", metavar="HOST:PORT", help="Where Kafka is, while there is no configuration yet."),
    ] = None,
    json: Json = False,
) -> None:
    """Says what is in raw data, what is wrong with it, and proposes the mapping that makes events of it.

    Looks at shape, types, missing values and their pattern, units, grain (what one row is), identifiers, times,
    dead events and leakage. Each finding is severe, a warning or a note, with figures, example rows and a remedy;
    docs/audit.md says what each means, and from which threshold on. Rows count from 1 without the header; records of
    a topic are named by their offset. Files with the same columns are one table; a file with other columns is looked
    up from the first one.

    Exit code 3: something severe was found. Nothing is changed. Memory stays bounded: what does not fit is spilled
    into a temporary folder.

    \b
    Examples:
      stream-seg audit events.csv
      stream-seg audit 2017-*.csv products.parquet --outcome churned --json
      stream-seg audit events.ndjson --write-mapping input.yaml
      stream-seg audit web.tracks:0:0-100000 --format kafka --bootstrap 127.0.0.1:9092
    """
    shown = output(context, json=json)
    if form is not AnyForm.kafka:
        present(inputs)
    if write_mapping is not None and write_mapping.exists() and not force:
        raise typer.BadParameter(
            f"{write_mapping} is there already; --force writes over it", param_hint="--write-mapping"
        )
    at = instant(now, "--now")
    kafka = None
    if form is AnyForm.kafka:
        from stream_seg.config import KafkaSettings

        kafka = KafkaSettings(bootstrap=bootstrap) if bootstrap else read_config(config, model=False).kafka
    with extra_explore():
        from stream_seg.bootstrap.auditing import run_audit
        from stream_seg.cli.audit_text import rendered

    with shown.progress() as tell:
        report = run_audit(
            inputs, form=form.value if form is not None else None, kafka=kafka, meaning=meaning, outcome=outcome,
            now=at if at is not None else time.time_ns() // 1_000_000, tell=tell,
        )  # fmt: skip
    document = report.document()
    if write_mapping is not None:
        _write(write_mapping, report.mapping_text())
        document["mapping_file"] = str(write_mapping)
    shown.result(document, rendered(report, write_mapping))
    if report.severe:
        raise typer.Exit(FINDINGS)


def _write(path: Path, text: str) -> None:
    """Whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_text(text, "utf-8")
        part.replace(path)
    except OSError as error:
        raise ConfigError([f"{path}: cannot be written: {error.strerror}, name another place"]) from error
    finally:
        with suppress(OSError):
            part.unlink()
