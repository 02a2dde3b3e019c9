"""What one row is: which columns make it unique, where that breaks, and rows of another kind among them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stream_seg.explore.audit.database import Database
from stream_seg.explore.audit.findings import Finding, share
from stream_seg.explore.audit.instants import instant
from stream_seg.explore.audit.profile import MOSTLY
from stream_seg.explore.audit.roles import Roles
from stream_seg.explore.audit.tables import Column, Table
from stream_seg.explore.audit.timeline import same_clock

LOOKED_AT = 2_000_000  # rows among which a key is searched for; what is found is checked on all
PARTS = 4  # columns of a key at most
CANDIDATES = 8
NEARLY = 0.97  # a key that makes so many rows unique is the key, and the other rows are what is wrong
RESENT_MS = 5_000  # the same again within this time is a second sending, not a second purchase …
CLUSTERED = 3.0  # … if there are so many times the repeats of the next five seconds: clicks repeat at any distance
KIND_ROWS = 20  # rows that lack what the others have: fewer are single mistakes


@dataclass(frozen=True, slots=True)
class Grain:
    """What makes a row unique: the columns (none: nothing does), and how many rows they do not tell apart."""

    key: tuple[str, ...]
    repeated: int
    sentence: str


def about_grain(database: Database, table: Table, roles: Roles) -> tuple[Grain, list[Finding]]:
    """The grain in one sentence, and what contradicts it."""
    findings: list[Finding] = []
    if table.rows < 2 or table.wide:
        return Grain((), 0, "too few rows to tell" if table.rows < 2 else "not looked for in so many columns"), findings
    every = [one for one in table.columns if one.kind != "empty"]
    copies = _copies(database, table, every, findings)
    key = _key(database, table, roles)
    if key is None:
        return Grain((), copies, f"no {PARTS} columns together make a row unique"), [*findings, *_no_key(table)]
    names = tuple(one.name for one in key)
    (different,) = database.one(f"SELECT count(*) FROM (SELECT DISTINCT {_keys(key)} FROM {table.sql})")
    repeated = table.rows - int(different)
    beyond = repeated - copies
    if beyond > 0:
        findings.append(_broken(database, table, key, beyond))
    sentence = f"a row is one {' × '.join(names)}"
    sentence += "" if not repeated else f", except {repeated:,} rows ({share(repeated, table.rows)})"
    findings += [*_resent(database, table, roles), *_kinds(database, table, roles)]
    return Grain(names, repeated, sentence), findings


def _keys(columns: list[Column]) -> str:
    return ", ".join(one.key for one in columns)


def _copies(database: Database, table: Table, columns: list[Column], findings: list[Finding]) -> int:
    """Rows that are equal in every column to one before them."""
    row = f"hash({_keys(columns)})"
    shown = database.run(
        f"WITH x AS (SELECT rowid AS r, {row} AS h FROM {table.sql}), y AS (SELECT h, count(*) AS n, min(r) AS first, "
        "max(r) AS last FROM x GROUP BY h HAVING count(*) > 1) SELECT sum(n) - count(*), count(*), min(first), "
        "arg_min(last, first) FROM y"
    )
    copies, groups, first, last = shown[0]
    if not copies:
        return 0
    examples = table.examples([(first, "the first"), (last, "equal to it")])
    findings.append(
        Finding(
            "severe", "exact_duplicates",
            f"{int(copies):,} rows ({share(copies, table.rows)}) are equal to another one in every column",
            "find out whether an export was run twice; give events a message id (input.mapping.message), so that what "
            "is sent again counts once", (), table.name, {"rows": int(copies), "groups": int(groups)}, examples,
        )
    )  # fmt: skip
    return int(copies)


def _key(database: Database, table: Table, roles: Roles) -> list[Column] | None:
    """Few columns that tell (nearly) all rows apart: grown one by one, then every one that is not needed is dropped."""
    skipped = {"number", "empty", "text"}
    fit = [
        one
        for one in table.columns
        if one.kind not in skipped and one.distinct > 1 and one.present >= NEARLY * one.rows
    ]
    fit = sorted(fit, key=lambda one: (-one.distinct, one.key))
    named = [one for one in (roles.message, roles.customer, roles.time, roles.event) if one in fit]
    keys = list(dict.fromkeys(one.key for one in [*named, *fit]))[:CANDIDATES]
    by_key = {one.key: one for one in table.columns}
    if not keys:
        return None
    rows = min(table.rows, LOOKED_AT)
    source = table.sql if rows == table.rows else f"(SELECT {', '.join(keys)} FROM {table.sql} LIMIT {LOOKED_AT})"
    (whole,) = database.one(f"SELECT count(DISTINCT hash({', '.join(one.key for one in table.columns)})) FROM "
                            + (table.sql if rows == table.rows else f"(SELECT * FROM {table.sql} LIMIT "
                            f"{LOOKED_AT})"))  # fmt: skip

    def different(chosen: list[str]) -> int:
        return int(database.one(f"SELECT count(DISTINCT hash({', '.join(chosen)})) FROM {source}")[0])

    chosen: list[str] = []
    reached = 0
    while len(chosen) < PARTS and reached < whole * 0.99999:
        counts = {key: different([*chosen, key]) for key in keys if key not in chosen}
        if not counts:
            break
        best = max(counts, key=lambda key: counts[key])
        if counts[best] <= reached:
            break
        chosen, reached = [*chosen, best], counts[best]
    if reached < NEARLY * whole:
        return None
    for key in list(chosen):
        rest = [one for one in chosen if one != key]
        if rest and different(rest) >= reached - max(2, 0.00002 * whole):
            chosen = rest
    return [by_key[key] for key in chosen]


def _no_key(table: Table) -> Iterator[Finding]:
    yield Finding(
        "warning", "no_key", f"no {PARTS} columns together make the rows of {table.name} unique",
        "give each row an id of its own where it is written: without one, what is sent twice counts "
        "twice", (), table.name,
    )  # fmt: skip


def _broken(database: Database, table: Table, key: list[Column], rows: int) -> Finding:
    keys = _keys(key)
    found = database.run(
        f"WITH k AS (SELECT hash({keys}) AS h, max(rowid) AS last, count(*) AS n FROM {table.sql} GROUP BY 1 HAVING n "
        f"> 1) "
        f"SELECT rowid, {keys} FROM {table.sql} WHERE rowid IN (SELECT last FROM k ORDER BY last LIMIT 3) ORDER BY "
        f"rowid"
    )
    names = " × ".join(one.name for one in key)
    return Finding(
        "severe", "key_broken",
        f"{names} makes rows unique, but {rows:,} rows ({share(rows, table.rows)}) repeat a key with other values",
        "see whether these are corrections, several lines of one thing, or rows of another kind; keep one per key",
        tuple(one.name for one in key), table.name, {"rows": rows}, table.examples(found),
    )  # fmt: skip


def _resent(database: Database, table: Table, roles: Roles) -> Iterator[Finding]:
    """Rows of a customer that repeat another one within seconds, in all but the time and what is unique per row."""
    if roles.customer is None or roles.time is None:
        return
    unique = {one.key for one in table.columns if one.distinct >= 0.9 * one.present and one.present}
    rest = [one for one in table.columns if one.key not in unique and one is not roles.time and one.kind != "empty"]
    if len(rest) < 2:
        return
    at = instant(roles.time.key, roles.time.form)
    sql = (
        f"WITH x AS (SELECT rowid AS r, hash({_keys(rest)}) AS h, {at} AS moment, hash({_keys(table.columns)}) AS "
        f"whole FROM {table.sql}), "
        "twice AS (SELECT h FROM x GROUP BY h HAVING count(*) > 1), "
        "y AS (SELECT r, moment - lag(moment) OVER w AS wait, whole <> lag(whole) OVER w AS differs, lag(r) OVER w AS "
        "before "
        "FROM x SEMI JOIN twice USING (h) WINDOW w AS (PARTITION BY h ORDER BY moment, r)), "
        f"z AS (SELECT *, count(*) FILTER (wait > {RESENT_MS}) OVER () AS later, count(*) FILTER (wait <= {RESENT_MS}) "
        f"OVER () AS soon FROM y WHERE differs AND wait BETWEEN 0 AND {2 * RESENT_MS}) "
        f"SELECT r, before, soon, later FROM z WHERE wait <= {RESENT_MS} ORDER BY r LIMIT 3"
    )
    found = database.run(sql)
    if not found:
        return
    rows, later = int(found[0][2]), int(found[0][3])
    if rows < max(10, 0.0001 * table.rows) or rows < CLUSTERED * later:
        return
    examples = table.examples([(r, f"repeats row {table.place(before)[1]}") for r, before, *_ in found])
    if same_clock(database, table, roles.time):  # two sales of one day, or one sent twice: dates do not tell
        yield Finding(
            "note", "near_duplicates", f"{rows:,} rows repeat another one of the same day in all but the row id",
            f"{roles.time.name} has no time of day, so nobody can tell a second purchase from a second sending: export "
            "it with its clock", (roles.time.name,), table.name, {"rows": rows}, examples,
        )  # fmt: skip
        return
    yield Finding(
        "warning", "near_duplicates",
        f"{rows:,} rows repeat another one within {RESENT_MS // 1000} seconds in all but time and row id",
        "most likely sent again by a client that got no answer: give an event one id and send that again "
        "(input.mapping.message)", (roles.time.name,), table.name, {"rows": rows}, examples,
    )  # fmt: skip


def _kinds(database: Database, table: Table, roles: Roles) -> Iterator[Finding]:
    """Rows that lack together what nearly all others have: rows of another kind (users among transactions)."""
    usual = [one for one in table.columns if one.kind != "empty" and one.present >= MOSTLY * one.rows][:60]
    if len(usual) < 4 or not any(one.missing for one in usual):
        return
    mask = " || ".join(f"CASE WHEN {one.absent} THEN '1' ELSE '0' END" for one in usual)
    found = database.run(
        f"SELECT m, count(*), min(rowid) FROM (SELECT rowid, {mask} AS m FROM {table.sql}) GROUP BY m "
        f"HAVING count(*) >= {KIND_ROWS} AND m LIKE '%1%' ORDER BY 2 DESC, 1 LIMIT 5"
    )
    for m, rows, first in found:
        lacking = [one for one, bit in zip(usual, m, strict=True) if bit == "1"]
        having = [one for one, bit in zip(usual, m, strict=True) if bit == "0"]
        if len(lacking) < max(3, 0.4 * len(usual)) or not having:
            continue
        yield Finding(
            "severe", "mixed_grain",
            f"{rows:,} rows are of another kind: they lack {', '.join(one.name for one in lacking[:6])}"
            f"{' …' if len(lacking) > 6 else ''} together and have {', '.join(one.name for one in having[:6])}",
            "put them into a file of their own (users, devices, settings are no events), or map them as traits",
            tuple(one.name for one in lacking), table.name, {"rows": int(rows)},
            table.examples([(first, ", ".join(f"{one.name} only" for one in having[:3]))]),
        )  # fmt: skip
        return
    del roles
