"""Recipes on CDNOW by hand."""

from __future__ import annotations

from collections.abc import Mapping

from tests.docs.recipes.case import Case, Values, quotient, since
from tests.docs.recipes.example import Segment, days, percent, plain, whole
from tests.docs.recipes.rows import DataSet, total


def _by_hand(of: DataSet, customer: str) -> Values:
    rows = of.within(customer, 360, 12)
    revenue = total(rows, "revenue")
    return {
        "silence": since(of, of.of[customer][-1].time),
        "orders_360d": len(rows),
        "revenue_360d": revenue,
        "order_value_360d": quotient(revenue, len(rows)),
    }


def _later(of: DataSet) -> Mapping[str, float]:
    return {customer: total(rows, "revenue") for customer, rows in of.afterwards.items()}


def _says(found: list[Segment]) -> list[str]:
    best = max(found, key=lambda segment: segment.later)
    customers, revenue = sum(one.size for one in found), sum(one.later * one.size for one in found)
    size, brought = percent(best.size / customers), percent(best.later * best.size / revenue)
    return [f"{size} of the customers, who {best.name.replace(', ', ' and ')}, bring {brought} of the revenue"]


CASES = {
    "recency-frequency-monetary": Case(
        _by_hand, 4, {"silence": days, "orders_360d": plain, "order_value_360d": plain}, _later, whole, _says
    ),
}
