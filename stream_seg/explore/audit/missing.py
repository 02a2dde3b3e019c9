"""Values that are missing, and whether they are missing by chance: by source, since a date, or with something else."""

from __future__ import annotations

from collections.abc import Iterator

from stream_seg.explore.audit.database import Database
from stream_seg.explore.audit.findings import Finding, share
from stream_seg.explore.audit.instants import day, instant
from stream_seg.explore.audit.roles import Roles
from stream_seg.explore.audit.tables import Column, Table

LEAST_SHARE, LEAST_ROWS = 0.001, 20  # fewer missing values have no pattern that could be told from chance
APART = 0.5  # shares of two groups, or of before and after, differ by this much: then it is a pattern
NEARLY_ALL, MOST = 0.9, 0.7  # a value that explains holes has (nearly) no others, and (nearly) all holes are there
EXPLAINED = 0.1  # of the variance of being missing: shares that differ so much by the values of a column are no chance
STEADY = 0.95  # of the customers who have a hole have nothing but holes: it is missing for them, not here and there
SLICES = 60  # equal parts of the period
MUCH = 0.3  # missing by chance in this share: an imputation would decide what the segments are
SMALL_GROUP = 30  # rows of a group below which its share says nothing
MANY = 200  # columns that are looked at


def about_missing(database: Database, table: Table, roles: Roles) -> Iterator[Finding]:
    """One finding for each column whose missing values have a pattern; the others together."""
    holes = [
        one for one in table.columns
        if one.kind != "empty" and one.missing >= max(LEAST_ROWS, LEAST_SHARE * one.rows)
    ][:MANY]  # fmt: skip
    if not holes:
        return
    told = _since(database, table, roles.time, holes) if roles.time is not None else {}
    clear, partly = _by_group(database, table, roles, holes)
    told = clear | told
    whole = _by_customer(database, table, roles, [one for one in holes if one.name not in told])
    told = {name: one for name, one in partly.items() if name not in {one.name for one in whole}} | told
    chance = []
    for column in holes:
        if column.name in told:
            yield told[column.name]
        elif column not in whole:
            chance.append(column)
    yield from _listed(
        table, whole, "missing_by_customer", "missing for some customers in all their rows, and for the others in none",
        "it was not known of them (a join that found nothing?): ask whether it can be; until then *unknown* is a "
        "category of its own",
    )  # fmt: skip
    yield from _listed(
        table, chance, "missing_at_random",
        "missing with no pattern by time, by customer or by a column with few values",
        "decide what nothing means before encoding: a category *unknown*, an indicator, or a median; no choice is "
        "neutral",
    )  # fmt: skip


def _listed(table: Table, columns: list[Column], check: str, how: str, remedy: str) -> Iterator[Finding]:
    """What is missing alike, as one finding each for much and for little."""
    many = [one for one in columns if one.missing >= MUCH * one.rows]
    for severity, part in (("warning", many), ("note", [one for one in columns if one not in many])):
        if not part:
            continue
        said = ", ".join(f"{one.name} ({share(one.missing, one.rows)})" for one in part[:10])
        yield Finding(
            "warning" if severity == "warning" else "note", check, f"{how}: {said}", remedy,
            tuple(one.name for one in part), table.name, {"missing": {one.name: one.missing for one in part[:10]}},
        )  # fmt: skip


def _by_customer(database: Database, table: Table, roles: Roles, holes: list[Column]) -> list[Column]:
    """Columns that a customer has in every row or in none: something about customers that was not known of all."""
    if roles.customer is None or not holes:
        return []
    counted = ", ".join(f"count(*) FILTER (h{i} > 0), count(*) FILTER (h{i} = n)" for i in range(len(holes)))
    each = ", ".join(f"count(*) FILTER ({one.absent}) AS h{i}" for i, one in enumerate(holes))
    customers, *found = database.one(
        f"SELECT count(*), {counted} FROM (SELECT count(*) AS n, {each} FROM {table.sql} "
        f"WHERE NOT {roles.customer.absent} GROUP BY {roles.customer.key} HAVING n > 2)"
    )
    return [
        one
        for one, some, all_of_it in zip(holes, found[::2], found[1::2], strict=True)
        if one is not roles.customer and SMALL_GROUP <= all_of_it < customers and all_of_it >= STEADY * some
    ]


def _since(database: Database, table: Table, time: Column, holes: list[Column]) -> dict[str, Finding]:
    """Columns that are (nearly) always missing after or before an instant, and not on the other side."""
    at = instant(time.key, time.form)
    counted = ", ".join(f"count(*) FILTER ({one.absent})" for one in holes)
    slices = database.run(
        f"WITH x AS (SELECT ntile({SLICES}) OVER (ORDER BY moment) AS s, moment, "
        f"{', '.join(one.key for one in holes)} FROM "
        f"(SELECT {at} AS moment, {', '.join(dict.fromkeys(one.key for one in holes))} FROM {table.sql}) WHERE moment "
        f"IS NOT NULL) "
        f"SELECT min(moment), count(*), {counted} FROM x GROUP BY s ORDER BY s"
    )
    found: dict[str, Finding] = {}
    if len(slices) < 10:
        return found
    for i, column in enumerate(holes):
        rows, gone = [one[1] for one in slices], [one[2 + i] for one in slices]
        best, place = 0.0, 0
        for cut in range(2, len(slices) - 1):
            before = sum(gone[:cut]) / sum(rows[:cut])
            after = sum(gone[cut:]) / sum(rows[cut:])
            if abs(after - before) > abs(best):
                best, place = after - before, cut
        if abs(best) < APART:
            continue
        before, after = sum(gone[:place]) / sum(rows[:place]), sum(gone[place:]) / sum(rows[place:])
        word, when = ("since", "stopped") if best > 0 else ("until", "began")
        found[column.name] = Finding(
            "severe",
            "missing_since",
            f"{column.name} is missing {word} about {day(slices[place][0])}: {share(before, 1)} before, "
            f"{share(after, 1)} after",
            f"find out what {when} then; a feature over it would tell when customers bought, not who they are",
            (column.name,),
            table.name,
            {
                "date": day(slices[place][0]),
                "before": round(before, 4),
                "after": round(after, 4),
                "rows": column.missing,
            },
            table.look(database, f"{column.absent} AND {at} IS NOT NULL", time),
        )
    return found


def _by_group(
    database: Database, table: Table, roles: Roles, holes: list[Column]
) -> tuple[dict[str, Finding], dict[str, Finding]]:
    """Columns that are missing for some values of another column: and not for the others, or far more often."""
    found: dict[str, tuple[float, Finding]] = {}
    partly: dict[str, tuple[float, Finding]] = {}
    sources = {one.name for one in roles.sources}
    groups = [*roles.groups, *[one for one in roles.sources if one not in roles.groups]]
    for group in groups:
        counted = ", ".join(f"count(*) FILTER ({one.absent})" for one in holes)
        rows = database.run(
            f"SELECT {group.text} AS g, count(*), {counted} FROM {table.sql} GROUP BY 1 ORDER BY 2 DESC, 1"
        )
        for i, column in enumerate(holes):
            if column is group:
                continue
            shares = [(name, n, one[i] / n) for name, n, *one in rows if n >= SMALL_GROUP and name is not None]
            if len(shares) < 2:
                continue
            explained = _explained(shares)
            if explained >= EXPLAINED and (column.name not in partly or partly[column.name][0] < explained):
                partly[column.name] = (
                    explained,
                    _more_often(table, column, group, shares, by_source=group.name in sources),
                )
            high = [one for one in shares if one[2] >= NEARLY_ALL]
            low = [one for one in shares if one[2] < NEARLY_ALL]
            if not high or not low:
                continue
            above = sum(n * s for _, n, s in high) / sum(n for _, n, _ in high)
            below = sum(n * s for _, n, s in low) / sum(n for _, n, _ in low)
            explained = sum(n * s for _, n, s in high) / max(column.missing, 1)
            if above - below < APART or explained < MOST:
                continue
            by_source = group.name in sources
            strength = above - below + explained + by_source
            if column.name in found and found[column.name][0] >= strength:
                continue
            who = ", ".join(str(name) for name, _, _ in high[:5]) + (" …" if len(high) > 5 else "")
            remedy = (
                "ask those who run that source why; until then a feature over it tells where customers come from"
                if by_source
                else f"if {group.name} has none by its nature, say so: *unknown* as its own category; do not impute"
            )
            found[column.name] = (strength, Finding(
                "warning" if by_source else "note", "missing_by_source" if by_source else "missing_by_value",
                f"{column.name} is missing where {group.name} is {who}: {share(above, 1)} there, {share(below, 1)} "
                f"elsewhere",
                remedy, (column.name, group.name), table.name,
                {"by": group.name, "values": [str(name) for name, _, _ in high[:10]], "there": round(above, 4),
                 "elsewhere": round(below, 4), "rows": column.missing},
                table.look(database, column.absent, group),
            ))  # fmt: skip
    return ({name: one for name, (_, one) in found.items()}, {name: one for name, (_, one) in partly.items()})


def _explained(shares: list[tuple[str, int, float]]) -> float:
    """How much of the variance of being missing lies between the values of a column; by chance (nearly) nothing."""
    rows = sum(n for _, n, _ in shares)
    mean = sum(n * s for _, n, s in shares) / rows
    return sum(n * (s - mean) ** 2 for _, n, s in shares) / rows / (mean * (1 - mean)) if 0 < mean < 1 else 0.0


def _more_often(
    table: Table, column: Column, group: Column, shares: list[tuple[str, int, float]], *, by_source: bool
) -> Finding:
    """Missing with some values of another column far more often than with others."""
    mean = sum(n * s for _, n, s in shares) / sum(n for _, n, _ in shares)
    ranked = sorted((one for one in shares if one[2] > mean), key=lambda one: one[1] * (mean - one[2]))[:3]
    least = max((one for one in shares if one[2] < mean), key=lambda one: one[1] * (mean - one[2]))
    said = ", ".join(f"{name} ({share(part, 1)})" for name, _, part in ranked)
    return Finding(
        "warning" if by_source else "note", "missing_by_source" if by_source else "missing_by_value",
        f"{column.name} is missing far more often for some values of {group.name}: {said}; for {least[0]} "
        f"only {share(least[2], 1)}",
        "it is not missing by chance: a median would be wrong for them, *unknown* as its own category is not",
        (column.name, group.name), table.name,
        {"by": group.name, "shares": {str(name): round(part, 4) for name, _, part in [*ranked, least]},
         "rows": column.missing},
    )  # fmt: skip
