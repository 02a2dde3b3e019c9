"""An audit as a person reads it: what this is, what is wrong, column by column, and the mapping."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from stream_seg.cli.output import amount, table

if TYPE_CHECKING:
    from stream_seg.explore.audit.findings import Finding
    from stream_seg.explore.audit.run import Report, TableReport
    from stream_seg.explore.audit.tables import Column

LISTED = 40  # columns that are listed; --json has them all
WIDTH = 24


def rendered(report: Report, written: Path | None) -> str:
    """The whole page."""
    parts = []
    for one in report.tables:
        parts += ["\n".join(_head(one))]
    parts.append("\n".join(_counts(report)))
    parts += ["\n".join(_finding(one)) for one in report.findings]
    for one in report.tables:
        parts.append(_columns(one))
    said = (
        f"mapping, written to {written}:"
        if written is not None
        else "proposed mapping (--write-mapping FILE writes it):"
    )
    parts.append(f"{said}\n\n{report.mapping_text().rstrip()}")
    return "\n\n".join(parts)


def _head(one: TableReport) -> Iterator[str]:
    found, roles = one.table, one.roles
    customers = "" if roles.customer is None else f", {roles.customer.distinct:,} customers ({roles.customer.name})"
    yield f"{found.name}: {found.rows:,} rows, {len(found.columns):,} columns{customers}"
    if one.period is not None and roles.time is not None:
        yield f"{roles.time.name} from {one.period[0]} to {one.period[1]}"
    yield f"grain: {one.grain.sentence}"


def _counts(report: Report) -> Iterator[str]:
    by = {word: sum(one.severity == word for one in report.findings) for word in ("severe", "warning", "note")}
    yield f"{by['severe']} severe, {by['warning']} warnings, {by['note']} notes"


def _finding(one: Finding) -> Iterator[str]:
    yield f"{one.severity.upper():<8} {one.check}: {one.what}"
    for example in one.examples:
        yield f"         row {example.row:,} of {example.file}: {example.value}"
    yield f"         → {one.remedy}"


def _columns(one: TableReport) -> str:
    rows: list[tuple[str, ...]] = [("column", "kind", "missing", "values", "most frequent", "range")]
    rows += [_column(column) for column in one.table.columns[:LISTED]]
    more = len(one.table.columns) - LISTED
    tail = [f"and {more:,} more columns (--json lists them all)"] if more > 0 else []
    return "\n".join([f"columns of {one.table.name}", "", table(rows, right=[2, 3]), *tail])


def _column(column: Column) -> tuple[str, ...]:
    missing = "–" if not column.missing else f"{100 * column.missing / max(column.rows, 1):.1f} %"
    unit = f" {column.unit}" if column.unit else ""
    spread = (
        ""
        if column.least is None
        else f"{amount(column.least)} … {amount(column.median)} … {amount(column.most)}{unit}"
    )
    return (_short(column.name), column.kind, missing, f"{column.distinct:,}", _short(column.top), spread)


def _short(text: str) -> str:
    plain = "".join(c if c.isprintable() else "�" for c in text)
    return plain if len(plain) <= WIDTH else plain[: WIDTH - 1] + "…"
