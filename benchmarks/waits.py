"""What a movement's wait is made of: which part of the way the slowest spend their time on, and when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks.events import Workload
from stream_seg.core.model import Float64, Int64

SLOW = 0.01  # the share that is looked at
WORST = 3  # seconds with most of them
PARTS = {
    "to_log_ms": "from sent to lying in the events log",
    "to_worker_ms": "from there to a worker that has taken, decoded and looked up its batch",
    "to_producer_ms": "from there, the fold, Redis's write and whatever is published before, to the producer",
    "to_reader_ms": "from there to a subscriber that can read it",
}


class Moved(NamedTuple):
    """A movement that an event caused. at: its event time; then when it was decided and so on, wall clock, ms."""

    customer: bytes
    at: int
    decided: float
    published: float
    readable: float


def events_of(workload: Workload, moved: Sequence[Moved], *, exact: bool) -> Int64:
    """The number of the event that caused each movement: the customer's newest one that is no later than it.

    `exact`: it must have the very instant of its event; behind INGEST it may have that of the clock, just after it.
    """
    wanted = {one.customer for one in moved}
    of: dict[bytes, tuple[list[int], list[int]]] = {customer: ([], []) for customer in wanted}
    n = 0
    for chunk in workload.chunks():
        for key, at in zip(chunk.keys, chunk.times.tolist(), strict=True):
            if key in of:
                times, numbers = of[key]
                times.append(at)
                numbers.append(n)
            n += 1
    found = np.empty(len(moved), np.int64)
    for i, one in enumerate(moved):
        times, numbers = of[one.customer]
        last = int(np.searchsorted(times, one.at, "right")) - 1
        if last < 0 or (exact and times[last] != one.at):
            raise RuntimeError(f"the movement {one} belongs to no event that was sent")
        found[i] = numbers[last]
    return found


def parts(sent: Float64, appended: Float64, moved: Sequence[Moved]) -> Float64:
    """What each wait is made of, (movements, parts), ms; `sent` and `appended` are those of their events."""
    decided, published, readable = np.array([one[2:] for one in moved]).T
    return np.diff(np.column_stack([sent, appended, decided, published, readable]), axis=1)


def told(of: Float64, sent: Float64, begin: float) -> dict[str, Any]:
    """p50, p99 and more of the waits; what the median and the slowest are made of; whether those come at once.

    of    (movements, parts) in ms; `sent`: when their events were sent, `begin`: the first of all (ms)
    """
    waits = of.sum(1)
    p50, p99, longest = np.percentile(waits, [50, 99, 100])
    slow = np.argsort(waits)[-max(1, round(SLOW * len(waits))) :]
    usual = np.abs(waits - p50) <= np.quantile(np.abs(waits - p50), 0.1)  # the tenth that is nearest to the median
    seconds = Counter(((sent[slow] - begin) // 1000).astype(int).tolist())
    worst = seconds.most_common(WORST)
    return {
        "movements": len(waits),
        "p50_ms": _round(p50),
        "p99_ms": _round(p99),
        "max_ms": _round(longest),
        "usual": {name: _round(v) for name, v in zip(PARTS, of[usual].mean(0), strict=True)},
        "slowest": {
            "share": SLOW,
            **{name: _round(v) for name, v in zip(PARTS, of[slow].mean(0), strict=True)},
            "seconds_with_any": len(seconds),
            "worst_seconds": sorted(second for second, _ in worst),
            "share_in_worst_seconds": round(sum(count for _, count in worst) / len(slow), 2),
        },
    }


def _round(value: Any) -> float:
    return round(float(value), 1)
