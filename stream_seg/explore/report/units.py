"""What a feature's number is a number of: units and readable numbers for axes, tables and sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from stream_seg.core.definition import DAY, HOUR, Feature
from stream_seg.core.plan import Column

_DAY_S = DAY / 1000
TOTALS = {"count", "sum", "distinct", "distinct_days", "sessions", "time_on_site", "decayed_sum"}


class Unit(NamedTuple):
    """Values are shown divided by `size`, as so many `name`."""

    name: str
    size: float = 1.0


def unit_of(column: Column, features: Sequence[Feature]) -> Unit:
    """The unit of a column, in the words of its configuration; `features`: all of them, for those made of two.

    >>> spend = Feature(name="spend", aggregate="sum", field="properties.revenue", window=28 * DAY)
    >>> unit_of(Column(spend), [spend])
    Unit(name='sum of revenue, 28 days', size=1.0)
    >>> unit_of(Column(Feature(name="silence", aggregate="recency")), [])
    Unit(name='days', size=86400.0)
    """
    f = column.feature
    if column.part is not None:
        return Unit("0 no, 1 yes")
    leaf = (f.field or "").rpartition(".")[2]
    over = f", {_span(f.window)}" if f.window else ""
    match f.aggregate:
        case "count":
            return Unit((f"events with {leaf}" if leaf else "events") + over)
        case "sum" | "mean" | "max" | "min":
            how = {"sum": "sum of", "mean": "mean", "max": "greatest", "min": "least"}[f.aggregate]
            return Unit(f"{how} {leaf}{' per event' if f.aggregate == 'mean' else ''}{over}")
        case "decayed_sum":
            what = f"sum of {leaf}" if leaf else "events"
            return Unit(f"{what}, halved every {_span(f.half_life or DAY)}")
        case "distinct_days":
            return Unit(f"days with events{over}")
        case "distinct":
            return Unit(f"different values of {leaf}{over}")
        case "recency" | "tenure" | "mean_gap":
            return Unit("days", _DAY_S)
        case "sessions":
            return Unit(f"sessions{over}")
        case "time_on_site":
            return Unit(f"hours{over}", 3600.0)
        case "projection":
            return Unit("weighted mean of shares")
        case "diversity":
            return Unit("equal parts that it is worth")
        case "ratio":
            return Unit(_ratio(f, features))
        case "trend":
            return Unit("times the usual rate (1: as usual)")
        case "latest":
            return Unit(f"code of {leaf}, 0: unknown" if f.encode else leaf)


def _ratio(f: Feature, features: Sequence[Feature]) -> str:
    by_name = {one.name: one for one in features}
    a, b = (by_name.get(name) for name in f.of or ("", ""))
    if a is not None and b is not None and (a.aggregate, a.field, a.window) == (b.aggregate, b.field, b.window):
        return "share, 0 to 1"
    return " per ".join(f.of or ())


def _span(ms: int) -> str:
    return f"{ms / DAY:g} days" if ms >= DAY else f"{ms / HOUR:g} hours"


def is_total(feature: Feature) -> bool:
    """Whether it grows with how much a customer does, so that two of its kind say the same twice."""
    return feature.aggregate in TOTALS


def number(value: float) -> str:
    """A number as people read it.

    >>> number(1234.56), number(12.34), number(0.1234), number(0.0), number(3e-7)
    ('1,235', '12.3', '0.123', '0', '3e-07')
    """
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    if abs(value) >= 100:
        return f"{value:,.0f}" if abs(value) < 1e15 else f"{value:.3g}"
    return f"{value:.3g}"


def signed(value: float, places: int = 1) -> str:
    """With its sign; nothing has none.

    >>> signed(0.26), signed(-0.04), signed(-0.8, 2)
    ('+0.3', '0', '−0.80')
    """
    said = f"{value:+.{places}f}"
    return "0" if float(said) == 0 else said.replace("-", "−")


def percent(share: float) -> str:
    """A share as people read it; what is not nothing is not said to be nothing.

    >>> percent(0.5), percent(0.0312), percent(0.0004), percent(0.0)
    ('50 %', '3.1 %', 'under 0.1 %', '0 %')
    """
    if 0 < share < 0.001:
        return "under 0.1 %"
    return f"{share * 100:.0f} %" if share >= 0.0995 or share == 0 else f"{share * 100:.1f} %"


def listed(names: Sequence[str], most: int = 6) -> str:
    """Names in a sentence.

    >>> listed(["a", "b", "c"]), listed(["a", "b", "c"], 2)
    ('a, b and c', 'a, b and 1 more')
    """
    shown = list(names[:most]) + ([f"{len(names) - most} more"] if len(names) > most else [])
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
