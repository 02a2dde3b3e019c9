"""Amounts in more than one currency or unit: told by a column beside them, by a source, or by a factor of a hundred."""

from __future__ import annotations

import math
from collections.abc import Iterator

from stream_seg.explore.audit.database import Database, text
from stream_seg.explore.audit.findings import Finding, share
from stream_seg.explore.audit.instants import day, instant
from stream_seg.explore.audit.roles import Roles
from stream_seg.explore.audit.tables import Column, Table, cut

FACTOR = 30.0  # medians that differ so much within one column are of another unit
GROUP_ROWS = 200
FACTORS = (100.0, 1000.0)  # cents for dollars, grams for kilograms
NEAR = 0.01
SLICES = 40
LEAST, LEAST_SHARE = 20, 0.0002


def about_units(database: Database, table: Table, roles: Roles) -> Iterator[Finding]:
    """What says that one number does not mean the same in every row."""
    for column, check, what in [
        *((one, "mixed_currencies", "currencies") for one in roles.currencies),
        *((one, "mixed_units", "units") for one in roles.units),
    ]:
        if column.distinct > 1:
            found = database.run(
                f"SELECT upper({column.text}) AS v, count(*), min(rowid) FROM {table.sql} GROUP BY 1 HAVING v IS NOT "
                f"NULL ORDER BY 2 DESC, 1"
            )
            if len(found) < 2:
                continue
            yield Finding(
                "severe",
                check,
                f"{column.name} names {len(found)} {what}: " + ", ".join(f"{cut(v)} ({n:,})" for v, n, _ in found[:5]),
                f"convert to one of the {what} before anything is summed, or make a feature for each (`where`)",
                (column.name, *[one.name for one in roles.amounts[:3]]),
                table.name,
                {"rows_by_value": {v: n for v, n, _ in found[:10]}},
                table.look(database, f"upper({column.text}) = {text(found[-1][0])}", column, *roles.amounts[:1]),
            )
    if table.wide or table.rows < 10 * GROUP_ROWS:
        return
    for amount in roles.amounts[:12]:
        if amount.median is None or amount.least == amount.most:
            continue
        found_one = next(_by_source(database, table, roles, amount), None) or next(
            _by_date(database, table, roles, amount), None
        )
        if found_one is not None:
            yield found_one
        else:
            yield from _by_factor(database, table, roles, amount)


def _apart(median: float, rest: float) -> bool:
    return median > 0 and rest > 0 and abs(math.log(median / rest)) >= math.log(FACTOR)


def _by_source(database: Database, table: Table, roles: Roles, amount: Column) -> Iterator[Finding]:
    """A source whose amounts are many times those of the others."""
    x = f"abs({amount.number})"
    for source in roles.sources[:5]:
        found = database.run(
            f"SELECT {source.text} AS s, count(*), median({x}), min(rowid) FROM {table.sql} WHERE {x} > 0 GROUP BY 1 "
            f"HAVING count(*) >= {GROUP_ROWS} AND s IS NOT NULL ORDER BY 2 DESC, 1"
        )
        if len(found) < 2:
            continue
        medians = sorted(one[2] for one in found)
        usual = medians[len(medians) // 2] if len(medians) > 2 else found[0][2]
        other = [one for one in found if _apart(one[2], usual)]
        if other and len(other) <= len(found) / 2:
            said = ", ".join(f"{cut(str(s))} (median {median:g}, {rows:,} rows)" for s, rows, median, _ in other[:5])
            yield Finding(
                "severe",
                "suspected_unit",
                f"{amount.name} is of another size where {source.name} is {said}; elsewhere the median is {usual:g}",
                "ask in which unit or currency that source writes and convert it; say the unit in the sidecar",
                (amount.name, source.name),
                table.name,
                {"usual": usual, "medians": {str(s): m for s, _, m, _ in other[:10]}},
                table.examples((r, f"{source.name} {s}") for s, _, _, r in other),
            )


def _by_date(database: Database, table: Table, roles: Roles, amount: Column) -> Iterator[Finding]:
    """Amounts that are many times larger since a date."""
    if roles.time is None:
        return
    x, at = f"abs({amount.number})", instant(roles.time.key, roles.time.form)
    found = database.run(
        f"WITH x AS (SELECT {x} AS x, {at} AS moment FROM {table.sql}), y AS (SELECT x, moment, ntile({SLICES}) OVER "
        f"(ORDER BY moment) AS s "
        "FROM x WHERE x > 0 AND moment IS NOT NULL) SELECT min(moment), median(x) FROM y GROUP BY s ORDER BY s"
    )
    if len(found) < SLICES:
        return
    logs = [math.log(one[1]) for one in found]
    best, place = 0.0, 0
    for cut_at in range(2, len(logs) - 1):
        apart = sum(logs[cut_at:]) / (len(logs) - cut_at) - sum(logs[:cut_at]) / cut_at
        if abs(apart) > abs(best):
            best, place = apart, cut_at
    if abs(best) >= math.log(FACTOR):
        yield Finding(
            "severe", "suspected_unit", f"{amount.name} is about {math.exp(abs(best)):,.0f} times "
            f"{'larger' if best > 0 else 'smaller'} since {day(found[place][0])}",
            "ask what changed then (cents, another currency) and convert one side", (amount.name,), table.name,
            {"factor": round(math.exp(abs(best)), 1), "date": day(found[place][0])},
            table.look(database, f"{at} >= {int(found[place][0])}", amount),
        )  # fmt: skip


def _by_factor(database: Database, table: Table, roles: Roles, amount: Column) -> Iterator[Finding]:
    """Rows with a hundred or a thousand times what the same thing costs elsewhere."""
    keys = [one for one in table.columns if one.kind == "id" and one is not roles.customer and one is not roles.message
            and 5 * one.distinct <= one.present and one.distinct >= 20]  # fmt: skip
    if not keys:
        return
    x = amount.number
    for key in sorted(keys, key=lambda one: -one.distinct)[:2]:
        near = " OR ".join(f"x / m BETWEEN {f * (1 - NEAR)} AND {f * (1 + NEAR)}" for f in FACTORS)
        # By chance some ratio lies near a hundred too: there must be many more than at ratios that mean nothing.
        chance = " OR ".join(
            f"x / m BETWEEN {f * w * (1 - NEAR)} AND {f * w * (1 + NEAR)}" for f in FACTORS for w in (0.77, 1.31)
        )
        rows, others, first = database.one(
            f"WITH m AS (SELECT {key.key} AS k, median({x}) AS m FROM {table.sql} WHERE {x} > 0 GROUP BY 1 HAVING "
            f"count(*) >= 5), "
            f"y AS (SELECT t.rowid AS r, {x} AS x, m FROM {table.sql} t JOIN m ON t.{key.key} = m.k WHERE m > 0) "
            f"SELECT count(*) FILTER ({near}), count(*) FILTER ({chance}), list(r ORDER BY r) FILTER ({near}) FROM y "
            "WHERE x >= 70 * m"
        )
        if rows >= max(LEAST, LEAST_SHARE * amount.present) and rows >= 5 * others:
            where = f"rowid IN ({', '.join(str(one) for one in first[:3])})"
            yield Finding(
                "severe", "suspected_unit",
                f"{amount.name} is 100 or 1,000 times what the same {key.name} usually has in {rows:,} rows "
                f"({share(rows, amount.present)}): cents, grams?",
                "convert them where they are written; say the unit in the sidecar", (amount.name,), table.name,
                {"rows": int(rows)}, table.look(database, where, amount, key),
            )  # fmt: skip
            return
