"""One audit, from files to findings: which checks there are and in which order they look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stream_seg.errors import ConfigError
from stream_seg.explore.audit.columns import about_columns, about_currency_signs, about_meaning
from stream_seg.explore.audit.database import Database
from stream_seg.explore.audit.events import about_events
from stream_seg.explore.audit.findings import Finding, ordered
from stream_seg.explore.audit.grain import Grain, about_grain
from stream_seg.explore.audit.identifiers import about_customers, about_damaged_ids, about_joins
from stream_seg.explore.audit.leakage import about_leakage
from stream_seg.explore.audit.mapping import Proposal, as_yaml, proposed
from stream_seg.explore.audit.meaning import Meaning, apply, read_meaning, sidecar_of
from stream_seg.explore.audit.missing import about_missing
from stream_seg.explore.audit.profile import profiled
from stream_seg.explore.audit.reading import Form, read
from stream_seg.explore.audit.roles import Roles, roles_of
from stream_seg.explore.audit.tables import Column, Table, cut
from stream_seg.explore.audit.timeline import about_course, period
from stream_seg.explore.audit.timestamps import about_times
from stream_seg.explore.audit.units import about_units
from stream_seg.progress import Tell

CHECKING = "checking"


@dataclass(slots=True)
class TableReport:
    """One table: its columns, what they are for, what a row is, and the mapping that is proposed."""

    table: Table
    roles: Roles
    grain: Grain
    period: tuple[str, str] | None
    proposal: Proposal


@dataclass(slots=True)
class Report:
    """What an audit found."""

    tables: list[TableReport] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    outcome: str | None = None
    sidecar: str = ""

    @property
    def severe(self) -> bool:
        return any(one.severity == "severe" for one in self.findings)

    def mapping_text(self) -> str:
        """The `input` section of the first table, as it is written to a file."""
        first = self.tables[0]
        return as_yaml(first.proposal, first.table, f"Proposed by `stream-seg audit` for {first.table.name}.")

    def document(self) -> dict[str, Any]:
        return {
            "tables": [_table(one) for one in self.tables],
            "outcome": self.outcome,
            "findings": [one.document() for one in self.findings],
            "severe": sum(one.severity == "severe" for one in self.findings),
            "warnings": sum(one.severity == "warning" for one in self.findings),
            "notes": sum(one.severity == "note" for one in self.findings),
            "mapping": self.tables[0].proposal.document(),
        }


def _table(one: TableReport) -> dict[str, Any]:
    table, roles = one.table, one.roles
    named = {
        "customer": roles.customer, "time": roles.time, "event": roles.event, "message": roles.message,
    }  # fmt: skip
    return {
        "name": table.name,
        "files": [file for _, file in table.starts],
        "format": table.form,
        "rows": table.rows,
        "columns": [_column(column) for column in table.columns],
        "customers": None if roles.customer is None else roles.customer.distinct,
        "period": None if one.period is None else {"first": one.period[0], "last": one.period[1]},
        "roles": {role: None if column is None else column.name for role, column in named.items()},
        "grain": {"key": list(one.grain.key), "repeated": one.grain.repeated, "sentence": one.grain.sentence},
    }


def _column(column: Column) -> dict[str, Any]:
    numbers = {"least": column.least, "median": column.median, "p99": column.p99, "most": column.most}
    return {
        "name": column.name,
        "kind": column.kind,
        "form": column.form or None,
        "declared": column.declared,
        "missing": column.missing,
        "distinct": column.distinct,
        "most_frequent": {"value": cut(column.top), "rows": column.top_rows},
        **({"numbers": numbers} if column.kind == "number" else {}),
        "unit": column.unit or None,
        "source": column.source or None,
        "meaning": column.meaning or None,
        "role": column.role or None,
    }


def audit(
    database: Database,
    paths: Sequence[Path],
    *,
    form: Form | None,
    meaning: Path | None,
    outcome: str | None,
    now: int,
    tell: Tell,
    topic: str | None = None,
    places: Sequence[tuple[int, str, int]] = (),
    seen: Sequence[Finding] = (),
) -> Report:
    """Everything about these inputs. `now`: what lies after it is in the future.

    Records of a topic were written to a file of lines before: `topic` is what they are called, `places` where each
    stands (line, partition, offset), `seen` what was found on the way.

    Raises
    ------
    ConfigError
        An input or the sidecar cannot be read, or the outcome is no column.
    """
    said = read_meaning(meaning) if meaning is not None else _beside([] if topic is not None else paths)
    inputs = read(database, paths, form, tell, topic, places)
    sidecar = str(meaning or (sidecar_of(paths[0]) if topic is None else f"{topic}.meaning.yaml"))
    apply(said, Path(sidecar), inputs.tables)
    outcome = outcome or said.outcome
    if outcome is not None and all(table.column(outcome) is None for table in inputs.tables):
        known = ", ".join(cut(one.name) for one in inputs.tables[0].columns[:30])
        raise ConfigError([f"outcome: there is no column {outcome}, choose from {known}"])
    report = Report(outcome=outcome, sidecar=sidecar)
    findings = [*seen, *inputs.findings]
    for number, table in enumerate(inputs.tables):
        profiled(database, table, tell)
        roles = roles_of(table, outcome)
        if number:  # rows that are looked up
            roles.keys = [one for one in table.columns if inputs.tables[0].column(one.name) is not None]
            roles.customer = None if "customer" in roles.guessed else roles.customer
        found, one = _checked(database, table, roles, now, tell, first=number == 0, sidecar=Path(sidecar).name)
        findings += found
        report.tables.append(one)
    for other in inputs.tables[1:]:
        findings += about_joins(database, inputs.tables[0], other)
    report.findings = ordered(findings)
    return report


def _beside(paths: Sequence[Path]) -> Meaning:
    """The sidecars that lie beside the inputs, as one."""
    found = Meaning()
    for path in paths:
        if sidecar_of(path).is_file():
            one = read_meaning(sidecar_of(path))
            found.columns |= one.columns
            found.outcome = found.outcome or one.outcome
    return found


def _checked(
    database: Database, table: Table, roles: Roles, now: int, tell: Tell, *, first: bool, sidecar: str
) -> tuple[list[Finding], TableReport]:
    """All checks of one table. What makes events of rows is asked of the first input alone: others are looked up."""
    findings: list[Finding] = []
    grain = Grain((), 0, "")
    steps = ["columns", "units", "missing", "grain", "ids", "times", "events", "leakage", "mapping"]
    for number, step in enumerate(steps):
        tell(f"{CHECKING} {table.name}", number, len(steps))
        if step == "columns":
            findings += about_columns(database, table, roles)
            findings += about_meaning(table, sidecar)
        elif step == "units":
            findings += about_currency_signs(database, table)
            findings += about_units(database, table, roles)
        elif step == "missing":
            findings += about_missing(database, table, roles)
        elif step == "grain":
            grain, found = about_grain(database, table, roles)
            findings += found
        elif step == "ids":
            findings += about_damaged_ids(database, table)
            findings += about_customers(database, table, roles) if first else []
        elif step == "times" and (first or roles.time is not None):
            findings += about_times(database, table, roles, now)
            findings += about_course(database, table, roles, now)
        elif step == "events":
            findings += about_events(database, table, roles, now)
        elif step == "leakage":
            findings += about_leakage(database, table, roles, first=first)
    proposal = proposed(database, table, roles, findings)
    when = None if roles.time is None else period(database, table, roles.time, now)
    tell(f"{CHECKING} {table.name}", len(steps), len(steps))
    return findings, TableReport(table, roles, grain, when, proposal)
