"""Recipes on the grocery year by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from tests.docs.recipes.case import Between, Case, Values, estimate, led, quotient, since, spread
from tests.docs.recipes.example import Segment, days, percent, plain, two, whole
from tests.docs.recipes.page import recipe
from tests.docs.recipes.rows import DAY, DataSet, Row, matching, total

FRESH = {"PRODUCE", "MEAT", "SEAFOOD", "DELI", "SALAD BAR", "FLORAL"}
HOUSEHOLD = {"DRUG GM", "COSMETICS", "NUTRITION"}
PARTS = {"fresh": FRESH, "household": HOUSEHOLD, "pantry": {"GROCERY"}}
TASTES = {
    "produce": {"PRODUCE"},
    "meat": {"MEAT", "MEAT-PCKGD"},
    "deli": {"DELI", "SALAD BAR", "PASTRY"},
    "drinks": {"SOFT DRINKS", "ISOTONIC DRINKS", "BEERS/ALES"},
    "snacks": {"BAG SNACKS", "CANDY - CHECKLANE", "CANDY - PACKAGED", "COOKIES/CONES"},
    "frozen": {"FRZN MEAT/MEAT DINNERS", "FROZEN PIZZA", "ICE CREAM/MILK/SHERBTS"},
    "dairy": {"FLUID MILK PRODUCTS", "YOGURT", "CHEESE", "EGGS"},
}
AGES = ["19-24", "25-34", "35-44", "45-54", "55-64", "65+"]


def lines(rows: Iterable[Row]) -> list[Row]:
    """What was bought: no voided items, no coupon slips."""
    return [row for row in matching(rows, "Product Purchased") if row.properties["quantity"] > 0]


def share(rows: list[Row], where: Callable[[Row], bool], empty: float = 0.0) -> float:
    """Of some rows, how many."""
    return quotient(sum(map(where, rows)), len(rows), empty)


def later_share(where: Callable[[Row], bool]) -> Callable[[DataSet], Mapping[str, float]]:
    """The same of the lines of the 84 days after."""
    return lambda of: {customer: share(lines(rows), where) for customer, rows in of.afterwards.items()}


def in_departments(departments: set[str]) -> Callable[[Row], bool]:
    """Whether a line is of one of them."""
    return lambda row: row.properties["department"] in departments


# --- discount sensitivity


def _discounted(row: Row) -> bool:
    return bool(row.properties["discount"] > 0)


def _discounts(of: DataSet, customer: str) -> Values:
    every = list(matching(of.within(customer, 84, 12), "Product Purchased"))
    bought, spend, discount = lines(every), total(every, "price"), total(every, "discount")
    return {
        "lines_84d": len(bought),
        "discounted_lines_84d": sum(map(_discounted, bought)),
        "discounted_share": share(bought, _discounted, 0.5),
        "spend_84d": spend,
        "discount_84d": discount,
        "discount_depth": quotient(discount, spend, 0.2),
        "coupons_84d": total(every, "coupon"),
    }


def _discounts_say(found: list[Segment]) -> list[str]:
    most, least = led(found)
    return [f"at a discount later: {spread(most, least, percent)} of their lines"]


# --- basket composition


def _baskets(of: DataSet, customer: str) -> Values:
    rows = of.within(customer, 84, 12)
    orders, every = list(matching(rows, "Order Completed")), list(matching(rows, "Product Purchased"))
    money = [total(every, "price", in_departments(part)) for part in PARTS.values()]
    small = sum(order.properties["items"] <= 3 for order in orders)
    return {
        "orders_84d": len(orders),
        "basket_size": quotient(total(orders, "items"), len(orders)),
        "departments_a_basket": quotient(total(orders, "departments"), len(orders)),
        "small_baskets_84d": small,
        "small_share": quotient(small, len(orders)),
        "departments_84d": estimate(row.properties["department"] for row in lines(rows)),
        **{f"{name}_84d": amount for name, amount in zip(PARTS, money, strict=True)},
        "variety": quotient(sum(money) ** 2, sum(amount**2 for amount in money)),
    }


def _baskets_say(found: list[Segment]) -> list[str]:
    most, least = led(found)
    return [f"{spread(most, least, whole)} for those who {least.name.replace(', ', ' and ')}"]


# --- co-purchase affinity


def _taste(of: DataSet, customer: str) -> Values:
    counts = dict.fromkeys(TASTES, 0)
    for row in matching(of.within(customer, 168, 12), "Product Purchased"):
        for name, wanted in TASTES.items():
            kind = "department" if name in ("produce", "meat", "deli") else "category"
            counts[name] += row.properties[kind] in wanted
    values: dict[str, float] = {f"buys_{name}": count for name, count in counts.items()}
    bought = sum(counts.values())
    for feature in recipe("co-purchase-affinity").definition.features:
        if feature.weights:
            weighed = sum(w * count for w, count in zip(feature.weights, counts.values(), strict=True))
            values[feature.name] = quotient(weighed, bought)
    return values


def _produce(row: Row) -> bool:
    return bool(row.properties["department"] == "PRODUCE")


def _taste_says(found: list[Segment]) -> list[str]:
    most, least = led(found)
    return [f"Produce is {spread(most, least, percent)} of what they buy later"]


# --- category mix


def _mix(of: DataSet, customer: str) -> Values:
    every = list(matching(of.within(customer, 84, 12), "Product Purchased"))
    spend = total(every, "price")
    found = {"spend_84d": spend}
    for name, departments in (("fresh", FRESH), ("household", HOUSEHOLD), ("fuel", {"FUEL"})):
        money = total(every, "price", in_departments(departments))
        found |= {f"{name}_84d": money, f"{name}_share": quotient(money, spend)}
    return found


def _fresh_later(of: DataSet) -> Mapping[str, float]:
    found = {}
    for customer, rows in of.afterwards.items():
        bought = list(matching(rows, "Product Purchased"))
        fresh = total(bought, "price", lambda row: row.properties["department"] in FRESH)
        found[customer] = quotient(fresh, total(bought, "price"))
    return found


def _mix_says(found: list[Segment]) -> list[str]:
    most, least = led(found)
    return [f"fresh food is {spread(most, least, percent)} of what they spend later"]


# --- replenishment cycle


def _milk(rows: Iterable[Row]) -> list[Row]:
    return [row for row in matching(rows, "Order Completed") if row.properties["milk"] > 0]


def _cycle(of: DataSet, customer: str) -> Values:
    rows = of.of[customer]
    times = [row.time for row in _milk(rows)]
    last = since(of, times[-1] if times else rows[0].time)
    if len(times) > 1:
        gap = (times[-1] - times[0]) / 1000 / (len(times) - 1)
        cycle = Between(gap, gap)
    else:
        cycle = since(of, rows[0].time)
    return {
        "milk_cycle": cycle,
        "milk_since": last,
        "milk_due": Between(last.low / cycle.high, last.high / cycle.low) if cycle.low else 0.0,
        "milk_orders_84d": len(_milk(of.within(customer, 84, 12))),
    }


def _milk_later(of: DataSet) -> Mapping[str, float]:
    return {
        customer: float(any(row.time < of.at + 14 * DAY for row in _milk(rows)))
        for customer, rows in of.afterwards.items()
    }


def _cycle_says(found: list[Segment]) -> list[str]:
    most, least = led(found)
    return [f"{percent(most.later)} of those who {most.name.split(', ')[0]} buy milk within two weeks",
            f"{percent(least.later)} of those who {least.name.split(', ')[0]}"]  # fmt: skip


# --- channel preference


def _mailed(row: Row) -> bool:
    return bool(row.properties["promotion"] == "mailer")


def _displayed(row: Row) -> bool:
    return bool(row.properties["promotion"] == "display")


def _channels(of: DataSet, customer: str) -> Values:
    bought = lines(of.within(customer, 84, 12))
    return {
        "lines_84d": len(bought),
        "mailer_lines_84d": sum(map(_mailed, bought)),
        "mailer_share": share(bought, _mailed, 0.15),
        "display_lines_84d": sum(map(_displayed, bought)),
        "display_share": share(bought, _displayed, 0.06),
    }


def _channels_say(found: list[Segment]) -> list[str]:
    most, least = led(found)
    return [f"the mailer later: {spread(most, least, percent)} of their lines"]


# --- responsiveness to messages


def _responses(of: DataSet, customer: str) -> Values:
    rows = of.within(customer, 168, 12)
    messages, answers = (len(list(matching(rows, event))) for event in ("Campaign Received", "Coupon Redeemed"))
    return {
        "messages_168d": messages, "answers_168d": answers, "responsiveness": quotient(answers, messages),
    }  # fmt: skip


def _redeemed_later(of: DataSet) -> Mapping[str, float]:
    return {customer: float(len(list(matching(rows, "Coupon Redeemed")))) for customer, rows in of.afterwards.items()}


def _responses_say(found: list[Segment]) -> list[str]:
    best, _ = led(found)
    everybody, redeemed = sum(one.size for one in found), sum(one.later * one.size for one in found)
    size, share_ = percent(best.size / everybody), percent(best.later * best.size / redeemed)
    return [f"{size} of the households redeem {share_} of the coupons"]


# --- age bands


def _ages(of: DataSet, customer: str) -> Values:
    told = [row.traits["age"] for row in matching(of.of[customer], "identify") if "age" in row.traits]
    band = told[-1] if told else "unknown"
    return {
        **{f"age_band={name}": float(name == band) for name in ("unknown", *AGES)},
        "age": AGES.index(band) + 1 if told else 0,
    }


def _spent_later(of: DataSet) -> Mapping[str, float]:
    return {customer: total(lines(rows), "price") for customer, rows in of.afterwards.items()}


def _ages_say(found: list[Segment]) -> list[str]:
    most, least = led(found)
    return [f"{whole(most.later)} against {whole(least.later)}"]


# --- location


def _stores(rows: Iterable[Row]) -> set[str]:
    return {row.properties["store"] for row in lines(rows)}


def _places(of: DataSet, customer: str) -> Values:
    rows = of.within(customer, 84, 12)
    stores, orders = estimate(_stores(rows)), len(list(matching(rows, "Order Completed")))
    return {
        "stores_84d": stores,
        "orders_84d": orders,
        "orders_a_store": Between(orders / stores.high, orders / stores.low) if stores.low else 0.0,
    }


def _stores_later(of: DataSet) -> Mapping[str, float]:
    return {customer: float(len(_stores(rows))) for customer, rows in of.afterwards.items()}


def _places_say(found: list[Segment]) -> list[str]:
    most, least = led(found)
    return [f"{plain(most.later)} places against {plain(least.later)}"]


CASES = {
    "discount-sensitivity": Case(
        _discounts, 3, {"discounted_share": percent, "discount_depth": percent, "coupons_84d": plain},
        later_share(_discounted), percent, _discounts_say,
    ),
    "basket-composition": Case(
        _baskets, 3, {"orders_84d": plain, "basket_size": plain, "departments_84d": plain, "variety": two},
        _spent_later, whole, _baskets_say,
    ),
    "co-purchase-affinity": Case(
        _taste, 3, {"affinity_1": two, "affinity_2": two}, later_share(_produce), percent, _taste_says
    ),
    "category-mix": Case(
        _mix, 4, {"fresh_share": percent, "household_share": percent, "fuel_share": percent, "spend_84d": whole},
        _fresh_later, percent, _mix_says,
    ),
    "replenishment-cycle": Case(
        _cycle, 3, {"milk_cycle": days, "milk_since": days, "milk_due": two, "milk_orders_84d": plain},
        _milk_later, percent, _cycle_says,
    ),
    "channel-preference": Case(
        _channels, 3, {"mailer_share": percent, "display_share": percent, "lines_84d": whole},
        later_share(_mailed), percent, _channels_say,
    ),
    "responsiveness-to-messages": Case(
        _responses, 3, {"messages_168d": plain, "answers_168d": plain, "responsiveness": two},
        _redeemed_later, two, _responses_say,
    ),
    "age-bands": Case(_ages, 5, {"age": plain}, _spent_later, whole, _ages_say),
    "location": Case(
        _places, 3, {"stores_84d": plain, "orders_84d": plain, "orders_a_store": plain}, _stores_later, plain,
        _places_say,
    ),
}  # fmt: skip
