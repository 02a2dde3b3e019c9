"""The made-up clickstream of the benchmarks, with orders sent back put in: 640 visitors over 200 days."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from random import Random

import orjson

from benchmarks.clickstream import chunks
from tests.docs.recipes.rows import DAY, DataSet, Row, instant

ONE_IN = 8  # visitors send back most of what they buy
MOST, SELDOM = 0.6, 0.04  # … that part of their orders, and the others this
SENT_BACK = 6 * DAY  # after the order


@cache
def clicks() -> DataSet:
    """All events in order of time."""
    rows = []
    for chunk in chunks():
        for value in chunk.values:
            body = orjson.loads(value)
            time = int(datetime.fromisoformat(body["timestamp"]).timestamp() * 1000 + 0.5)
            rows.append(Row(body["userId"], time, body["event"], body["properties"]))
    rows += [
        Row(row.customer, row.time + SENT_BACK, "Order Refunded", {"amount": row.properties["revenue"]})
        for row in rows
        if row.event == "Order Completed" and _sends_back(row)
    ]
    rows.sort(key=lambda row: (row.time, row.customer))
    return DataSet(rows, instant("2026-06-25"), instant("2026-07-23"))


def _sends_back(order: Row) -> bool:
    often = Random(order.customer).random() < 1 / ONE_IN
    return Random(f"{order.customer} {order.time}").random() < (MOST if often else SELDOM)
