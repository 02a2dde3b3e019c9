"""What would not be known yet: fields written after the outcome, sums over a whole life, and what predicts too well."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stream_seg.explore.audit import names
from stream_seg.explore.audit.database import Database, text
from stream_seg.explore.audit.findings import Finding, share
from stream_seg.explore.audit.instants import instant
from stream_seg.explore.audit.roles import Roles
from stream_seg.explore.audit.tables import Column, Table

TOO_WELL = 0.95  # area under the curve: behaviour alone predicts hardly anything so well
SURE = 0.9  # of a category or of being filled: share of the outcome that it tells
VALUES = 200  # different values of a category that is asked what it predicts
SAMPLE = 500_000
SAME_ORDER = 0.95  # rank correlation with a total over the whole period
LATER = 0.9


def about_leakage(database: Database, table: Table, roles: Roles, *, first: bool) -> Iterator[Finding]:
    """Findings about what the future says. Without an outcome only what time and totals give away."""
    if table.wide or table.rows < 100:
        return
    yield from _later_times(database, table, roles)
    yield from _totals(database, table, roles)
    if roles.outcome is None:
        if not first:  # it may well stand in the first
            return
        later = [one.name for one in table.columns if names.suggests(one.name, "outcome") or names.later(one.name)]
        hint = f" ({', '.join(later[:5])}?)" if later else ""
        yield Finding(
            "note", "no_outcome", f"no outcome is named{hint}, so nothing was held against it",
            "name it with --outcome COLUMN, or give it `role: outcome` in the sidecar", tuple(later[:5]), table.name,
        )  # fmt: skip
        return
    yield from _predictors(database, table, roles, roles.outcome)


def _later_times(database: Database, table: Table, roles: Roles) -> Iterator[Finding]:
    """Times that lie after the row's own: what stands in them was written later."""
    if roles.time is None:
        return
    own = instant(roles.time.key, roles.time.form)
    for column in table.columns:
        if column.kind != "time" or column is roles.time or column.role:
            continue
        if any(
            word in names.words(column.name) for word in ("received", "sent", "loaded", "ingested", "at")
        ) and not names.later(column.name):
            continue
        at = instant(column.key, column.form)
        rows, after = database.one(
            f"SELECT count(*), count(*) FILTER ({at} > {own} + 60000) FROM {table.sql} WHERE {at} IS NOT NULL"
        )
        if rows >= 20 and after / rows >= LATER:
            yield Finding(
                "warning", "known_later", f"{column.name} lies after {roles.time.name} in {share(after, rows)} of the "
                f"rows that have it",
                "it was not known when the event happened: leave it out of the mapping, or send it as an event of its "
                "own",
                (column.name,), table.name, {"rows": int(after)}, table.look(database, f"{at} > {own} + "
                f"60000", roles.time, column),
            )  # fmt: skip


def _totals(database: Database, table: Table, roles: Roles) -> Iterator[Finding]:
    """Numbers that are one per customer and order customers as a total over all of their rows does."""
    customer = roles.customer
    if customer is None or customer.distinct < 50 or customer.distinct > table.rows / 2:
        return
    numbers = [
        one for one in table.columns if one.kind == "number" and one.distinct > 20 and one.present > 0.5 * one.rows
    ]
    if not numbers:
        return
    steady = database.one(
        "SELECT "
        + ", ".join(f"avg(s{i})" for i in range(len(numbers)))
        + " FROM (SELECT "
        + ", ".join(
            f"CASE WHEN min({one.number}) = max({one.number}) THEN 1.0 WHEN min({one.number}) < max({one.number}) "
            f"THEN 0.0 END AS s{i}"
            for i, one in enumerate(numbers)
        )
        + f" FROM {table.sql} WHERE NOT {customer.absent} GROUP BY {customer.key} HAVING count(*) > 1)"
    )
    constant = [one for one, how in zip(numbers, steady, strict=True) if how is not None and how >= 0.98]
    moving = [one for one in numbers if one not in constant]
    for column in constant[:10]:
        totals = {
            "the number of rows": "count(*)",
            **{f"the sum of {one.name}": f"sum({one.number})" for one in moving[:10]},
        }
        asked = ", ".join(f"corr(r, rank{i})" for i in range(len(totals)))
        ranks = ", ".join(f"rank() OVER (ORDER BY t{i}) AS rank{i}" for i in range(len(totals)))
        sums = ", ".join(f"{sql} AS t{i}" for i, sql in enumerate(totals.values()))
        found = database.one(
            f"SELECT {asked} FROM (SELECT rank() OVER (ORDER BY own) AS r, {ranks} FROM (SELECT max({column.number}) "
            f"AS own, {sums} "
            f"FROM {table.sql} WHERE NOT {customer.absent} GROUP BY {customer.key} "
            f"HAVING max({column.number}) IS NOT NULL))"
        )
        best = max(range(len(totals)), key=lambda i: abs(found[i] or 0.0))
        if abs(found[best] or 0.0) >= SAME_ORDER:
            which = list(totals)[best]
            yield Finding(
                "severe", "whole_period",
                f"{column.name} is the same in all rows of a {customer.name} and follows {which} over the whole period "
                f"(rank correlation {found[best]:.3f})",
                "it was computed at the end and written back to the beginning: leave it out, a rolling feature gives "
                "it as of then",
                (column.name,), table.name, {"rank_correlation": round(float(found[best]), 4), "total": which},
                table.look(database, f"NOT {column.absent}", customer, column),
            )  # fmt: skip


def _predictors(database: Database, table: Table, roles: Roles, outcome: Column) -> Iterator[Finding]:
    if outcome.distinct < 2:
        yield Finding(
            "warning", "outcome_constant", f"the outcome {outcome.name} is the same in every row", "take another one",
            (outcome.name,), table.name,
        )  # fmt: skip
        return
    y, classes = _target(database, table, outcome)
    if y is None:
        return
    sample = f"WHERE rowid % {-(-table.rows // SAMPLE)} = 0"  # every so many rows: cheap, and the same every time
    del classes
    skip = {id(one) for one in (outcome, roles.customer, roles.message, roles.time) if one is not None}
    for column in table.columns:
        if id(column) in skip or column.kind == "empty" or column.distinct < 1:
            continue
        found = _told(database, table, column, y, sample)
        if found is None:
            continue
        how, value = found
        yield Finding(
            "severe", "predicts_too_well", f"{column.name} tells the outcome {outcome.name} nearly by itself: {how}",
            "ask when it is written: most likely after the outcome. Leave it out of features; report it as an outcome",
            (column.name, outcome.name), table.name, {"strength": round(value, 4)},
            table.look(database, f"NOT {column.absent}", column, outcome),
        )  # fmt: skip
    for column in table.columns:
        if names.later(column.name) and id(column) not in skip and column.kind != "empty":
            yield Finding(
                "note", "known_later_by_name", f"{column.name} is called like something that is known only afterwards",
                "ask when it is written", (column.name,), table.name,
            )  # fmt: skip


def _target(database: Database, table: Table, outcome: Column) -> tuple[str | None, Any]:
    """SQL of 0 and 1: the outcome itself where it has two values, above the median where it is a number."""
    if outcome.distinct == 2:
        values = database.run(
            f"SELECT DISTINCT {outcome.text} AS v FROM {table.sql} WHERE NOT {outcome.absent} ORDER BY v"
        )
        return (
            f"CASE WHEN {outcome.absent} THEN NULL WHEN {outcome.text} = {text(values[-1][0])} THEN 1 ELSE 0 END",
            values,
        )
    if outcome.distinct == 1:
        return f"CASE WHEN {outcome.absent} THEN 0 ELSE 1 END", None
    if outcome.kind == "number" and outcome.median is not None:
        return (
            f"CASE WHEN {outcome.number} IS NULL THEN NULL WHEN {outcome.number} > {outcome.median} THEN 1 ELSE 0 END",
            None,
        )
    return f"CASE WHEN {outcome.absent} THEN NULL WHEN {outcome.text} = {text(outcome.top)} THEN 1 ELSE 0 END", None


def _told(database: Database, table: Table, column: Column, y: str, sample: str) -> tuple[str, float] | None:
    """How well one column tells the outcome, where that is too well."""
    source = f"(SELECT {column.key}, ({y}) AS y FROM {table.sql} {sample}) WHERE y IS NOT NULL"
    if column.missing and column.present >= 20:
        # Cramér's V of two twos: being filled against the outcome.
        found = database.one(f"SELECT corr(y, CASE WHEN {column.absent} THEN 0 ELSE 1 END), avg(y) FILTER (NOT "
        f"{column.absent}), "
                             f"avg(y) FILTER ({column.absent}) FROM {source}")  # fmt: skip
        if found[0] is not None and abs(found[0]) >= SURE:
            return f"where it is filled the outcome is {share(found[1], 1)}, elsewhere {share(found[2], 1)}", abs(
                found[0]
            )
    if column.kind in {"number", "time"}:
        x = column.number if column.kind == "number" else instant(column.key, column.form)
        found = database.one(
            f"WITH x AS (SELECT {x} AS x, y FROM {source}), k AS (SELECT y, rank() OVER (ORDER BY x) + (count(*) OVER "
            f"(PARTITION BY x) "
            "- 1) / 2.0 AS k FROM x WHERE x IS NOT NULL) SELECT sum(k) FILTER (y = 1), count(*) FILTER (y = 1), "
            "count(*) FILTER (y = 0) FROM k"
        )
        ranks, ones, zeros = float(found[0] or 0), int(found[1]), int(found[2])
        if ones < 20 or zeros < 20:
            return None
        area = (ranks - ones * (ones + 1) / 2) / (ones * zeros)
        area = max(area, 1 - area)
        return (f"area under the curve {area:.3f}", area) if area >= TOO_WELL else None
    if 2 <= column.distinct <= VALUES:
        found = database.one(
            f"WITH g AS (SELECT {column.text} AS g, count(*) AS n, sum(y) AS s FROM {source} GROUP BY 1) "
            "SELECT sum(n), sum(s), sum(n * pow(s / n - (SELECT sum(s) / sum(n) FROM g), 2)) FROM g"
        )
        rows, told_ones, between = int(found[0] or 0), float(found[1] or 0), float(found[2] or 0)
        base = told_ones / rows if rows else 0.0
        if rows < 100 or min(told_ones, rows - told_ones) < 20:
            return None
        told = (between / (rows * base * (1 - base))) ** 0.5
        return (f"its values alone tell {share(told, 1)} of it (correlation ratio)", told) if told >= SURE else None
    return None
