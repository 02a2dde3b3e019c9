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
    dated = _since(database, table, roles.time, holes) if roles.time is not None else {}
    grouped = _by_group(database, table, roles, holes)
    chance: list[Column] = []
    for column in holes:
        if column.name in dated:
            yield dated[column.name]
        elif column.name in grouped:
            yield grouped[column.name]
        else:
            chance.append(column)
    many = [one for one in chance if one.missing >= MUCH * one.rows]
    if many:
        yield _by_chance("warning", table, many)
    if few := [one for one in chance if one not in many]:
        yield _by_chance("note", table, few)


def _by_chance(severity: str, table: Table, columns: list[Column]) -> Finding:
    said = ", ".join(f"{one.name} ({share(one.missing, one.rows)})" for one in columns[:10])
    return Finding(
        "warning" if severity == "warning" else "note", "missing_at_random",
        f"missing with no pattern by time or by any column with few values: {said}",
        "decide what nothing means before encoding: a category *unknown*, an indicator, or a median; no choice is "
        "neutral",
        tuple(one.name for one in columns), table.name, {"missing": {one.name: one.missing for one in columns[:10]}},
    )  # fmt: skip


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


def _by_group(database: Database, table: Table, roles: Roles, holes: list[Column]) -> dict[str, Finding]:
    """Columns that are missing for some values of another column and not for the others."""
    found: dict[str, tuple[float, Finding]] = {}
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
    return {name: one for name, (_, one) in found.items()}
