"""The proposed `input.mapping`: where customer, time and event stand, what is a property and what a trait."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from stream_seg.config.sections import MappingSection
from stream_seg.explore.audit.database import Database
from stream_seg.explore.audit.findings import Finding
from stream_seg.explore.audit.instants import EPOCHS, slashed
from stream_seg.explore.audit.names import words
from stream_seg.explore.audit.roles import Roles
from stream_seg.explore.audit.tables import Column, Table

STEADY = 0.99  # so many customers keep one value: it is theirs, not the event's
WIDEST = 60  # properties that are proposed at most
LEFT_OUT = {
    "constant",
    "unique_per_row",
    "same_column",
    "predicts_too_well",
    "whole_period",
    "known_later",
    "empty_column",
}
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
_PATH = re.compile(r"[^\s.][^.]*(\.[^.]+)*")


@dataclass(slots=True)
class Proposal:
    """mapping: as the section takes it; None: nothing to map, and `why`. left_out: column -> why; unsure: what to "
    "check.
    """

    mapping: dict[str, Any] | None
    why: str = ""
    left_out: dict[str, str] = field(default_factory=dict)
    unsure: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        return {"mapping": self.mapping, "why": self.why, "left_out": self.left_out, "unsure": self.unsure}


def proposed(database: Database, table: Table, roles: Roles, findings: Iterable[Finding]) -> Proposal:
    """What the rows of a table would be as events."""
    names = {one.name for one in table.columns}
    if table.form == "ndjson" and "type" in names and names & {"userId", "anonymousId"}:
        return Proposal(None, "these are Segment calls: they need no mapping")
    if table.form == "ndjson" and {"specversion", "source", "type"} <= names:
        return Proposal(None, "these are CloudEvents: they need no mapping")
    if roles.customer is None or roles.time is None:
        missing = " and ".join(
            word for word, one in (("customer", roles.customer), ("time", roles.time)) if one is None
        )
        return Proposal(None, f"no column for {missing} was found: give it a role in the sidecar")
    if roles.time.form == "epoch_us":
        return Proposal(
            None, f"{roles.time.name} counts microseconds, and a mapping reads seconds or milliseconds: divide it"
        )
    event = f"={_title(table.name)}" if roles.event is None else roles.event.name
    mapping: dict[str, Any] = {"customer": roles.customer.name, "time": roles.time.name}
    found = Proposal(mapping)
    mapping |= _time(roles.time, found)
    mapping["event"] = event
    if roles.event is None:
        found.unsure.append(f"no column names the event: every row is {event[1:]}")
    if roles.message is not None:
        mapping["message"] = roles.message.name
    if "customer" in roles.guessed:
        found.unsure.append(f"{roles.customer.name} is taken for the customer because it comes back, not by its name")
    _parts(database, table, roles, list(findings), found)
    MappingSection.model_validate(mapping)  # what is proposed is what the configuration takes
    return found


def _time(time: Column, found: Proposal) -> dict[str, str]:
    if time.form in EPOCHS:
        return {"time_format": time.form}
    counts = time.counts
    part: dict[str, str] = {}
    if time.form == "slashed":
        by_dots = "." in time.first
        for day_first in (by_dots, not by_dots):
            for pattern in slashed(day_first=day_first, dots=by_dots):
                try:
                    datetime.strptime(time.first, pattern)  # noqa: DTZ007  # only whether it fits
                except ValueError:
                    continue
                found.unsure.append(f"{time.name}: whether day or month comes first is a guess")
                return {"time_format": pattern, "time_zone": "UTC"}
    if time.form == "compact":
        part["time_format"] = "%Y%m%d"
    if time.form == "compact" or counts["iso_no_zone"] or counts["iso_date"]:
        part["time_zone"] = "UTC"
        found.unsure.append(f"{time.name} carries no zone: UTC is a guess")
    return part


def _parts(database: Database, table: Table, roles: Roles, findings: list[Finding], found: Proposal) -> None:
    """Properties and traits: what is left when ids of rows, constants and leaks are out."""
    assert found.mapping is not None
    taken = {id(one) for one in (roles.customer, roles.time, roles.event, roles.message) if one is not None}
    reasons: dict[str, str] = {}
    for finding in findings:
        if finding.check in LEFT_OUT:
            first = finding.columns[:1] if finding.check in {"same_column", "predicts_too_well"} else finding.columns
            for name in first:
                reasons.setdefault(name, finding.check.replace("_", " "))
    if roles.outcome is not None:
        reasons[roles.outcome.name] = "the outcome"
    kept: list[Column] = []
    for column in table.columns:
        if id(column) in taken:
            continue
        if column.kind == "empty":
            reasons[column.name] = "empty"
        elif column.role == "ignore":
            reasons[column.name] = "the sidecar says so"
        elif not _PATH.fullmatch(column.name):
            reasons[column.name] = "its name is no path (dots)"
        elif column.name not in reasons:
            if len(kept) == WIDEST:
                reasons[column.name] = f"more than {WIDEST} properties: add those that features read"
            else:
                kept.append(column)
    found.left_out = {
        one.name: reasons[one.name] for one in table.columns if one.name in reasons and id(one) not in taken
    }
    traits = _steady(database, table, roles, kept)
    for section, part in (("properties", [one for one in kept if one not in traits]), ("traits", traits)):
        if part:
            found.mapping[section] = _short([one.name for one in part])


def _steady(database: Database, table: Table, roles: Roles, columns: list[Column]) -> list[Column]:
    """Columns whose value is the customer's own."""
    assert roles.customer is not None
    if not columns or table.wide:
        return []
    one_value = ", ".join(f"avg(CASE WHEN s{i} THEN 1.0 ELSE 0.0 END)" for i in range(len(columns)))
    each = ", ".join(f"min({one.key}) IS NOT DISTINCT FROM max({one.key}) AS s{i}" for i, one in enumerate(columns))
    shares = database.one(
        f"SELECT {one_value} FROM (SELECT {each} FROM {table.sql} GROUP BY {roles.customer.key} HAVING count(*) > 2)"
    )
    return [
        one
        for one, how in zip(columns, shares, strict=True)
        if how is not None and how >= STEADY and one.kind != "time"
    ]


def _short(names: list[str]) -> dict[str, str]:
    """A name for each path: its last step where that is its own."""
    last = [name.rpartition(".")[2] for name in names]
    return {
        (step if last.count(step) == 1 else name.replace(".", "_")): name
        for step, name in zip(last, names, strict=True)
    }


def _title(file: str) -> str:
    said = words(Path(file).name.split(".")[0])
    return " ".join(word.capitalize() for word in said) or "Event"


def _scalar(value: str) -> str:
    plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS
    return value if plain else json.dumps(value, ensure_ascii=False)


def as_yaml(proposal: Proposal, table: Table, about: str) -> str:
    """The `input` section as a person would write it, with what to check as comments."""
    lines = [f"# {about}"]
    lines += [f"# check: {one}" for one in proposal.unsure]
    lines += [f"# left out: {name} ({why})" for name, why in list(proposal.left_out.items())[:30]]
    if proposal.mapping is None:
        return "\n".join([*lines, f"# {proposal.why}", "input: {}", ""])
    lines += ["input:", "  mapping:"]
    for key, value in proposal.mapping.items():
        if isinstance(value, dict):
            lines.append(f"    {key}:")
            lines += [f"      {_scalar(name)}: {_scalar(path)}{_unit(table, path)}" for name, path in value.items()]
        else:
            lines.append(f"    {key}: {_scalar(value)}{_unit(table, value)}")
    return "\n".join([*lines, ""])


def _unit(table: Table, name: str) -> str:
    column = table.column(name)
    said = [] if column is None else [part for part in (column.unit, column.meaning) if part]
    return f"  # {', '.join(' '.join(part.split()) for part in said)}" if said else ""
