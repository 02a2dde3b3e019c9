"""Recipes on the clickstream by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from tests.docs.recipes.case import GRID, Between, Case, Values, estimate, led, quotient, since, spread
from tests.docs.recipes.example import Segment, days, minutes, percent, plain, two
from tests.docs.recipes.rows import DAY, DataSet, Row, matching, total

STEPS = ("Products Searched", "Product Viewed", "Product Added", "Order Completed")
USES = {
    "searches": "Products Searched", "views": "Product Viewed", "adds": "Product Added", "orders": "Order Completed",
    "opens": "Email Opened",
}  # fmt: skip
GAP = 30 * 60_000


def count(rows: Iterable[Row], *events: str) -> int:
    return len(list(matching(rows, *events)))


def per_customer(of: DataSet, *events: str) -> Mapping[str, float]:
    """How many of some events each customer had afterwards."""
    return {customer: float(count(rows, *events)) for customer, rows in of.afterwards.items()}


# --- what is sent back


def _returns(of: DataSet, customer: str) -> Values:
    rows = of.within(customer, 84, 12)
    revenue, refunded = total(rows, "revenue"), total(rows, "amount")
    return {
        "orders_84d": count(rows, "Order Completed"),
        "revenue_84d": revenue,
        "refunded_84d": refunded,
        "return_share": quotient(refunded, revenue),
    }


def _returned_later(of: DataSet) -> Mapping[str, float]:
    return {
        customer: quotient(count(rows, "Order Refunded"), count(rows, "Order Completed"))
        for customer, rows in of.afterwards.items()
    }


def _returns_say(found: list[Segment]) -> list[str]:
    most, least = led(found)
    return [f"{two(most.later)} orders sent back for each one made, against {two(least.later)}"]


# --- subscription feature diversity


def _uses(of: DataSet, customer: str) -> Values:
    rows = of.within(customer, 28)
    counts = {f"{name}_28d": count(rows, event) for name, event in USES.items()}
    used = [row.event for row in matching(rows, *USES.values())]
    first = datetime.fromtimestamp(of.at / 1000, UTC).date() - timedelta(days=27)  # the day of the instant counts
    dates = {datetime.fromtimestamp(row.time / 1000, UTC).date() for row in of.of[customer]}
    return {
        **counts,
        "features_used_28d": estimate(used),
        "feature_mix": quotient(len(used) ** 2, sum(n * n for n in counts.values())),
        "active_days_28d": sum(date >= first for date in dates),
    }


def _active_later(of: DataSet) -> Mapping[str, float]:
    return {customer: float(len({row.time // DAY for row in rows})) for customer, rows in of.afterwards.items()}


def _uses_say(found: list[Segment]) -> list[str]:
    most, least = led(found)
    return [f"{plain(most.later)} active days against {plain(least.later)}"]


# --- onboarding completion


def _onboarding(of: DataSet, customer: str) -> Values:
    rows = of.of[customer]
    orders = [row.time for row in matching(rows, "Order Completed")]
    known, ordering = since(of, rows[0].time), since(of, orders[0]) if orders else 0.0
    life, since_order = (of.at - rows[0].time) / 1000, (of.at - orders[0]) / 1000 if orders else 0.0
    behind = max((of.at - rows[-1].time) / 1000 / 17, GRID)  # at most, and as much for both
    least = max(since_order - behind, 0.0) / max(life - behind, 1e-9) if life > behind else 0.0
    return {
        "steps_done": estimate(row.event for row in matching(of.within(customer, 364, 4), *STEPS)),
        "since_first_event": known,
        "since_first_order": ordering,
        "activated_share": Between(least, max(since_order / life, 0.0)) if orders else 0.0,
    }


def _orders_later(of: DataSet) -> Mapping[str, float]:
    return per_customer(of, "Order Completed")


def _onboarding_says(found: list[Segment]) -> list[str]:
    most, least = led(found)
    return [f"{two(most.later)} orders against {two(least.later)}"]


# --- session timing


def _evening(row: Row) -> bool:
    return datetime.fromtimestamp(row.time / 1000, UTC).hour >= 17


def _weekend(row: Row) -> bool:
    return datetime.fromtimestamp(row.time / 1000, UTC).weekday() >= 5


def _timing(of: DataSet, customer: str) -> Values:
    rows = list(matching(of.within(customer, 84, 12), "Product Viewed"))
    evening, weekend = sum(map(_evening, rows)), sum(map(_weekend, rows))
    return {
        "views_84d": len(rows),
        "evening_views_84d": evening,
        "evening_share": quotient(evening, len(rows), 0.3),
        "weekend_views_84d": weekend,
        "weekend_share": quotient(weekend, len(rows), 0.29),
    }


def _weekend_later(of: DataSet) -> Mapping[str, float]:
    found = {}
    for customer, every in of.afterwards.items():
        rows = list(matching(every, "Product Viewed"))
        found[customer] = quotient(sum(map(_weekend, rows)), len(rows))
    return found


def _timing_says(found: list[Segment]) -> list[str]:
    most, least = led(found)
    return [f"at weekends later: {spread(most, least, percent)} of their views"]


# --- time on site


def visits(rows: Iterable[Row], begin: int) -> tuple[int, float]:
    """Visits that began, and seconds on site, from `begin` on."""
    number, seconds, last = 0, 0.0, 0
    for row in rows:
        if row.event in ("Email Opened", "Order Refunded") or row.time <= last:
            continue
        within = last and row.time - last <= GAP
        if row.time >= begin:
            number += not within
            seconds += (row.time - last) / 1000 if within else 0.0
        last = row.time
    return number, seconds


def _on_site(of: DataSet, customer: str) -> Values:
    number, seconds = visits(of.of[customer], of.begin(customer, 28))
    views = count(of.within(customer, 28), "Product Viewed")
    return {
        "visits_28d": number,
        "seconds_28d": seconds,
        "seconds_a_visit": quotient(seconds, number),
        "views_28d": views,
        "views_a_visit": quotient(views, number),
    }


def _visits_later(of: DataSet) -> Mapping[str, float]:
    return {customer: float(visits(rows, of.at)[0]) for customer, rows in of.afterwards.items()}


def _on_site_says(found: list[Segment]) -> list[str]:
    most, least = led(found)
    return [f"{plain(most.later)} visits against {plain(least.later)}"]


# --- time since the last open


def _opens(of: DataSet, customer: str) -> Values:
    rows = of.of[customer]
    opened = [row.time for row in matching(rows, "Email Opened")]
    return {
        "since_open": since(of, opened[-1] if opened else rows[0].time),
        "opens_84d": count(of.within(customer, 84, 12), "Email Opened"),
        "since_seen": since(of, rows[-1].time),
    }


def _opens_later(of: DataSet) -> Mapping[str, float]:
    return per_customer(of, "Email Opened")


def _opens_say(found: list[Segment]) -> list[str]:
    most, least = led(found)
    return [f"{two(most.later)} opens against {two(least.later)}"]


CASES = {
    "returns": Case(
        _returns, 3, {"orders_84d": plain, "revenue_84d": plain, "return_share": percent}, _returned_later, two,
        _returns_say,
    ),
    "subscription-feature-diversity": Case(
        _uses, 3, {"features_used_28d": plain, "feature_mix": two, "active_days_28d": plain}, _active_later, plain,
        _uses_say,
    ),
    "onboarding-completion": Case(
        _onboarding, 3, {"steps_done": plain, "since_first_event": days, "activated_share": percent}, _orders_later,
        two, _onboarding_says,
    ),
    "session-timing": Case(
        _timing, 3, {"evening_share": percent, "weekend_share": percent, "views_84d": plain}, _weekend_later, percent,
        _timing_says,
    ),
    "time-on-site": Case(
        _on_site, 3, {"visits_28d": plain, "seconds_a_visit": minutes, "views_a_visit": plain}, _visits_later, plain,
        _on_site_says,
    ),
    "time-since-last-open": Case(
        _opens, 3, {"since_open": days, "opens_84d": plain, "since_seen": days}, _opens_later, two, _opens_say
    ),
}  # fmt: skip
