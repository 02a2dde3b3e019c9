"""Which column is the customer, which the time, which the event: declared in the sidecar, or told by name and "
"values.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from stream_seg.explore.audit import names
from stream_seg.explore.audit.tables import Column, Table

FEW_GROUPS = 50  # groups that a column may divide rows into and still be compared group by group


@dataclass(slots=True)
class Roles:
    """The columns of one table by what they are for. `guessed`: roles that no name and no sidecar told."""

    customer: Column | None = None
    time: Column | None = None
    event: Column | None = None
    message: Column | None = None
    outcome: Column | None = None
    devices: list[Column] = field(default_factory=list)
    sources: list[Column] = field(default_factory=list)
    groups: list[Column] = field(default_factory=list)
    currencies: list[Column] = field(default_factory=list)
    units: list[Column] = field(default_factory=list)
    amounts: list[Column] = field(default_factory=list)
    guessed: list[str] = field(default_factory=list)
    keys: list[Column] = field(default_factory=list)  # by these another table looks rows up here


def roles_of(table: Table, outcome: str | None) -> Roles:
    """What a table has. A role that the sidecar gives is not looked for."""
    columns = [one for one in table.columns if one.kind != "empty"]
    roles = Roles()
    roles.time = _time(columns)
    roles.event = _first(
        columns, "event", [one for one in columns if one.kind in {"category", "text"} and one.distinct <= 500]
    )
    roles.message = _first(columns, "message", [one for one in columns if one.distinct >= 0.9 * one.present > 1])
    roles.customer = _customer(columns, roles)
    roles.outcome = None if outcome is None else table.column(outcome)
    roles.outcome = roles.outcome or next((one for one in columns if one.role == "outcome"), None)
    for one in columns:
        if one is roles.customer or one is roles.message:
            continue
        repeats = 2 <= one.distinct <= FEW_GROUPS
        if one.role in {"device", "session", "anonymous"} or (
            one.kind in {"id", "text", "category"}
            and not one.role
            and (
                names.suggests(one.name, "device")
                or names.suggests(one.name, "session")
                or names.suggests(one.name, "anonymous")
            )
        ):
            roles.devices.append(one)
        elif one.role == "currency" or (names.suggests(one.name, "currency") and one.kind == "category"):
            roles.currencies.append(one)
        elif one.role == "unit" or (names.suggests(one.name, "unit") and one.kind == "category"):
            roles.units.append(one)
        elif one.role == "source" or (names.suggests(one.name, "source") and 2 <= one.distinct <= 1_000
                                      and one.kind in {"category", "id", "text"}):  # fmt: skip
            roles.sources.append(one)
        if repeats and one.kind in {"category", "yes or no", "id"} and one is not roles.outcome:
            roles.groups.append(one)
        if one.kind == "number" and one is not roles.outcome and one.role in {"", "amount"}:
            roles.amounts.append(one)
    return roles


def _first(columns: Iterable[Column], role: str, fitting: list[Column]) -> Column | None:
    declared = next((one for one in columns if one.role == role), None)
    if declared is not None:
        return declared
    return next((one for one in fitting if not one.role and names.suggests(one.name, role)), None)


def _time(columns: list[Column]) -> Column | None:
    declared = next((one for one in columns if one.role == "time"), None)
    times = [one for one in columns if one.kind == "time" and not one.role and not names.later(one.name)]
    times = times or [one for one in columns if one.kind == "time" and not one.role]
    if declared is not None or not times:
        return declared
    # The one that is there in nearly every row; among those a name of an instant, then the finest.
    full = [one for one in times if one.present >= 0.9 * one.rows] or times

    def rank(one: Column) -> tuple[bool, bool, int]:
        said = names.words(one.name)
        return (
            any(w in {"timestamp", "time", "ts", "originaltimestamp"} for w in said),
            not any(w in {"received", "sent", "updated", "loaded", "ingested"} for w in said),
            one.distinct,
        )

    return max(full, key=rank)


def _customer(columns: list[Column], roles: Roles) -> Column | None:
    declared = next((one for one in columns if one.role == "customer"), None)
    if declared is not None:
        return declared
    taken = {id(one) for one in (roles.time, roles.event, roles.message) if one is not None}
    free = [one for one in columns if not one.role and id(one) not in taken and one.kind not in {"time", "yes or no"}]
    named = [
        one
        for one in free
        if names.suggests(one.name, "customer")
        and (one.kind == "id" or one.distinct > FEW_GROUPS or one.distinct == one.present)
    ]
    named = [one for one in named if one.kind == "id"] or named
    if named:
        return max(named, key=lambda one: (one.present, -len(names.words(one.name))))
    # No name tells it: an id that comes back.
    ids = [one for one in free if one.kind == "id" and FEW_GROUPS < one.distinct <= one.present / 2]
    if not ids:
        return None
    roles.guessed.append("customer")
    return min(ids, key=lambda one: one.distinct)
