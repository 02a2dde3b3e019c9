"""The page of the comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stream_seg.core.model import Float64
from stream_seg.explore.compare import figures
from stream_seg.explore.compare.comparison import Comparison
from stream_seg.explore.compare.serving import ALL, EACH, LOSS, NOISE
from stream_seg.explore.compare.stability import KEPT, ROUNDS
from stream_seg.explore.compare.validity import DBCV_OF, SILHOUETTE_OF
from stream_seg.explore.page import Section, page, paragraph, picture, rows, warning


def report(title: str, about: Sequence[str], found: Comparison, z: Float64, told: dict[str, Any]) -> str:
    """The whole page. `about`: sentences on what was compared; `told`: the document."""
    sections = [
        Section("What to do", "advice", _advice(found, told)),
        Section("The methods side by side", "methods", _methods(found, told)),
        Section("Who agrees with whom", "agreement", _agreement(found)),
        Section("The same customers, each method's groups", "maps", _maps(found, z)),
        Section("A tree of segments", "tree", _tree(found, told)),
        Section("Small groups", "niches", _niches(told)),
        Section("Can it be served?", "serving", _serving(told)),
        Section("How parameters were chosen", "parameters", _parameters(found, z, told)),
    ]
    return page(title, [paragraph(one) for one in about], sections)


def figure(value: float | None, form: str = ".2f") -> str:
    """A figure or a dash.

    >>> figure(0.5), figure(None)
    ('0.50', '–')
    """
    return "–" if value is None else format(value, form)


def _advice(found: Comparison, told: dict[str, Any]) -> list[str]:
    first, second, *others = told["advice"]
    stands = found.structure.by_centres or found.structure.by_density
    return [paragraph(first), paragraph(second) if stands else warning(second), *(paragraph(one) for one in others)]


def _methods(found: Comparison, told: dict[str, Any]) -> list[str]:
    head = ["method", "finds groups by", "groups", "smallest", "in none", "silhouette", "DBCV", "found again", "served"]
    body = [
        [
            one["method"], one["kind"], str(one["groups"]), _smallest(one), f"{one['noise']:.1%}",
            figure(one["silhouette"]), figure(one["dbcv"]), figure(one["stability"]["mean"]), one["serving"]["verdict"],
        ]
        for one in told["methods"]
    ]  # fmt: skip
    said = [
        rows(head, body, right=range(2, 8)),
        paragraph(
            "Silhouette and DBCV are near 1 where groups stand apart and below 0 where they are mixed up. Silhouette "
            "rewards round groups and looks at those who are in one; DBCV rewards dense groups of any shape, and "
            f"customers in none count against it. Both compare each customer with each, so they are of at most "
            f"{SILHOUETTE_OF:,} and {DBCV_OF:,} customers drawn with the seed."
        ),
        paragraph(
            f"Found again: adjusted Rand between these groups and those of {ROUNDS} fits without "
            f"{1 - KEPT:.0%} of the customers or more, on average; 1 is the same, 0 is chance."
        ),
        paragraph(
            "Seconds and memory of each method are in timings.json beside this page: they are of the machine that "
            "made it, and everything on this page is the same again on any run."
        ),
    ]
    said += [warning(f"{one['method']}: {note}") for one in told["methods"] for note in one["notes"]]
    said += [warning(f"{name} came to no result ({why}) and is missing here.") for name, why in found.could_not.items()]
    return said


def _smallest(one: dict[str, Any]) -> str:
    total = sum(one["sizes"])
    return f"{min(one['sizes']) / total:.1%}" if total else "–"


def _agreement(found: Comparison) -> list[str]:
    caption = (
        "Below the diagonal the adjusted Rand index (pairs of customers), above it adjusted mutual information: "
        "yellow and near 1 where two methods find the same groups, blue and near 0 where only chance agrees."
    )
    shown = picture(figures.matrix(found), caption, broad=True)
    return [shown, paragraph("Customers in no group count as a group of their own.")]


def _maps(found: Comparison, z: Float64) -> list[str]:
    caption = (
        f"At most {figures.DOTS} customers, at the same place for each method, by the two directions in which "
        "customers differ most; colour and shape are the groups from the largest down, a grey cross is nobody's. "
        "Two directions do not show all: groups that overlap here may be apart in others."
    )
    return [picture(figures.maps(z, found), caption, broad=True)]


def _tree(found: Comparison, told: dict[str, Any]) -> list[str]:
    caption = (
        "Ward's tree from its top: the higher two branches join, the less alike they are. A dashed line cuts it into "
        "the number of segments beside it; a long way between two lines means that a number in between is natural."
    )
    said = [picture(figures.dendrogram(found.tree), caption, broad=True)]
    body = []
    for level in told["tree"]:
        total = sum(level["sizes"])
        for group, (name, size) in enumerate(zip(level["names"], level["sizes"], strict=True)):
            inside = "–" if level["inside"] is None else str(level["inside"][group])
            body.append([f"{level['level']} ({level['groups']})", str(group), name, f"{size / total:.1%}", inside])
    said.append(rows(["level", "group", "what sets it apart", "share", "part of group"], body, right=[1, 3, 4]))
    said.append(
        paragraph("Part of: the group of the level above it. The columns tree_… of labels.csv say who is where.")
    )
    return said


def _niches(told: dict[str, Any]) -> list[str]:
    if not told["niches"]:
        return [paragraph("No method of density or mixture finds a group of at most 5 % of the customers.")]
    body = [
        [
            one["name"], f"{one['share']:.1%}", ", ".join(one["found_by"]), figure(one["overlap_with_kmeans"]),
            "–" if one["shown_by_kmeans_from_k"] is None else str(one["shown_by_kmeans_from_k"]),
        ]
        for one in told["niches"]
    ]  # fmt: skip
    head = ["what sets it apart", "share", "found by", "overlap with a k-means segment", "k-means shows it from k"]
    return [
        rows(head, body, right=[1, 3, 4]),
        paragraph(
            "Groups of at most 5 % of the customers that density or mixtures find. Overlap is Jaccard's: 1 where a "
            "segment of k-means is that group; below 0.5 it is lost in larger segments. The last column is the least k "
            "up to 12 at which a segment shows it. A group that one method alone finds is a question, not a finding."
        ),
    ]


def _serving(told: dict[str, Any]) -> list[str]:
    body = [
        [
            one["method"], one["serving"]["verdict"], figure(one["serving"]["loss"], ".1%"),
            figure(one["serving"]["inertia_ratio"]), one["serving"]["reason"],
        ]
        for one in told["methods"]
    ]  # fmt: skip
    return [
        paragraph(
            "A worker labels each customer by the nearest centre, and by nothing else. Groups found another way are "
            f"tried as one centre each, the mean, then as up to {EACH} each and {ALL} in all. They are refused where "
            f"more than {LOSS:.0%} of the grouped customers would land in another group, or where more than "
            f"{NOISE:.0%} belong to none: a centre would take every one of them in."
        ),
        rows(["method", "served", "loss", "inertia", "why"], body, right=[2, 3]),
        paragraph(
            "Loss: the share of grouped customers whom centres put into another group. Inertia: that of the centres "
            "over the least that as many centres can have. The centres are in report.json, in standard deviations of "
            "each column, with the mean and the scale of each."
        ),
    ]


def _parameters(found: Comparison, z: Float64, told: dict[str, Any]) -> list[str]:
    body = [
        [
            one["method"], f"{one['given']:,}",
            ", ".join(f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
                      for name, value in one["parameters"].items()),
            one["parameters_because"],
        ]
        for one in told["methods"]
    ]  # fmt: skip
    caption = (
        "The distance from each customer to the last of the neighbours that make a place dense, in rising order. Left "
        "of the knee customers are among others, right of it they are alone: the distance there is the eps of DBSCAN."
    )
    said = [rows(["method", "customers given", "parameters", "because"], body, right=[1])]
    if any(one["given"] < len(z) for one in told["methods"]):
        said.append(
            paragraph(
                f"Of {len(z):,} customers a method is given so many as its time and memory allow, drawn with the seed; "
                "the others have the label of the nearest of those, or of the nearest centre."
            )
        )
    return [*said, picture(figures.reach(z, found.seed), caption, broad=True)]
