"""CDNOW's orders: 23,570 customers who first bought in the first quarter of 2017 (as the demo moves dates)."""

from __future__ import annotations

from datetime import datetime
from functools import cache

from stream_seg.adapters.files.demo.packages import data_file
from tests.docs.recipes.rows import DAY, DataSet, Row, instant

MOVED = 1_044 * 7 * DAY  # to 2017 and 2018, weekdays kept


@cache
def orders() -> DataSet:
    """All orders, at noon of their day, in order of time."""
    path = data_file("lifetimes", "lifetimes", "datasets/CDNOW_master.txt")
    rows = []
    for line in path.read_text("ascii").splitlines()[1:]:
        customer, date, discs, amount = line.split()
        time = instant(datetime.strptime(date, "%Y%m%d").strftime("%Y-%m-%d")) + MOVED + DAY // 2  # noqa: DTZ007  # a date
        rows.append(Row(customer, time, "Order Completed", {"discs": int(discs), "revenue": float(amount)}))
    rows.sort(key=lambda row: row.time)
    return DataSet(rows, instant("2017-12-28"), instant("2018-06-28"))
