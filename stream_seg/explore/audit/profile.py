"""One pass over each column: what its values look like, how many there are, what they mostly are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stream_seg.explore.audit import instants, names
from stream_seg.explore.audit.database import Database, text
from stream_seg.explore.audit.tables import Column, Table, gone
from stream_seg.progress import Tell

KINDS = ("empty", "number", "time", "yes or no", "id", "category", "text")
LOOKING = "looking at columns"
EXACT = 100_000  # below this many different values they are counted one by one
AT_ONCE = 50  # columns of a wide table that are copied out together: narrow tables are planned faster
FEW = 100  # different values that a category has at most, or a hundredth of the rows
MOSTLY = 0.8  # so much of a column makes its kind; the rest are the odd ones
CURRENCIES = "USD|EUR|GBP|CHF|JPY|CNY|INR|BRL|CAD|AUD|SEK|NOK|DKK|PLN|CZK|TRY|ZAR|MXN"
SIGNS = r"[$€£¥₹]"
MONEY = rf"({SIGNS}|(?i:{CURRENCIES})) ?[+-]?\d[\d.,]*|[+-]?\d[\d.,]* ?({SIGNS}|(?i:{CURRENCIES}))"
MEASURES = "kg|g|mg|lb|lbs|oz|l|ml|cl|gal|km|m|cm|mm|mi|ft|in|s|sec|ms|min|h|hrs|%"
_OTHER = "d IS NULL AND"  # a text that is no number anyway
# Conditions in SQL over t, a trimmed text, and d, its value as a number. What is cheap to ask stands first.
SHAPES: dict[str, str] = {
    "number": "isfinite(d) AND NOT contains(t, '_')",
    "whole": r"d IS NOT NULL AND regexp_full_match(t, '[+-]?\d+')",
    "comma": rf"{_OTHER} contains(t, ',') AND regexp_full_match(t, '[+-]?(\d{{1,3}}(\.\d{{3}})+|\d+),\d{{1,2}}')",
    "thousands": rf"{_OTHER} contains(t, ',') AND regexp_full_match(t, '[+-]?\d{{1,3}}(,\d{{3}})+(\.\d+)?')",
    "money": rf"{_OTHER} length(t) < 30 AND regexp_full_match(t, '{MONEY}')",
    "measured": rf"{_OTHER} length(t) < 30 AND regexp_full_match(t, '[+-]?\d+([.,]\d+)? ?(?i:{MEASURES})')",
    "scientific": r"d IS NOT NULL AND contains(upper(t), 'E') AND regexp_full_match(t, "
    r"'[+-]?\d(\.\d+)?[eE]\+?\d{1,2}')",
    "point_zero": "d IS NOT NULL AND suffix(t, '.0')",
    "uuid": "length(t) = 36 AND regexp_full_match(t, '(?i:[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12})')",
    "email": r"contains(t, '@') AND regexp_full_match(t, '[^@\s]+@[^@\s]+\.[A-Za-z]{2,}')",
    "yes_no": "length(t) <= 5 AND lower(t) IN ('true', 'false', 'yes', 'no', 'y', 'n', 't', 'f', '0', '1')",
    **{form: rf"{_OTHER} regexp_full_match(t, '{pattern}')" for form, pattern in instants.FORMS.items()},
}
_LIKE_NUMBERS = ("number", "comma", "thousands", "money", "measured")
# UTF-8 that was read as Windows-1252 and written again; and what stands where a character was lost.
MOJIBAKE = "[ÃÂ][^\\x00-\\x7f]|â€|\ufffd"


def profiled(database: Database, table: Table, tell: Tell) -> None:
    """Fills in what the columns of a table are."""
    done = 0
    for source, columns in _sources(database, table):
        _look(database, source, table.rows, columns)
        _measure(database, source, [one for one in columns if one.kind == "number"])
        done += len(columns)
        tell(f"{LOOKING} of {table.name}", done, len(table.columns))


def _sources(database: Database, table: Table) -> Iterator[tuple[str, list[Column]]]:
    """Columns one by one; those of a wide table many at once, which is planned faster."""
    if not table.wide:
        yield from ((table.sql, [column]) for column in table.columns)
        return
    for start in range(0, len(table.columns), AT_ONCE):
        part = table.columns[start : start + AT_ONCE]
        keys = ", ".join(column.key for column in part)
        database.run(f"CREATE OR REPLACE TEMP TABLE part AS SELECT {keys} FROM {table.sql}")
        yield "part", part


def _look(database: Database, source: str, rows: int, columns: list[Column]) -> None:
    """Counts the values of columns by their shape."""
    counted = ", ".join(f"approx_count_distinct({one.key})" for one in columns)
    abouts = dict(zip((one.key for one in columns), database.one(f"SELECT {counted} FROM {source}"), strict=True))
    # Values that repeat are looked at once each; where hardly any does, grouping would only cost memory.
    grouped = {key for key, about in abouts.items() if about <= max(EXACT, rows // 4)}
    values = _values(source, columns, grouped)
    shapes = ", ".join(f"sum(n) FILTER (NOT gone AND {condition})" for condition in SHAPES.values())
    epochs = ", ".join(
        f"sum(n) FILTER (NOT gone AND length(t) BETWEEN 9 AND 20 AND d BETWEEN {low} AND {high})"
        for low, high in instants.EPOCHS.values()
    )
    found = database.run(
        f"WITH v AS MATERIALIZED (SELECT k, v, n, r, trim(v) AS t, {gone('v')} AS gone, "
        f"TRY_CAST(v AS DOUBLE) AS d FROM ({values})) "
        "SELECT k, sum(n) FILTER (gone), count(*) FILTER (NOT gone), max(length(v)), "
        "arg_min(t, r) FILTER (NOT gone), "
        "arg_max(t, {'n': n, 'r': -r}) FILTER (NOT gone), max(n) FILTER (NOT gone), "
        "sum(n) FILTER (NOT gone AND v <> t), "
        f"sum(n) FILTER (NOT gone AND {_OTHER} regexp_matches(v, {text(MOJIBAKE)})), "
        f"sum(n) FILTER (NOT gone AND {_OTHER} regexp_matches(v, '[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f]')), "
        "sum(n) FILTER (NOT gone AND isinf(d)), "
        f"sum(n) FILTER (NOT gone AND d BETWEEN {instants.COMPACT[0]} AND {instants.COMPACT[1]} "
        "AND length(t) = 8 AND TRY_STRPTIME(t, '%Y%m%d') IS NOT NULL), "
        f"{epochs}, {shapes} FROM v GROUP BY k"
    )
    by_key = {key: rest for key, *rest in found}
    for column in columns:
        column.rows = rows
        _fill(column, by_key.get(column.key), int(abouts[column.key]), grouped=column.key in grouped)
        if column.missing:
            key = column.key
            said = database.run(
                f"SELECT coalesce(trim({key}), ''), count(*) FROM {source} WHERE {gone(key)} GROUP BY 1 ORDER BY 2 "
                f"DESC, 1"
            )
            column.spellings = {str(word): int(count) for word, count in said}
        column.kind = kind_of(column)


def _values(source: str, columns: list[Column], grouped: set[str]) -> str:
    """SQL: key k, value v, how often n and first row r of each."""
    if len(columns) > 1 and len(grouped) == len(columns):  # one plan for all, instead of one for each
        keys = ", ".join(one.key for one in columns)
        return (
            f"SELECT k, v, count(*) AS n, min(r) AS r FROM (SELECT rowid AS r, {keys} FROM {source}) "
            f"UNPIVOT INCLUDE NULLS (v FOR k IN ({keys})) GROUP BY k, v"
        )
    return " UNION ALL ".join(
        f"SELECT '{one.key}' AS k, {one.key} AS v, count(*) AS n, min(rowid) AS r FROM {source} GROUP BY {one.key}"
        if one.key in grouped
        else f"SELECT '{one.key}' AS k, {one.key} AS v, 1 AS n, rowid AS r FROM {source}"
        for one in columns
    )


def _fill(column: Column, found: list[Any] | None, about: int, *, grouped: bool) -> None:
    if found is None:
        return
    gone_rows, distinct, longest, first, top, top_rows, padded, broken, control, infinite, compact, *rest = found
    column.missing, column.longest, column.first = int(gone_rows or 0), int(longest or 0), first or ""
    column.distinct = int(distinct) if grouped else min(about, column.present)
    column.top, column.top_rows = (top or "", int(top_rows or 0)) if grouped else (first or "", 1)
    column.counts = {name: int(count or 0) for name, count in zip([*instants.EPOCHS, *SHAPES], rest, strict=True)}
    column.counts |= {
        "padded": int(padded or 0), "mojibake": int(broken or 0), "control": int(control or 0),
        "infinite": int(infinite or 0), "compact": int(compact or 0),
    }  # fmt: skip


def _measure(database: Database, source: str, columns: list[Column]) -> None:
    """Least, most, median and 99th percentile of numbers, exact: what is told must be the same every time."""
    for start in range(0, len(columns), AT_ONCE):
        part = columns[start : start + AT_ONCE]
        keys = ", ".join(one.key for one in part)
        found = database.run(
            "SELECT k, min(x), max(x), quantile_disc(x, 0.5), quantile_disc(x, 0.99) "
            f"FROM (SELECT k, TRY_CAST(v AS DOUBLE) AS x "
            f"FROM (SELECT {keys} FROM {source}) UNPIVOT (v FOR k IN ({keys}))) WHERE isfinite(x) GROUP BY k"
        )
        by_key = {key: measured for key, *measured in found}
        for one in part:
            if one.key in by_key:
                one.least, one.most, one.median, one.p99 = by_key[one.key]


def kind_of(column: Column) -> str:
    """What a column mostly is; of times it also sets the form."""
    counts, present = column.counts, column.present
    if not present:
        return "empty"
    timely = names.suggests(column.name, "time")
    forms = {form: counts[form] for form in instants.FORMS}
    if sum(forms.values()) >= MOSTLY * present:
        column.form = max(forms, key=lambda form: forms[form])
        return "time"
    epochs = {form: counts[form] for form in instants.EPOCHS}
    if timely and sum(epochs.values()) >= MOSTLY * present:
        column.form = max(epochs, key=lambda form: epochs[form])
        return "time"
    if timely and counts["compact"] >= MOSTLY * present:
        column.form = "compact"
        return "time"
    if column.distinct <= 4 and counts["yes_no"] == present and counts["number"] < present:
        return "yes or no"
    if names.is_id(column.name) or counts["uuid"] >= MOSTLY * present or _declared(column):
        return "id"
    # A package size is text with a unit; a price with a sign in some rows is a number written badly.
    if sum(counts[shape] for shape in _LIKE_NUMBERS) >= MOSTLY * present and counts["measured"] <= present / 2:
        return "number"
    if column.distinct <= max(FEW, column.present // 100) and column.longest <= 80:
        return "category"
    return "text"


def _declared(column: Column) -> bool:
    return column.role in {"customer", "message", "device", "session", "anonymous"} or (
        names.suggests(column.name, "customer")
        and column.distinct > 1
        and column.counts["whole"] != column.counts["number"]
    )
