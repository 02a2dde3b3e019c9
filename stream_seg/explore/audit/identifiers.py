"""Whether ids name customers: nobody's ids, tests, one id for many, two kinds in one column, two spellings of one "
"id.
"""

from __future__ import annotations

from collections.abc import Iterator

from stream_seg.explore.audit.database import Database
from stream_seg.explore.audit.findings import Finding, share
from stream_seg.explore.audit.roles import Roles
from stream_seg.explore.audit.tables import Column, Table, cut

# Ids that name nobody, beside what is missing anyway.
NOBODY = (
    "0", "-1", "unknown", "anonymous", "anon", "guest", "nobody", "default", "n.a.", "xxx", "dummy", "empty", "not set",
    "(not set)", "00000000-0000-0000-0000-000000000000", "no id", "noid", "9999999999",
)  # fmt: skip
TESTS = (
    r"(^|[^a-z])(test|tests|tester|testing|testuser|qa|dummy|demo|fake|staging|loadtest|e2e|selenium|cypress|bot|crawler|monitoring)"
    r"([^a-z]|$)|@(example|test|localhost)\.|asdf|lorem"
)
HEAVY = 10.0  # a customer with so many times the rows of the 99th percentile may be no single person …
HEAVY_SHARE, HEAVIEST_SHARE = 0.002, 0.01  # … if these rows are at least so many of all; a keen buyer has no hundredth
MANY_DEVICES, TIMES_OTHERS = 50, 10.0
KIND_SHARE = 0.0005  # rows of ids that look otherwise
JOINED = 0.99  # keys of one file that are found in the other: below, some are lost


def about_damaged_ids(database: Database, table: Table) -> Iterator[Finding]:
    """Ids of any kind that are written in two ways, or that a spreadsheet has rounded."""
    for column in [one for one in table.columns if one.kind == "id"][:40]:
        yield from _damaged(database, table, column)


def about_customers(database: Database, table: Table, roles: Roles) -> Iterator[Finding]:
    """Findings about the customer's id."""
    customer = roles.customer
    if customer is None:
        if not table.wide:
            yield Finding(
                "severe", "no_customer", f"no column of {table.name} looks like the id of a customer",
                "say which it is: `columns: {NAME: {role: customer}}` in the sidecar", (), table.name,
            )  # fmt: skip
        return
    if customer.distinct == 1 and table.rows > 1:
        yield Finding(
            "severe", "one_customer", f"every row is of one {customer.name} ({cut(customer.top)})",
            "segments need many customers: take another column, or more of the data", (customer.name,), table.name,
        )  # fmt: skip
        return
    yield from _nobody(database, table, customer)
    yield from _tests(database, table, customer)
    yield from _heavy(database, table, customer)
    yield from _kinds(database, table, customer)
    for device in roles.devices[:5]:
        yield from _shared(database, table, customer, device)


def _nobody(database: Database, table: Table, customer: Column) -> Iterator[Finding]:
    words = ", ".join(f"'{word}'" for word in NOBODY)
    where = f"({customer.absent} OR lower(trim({customer.key})) IN ({words}))"
    found = database.run(
        f"SELECT coalesce(trim({customer.key}), ''), count(*) FROM {table.sql} WHERE {where} GROUP BY 1 ORDER BY 2 "
        f"DESC, 1"
    )
    # 0 among small whole numbers may be the first customer; it is nobody when it has rows like no other.
    found = [(word, n) for word, n in found if word != "0" or n > 20 * table.rows / max(customer.distinct, 1)]
    rows = sum(n for _, n in found)
    if rows:
        shown = ", ".join(f"{word or 'empty'} ({n:,})" for word, n in found[:5])
        yield Finding(
            "severe", "null_like_id", f"{customer.name} names nobody in {rows:,} rows ({share(rows, table.rows)}): "
            f"{shown}",
            "leave such events out, or send the anonymous id instead: all of them together would be one customer",
            (customer.name,), table.name, {"rows": rows, "rows_by_word": dict(found[:10])},
            table.look(database, where, customer),
        )  # fmt: skip


def _tests(database: Database, table: Table, customer: Column) -> Iterator[Finding]:
    looked = [customer, *[one for one in table.columns if one.kind in {"text", "category", "id"} and one is not customer
                          and one.counts.get("email", 0) > 0.2 * max(one.present, 1)]]  # fmt: skip
    for column in looked:
        if column.counts.get("whole") == column.present:
            continue
        where = f"regexp_matches(lower({column.key}), '{TESTS}')"
        ids, rows = database.one(f"SELECT count(DISTINCT {column.key}), count(*) FROM {table.sql} WHERE {where}")
        if rows and ids < 0.2 * column.distinct:
            yield Finding(
                "warning", "test_users", f"{ids:,} values of {column.name} look like tests or robots; they have "
                f"{rows:,} rows",
                "leave them out at the source: they behave like nobody and pull centres towards them", (column.name,),
                table.name, {"ids": ids, "rows": rows}, table.look(database, where, column),
            )  # fmt: skip


def _heavy(database: Database, table: Table, customer: Column) -> Iterator[Finding]:
    if customer.distinct < 50:
        return
    found = database.run(
        f"WITH c AS (SELECT {customer.text} AS c, count(*) AS n, min(rowid) AS r FROM {table.sql} GROUP BY 1), "
        "q AS (SELECT quantile_disc(n, 0.99) AS q FROM c WHERE c IS NOT NULL) SELECT r, c, n, q FROM c, q "
        f"WHERE c IS NOT NULL AND n >= {HEAVY} * q AND n >= {HEAVY_SHARE} * {table.rows} ORDER BY n DESC, c LIMIT 3"
    )
    if found:
        _, who, rows, usual = found[0]
        yield Finding(
            "severe" if rows >= HEAVIEST_SHARE * table.rows else "warning", "heavy_id",
            f"{customer.name} {cut(who)} has {rows:,} rows ({share(rows, table.rows)} of all); 99 of 100 customers "
            f"have {usual:,} or fewer",
            "find out who it is: a till, a robot or a default id is left out, a person who buys so much stays",
            (customer.name,), table.name, {"rows": rows, "p99": usual},
            table.examples((r, f"{c} ({n:,} rows)") for r, c, n, _ in found),
        )  # fmt: skip


def _shape(key: str) -> str:
    """SQL: what an id looks like: letters a, digits 9, each once in a row."""
    return f"regexp_replace(regexp_replace(trim({key}), '[0-9]+', '9', 'g'), '[A-Za-z]+', 'a', 'g')"


def _kinds(database: Database, table: Table, customer: Column) -> Iterator[Finding]:
    """Ids of another kind among the customers': devices, e-mail addresses, anonymous sessions."""
    uuid = "regexp_full_match(trim(v), '(?i:[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12})')"
    words = ", ".join(f"'{word}'" for word in NOBODY)
    kind = (
        f"CASE WHEN {uuid} THEN 'a UUID' WHEN contains(v, '@') THEN 'an e-mail address' "
        "WHEN regexp_full_match(trim(v), '[0-9]+') THEN 'a number' "
        "WHEN regexp_full_match(lower(trim(v)), '[0-9a-f]{16,}') THEN 'a hexadecimal number' "
        "WHEN regexp_matches(v, '^[A-Za-z]+[-_:.]') THEN concat('named ', regexp_extract(v, '^[A-Za-z]+[-_:.]'), '…') "
        f"ELSE {_shape('v')} END"
    )
    found = database.run(
        f"WITH v AS (SELECT {customer.text} AS v, count(*) AS n, min(rowid) AS r FROM {table.sql} GROUP BY 1) "
        f"SELECT {kind} AS k, count(*), sum(n), min(r), arg_min(v, r) FROM v WHERE v IS NOT NULL AND lower(v) NOT IN "
        f"({words}) "
        f"AND NOT regexp_matches(lower(v), '{TESTS}') GROUP BY 1 ORDER BY 3 DESC, 1"
    )
    if len(found) < 2:
        return
    (usual, _, usual_rows, *_), *others = found
    others = [one for one in others if one[2] >= max(20, KIND_SHARE * table.rows)][:5]
    # Many kinds without a ruler are how ids look there.
    if usual_rows < 0.5 * table.rows or not others:
        return
    rows = sum(int(one[2]) for one in others)
    said = ", ".join(f"{kind} ({int(n):,} rows of {ids:,} ids)" for kind, ids, n, *_ in others)
    yield Finding(
        "severe", "mixed_ids", f"{customer.name} is mostly {usual}, but also {said}",
        "devices and anonymous sessions are no customers: map the account's id, and keep the others in a column of "
        "their own",
        (customer.name,), table.name, {"rows": rows, "rows_by_kind": {one[0]: int(one[2]) for one in found[:6]}},
        table.examples((r, v) for _, _, _, r, v in others),
    )  # fmt: skip


def _shared(database: Database, table: Table, customer: Column, device: Column) -> Iterator[Finding]:
    """One id for hundreds of devices, or one device for hundreds of customers."""
    for one, many, severity, remedy in (
        (customer, device, "severe", "it is no person (a till, a shared login, a default): leave it out"),
        (device, customer, "warning", "a shared device (a till, a kiosk): never join customers by it"),
    ):
        found = database.run(
            f"WITH c AS (SELECT {one.text} AS c, count(DISTINCT {many.text}) AS d, min(rowid) AS r FROM {table.sql} "
            "GROUP BY 1), q AS (SELECT greatest(quantile_disc(d, 0.99), 1) AS q FROM c WHERE c IS NOT NULL) "
            f"SELECT r, c, d, q FROM c, q WHERE c IS NOT NULL AND d >= {MANY_DEVICES} AND d >= {TIMES_OTHERS} * q "
            "ORDER BY d DESC, c LIMIT 3"
        )
        if found:
            _, who, devices, usual = found[0]
            yield Finding(
                "severe" if severity == "severe" else "warning", "shared_id",
                f"{one.name} {cut(who)} comes with {devices:,} values of {many.name}; 99 of 100 have {usual:,} or "
                f"fewer",
                remedy, (one.name, many.name), table.name, {"values": devices, "p99": usual},
                table.examples((r, f"{c} ({d:,})") for r, c, d, _ in found),
            )  # fmt: skip


def _damaged(database: Database, table: Table, column: Column) -> Iterator[Finding]:
    """Ids that a spreadsheet or a float made of others, and ids that differ by case, spaces or leading zeros alone."""
    counts = column.counts
    hurt = {"in scientific notation": "scientific", "with a decimal point": "point_zero"}
    for words, shape in hurt.items():
        if counts[shape] and counts["whole"] + counts[shape] >= 0.5 * column.present:
            where = (f"regexp_full_match(trim({column.key}), "
            f"'[+-]?\\d(\\.\\d+)?[eE]\\+?\\d{{1,2}}')" if shape == "scientific"
                     else f"regexp_full_match(trim({column.key}), '\\d+\\.0')")  # fmt: skip
            whole = counts[shape] == column.present and shape == "point_zero"
            yield Finding(
                "warning" if whole else "severe", "damaged_id",
                f"{column.name} is written {words} in {counts[shape]:,} rows: a spreadsheet or a float has been at it",
                "export the ids as text again; digits that were rounded away do not come "
                "back", (column.name,), table.name,
                {"rows": counts[shape]}, table.look(database, where, column),
            )  # fmt: skip
    if column.distinct >= 0.9 * column.present:
        return
    plain = "regexp_replace(lower(trim(v)), '^0+([0-9])', '\\1')"
    found = database.run(
        f"WITH v AS (SELECT {column.key} AS v, count(*) AS n, min(rowid) AS r FROM {table.sql} WHERE NOT "
        f"{column.absent} "
        f"GROUP BY 1) SELECT count(*) OVER (), list(v ORDER BY n DESC, v), arg_min(r, {{'n': n, 'v': v}}), sum(sum(n) "
        f"- max(n)) "
        f"OVER () FROM v GROUP BY {plain} HAVING count(*) > 1 ORDER BY min(r) LIMIT 3"
    )
    if found:
        pairs, rows = int(found[0][0]), int(found[0][3])
        yield Finding(
            "severe", "near_duplicate_ids",
            f"{pairs:,} ids of {column.name} are written in two ways (case, spaces, leading zeros), {rows:,} rows in "
            f"the rarer one",
            "write them in one way where they are made: each spelling would be a customer of its own", (column.name,),
            table.name, {"ids": pairs, "rows": rows},
            table.examples((r, " = ".join(repr(v) for v in values[:2])) for _, values, r, _ in found),
        )  # fmt: skip


def about_joins(database: Database, first: Table, other: Table) -> Iterator[Finding]:
    """Keys that two inputs share by name: how many of one are not in the other, and whether spelling is why."""
    for a in first.columns:
        b = other.column(a.name)
        if b is None or a.kind not in {"id", "number", "category", "text"} or b.kind == "empty" or a.distinct < 2:
            continue
        if a.kind == "number" or b.distinct < 0.5 * b.present:  # no key of the other: it repeats there
            continue
        sql = (
            f"WITH a AS (SELECT {a.text} AS k, count(*) AS n, min(rowid) AS r FROM {first.sql} WHERE NOT {a.absent} "
            f"GROUP BY 1), "
            f"b AS (SELECT DISTINCT {b.text} AS k FROM {other.sql} WHERE NOT {b.absent}), lost AS (SELECT * FROM a "
            f"ANTI JOIN b "
            "USING (k)) "
        )
        plain = "regexp_replace(regexp_replace(lower(trim(k)), '\\.0$', ''), '^0+([0-9])', '\\1')"
        lost, rows = database.one(sql + "SELECT count(*), coalesce(sum(n), 0) FROM lost")
        if not rows or rows <= (1 - JOINED) * a.present:
            continue
        (saved,) = database.one(sql + f"SELECT count(*) FROM lost WHERE {plain} IN (SELECT {plain} FROM b)")
        shown = first.examples(database.run(sql + "SELECT r, k FROM lost ORDER BY r LIMIT 3"))
        hint = f"; {saved:,} would be found if both wrote them alike (case, zeros, '.0')" if saved else ""
        yield Finding(
            "severe" if rows > 0.5 * a.present else "warning",
            "keys_do_not_join",
            f"{lost:,} values of {a.name} in {first.name} ({share(rows, a.present)} of its rows) are not in "
            f"{other.name}{hint}",
            "take both from the same day and system; rows without a partner lose what the other file says",
            (a.name,),
            first.name,
            {"values": int(lost), "rows": int(rows), "by_spelling": int(saved), "other": other.name},
            shown,
        )
