"""Defects to be found: what is done to a clean grocery year, and by which finding each is recognised.

Every defect is put in by row numbers, without chance: the same rows each time.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seed:
    """One defect: what is done to the rows (SQL over `lines`), and by which finding it is recognised.

    word  has to stand in the finding, where one check tells several defects apart
    """

    name: str
    sql: str
    check: str
    column: str = ""
    word: str = ""


def some(per_mille: float, salt: int) -> str:
    """SQL: this part of the rows, always the same, another for each `salt`."""
    return f"(n * 2654435761 + {salt * 40503}) % 1000003 < {round(per_mille * 1000)}"


def put(column: str, value: str, where: str) -> str:
    return f"UPDATE lines SET {column} = {value} WHERE {where}"


def add(column: str, value: str) -> str:
    return f"ALTER TABLE lines ADD COLUMN {column} VARCHAR; UPDATE lines SET {column} = {value}"


STAMP = "strftime(CAST(time AS TIMESTAMP) {}, '%Y-%m-%dT%H:%M:%SZ')"
UUID = "'-4000-8000-' || lpad(CAST(n AS VARCHAR), 12, '0')"
COPY = "INSERT INTO lines SELECT * REPLACE ({}) FROM lines WHERE {}"

SEEDS: tuple[Seed, ...] = (
    # types and spellings
    Seed(
        "decimal comma", put("retail_disc", "replace(retail_disc, '.', ',')", some(2, 1)), "mixed_types", "retail_disc"
    ),
    Seed("-999 for nothing", put("quantity", "'-999'", some(1, 2)), "stands_for_nothing", "quantity"),
    Seed("small letters", put("department", "lower(department)", some(20, 3)), "same_but_for_spelling", "department"),
    Seed("spaces behind", put("product_category", "product_category || ' '", some(5, 4)), "padded", "product_category"),
    Seed(
        "wrong encoding",
        put("product_category", "'CAFÃ‰ ' || product_category", some(1, 5)),
        "mojibake",
        "product_category",
    ),
    Seed(
        "n/a, NULL, -",
        put("package_size", "CASE n % 3 WHEN 0 THEN 'n/a' WHEN 1 THEN 'NULL' ELSE '-' END", some(9, 6)),
        "ways_to_say_nothing",
        "package_size",
    ),
    # what carries no information
    Seed("empty column", add("loyalty_tier", "'NaN'"), "empty_column", "loyalty_tier"),
    Seed("constant column", add("country", "'US'"), "constant", "country"),
    Seed("row id", add("row_ref", "'r' || n || '-' || (n * 7919) % 1000003"), "unique_per_row", "row_ref"),
    # missing values
    Seed("missing by source", put("retail_disc", "NULL", "till = 'till-a'"), "missing_by_source", "retail_disc"),
    Seed(
        "missing since October",
        put("coupon_match_disc", "NULL", "time >= '2017-10-03'"),
        "missing_since",
        "coupon_match_disc",
    ),
    Seed("missing at random", put("brand", "NULL", some(380, 7)), "missing_at_random", "brand"),
    Seed("column twice", add("brand_name", "brand"), "same_column", "brand_name"),
    # meaning
    Seed(
        "two currencies",
        add("currency", f"CASE WHEN {some(20, 8)} THEN 'EUR' ELSE 'USD' END"),
        "mixed_currencies",
        "currency",
    ),
    Seed("two units", add("unit", f"CASE WHEN {some(30, 9)} THEN 'kg' ELSE 'piece' END"), "mixed_units", "unit"),
    Seed(
        "cents from one till",
        put("sales_value", "CAST(round(CAST(sales_value AS DOUBLE) * 100) AS VARCHAR)", "till = 'till-c'"),
        "suspected_unit",
        "sales_value",
    ),
    # identifiers
    Seed("nobody", put("household_id", "'undefined'", some(3, 10)), "null_like_id", "household_id"),
    Seed("test users", put("household_id", "'test-' || n % 5", some(1, 11)), "test_users", "household_id"),
    Seed(
        "anonymous sessions",
        put("household_id", "'anon-' || n % 4999", some(10, 12)),
        "mixed_ids",
        "household_id",
        "anon",
    ),
    Seed(
        "devices", put("household_id", f"'9f3e2b1c-77aa' || {UUID}", some(5, 13)), "mixed_ids", "household_id", "UUID"
    ),
    Seed(
        "leading zeros",
        put("household_id", "'00' || household_id", f"{some(10, 14)} AND household_id SIMILAR TO '[1-9][0-9]*'"),
        "near_duplicate_ids",
        "household_id",
    ),
    Seed(
        "one id for thousands of devices",
        put("household_id", "'7000001', device_id = 'dev-' || n", some(4, 15)),
        "shared_id",
        "household_id",
    ),
    Seed(
        "scientific notation",
        put("basket_id", "printf('%.2E', CAST(basket_id AS DOUBLE))", some(3, 16)),
        "damaged_id",
        "basket_id",
    ),
    # leakage
    Seed(
        "known later",
        add("returned_at", f"CASE WHEN {some(30, 17)} THEN " + STAMP.format("+ INTERVAL 5 DAY") + " END"),
        "known_later",
        "returned_at",
    ),
    Seed(
        "knows the outcome",
        add("coupon_class", f"CASE WHEN {some(3, 18)} THEN 'b' WHEN redeemer = '1' THEN 'a' ELSE 'c' END"),
        "predicts_too_well",
        "coupon_class",
    ),
    Seed(
        "count over the whole year",  # of rows: a sum of sales would be hidden by the cents of one till
        add(
            "year_lines",
            "(SELECT CAST(count(*) AS VARCHAR) FROM clean c WHERE c.household_id = lines.household_id "
            "HAVING count(*) > 0)",
        ),
        "whole_period",
        "year_lines",
    ),
    # events
    Seed(
        "event that died",
        put("event", "'Fuel Purchased'", "department ILIKE 'FUEL' AND time < '2017-03-20'"),
        "dead_event",
        "event",
        "Fuel",
    ),
    Seed("misspelt event", put("event", "'Product Purchsed'", some(0.6, 19)), "misspelt_event", "event"),
    Seed("rare event", put("event", "'Gift Wrapped'", "n % 20011 = 5 AND n < 200000"), "rare_event", "event"),
    # times
    Seed("another zone", put("time", STAMP.format("- INTERVAL 7 HOUR"), "till = 'till-b'"), "shifted_source", "time"),
    Seed("ten days gone", "DELETE FROM lines WHERE time >= '2017-05-08' AND time < '2017-05-18'", "gap", "time"),
    Seed("date only", put("time", "left(time, 10) || 'T00:00:00Z'", some(12, 20)), "dates_among_instants", "time"),
    Seed("no zone", put("time", "replace(time, 'Z', '')", some(10, 21)), "mixed_zones", "time"),
    Seed("future", put("time", "'2087' || substr(time, 5)", some(0.5, 22)), "future", "time"),
    Seed("clock never set", put("time", "'1970-01-01T00:00:00Z'", some(0.5, 23)), "epoch", "time"),
    Seed(
        "seconds since 1970",
        put("time", "CAST(epoch_ms(TRY_CAST(time AS TIMESTAMP)) // 1000 AS VARCHAR)", some(2, 24)),
        "mixed_time_forms",
        "time",
    ),
    Seed(
        "late rows", put("place", "place + 0.003 * (SELECT count(*) FROM lines)", some(8, 25)), "out_of_order", "time"
    ),
    # grain
    Seed("exported twice", COPY.format("place + 0.4 AS place", some(5, 26)), "exact_duplicates"),
    Seed(
        "sent again",
        COPY.format(
            f"{STAMP.format('+ INTERVAL 2 SECOND')} AS time, line_id || '-b' AS line_id, place + 0.6 AS place",
            f"{some(3, 27)} AND length(time) = 20 AND time < '2018-02-01' AND time > '2000'",
        ),
        "near_duplicates",
    ),
    Seed(
        "users among purchases",
        "INSERT INTO lines (n, place, line_id, household_id, age, income, redeemer) SELECT "
        "n, place + 0.2, "
        f"'user-' || n, household_id, age, income, redeemer FROM lines WHERE {some(4, 28)}",
        "mixed_grain",
    ),
    # the other file, and the bytes
    Seed("products that are gone", "DELETE FROM products WHERE product_id % 17 = 3", "keys_do_not_join", "product_id"),
    Seed("lines that are none", "", "broken_rows"),
    Seed("Latin-1", "", "encoding"),
)
