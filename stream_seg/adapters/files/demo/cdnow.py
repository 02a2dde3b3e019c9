"""CDNOW: every order of 23,570 customers who first bought CDs online in the first quarter of 1997, until June 1998.

69,659 orders with a date, a number of discs and an amount. Dates are moved by 1,044 weeks, to 2017 and 2018, weekdays
kept: this package refuses events from before 2000, which nearly always come from a clock that was never set. The
package lifetimes carries the data.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import orjson

from stream_seg.adapters.files.batch import Batch, places
from stream_seg.adapters.files.demo.packages import DAY_MS, HERE, data_file
from stream_seg.adapters.files.sources import EventSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream_seg.adapters.files.batch import Int64

ROWS = 8_192
MOVED_BY = 1_044 * 7 * DAY_MS
NOON = DAY_MS // 2  # orders have no time of day
ABOUT = "23,570 customers of CDNOW and their 69,659 orders of 18 months (1997–98, moved to 2017–18)"


def load(days: int | None) -> EventSource:
    """All 18 months, or the first `days` days."""
    path = data_file("lifetimes", "lifetimes", "datasets/CDNOW_master.txt")
    rows = [line.split() for line in path.read_text("ascii").splitlines()[1:]]
    times = np.array([_day(date) for _, date, _, _ in rows], np.int64)
    order = np.argsort(times, kind="stable").astype(np.int64)  # the file is sorted by customer
    if days is not None:
        order = order[times[order] < times.min() - NOON + days * DAY_MS]
    chosen = [rows[i] for i in order.tolist()]
    times = times[order]

    def batches() -> Iterator[Batch]:
        for start in range(0, len(chosen), ROWS):
            yield _batch(chosen[start : start + ROWS], times[start : start + ROWS], order[start : start + ROWS])

    return EventSource(
        name="cdnow",
        total=len(chosen),
        customers=len({customer for customer, _, _, _ in chosen}),
        first=int(times[0]),
        last=int(times[-1]),
        batches=batches,
        definition=HERE / "cdnow.yaml",
        about=ABOUT,
    )


def _day(date: str) -> int:
    when = datetime.strptime(date, "%Y%m%d").replace(tzinfo=UTC)
    return int(when.timestamp()) * 1_000 + NOON + MOVED_BY


def _batch(rows: list[list[str]], times: Int64, numbers: Int64) -> Batch:
    stamps = np.datetime_as_string(times.astype("datetime64[ms]"), timezone="UTC").tolist()
    values = [
        orjson.dumps({
            "type": "track", "event": "Order Completed", "messageId": f"order-{number + 1}", "userId": customer,
            "timestamp": stamp, "properties": {"discs": int(discs), "revenue": float(amount)},
        })
        for (customer, _, discs, amount), stamp, number in zip(rows, stamps, numbers.tolist(), strict=True)
    ]  # fmt: skip
    keys: list[bytes | None] = [row[0].encode() for row in rows]
    return Batch(values, keys, times, places(0, numbers + 2), ("CDNOW_master.txt",))
