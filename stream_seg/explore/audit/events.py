"""Events by name: those that nobody sends any more, those too few to learn from, those that are spelt like another."""

from __future__ import annotations

from collections.abc import Iterator

from stream_seg.explore.audit.database import Database, text
from stream_seg.explore.audit.findings import Finding, share
from stream_seg.explore.audit.instants import DAY_MS, day, instant
from stream_seg.explore.audit.roles import Roles
from stream_seg.explore.audit.tables import Column, Table, cut

CUSTOMERS = 20  # a source of fewer falls silent when they move
SOURCE_SHARE = 0.002  # sources with fewer rows come and go by chance
SILENT_DAYS, SILENT_SHARE = 30, 0.2  # silent for so long, and for so much of the whole period
RHYTHM = 20.0  # … and so many times its own mean gap: what is rare anyway is not dead
FEW_ROWS, FEW_SHARE = 20, 0.00001
NAMES = 500
TYPO_ROWS = 0.05  # a misspelling has at most this part of the rows of the name that is meant


def about_events(database: Database, table: Table, roles: Roles, now: int) -> Iterator[Finding]:
    """Findings about the names of events, and about sources that fell silent."""
    watched = [*([roles.event] if roles.event is not None else []), *roles.sources]
    for column in watched[:6]:
        if column.distinct < 2 or column.distinct > NAMES:
            continue
        if roles.time is not None:
            yield from _dead(database, table, roles, column, now, event=column is roles.event)
        if column is roles.event:
            yield from _few(database, table, column)


def _dead(
    database: Database, table: Table, roles: Roles, column: Column, now: int, *, event: bool
) -> Iterator[Finding]:
    time, who = roles.time, "rowid" if roles.customer is None else roles.customer.key
    assert time is not None
    at = instant(time.key, time.form)
    found = database.run(
        f"SELECT {column.text} AS v, count(*), min(moment), max(moment), count(DISTINCT who), "
        "arg_max(r, {'moment': moment, 'r': r}) "
        f"FROM (SELECT {column.key}, {who} AS who, rowid AS r, {at} AS moment "
        f"FROM {table.sql}) WHERE moment BETWEEN 946684800000 AND {now} GROUP BY 1 ORDER BY 1"
    )
    found = [one for one in found if one[0] is not None]
    if len(found) < 2:
        return
    # The period in which nearly all happened: single times far off must not make everybody silent.
    ends = sorted((int(last), int(rows)) for _, rows, _, last, *_ in found)
    begin = min(int(first) for _, _, first, *_ in found)
    end = ends[-1][0]
    least = FEW_ROWS if event else max(FEW_ROWS, SOURCE_SHARE * table.rows)
    dead = []
    for name, rows, first, last, customers, r in found:
        silence = end - int(last)
        own = (int(last) - int(first)) / max(int(rows) - 1, 1)
        if (
            silence >= max(SILENT_DAYS * DAY_MS, SILENT_SHARE * (end - begin), RHYTHM * own)
            and rows >= least
            and (event or customers >= CUSTOMERS)
        ):
            dead.append((str(name), int(rows), int(last), int(r)))
    if dead:
        said = ", ".join(f"{cut(name)} (last {day(last)}, {rows:,} rows before)" for name, rows, last, _ in dead[:5])
        what = "events that nobody sends any more" if event else f"values of {column.name} that fell silent"
        yield Finding(
            "warning", "dead_event" if event else "dead_source", f"{what}: {said}",
            "ask whether it was renamed or broken; a feature over it would empty itself for everybody"
            if event else "ask whether it was closed or stopped sending; its customers will look as if they had left",
            (column.name,), table.name, {"values": {name: day(last) for name, _, last, _ in dead[:10]}},
            table.examples((r, name) for name, _, _, r in dead),
        )  # fmt: skip


def _few(database: Database, table: Table, column: Column) -> Iterator[Finding]:
    found = database.run(
        f"SELECT {column.text} AS v, count(*) AS n, min(rowid) FROM {table.sql} GROUP BY 1 HAVING v IS NOT NULL ORDER "
        f"BY n DESC, v"
    )
    typos = []
    for i, (name, rows, r) in enumerate(found):
        for meant, meant_rows, _ in found[:i]:
            if rows <= TYPO_ROWS * meant_rows and len(name) >= 5 and abs(len(name) - len(meant)) <= 2:
                (steps,) = database.one(f"SELECT damerau_levenshtein(lower({text(name)}), lower({text(meant)}))")
                if 0 < steps <= 2:
                    typos.append((name, meant, rows, r))
                    break
    if typos:
        yield Finding(
            "warning", "misspelt_event", "events that are spelt nearly like another: "
            + ", ".join(f"{cut(name)} ({rows:,}) for {cut(meant)}" for name, meant, rows, _ in typos[:5]),
            "correct the name where it is sent; a condition on the right one does not see these", (column.name,),
            table.name, {"values": {name: meant for name, meant, _, _ in typos[:10]}},
            table.examples((r, name) for name, _, _, r in typos),
        )  # fmt: skip
    known = {name for name, *_ in typos}
    least = max(FEW_ROWS, FEW_SHARE * table.rows)
    few = [one for one in found if one[1] < least and one[0] not in known]
    if few and table.rows >= 1000:
        yield Finding(
            "warning", "rare_event", f"{len(few):,} events with fewer than {least:,.0f} rows: "
            + ", ".join(f"{cut(name)} ({rows:,}, {share(rows, table.rows)})" for name, rows, _ in few[:5]),
            "too few to tell customers apart: leave them out, or count them together", (column.name,), table.name,
            {"events": len(few)}, table.examples((r, name) for name, _, r in few),
        )  # fmt: skip
