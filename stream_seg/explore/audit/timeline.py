"""What happened when: rows out of order, days without any, dates among instants, sources that write another zone."""

from __future__ import annotations

from collections.abc import Iterator

from stream_seg.explore.audit.database import Database
from stream_seg.explore.audit.findings import Finding, share
from stream_seg.explore.audit.instants import DAY_MS, HOUR_MS, SKEW_MS, day, instant, written
from stream_seg.explore.audit.roles import Roles
from stream_seg.explore.audit.tables import Column, Table

ORDERED = 0.9  # a file whose rows follow each other so often is meant to be in order of time
QUIET = 0.05  # a day with less than this part of what its weekday usually has is a gap
BUSY = 20  # rows on a usual day below which days without any are normal
SHIFT_ROWS, SHIFT_HOURS, ALIKE, BETTER = 2_000, 2, 0.85, 0.25
SHARE_OF_MIDNIGHT = 0.005


def about_course(database: Database, table: Table, roles: Roles, now: int) -> Iterator[Finding]:
    """Findings about the event's time over all rows."""
    time = roles.time
    if time is None:
        return
    yield from _order(database, table, time)
    yield from _gaps(database, table, time, now)
    yield from _midnight(database, table, time)
    for source in roles.sources[:5]:
        yield from _shifted(database, table, time, source)
    for other in [one for one in table.columns if one.kind == "time" and one is not time][:5]:
        yield from _before(database, table, time, other)


def _order(database: Database, table: Table, time: Column) -> Iterator[Finding]:
    at = instant(time.key, time.form)
    rows, back, jumps, most = database.one(
        f"WITH x AS (SELECT rowid AS r, {at} AS moment FROM {table.sql}), y AS (SELECT moment, lag(moment) OVER "
        f"(ORDER BY r) AS before, "
        "max(moment) OVER (ORDER BY r ROWS UNBOUNDED PRECEDING) AS newest FROM x WHERE moment IS NOT NULL AND moment "
        "> 946684800000) "
        "SELECT count(before), count(*) FILTER (moment < before), count(*) FILTER (moment < newest), max(before - "
        "moment) FROM y"
    )
    if not back or not rows:
        return
    if back / rows > 1 - ORDERED:
        yield Finding(
            "note", "not_sorted", f"the rows are not in order of {time.name}",
            "nothing for replay, which sorts them; what is streamed live wants time.lateness", (time.name,), table.name,
            {"steps_back": int(back)},
        )  # fmt: skip
        return
    where = (
        f"rowid IN (SELECT r FROM (SELECT rowid AS r, {at} AS moment, lag({at}) OVER (ORDER BY rowid) AS b FROM "
        f"{table.sql}) "
        "WHERE moment < b ORDER BY r LIMIT 3)"
    )
    yield Finding(
        "warning" if back >= max(10, 0.0005 * rows) else "note",
        "out_of_order",
        f"{back:,} rows are earlier than the row before, by up to {_span(int(most))}",
        f"nothing for replay, which sorts them; live, set time.lateness to {_span(int(most))} or let late events be "
        "counted as late",
        (time.name,),
        table.name,
        {"steps_back": int(back), "late_rows": int(jumps), "longest_ms": int(most)},
        table.look(database, where, time),
    )


def _span(ms: int) -> str:
    for unit, size in (("d", DAY_MS), ("h", HOUR_MS), ("m", 60_000)):
        if ms >= size:
            return f"{-(-ms // size)}{unit}"
    return f"{-(-ms // 1000)}s"


def _gaps(database: Database, table: Table, time: Column, now: int) -> Iterator[Finding]:
    at = instant(time.key, time.form)
    days = dict(
        database.run(
            f"SELECT moment // {DAY_MS} AS d, count(*) FROM (SELECT {at} AS moment FROM {table.sql}) WHERE moment "
            f"BETWEEN 946684800000 AND "
            f"{now} GROUP BY 1 ORDER BY 1"
        )
    )
    if len(days) < 14:
        return
    # What lies far from everything else is told by `future` and `epoch`; here it would be one gap of decades.
    counted = sorted(days.items())
    total, seen, inner = sum(days.values()), 0, []
    for number, rows in counted:
        seen += rows
        if 0.001 * total <= seen <= 0.9999 * total:
            inner.append(number)
    if len(inner) < 14:
        return
    usual = {w: sorted(days.get(d, 0) for d in range(inner[0], inner[-1] + 1) if d % 7 == w) for w in range(7)}
    median = {w: found[len(found) // 2] if found else 0 for w, found in usual.items()}
    runs: list[list[int]] = []
    for number in range(inner[0], inner[-1] + 1):
        expected = median[number % 7]
        if expected < BUSY:
            continue
        if days.get(number, 0) < QUIET * expected:
            if runs and number - runs[-1][-1] == 1:
                runs[-1].append(number)
            else:
                runs.append([number])
    long = [run for run in runs if len(run) >= 2]
    if long:
        said = ", ".join(f"{day(run[0] * DAY_MS)} to {day(run[-1] * DAY_MS)} ({len(run)} days)" for run in long[:5])
        yield Finding(
            "warning", "gap", f"(nearly) nothing from {said}",
            "find out whether it was closed or was not recorded; recency, rhythm and trends over it would be wrong",
            (time.name,), table.name, {"days": sum(len(run) for run in long), "gaps": len(long)},
        )  # fmt: skip
    elif runs:
        yield Finding(
            "note",
            "quiet_days",
            "single days with (nearly) nothing: " + ", ".join(day(run[0] * DAY_MS) for run in runs[:5]),
            "nothing if it was closed then",
            (time.name,),
            table.name,
            {"days": len(runs)},
        )


def same_clock(database: Database, table: Table, time: Column) -> bool:
    """Whether every time is at the same time of day: a date in other words."""
    at = instant(time.key, time.form)
    rows, least, most = database.one(
        f"SELECT count(m), min(m), max(m) FROM (SELECT {at} % {DAY_MS} AS m FROM {table.sql})"
    )
    return bool(rows > 1 and least == most)


def _midnight(database: Database, table: Table, time: Column) -> Iterator[Finding]:
    if same_clock(database, table, time):
        yield Finding(
            "note", "no_time_of_day", f"{time.name} is a date: every row has the same time of day",
            "count in days: hours, sessions and the order within a day mean nothing here", (time.name,), table.name,
        )  # fmt: skip
        return
    at = instant(time.key, time.form)
    midnight = f"{at} % {DAY_MS} = 0"
    rows, dated = database.one(f"SELECT count({at}), count(*) FILTER ({midnight}) FROM {table.sql}")
    if rows and SHARE_OF_MIDNIGHT <= dated / rows <= 0.95 and dated >= 50:
        yield Finding(
            "warning", "dates_among_instants", f"{time.name} is exactly midnight in {dated:,} rows "
            f"({share(dated, rows)})",
            "those have a date and no time of day: hours, sessions and order within the day mean nothing for them",
            (time.name,), table.name, {"rows": int(dated)}, table.look(database, midnight, time),
        )  # fmt: skip


def _shifted(database: Database, table: Table, time: Column, source: Column) -> Iterator[Finding]:
    """A source whose day begins some hours before or after that of the others writes another zone."""
    at = instant(time.key, time.form)
    found = database.run(
        f"SELECT {source.text} AS s, ({at} // {HOUR_MS}) % 24 AS h, count(*) FROM {table.sql} WHERE {at} % {DAY_MS} "
        f"<> 0 GROUP BY 1, 2"
    )
    hours: dict[str, list[int]] = {}
    for name, hour, rows in found:
        if name is not None and hour is not None:
            hours.setdefault(str(name), [0] * 24)[int(hour)] += int(rows)
    whole = [sum(of[h] for of in hours.values()) for h in range(24)]
    shifted = []
    for name, of in sorted(hours.items()):
        rest = [whole[h] - of[h] for h in range(24)]
        if sum(of) < SHIFT_ROWS or sum(rest) < SHIFT_ROWS:
            continue
        by = {s: _alike([of[(h + s) % 24] for h in range(24)], rest) for s in range(24)}
        best = max(by, key=lambda s: by[s])
        hours_off = best if best <= 12 else best - 24
        if abs(hours_off) >= SHIFT_HOURS and by[best] >= ALIKE and by[best] - by[0] >= BETTER:
            shifted.append((name, hours_off, sum(of)))
    if shifted:
        said = ", ".join(f"{name} ({off:+d} h, {rows:,} rows)" for name, off, rows in shifted[:5])
        yield Finding(
            "warning", "shifted_source", f"the days of some {source.name} begin at another hour than the others': "
            f"{said}",
            "most likely their clocks write another zone: convert to UTC where they are "
            "written", (time.name, source.name),
            table.name, {"hours": {name: off for name, off, _ in shifted[:10]}},
        )  # fmt: skip


def _alike(a: list[int], b: list[int]) -> float:
    """Correlation of two days' hours."""
    n = len(a)
    ma, mb = sum(a) / n, sum(b) / n
    cross = sum((x - ma) * (y - mb) for x, y in zip(a, b, strict=True))
    spread = (sum((x - ma) ** 2 for x in a) * sum((y - mb) ** 2 for y in b)) ** 0.5
    return cross / spread if spread else 0.0


def _before(database: Database, table: Table, time: Column, other: Column) -> Iterator[Finding]:
    """A time of receiving that lies before the event is a clock that is wrong."""
    if not any(word in other.name.lower() for word in ("receiv", "sent", "load", "ingest")):
        return
    a, b = instant(time.key, time.form), instant(other.key, other.form)
    where = f"{b} < {a} - {SKEW_MS}"
    (rows,) = database.one(f"SELECT count(*) FROM {table.sql} WHERE {where}")
    if rows:
        yield Finding(
            "warning",
            "received_before_it_happened",
            f"{other.name} lies before {time.name} in {rows:,} rows",
            "the client's clock is wrong there, or one of the two has another zone",
            (time.name, other.name),
            table.name,
            {"rows": int(rows)},
            table.look(database, where, time, other),
        )


def period(database: Database, table: Table, time: Column, now: int) -> tuple[str, str] | None:
    """First and last instant that can be meant."""
    at = instant(time.key, time.form)
    first, last = database.one(
        f"SELECT min(moment), max(moment) FROM (SELECT {at} AS moment FROM {table.sql}) WHERE moment BETWEEN "
        f"946684800000 AND {now + SKEW_MS}"
    )
    return None if first is None else (written(first), written(last))
