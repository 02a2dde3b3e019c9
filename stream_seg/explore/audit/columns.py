"""What is wrong with a column by itself: types, spellings, what carries no information."""

from __future__ import annotations

from collections.abc import Iterator

from stream_seg.explore.audit import names
from stream_seg.explore.audit.database import Database, text
from stream_seg.explore.audit.findings import Finding, share
from stream_seg.explore.audit.profile import CURRENCIES, MOJIBAKE, SIGNS
from stream_seg.explore.audit.roles import Roles
from stream_seg.explore.audit.tables import Column, Table, cut, gone

NEARLY = 0.999  # from this share on a single value is all there is
UNIQUE = 0.95  # rows that came twice must not hide a row id; above 100,000 values the count is within 3 %
NAMED = 10  # columns that one finding names
ODD_NUMBERS = (-1, -9, -99, -999, -9999, -99999, 99, 999, 9999, 99999, 999999, 9999999, 99999999, 999999999, 2147483647)
APART = 3.0  # a number that stands for nothing lies this many times beyond the 99th percentile of the others


def about_columns(database: Database, table: Table, roles: Roles) -> Iterator[Finding]:
    """Findings about single columns; those of many columns alike are one finding."""
    yield from _without_information(table, roles)
    for column in table.columns:
        if column.kind == "empty":
            continue
        yield from _types(database, table, column)
        yield from _spelling(database, table, column)
        if column.kind == "number":
            yield from _odd_numbers(database, table, column)
    if not table.wide:
        yield from _variants(database, table)
        yield from _same(database, table)


def _listed(columns: list[Column]) -> str:
    more = f" and {len(columns) - NAMED} more" if len(columns) > NAMED else ""
    return ", ".join(cut(one.name) for one in columns[:NAMED]) + more


def _named(columns: list[Column]) -> tuple[str, ...]:
    return tuple(one.name for one in columns)


def _without_information(table: Table, roles: Roles) -> Iterator[Finding]:
    if table.rows < 2:
        return
    empty = [one for one in table.columns if one.kind == "empty"]
    if empty:
        yield Finding(
            "warning", "empty_column", f"{_listed(empty)}: no row says anything there",
            "leave the column out, or look why nothing arrives", _named(empty), table.name, {"columns": len(empty)},
        )  # fmt: skip
    single = [one for one in table.columns if one.distinct == 1]
    if single:
        yield Finding(
            "note", "constant", f"{_listed(single)}: the same value in every row that has one",
            "it tells nobody apart: no feature can use it", _named(single), table.name,
            {"values": {one.name: cut(one.top) for one in single[:NAMED]}},
        )  # fmt: skip
    nearly = [
        one for one in table.columns if one.distinct > 1 and one.top_rows >= NEARLY * one.present and one.present > 1000
    ]
    if nearly:
        yield Finding(
            "note", "nearly_constant",
            f"{_listed(nearly)}: one value in {share(min(one.top_rows / one.present for one in nearly), 1)} of the "
            f"rows or more",
            "it tells few apart; use it only where the few are the question", _named(nearly), table.name,
            {"values": {one.name: cut(one.top) for one in nearly[:NAMED]}},
        )  # fmt: skip
    unique = [
        one
        for one in table.columns
        if one.present > 20
        and one.distinct >= UNIQUE * one.present
        and one is not roles.time
        and one is not roles.customer
        and one is not roles.message
        and one not in roles.keys
        and one.kind not in {"number", "time"}
    ]
    if unique:
        yield Finding(
            "note",
            "unique_per_row",
            f"{_listed(unique)}: another value in (nearly) every row",
            "it says which row it is, nothing about customers: leave it out, or declare it as the message id if "
            "re-sends bear the same one",
            _named(unique),
            table.name,
            {"values": {one.name: one.distinct for one in unique[:NAMED]}},
        )


def _types(database: Database, table: Table, column: Column) -> Iterator[Finding]:
    counts = column.counts
    if column.kind == "number":
        bad = column.present - counts["number"]
        if bad:
            how = {"comma": "with a decimal comma", "thousands": "with commas between thousands",
                   "money": "with a currency", "measured": "with a unit"}  # fmt: skip
            kinds = {word: counts[shape] for shape, word in how.items() if counts[shape]}
            rest = bad - sum(kinds.values())
            kinds |= {"no number at all": rest} if rest > 0 else {}
            yield Finding(
                "severe",
                "mixed_types",
                f"{column.name} is a number in {share(counts['number'], column.present)} of its rows, the others are "
                + ", ".join(f"{word} ({rows:,})" for word, rows in kinds.items()),
                "write every value as a plain number with a point (12.5); an event whose number is text is a dead "
                "letter",
                (column.name,),
                table.name,
                {"rows": bad, "rows_by_kind": kinds},
                table.look(database, _no_number(column), column),
            )
        if counts["infinite"]:
            where = f"isinf({column.number})"
            yield Finding(
                "severe", "infinite", f"{column.name} is infinite in {counts['infinite']:,} rows",
                "find the division by zero that made it; JSON has no infinity", (column.name,), table.name,
                {"rows": counts["infinite"]}, table.look(database, where, column),
            )  # fmt: skip
    elif (
        column.kind == "category"
        and 0.2 * column.present <= counts["number"] < column.present
        and counts["number"] > 20
    ):
        yield Finding(
            "note", "numbers_and_words", f"{column.name} holds numbers ({share(counts['number'], column.present)}) "
            f"and words",
            "nothing if they are names of categories; otherwise two things share the "
            "column", (column.name,), table.name,
            {"numbers": counts["number"]}, table.look(database, _no_number(column), column),
        )  # fmt: skip
    if column.kind == "yes or no" and column.distinct > 2:
        yield Finding(
            "warning", "mixed_spelling", f"{column.name} says yes and no in {column.distinct} ways",
            "write true and false throughout", (column.name,), table.name, {"values": column.distinct},
            table.look(database, f"NOT {gone(column.key)} AND trim({column.key}) <> {text(column.top)}", column),
        )  # fmt: skip


def _no_number(column: Column) -> str:
    """SQL: it says something that is no number."""
    return f"NOT {column.absent} AND NOT coalesce(isfinite({column.number}) AND NOT contains({column.key}, '_'), false)"


def _spelling(database: Database, table: Table, column: Column) -> Iterator[Finding]:
    counts, key = column.counts, column.key
    if counts["mojibake"]:
        yield Finding(
            "warning", "mojibake", f"{column.name} has {counts['mojibake']:,} rows of text that went through a wrong "
            f"encoding",
            "read the source in the encoding in which it is written and export it again", (column.name,), table.name,
            {"rows": counts["mojibake"]}, table.look(database, f"regexp_matches({key}, {text(MOJIBAKE)})", column),
        )  # fmt: skip
    if counts["control"]:
        where = f"regexp_matches({key}, '[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f]')"
        yield Finding(
            "warning", "control_characters", f"{column.name} has control characters in {counts['control']:,} rows",
            "remove them where the data is written; an id with one is refused", (column.name,), table.name,
            {"rows": counts["control"]}, table.look(database, where, column),
        )  # fmt: skip
    if counts["padded"]:
        yield Finding(
            "warning", "padded", f"{column.name} has spaces around its value in {counts['padded']:,} rows: "
            '"a" and "a " are two values', "trim it where the data is written", (column.name,), table.name,
            {"rows": counts["padded"]}, table.look(database, f"{key} <> trim({key}) AND NOT {gone(key)}", column),
        )  # fmt: skip
    said = {word: rows for word, rows in column.spellings.items() if word}
    if said and (len(said) > 1 or (len(column.spellings) > 1 and min(column.spellings.values()) > 0)):
        yield Finding(
            "note", "ways_to_say_nothing", f'{column.name} says "nothing" in {len(column.spellings)} ways: '
            + ", ".join(f"{word or 'empty'} ({rows:,})" for word, rows in list(column.spellings.items())[:5]),
            "leave it empty throughout; a word for nothing becomes a category of its own", (column.name,), table.name,
            {"rows_by_word": dict(list(column.spellings.items())[:10])},
        )  # fmt: skip


def _odd_numbers(database: Database, table: Table, column: Column) -> Iterator[Finding]:
    if column.present < 100 or column.median is None:
        return
    listed = ", ".join(str(one) for one in ODD_NUMBERS)
    x = column.number
    found = database.run(
        f"WITH x AS (SELECT {x} AS x FROM {table.sql} WHERE isfinite({x})), o AS (SELECT quantile_disc(abs(x), 0.99) "
        f"AS far, "
        f"min(x) AS low, max(x) AS high FROM x WHERE x NOT IN ({listed})) "
        f"SELECT x, count(*), any_value(far), any_value(low), any_value(high) FROM x, o WHERE x IN ({listed}) "
        f"GROUP BY x HAVING count(*) >= greatest(20, 0.0002 * {column.present}) ORDER BY 2 DESC"
    )
    odd = []
    for value, rows, far, low, high in found:
        # A negative where nothing else is, or alone beyond everything: no number of that kind was measured.
        if low is None or (value < 0 <= low) or (abs(value) >= APART * max(far, 1) and (value > high or value < low)):
            odd.append((value, rows))
    if odd:
        where = f"{x} IN ({', '.join(f'{value:g}' for value, _ in odd)})"
        shown = ", ".join(f"{value:g} ({rows:,} rows)" for value, rows in odd)
        yield Finding(
            "severe", "stands_for_nothing", f'{column.name} has numbers that stand for "nothing": {shown}',
            "leave the value empty instead: sums and means take it for an amount", (column.name,), table.name,
            {"rows": sum(rows for _, rows in odd), "values": [value for value, _ in odd]},
            table.look(database, where, column),
        )  # fmt: skip


def _variants(database: Database, table: Table) -> Iterator[Finding]:
    """Categories that differ by case, spaces or punctuation alone."""
    for column in table.columns:
        if (
            column.kind not in {"category", "text"}
            or column.distinct > 5_000
            or column.counts["number"] == column.present
        ):
            continue
        # Points and hyphens divide words; between digits they are part of the value.
        low = "lower(strip_accents(v))"
        plain = (
            f"regexp_replace({low}, CASE WHEN regexp_matches(v, '[0-9]') THEN '[\\s_]+' ELSE '[\\s_.-]+' END, '', 'g')"
        )
        found = database.run(
            f"WITH v AS (SELECT {column.text} AS v, count(*) AS n, min(rowid) AS r FROM {table.sql} GROUP BY 1), "
            f"p AS (SELECT {plain} AS p, v, n, r FROM v WHERE v IS NOT NULL) "
            "SELECT list(v ORDER BY n DESC, v), sum(n) - max(n), arg_min(r, {'n': n, 'v': v}) FROM p WHERE p <> '' "
            "GROUP BY p "
            "HAVING count(*) > 1 ORDER BY 2 DESC"
        )
        if found:
            shown = "; ".join(" = ".join(cut(one) for one in values[:3]) for values, _, _ in found[:3])
            rows = sum(int(n) for _, n, _ in found)
            yield Finding(
                "warning", "same_but_for_spelling", f"{column.name} writes {len(found)} values in more than one way: "
                f"{shown}",
                "write each in one way: conditions and encoders compare letter by letter", (column.name,), table.name,
                {"rows": rows, "values": len(found)}, table.examples((r, v[-1]) for v, _, r in found[:3]),
            )  # fmt: skip


def _same(database: Database, table: Table) -> Iterator[Finding]:
    """Columns that say the same in every row."""
    columns = [one for one in table.columns if one.distinct > 1 and one.present > 20]
    pairs = [
        (a, b)
        for i, a in enumerate(columns)
        for b in columns[i + 1 :]
        if a.missing == b.missing
        and abs(a.distinct - b.distinct) <= 0.05 * max(a.distinct, b.distinct)
        and a.top == b.top
    ]
    for start in range(0, len(pairs), 50):
        part = pairs[start : start + 50]
        asked = ", ".join(f"count(*) FILTER ({a.key} IS DISTINCT FROM {b.key})" for a, b in part)
        for (a, b), differ in zip(part, database.one(f"SELECT {asked} FROM {table.sql}"), strict=True):
            if not differ:
                yield Finding(
                    "note", "same_column", f"{b.name} says the same as {a.name} in every row",
                    f"leave {b.name} out: a distance would count the same thing twice", (b.name, a.name), table.name,
                )  # fmt: skip


def about_meaning(table: Table, sidecar: str) -> Iterator[Finding]:
    """Asks for what no file says: units and sources."""
    numbers = [one for one in table.columns if one.kind == "number" and not one.unit and one.distinct > 2]
    said = [one for one in table.columns if one.kind != "empty"]
    unsourced = [one for one in said if not one.source]
    of = "any column" if unsourced == said else _listed(unsourced)
    known = ([f"no unit for {_listed(numbers)}"] if numbers else []) + ([f"no source for {of}"] if unsourced else [])
    if known:
        yield Finding(
            "note", "meaning_unknown", f"the file says {', and '.join(known)}",
            f"write it into {sidecar} (docs/audit.md): nobody can tell dollars from cents, or who wrote a column, by "
            "looking", _named(numbers[:NAMED]), table.name,
            {"without_unit": len(numbers), "without_source": len(unsourced)},
        )  # fmt: skip


def about_currency_signs(database: Database, table: Table) -> Iterator[Finding]:
    """Numbers written with signs of more than one currency."""
    for column in table.columns:
        if column.counts.get("money", 0) < 2 or column.kind not in {"number", "text", "category"}:
            continue
        sign = f"coalesce(nullif(regexp_extract({column.key}, '{SIGNS}'), ''), upper(regexp_extract({column.key}, "
        f"'(?i:{CURRENCIES})')))"
        found = database.run(
            f"SELECT {sign} AS s, count(*), min(rowid) FROM {table.sql} WHERE regexp_matches({column.key}, "
            f"'\\d') AND {sign} <> '' GROUP BY 1 ORDER BY 2 DESC, 1"
        )
        if len(found) > 1:
            yield Finding(
                "severe", "mixed_currencies", f"{column.name} is written in {len(found)} currencies: "
                + ", ".join(f"{sign} ({rows:,})" for sign, rows, _ in found[:5]),
                "convert to one currency before anything is summed", (column.name,), table.name,
                {"rows_by_currency": {sign: rows for sign, rows, _ in found}},
                table.look(database, f"{sign} = {text(found[-1][0])}", column),
            )  # fmt: skip


def is_amount(column: Column) -> bool:
    """Whether it counts or measures something."""
    return column.kind == "number" and (column.role == "amount" or not names.is_id(column.name))
