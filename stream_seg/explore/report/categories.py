"""Which categories customers have: the whole population first, then each segment against it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from stream_seg.core.definition import Feature
from stream_seg.core.profile import UNKNOWN, category_of
from stream_seg.explore.page import Section, paragraph, picture, rows
from stream_seg.explore.report.drawing import WHOLE, canvas, colour, marker, short
from stream_seg.explore.report.subject import Chapter, Subject
from stream_seg.explore.report.units import listed, percent

SHOWN = 14  # categories of a feature in its picture
LEAST = 30  # customers below which a share says little


def values_of(subject: Subject, feature: Feature) -> list[str]:
    """(n,) the category of each customer, `unknown` for none; those not listed too, where events were looked at."""
    named = subject.observed.categories(feature.name, subject.table.customers)
    if named is not None:
        return [UNKNOWN if one is None else one for one in named]
    at = subject.at(feature)
    parts = [subject.table.space.plan.columns[i].part for i in at]
    return [category_of(feature, parts, row) for row in subject.table.raw[:, at]]


def categorical(subject: Subject) -> list[Feature]:
    """The features that are categories."""
    return [one for one in subject.definition.features if one.encode is not None]


def categories(subject: Subject) -> Chapter:
    """The section."""
    features = categorical(subject)
    figures = dict[str, Any]()
    if not features:
        text = (
            "No feature is a category. One becomes a feature by `aggregate: latest` with `encode` (docs/features.md); "
            "then this section shows who has which, in each segment against the whole population."
        )
        return Chapter(Section("Categories", "categories", [paragraph(text)]), figures)
    parts = [
        paragraph(
            "The bar is the whole population, the baseline. A mark to the right of its end is a segment in which the "
            "category is more frequent than among all, a mark inside the bar one in which it is rarer."
        )
    ]
    for feature in features:
        told = _told(subject, feature)
        figures[feature.name] = told
        parts += [_picture(subject, feature, told), _table(told)]
    return Chapter(Section("Categories", "categories", parts), figures)


def _told(subject: Subject, feature: Feature) -> dict[str, Any]:
    values = values_of(subject, feature)
    labels, k = subject.segments.labels, subject.segments.k
    counts = Counter(values)
    order = [*_order(feature, counts), *([UNKNOWN] if UNKNOWN in counts else [])]
    array = np.array(values)
    sizes = np.bincount(labels, minlength=k)
    shares = {
        value: {
            "customers": counts[value],
            "share": counts[value] / subject.n,
            "segments": [float((array[labels == i] == value).mean()) if sizes[i] else 0.0 for i in range(k)],
        }
        for value in order
    }
    unlisted = [value for value in order if feature.categories and value not in feature.categories and value != UNKNOWN]
    return {
        "encode": feature.encode, "distinct": len(counts) - (UNKNOWN in counts), "categories": shares,
        "unlisted": unlisted, "unlisted_share": sum(counts[value] for value in unlisted) / subject.n,
    }  # fmt: skip


def _order(feature: Feature, counts: Counter[str]) -> list[str]:
    """As it is declared, where it is; else the most frequent first."""
    present = sorted((value for value in counts if value != UNKNOWN), key=lambda value: (-counts[value], value))
    listed_ = [value for value in feature.categories if value in counts]
    return [*listed_, *(value for value in present if value not in listed_)]


def _picture(subject: Subject, feature: Feature, told: dict[str, Any]) -> str:
    shown = list(told["categories"].items())
    rest, shown = shown[SHOWN:], shown[:SHOWN]
    with canvas(WHOLE, 1.4 + 0.3 * max(len(shown), 2)) as figure:
        axes = figure.subplots()
        places = np.arange(len(shown))
        axes.barh(places, [100 * one["share"] for _, one in shown], color="#D9D9D9", height=0.75, label="all")
        for i in range(subject.segments.k):
            axes.plot(
                [100 * one["segments"][i] for _, one in shown], places, linestyle="", marker=marker(i), color=colour(i),
                markersize=6, alpha=0.9, label=f"segment {i}",
            )  # fmt: skip
        axes.set_yticks(places, labels=[short(name) for name, _ in shown])
        axes.invert_yaxis()
        axes.set_xlabel("% of all customers, of those of a segment")
        axes.set_title(feature.name)
        figure.legend(loc="outside lower left", ncols=4, handletextpad=0.2, columnspacing=1.0)
    return picture(figure, _said(subject, feature, told, [name for name, _ in rest]), broad=True)


def _said(subject: Subject, feature: Feature, told: dict[str, Any], rest: Sequence[str]) -> str:
    shares = told["categories"]
    top = max(shares, key=lambda value: shares[value]["share"])
    said = f"{feature.name}: {top} is the most frequent, {percent(shares[top]['share'])} of all customers."
    sizes = np.bincount(subject.segments.labels, minlength=subject.segments.k)
    apart = [
        (one["segments"][i] - one["share"], i, value)
        for value, one in shares.items() for i in range(subject.segments.k) if sizes[i] >= LEAST
    ]  # fmt: skip
    if apart:
        gap, i, value = max(apart, key=lambda one: abs(one[0]))
        said += (
            f" The farthest from the baseline: {value} in segment {i} ({subject.segments.names[i]}), "
            f"{percent(shares[value]['segments'][i])} instead of {percent(shares[value]['share'])}"
            f"{', hardly a difference' if abs(gap) < 0.05 else ''}."
        )
    if told["unlisted"]:
        said += (
            f" Not listed in the configuration and so unknown to segments: {listed(told['unlisted'], 4)} "
            f"({percent(told['unlisted_share'])})."
        )
    if rest:
        said += f" Not drawn: the {len(rest)} rarest."
    return said


def _table(told: dict[str, Any]) -> str:
    body = [
        [value, f"{one['customers']:,}", percent(one["share"]), *(percent(share) for share in one["segments"])]
        for value, one in list(told["categories"].items())[:SHOWN]
    ]
    k = len(body[0]) - 3 if body else 0
    return rows(["category", "customers", "of all", *(f"of seg. {i}" for i in range(k))], body, right=range(1, 3 + k))
