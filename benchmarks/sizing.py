"""What an installation needs, from what was measured: the table in docs/operating.md, ``python -m benchmarks.figures``.

Workers and servers are planned as if every customer had to be read from Redis and written back (`uniform`), and no
process for more than half of what it reached: that is the load at which waits were measured, and what it takes to
catch up.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

DAY = 86_400
SHARE = 0.5  # of what a process reached
NEAR_FULL = 0.85  # of Redis's memory: `StreamSegRedisNearFull` tells from there on
SPARE = 2  # processes at least, so that one may fail


class Installation(NamedTuple):
    """What is to be planned for: customers, events a second at peak and on average, days kept, copies of each record.

    `growth`: how many times the peak the partitions must do for, since they cannot become more.
    """

    customers: int
    peak: int
    average: int
    days: int = 7
    copies: int = 3
    growth: int = 10


EXAMPLE = Installation(customers=2_000_000, peak=5_000, average=1_000)


class Line(NamedTuple):
    """One thing to plan: what, what was measured, and what it comes to."""

    what: str
    measured: str
    comes_to: str


def lines(results: dict[str, Any], of: Installation) -> list[Line]:
    """Everything that is to be planned for an installation."""
    slow, hop, trainer, million = results["uniform"], results["hop"], results["trainer"], 1_000_000
    worker = slow["events_per_worker_cpu_s"]
    ingest = round(hop["events"] / hop["cpu_s"]["ingest"])
    label, ingests = processes(of.peak, worker), processes(of.peak, ingest)
    label_mb = round(slow["worker_peak_rss_mb"])
    ingest_mb = round(hop["worker_peak_rss_mb"] - results["worker_peak_rss_mb"])
    learn_mb, sample = max(trainer["resident_mb"].values()), trainer["us_a_sample"]
    variants = [one for one in results.values() if isinstance(one, dict) and "redis_bytes_per_customer" in one]
    customer = max(one["redis_bytes_per_customer"] for one in [results, *variants])
    used = of.customers * customer / 1e9
    redis, kafka = (1e6 * slow["cpu_s"][server] / slow["events"] for server in ("redis", "kafka"))
    event = results["generator"]["bytes_per_event"]
    log = event * of.average * DAY * of.days / 1e9
    alone, parts = slow["events_per_s"], processes(of.growth * of.peak, worker)
    again = 3600 * of.peak / (label * alone - of.peak)
    return [
        Line(
            "LABEL: workers", f"{worker:,} events per CPU second where nobody is at hand (`uniform`)",
            f"{of.peak:,} / ({worker:,} × {SHARE}) = {of.peak / worker / SHARE:.2f} cores: **{label} workers**",
        ),
        Line(
            "LABEL: memory", f"{label_mb:,} MB at the peak with `run.cache_mb` at 128; more of it adds as much",
            f"{label} × {label_mb:,} = **{label * label_mb:,} MB**",
        ),
        Line(
            "INGEST: workers", f"{ingest:,} events per CPU second (`hop`)",
            f"{of.peak:,} / ({ingest:,} × {SHARE}) = {of.peak / ingest / SHARE:.2f} cores: **{ingests} workers**",
        ),
        Line(
            "INGEST: memory", f"{ingest_mb:,} MB: both workers of `hop` without that of `keyed`",
            f"{ingests} × {ingest_mb:,} = **{ingests * ingest_mb:,} MB**",
        ),
        Line(
            "LEARN: one worker", f"{learn_mb:,.0f} MB with ten million customers, {sample:.2f} µs a sample",
            f"**{learn_mb:,.0f} MB**; a day's samples: {of.customers:,} × {sample:.2f} µs = "
            f"{of.customers * sample / million:,.1f} s",
        ),
        Line(
            "Redis: memory", f"{customer:,} bytes a customer with 18 windows (`long`)",
            f"{of.customers:,} × {customer:,} = {used:.2f} GB; `maxmemory` {used:.2f} / {NEAR_FULL} = "
            f"**{used / NEAR_FULL:.2f} GB**",
        ),
        Line(
            "Redis: CPU", f"{redis:.1f} µs an event where every customer is read (`uniform`)",
            f"{of.peak:,} × {redis:.1f} µs = **{of.peak * redis / million:.0%}** of one core",
        ),
        Line(
            "events partitions", "as many LABEL workers as there may ever be",
            f"{of.growth} × {of.peak:,} / ({worker:,} × {SHARE}) = {of.growth * of.peak / worker / SHARE:.1f}: "
            f"**{parts} partitions** at least",
        ),
        Line(
            "Kafka: disk", f"{event:,} bytes an event, before compression",
            f"{event:,} × {of.average:,} × {DAY:,} × {of.days} days × {of.copies} copies = "
            f"**{log * of.copies:,.0f} GB**; with INGEST the product topics as much again",
        ),
        Line(
            "Kafka: CPU", f"{kafka:.1f} µs an event (`uniform`)",
            f"{of.peak:,} × {kafka:.1f} µs = **{of.peak * kafka / million:.0%}** of one core",
        ),
        Line(
            "an hour without LABEL", f"{alone:,} events/s a worker that catches up, servers on its cores (`uniform`)",
            f"3,600 × {of.peak:,} / ({label} × {alone:,} − {of.peak:,}) = **{again / 60:.0f} minutes** of work",
        ),
    ]  # fmt: skip


def processes(events_per_s: int, reached: float) -> int:
    """How many processes do so many events a second."""
    return max(SPARE, math.ceil(events_per_s / (reached * SHARE)))


def table(results: dict[str, Any]) -> str:
    """The table for the page: the example, worked."""
    of = EXAMPLE
    rows = [f"| {line.what} | {line.measured} | {line.comes_to} |" for line in lines(results, of)]
    shop = f"{of.customers:,} customers, {of.peak:,} events/s at the peak and {of.average:,} on average"
    machine = f"{results['machine']['cores']} cores ({results['machine']['cpu']})"
    said = f"Measured on {machine}, {results['date']}, LEARN {results['trainer']['date']}."
    head = ["| what | measured | comes to |", "|---|---|---|"]
    return "\n".join([f"{shop}, logs of {of.days} days:", "", *head, *rows, "", said])
