"""How each feature is spread over the customers, as it is and as distances see it."""

from __future__ import annotations

from typing import Any

import numpy as np

from stream_seg.core.model import Float64
from stream_seg.core.plan import Column
from stream_seg.core.scaling import REACH
from stream_seg.explore.page import Section, paragraph, picture, rows, side_by_side
from stream_seg.explore.report.drawing import HALF, canvas, histogram
from stream_seg.explore.report.subject import Change, Chapter, Subject
from stream_seg.explore.report.units import listed, number, percent, signed

PICTURES = 30  # features that are drawn; a page of a thousand pictures is read by nobody
SKEWED = 1.5  # beyond it one tail is said to be long
FEW = 10  # different values below which a logarithm helps nobody
PILED = 0.5  # share of customers with one and the same value that is said


def distributions(subject: Subject) -> Chapter:
    """The section, with `log1p` proposed where a long tail owns the distance."""
    table = subject.table
    numeric = [i for i, column in enumerate(table.space.plan.columns) if column.feature.encode is None]
    told = [_told(subject, i) for i in numeric]
    inside = {column.name: f for f, column in enumerate(table.columns)}
    drawn, changes = list[str](), list[Change]()
    for i, one in zip(numeric, told, strict=True):
        column = table.space.plan.columns[i]
        if (f := inside.get(column.name)) is None:
            continue
        change = _longer_tail(column, one)
        changes += [change] if change else []
        if len(drawn) < PICTURES:
            drawn.append(_picture(subject, column, table.raw[:, i], f, one))
    parts = [
        paragraph(
            "On the left each feature as it was measured, on the right as a distance sees it: after its transform, in "
            "standard deviations from the mean of all customers. A feature whose few extreme customers lie far out on "
            "the right pulls the segments towards them."
        ),
        *([side_by_side(drawn)] if drawn else [paragraph("No feature in the distance is a number.")]),
    ]
    if len(inside) > len(drawn) == PICTURES:
        parts.append(paragraph(f"The first {PICTURES} features are drawn; the table has all of them."))
    parts += [paragraph(f"{one.name}: {one.why}") for one in changes]
    head = ["feature", "unit", "least", "¼ below", "½ below", "¾ below", "most", "same value"]
    parts.append(rows(head, [_row(one) for one in told], right=range(2, 8)))
    return Chapter(Section("How features are spread", "distributions", parts), {"features": told}, changes)


def _told(subject: Subject, i: int) -> dict[str, Any]:
    column = subject.table.space.plan.columns[i]
    unit = subject.unit(column)
    values = subject.table.raw[:, i] / unit.size
    least, low, middle, high, most = (float(v) for v in np.quantile(values, [0, 0.25, 0.5, 0.75, 1]))
    common, counts = np.unique(values, return_counts=True)
    found: dict[str, Any] = {
        "name": column.name, "unit": unit.name, "role": column.feature.role, "min": least, "q25": low, "median": middle,
        "q75": high, "max": most, "distinct": len(common), "most_common": float(common[counts.argmax()]),
        "most_common_share": float(counts.max() / len(values)), "skewness": skewness(values),
    }  # fmt: skip
    names = subject.table.names
    if column.name in names:
        f = names.index(column.name)
        found["skewness_after"] = skewness(subject.table.x[:, f])
        found["out_of_reach"] = int((np.abs(subject.table.z[:, f]) > REACH).sum())
    return found


def skewness(values: Float64) -> float:
    """The third standardised moment: 0 where both tails are alike, 2 for an exponential one; 0 where all are alike.

    >>> skewness(np.array([-1.0, 0.0, 1.0])), skewness(np.array([4.0, 4.0]))
    (0.0, 0.0)
    """
    unit = float(np.abs(values).max(initial=0.0)) or 1.0
    gaps = values / unit - (values / unit).mean()
    spread = float(np.sqrt((gaps * gaps).mean()))
    return float((gaps**3).mean() / spread**3) if spread > 1e-12 else 0.0


def _transform(column: Column) -> str:
    f = column.feature
    steps = [name for name, on in (("clip", f.clip), ("log1p", f.log1p), ("quantile clip", f.quantile_clip)) if on]
    return f"after {' and '.join(steps)}" if steps else "no transform"


def _picture(subject: Subject, column: Column, raw: Float64, f: int, told: dict[str, Any]) -> str:
    unit = subject.unit(column)
    with canvas(HALF, 2.1) as figure:
        left, right = figure.subplots(1, 2)
        beyond = histogram(left, raw / unit.size)
        left.set_xlabel(unit.name)
        left.set_title(column.name)
        histogram(right, subject.table.z[:, f])
        right.set_xlabel("standard deviations")
        right.set_ylabel("")
        right.set_title(_transform(column))
        for axes in (left, right):
            axes.locator_params(axis="x", nbins=4)
    return picture(figure, _said(told, beyond))


def _said(told: dict[str, Any], beyond: int) -> str:
    if told["distinct"] == 1:
        return f"{told['name']}: all customers have {number(told['min'])} {told['unit']}; it tells nobody apart."
    middle = (
        f"{told['name']} ({told['unit']}): half of the customers lie between {number(told['q25'])} and "
        f"{number(told['q75'])}."
    )
    before, after = told["skewness"], told["skewness_after"]
    tail = f" Skewness {signed(before)} before, {signed(after)} after the transform"
    tail += ": one long tail is left." if abs(after) > SKEWED else "."
    piled = told["most_common_share"]
    spike = f" {percent(piled)} have exactly {number(told['most_common'])}." if piled >= PILED else ""
    hidden = f" {beyond:,} extreme customers lie beyond the axis on the left." if beyond else ""
    return middle + tail + spike + hidden


def _longer_tail(column: Column, told: dict[str, Any]) -> Change | None:
    """`log1p` where the right tail is long in the distance and the logarithm makes it short."""
    f = column.feature
    if f.log1p or f.quantile_clip or told["min"] < 0 or told["distinct"] < FEW or told["skewness_after"] <= 2 * SKEWED:
        return None
    transform = [*([{"clip": list(f.clip)}] if f.clip else []), "log1p"]
    why = (
        f"its right tail is long (skewness {told['skewness_after']:.1f}): few customers own the distance; the "
        f"logarithm weighs a doubling the same everywhere"
    )
    return Change(column.name, {"transform": transform}, why)


def _row(one: dict[str, Any]) -> list[str]:
    cells = [number(one[key]) for key in ("min", "q25", "median", "q75", "max")]
    same = f"{percent(one['most_common_share'])} have {number(one['most_common'])}"
    name = one["name"] if one["role"] == "feature" else f"{one['name']} (outcome)"
    return [name, one["unit"], *cells, same]


def summary(told: list[dict[str, Any]]) -> str:
    """The features that keep a long tail, in a sentence; empty where there is none."""
    long = [one["name"] for one in told if abs(one.get("skewness_after", 0.0)) > SKEWED]
    return f"{listed(long)} keep{'s' if len(long) == 1 else ''} a long tail after the transform." if long else ""
