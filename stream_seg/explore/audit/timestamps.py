"""Whether times say when something happened: zones, future, clocks that were never set, order, gaps, shifted "
"sources.
"""

from __future__ import annotations

from collections.abc import Iterator

from stream_seg.explore.audit.database import Database
from stream_seg.explore.audit.findings import Finding, share
from stream_seg.explore.audit.instants import (
    EPOCH_HOURS,
    EPOCHS,
    FORMS,
    HOUR_MS,
    SKEW_MS,
    WORDS,
    ZERO_DAYS,
    instant,
)
from stream_seg.explore.audit.roles import Roles
from stream_seg.explore.audit.tables import Column, Table


def about_times(database: Database, table: Table, roles: Roles, now: int) -> Iterator[Finding]:
    """Findings about every column of times; order, gaps and shifts of the one that is the event's."""
    for column in [one for one in table.columns if one.kind == "time"][:40]:
        yield from _forms(database, table, column)
        yield from _unreadable(database, table, column)
        yield from _extremes(database, table, column, now)
    if roles.time is None and not table.wide:
        yield Finding(
            "severe", "no_time", f"no column of {table.name} looks like a time",
            "say which it is: `columns: {NAME: {role: time}}` in the sidecar; without one these are no events",
            (), table.name,
        )  # fmt: skip


def _forms(database: Database, table: Table, column: Column) -> Iterator[Finding]:
    forms = {form: column.counts[form] for form in [*FORMS, *EPOCHS, "compact"] if column.counts.get(form)}
    if column.form != "compact":
        forms.pop("compact", None)
    zoned = forms.get("iso_zone_z", 0) + forms.get("iso_offset", 0)
    bare = forms.get("iso_no_zone", 0) + forms.get("iso_date", 0)
    if zoned and bare:
        few = ("iso_no_zone", "iso_date") if bare < zoned else ("iso_zone_z", "iso_offset")
        where = " OR ".join(f"regexp_full_match(trim({column.key}), '{FORMS[form]}')" for form in few)
        yield Finding(
            "severe", "mixed_zones", f"{column.name} has a zone in {zoned:,} rows and none in {bare:,}",
            "write all with Z or an offset: without one nobody knows by how many hours they are off", (column.name,),
            table.name, {"with_zone": zoned, "without": bare}, table.look(database, where, column),
        )  # fmt: skip
    elif bare and "iso_no_zone" in forms:
        yield Finding(
            "note", "no_zone", f"{column.name} carries no zone", "say in which zone it is: input.mapping.time_zone "
            "(the proposal says UTC)", (column.name,), table.name, {"rows": bare},
        )  # fmt: skip
    # Dates of one kind with and without a clock are told by `_midnight`; here, what needs another reader.
    readers = {
        "iso": zoned + bare,
        **{form: rows for form, rows in forms.items() if form in EPOCHS or form in {"slashed", "compact"}},
    }
    readers = {form: rows for form, rows in readers.items() if rows}
    if len(readers) > 1:
        rare = min(readers, key=lambda form: readers[form])
        odd = {
            "iso": " OR ".join(f"regexp_full_match(trim({column.key}), '{FORMS[form]}')" for form in list(FORMS)[:4]),
            "slashed": f"regexp_full_match(trim({column.key}), '{FORMS['slashed']}')",
        }.get(rare, f"{column.number} BETWEEN {EPOCHS.get(rare, (0, 0))[0]} AND {EPOCHS.get(rare, (0, 0))[1]}")
        said = ", ".join(f"{WORDS.get(form, 'ISO 8601')} ({rows:,})" for form, rows in readers.items())
        yield Finding(
            "severe", "mixed_time_forms", f"{column.name} is written in {len(readers)} forms: {said}",
            "write all in one form, best 2024-05-31T10:00:00Z: a mapping reads one form, the others are dead letters",
            (column.name,), table.name, {"rows_by_form": readers}, table.look(database, odd, column),
        )  # fmt: skip
    if forms.get("slashed"):
        yield from _day_or_month(database, table, column)


def _day_or_month(database: Database, table: Table, column: Column) -> Iterator[Finding]:
    part = "regexp_extract(trim({key}), '^(\\d{{1,2}})[/.](\\d{{1,2}})', {n})"
    first, second = (f"TRY_CAST({part.format(key=column.key, n=n)} AS INTEGER)" for n in (1, 2))
    day_first, month_first = database.one(
        f"SELECT count(*) FILTER ({first} > 12), count(*) FILTER ({second} > 12) FROM {table.sql}"
    )
    if bool(day_first) == bool(month_first):
        what = "both orders of day and month" if day_first else "dates whose day and month could be either"
        yield Finding(
            "severe", "day_or_month", f"{column.name} has {what}: 03/04/2024 is two different days",
            "export it as 2024-04-03", (column.name,), table.name,
            {"day_first": int(day_first), "month_first": int(month_first)},
            table.look(database, f"{first} <= 12 AND {second} <= 12", column),
        )  # fmt: skip


def _unreadable(database: Database, table: Table, column: Column) -> Iterator[Finding]:
    at = instant(column.key, column.form)
    zero = f"regexp_matches(trim({column.key}), '^0000-00-00')"
    where = f"{at} IS NULL AND NOT {column.absent}"
    rows, zeros = database.one(f"SELECT count(*), count(*) FILTER ({zero}) FROM {table.sql} WHERE {where}")
    if rows:
        hint = f", {zeros:,} of them 0000-00-00" if zeros else ""
        yield Finding(
            "severe", "unreadable_time", f"{column.name} is no time in {rows:,} rows{hint}",
            "correct them where they are written; such events are dead letters", (column.name,), table.name,
            {"rows": int(rows)}, table.look(database, where, column),
        )  # fmt: skip


def _extremes(database: Database, table: Table, column: Column, now: int) -> Iterator[Finding]:
    at = instant(column.key, column.form)
    zeros = " OR ".join(f"trim({column.key}) LIKE '{one}%'" for one in ZERO_DAYS)
    epoch = f"(abs({at}) <= {EPOCH_HOURS * HOUR_MS} OR {zeros})"
    future = f"{at} > {now + SKEW_MS}"
    unset, early, late = database.one(
        f"SELECT count(*) FILTER ({epoch}), count(*) FILTER ({at} < 946684800000 AND NOT {epoch}), count(*) FILTER "
        f"({future}) "
        f"FROM {table.sql}"
    )
    if unset:
        yield Finding(
            "severe", "epoch", f"{column.name} is a clock that was never set in {unset:,} rows (1970-01-01 and the "
            f"like)",
            "leave the time out or correct it: tenure and silence would be half a century", (column.name,), table.name,
            {"rows": int(unset)}, table.look(database, epoch, column),
        )  # fmt: skip
    if early:
        yield Finding(
            "warning", "before_2000", f"{column.name} lies before 2000 in {early:,} rows",
            "stream_seg refuses events from before 2000: move them all by whole weeks, or leave them "
            "out", (column.name,),
            table.name, {"rows": int(early)}, table.look(database, f"{at} < 946684800000 AND NOT {epoch}", column),
        )  # fmt: skip
    if late:
        yield Finding(
            "severe", "future", f"{column.name} lies in the future in {late:,} rows ({share(late, column.present)})",
            "correct the clock or the zone of who wrote them; an event ahead of its record by more than time.max_skew "
            "is a dead letter", (column.name,), table.name, {"rows": int(late)}, table.look(database, future, column),
        )  # fmt: skip
