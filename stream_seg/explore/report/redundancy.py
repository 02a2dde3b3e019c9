"""Features that say the same twice: the correlations, the pairs, and a ratio that says something of its own."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from stream_seg.core.definition import Feature
from stream_seg.core.evaluation import adjusted_rand
from stream_seg.core.model import Float64
from stream_seg.core.scaling import scaler_of
from stream_seg.explore.page import Section, paragraph, picture, rows
from stream_seg.explore.report.distributions import SKEWED, skewness
from stream_seg.explore.report.drawing import HALF, WHOLE, canvas, heatmap, short
from stream_seg.explore.report.subject import Change, Chapter, Subject, apartness, moved, segmented
from stream_seg.explore.report.units import is_total, listed, percent, signed

CERTAIN = 0.9  # two of different kinds, such as how often and how long ago, have to be even more alike to give one up
REDUNDANT = 0.8  # of the correlation, either sign: the one explains 64 % of the other
SHOWN = 30  # features in the heatmap
TEXTS = 16  # up to so many features the cells have numbers


class Pair(NamedTuple):
    """Two columns of the distance and their correlation; `kept`, `other`: places among its columns."""

    kept: int
    other: int
    r: float


def correlation(x: Float64) -> Float64:
    """(f, f) Pearson's correlations of the columns; 0 where a column is constant, 1 with itself.

    >>> correlation(np.array([[1.0, 2.0, 5.0], [2.0, 4.0, 5.0]])).tolist()
    [[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    z = scaler_of(x).transform(x)
    z = z - z.mean(axis=0)
    spread = np.sqrt((z * z).mean(axis=0))
    z = np.divide(z, spread, out=np.zeros_like(z), where=spread > 0)
    found = np.clip(z.T @ z / max(len(z), 1), -1.0, 1.0)
    np.fill_diagonal(found, 1.0)
    rounded: Float64 = found.round(12)
    return rounded  # a linear algebra library's sums differ in their last places


def dimensions(r: Float64) -> float:
    """How many independent features say as much: (sum of the eigenvalues)² / sum of their squares.

    >>> dimensions(np.eye(3)), dimensions(np.ones((2, 2)))
    (3.0, 1.0)
    """
    return float(round(len(r) ** 2 / max((r * r).sum(), 1e-12), 9)) if len(r) else 0.0


def redundancy(subject: Subject) -> Chapter:
    """The section; what it proposes leaves one of each pair out of the distance, as an outcome."""
    table = subject.table
    r = correlation(table.x[table.within])
    if len(r) < 2:
        text = f"Only {listed(table.names)} is in the distance: there is no second feature to be alike."
        return Chapter(Section("Features that say the same", "redundancy", [paragraph(text)]), {"pairs": []})
    pairs = redundant(subject, r)
    telling = np.flatnonzero(table.scaler.scale > 0)
    own = dimensions(r[np.ix_(telling, telling)])
    found, changes = list[dict[str, Any]](), list[Change]()
    for pair in pairs:
        told, proposed = _advice(subject, pair)
        found.append(told)
        changes += proposed
    figures: dict[str, Any] = {
        "names": table.names, "correlations": r.tolist(), "independent": own, "pairs": found,
    }  # fmt: skip
    parts = [
        paragraph(
            f"{len(telling)} columns are in the distance and say as much as {own:.1f} independent ones. Two that rise "
            "and fall together count the same thing twice: it weighs double in who is near to whom."
        ),
        _picture(subject, r),
    ]
    if not pairs:
        parts.append(paragraph(f"No two features are redundant (correlation of {REDUNDANT} or more)."))
    else:
        body = [[one["kept"], one["other"], signed(one["r"], 2), one["instead"]] for one in found]
        parts.append(rows(["keep", "says the same", "correlation", "instead"], body, right=[2]))
    leaving = [change.name for change in changes if change.keys.get("role") == "outcome"]
    if leaving:
        figures["effect"] = effect = _effect(subject, leaving)
        parts.append(
            paragraph(
                f"What it would change: without {listed(leaving)} {percent(effect['moved'])} of the customers are in "
                f"another segment (agreement, adjusted Rand, {effect['agreement']:.2f}), and the silhouette is "
                f"{effect['silhouette']:.2f} instead of {effect['silhouette_now']:.2f}."
            )
        )
    return Chapter(Section("Features that say the same", "redundancy", parts), figures, changes)


def redundant(subject: Subject, r: Float64) -> list[Pair]:
    """The pairs, strongest first; a feature is given up once. Columns of one category are no pair."""
    columns = subject.table.columns
    order = sorted(
        ((i, j) for i in range(len(r)) for j in range(i) if abs(r[i, j]) >= REDUNDANT), key=lambda p: (-abs(r[p]), p)
    )
    gone, found = set[int](), list[Pair]()
    alike = np.abs(r).mean(axis=0)
    for later, earlier in order:
        if columns[later].part is not None or columns[earlier].part is not None or gone & {later, earlier}:
            continue
        other, kept = (later, earlier) if alike[later] >= alike[earlier] - 0.02 else (earlier, later)
        gone.add(other)
        found.append(Pair(kept, other, float(r[other, kept])))
    return found


def _advice(subject: Subject, pair: Pair) -> tuple[dict[str, Any], list[Change]]:
    """What to do about a pair: a ratio or a trend where it says something of its own, else leave one out."""
    columns = subject.table.columns
    kept, other = columns[pair.kept].feature, columns[pair.other].feature
    told: dict[str, Any] = {"kept": kept.name, "other": other.name, "r": pair.r}
    if abs(pair.r) < CERTAIN and not (is_total(kept) and is_total(other)):
        told["instead"] = "keep both where they mean different things to you: each weighs half"
        return told, []
    why = (
        f"it says the same as {kept.name} (correlation {signed(pair.r, 2)}): still reported, no longer in the distance"
    )
    changes = [Change(other.name, {"role": "outcome"}, why, without=("transform",))]
    made = _instead(subject, kept, other)
    if made is None:
        told["instead"] = f"leave {other.name} out (role: outcome)"
        return told, changes
    keys, r = made
    said = f"{keys['aggregate']} {other.name} / {kept.name}, correlation {signed(r, 2)} with {kept.name}"
    told |= {"instead": said, "suggested": keys["name"], "r_suggested": r}
    why = f"what {other.name} says beyond {kept.name}: one per unit of the other (correlation {signed(r, 2)} with it)"
    return told, [*changes, Change(keys["name"], keys, why)]


def _instead(subject: Subject, kept: Feature, other: Feature) -> tuple[dict[str, Any], float] | None:
    """The ratio of two totals, where it is half as alike to the kept one as they are to each other."""
    taken = {one.name for one in subject.definition.features}
    name = f"{other.name}_per_{kept.name}"
    if not (is_total(kept) and is_total(other)) or name in taken:
        return None
    a, b = subject.table.values(other.name), subject.table.values(kept.name)
    ratio = np.divide(a, b, out=np.zeros_like(a), where=b != 0)
    keys: dict[str, Any] = {"name": name, "aggregate": "ratio", "of": [other.name, kept.name]}
    if (ratio >= 0).all() and skewness(ratio) > SKEWED:
        ratio = np.log1p(ratio)
        keys["transform"] = ["log1p"]
    x = subject.table.x[:, subject.table.names.index(kept.name)]
    r = correlation(np.column_stack([ratio, x]))[0, 1]
    return (keys, float(r)) if abs(r) < REDUNDANT / 2 and ratio.std() > 0 else None


def _effect(subject: Subject, leaving: list[str]) -> dict[str, float]:
    table = subject.table
    z = np.ascontiguousarray(np.delete(table.z, [table.names.index(name) for name in leaving], axis=1))
    labels, _ = segmented(z, table.within, subject.k, subject.seed)
    now = subject.segments.labels
    return {
        "agreement": adjusted_rand(now, labels),
        "moved": moved(now, labels),
        "silhouette": apartness(z, labels, subject.seed),
        "silhouette_now": apartness(table.z, now, subject.seed),
    }


def _picture(subject: Subject, r: Float64) -> str:
    names = subject.table.names
    off = np.abs(r - np.eye(len(r)))
    chosen = np.sort(np.argsort(-off.max(axis=0), kind="stable")[:SHOWN])
    shown, labels = r[np.ix_(chosen, chosen)], [names[i] for i in chosen]
    size = min(WHOLE, max(HALF, 1.9 + 0.36 * len(chosen)))
    with canvas(size, size * 0.8) as figure:
        axes = figure.subplots()
        text = [[signed(v) for v in line] for line in shown.tolist()] if len(chosen) <= TEXTS else None
        heatmap(figure, axes, shown, labels, labels, label="correlation", ramp="PuOr_r", limits=(-1, 1), text=text)
        axes.set_xticks(range(len(labels)), labels=[short(name, 20) for name in labels])
        axes.tick_params(axis="x", rotation=60)
        for tick in axes.get_xticklabels():
            tick.set(ha="right", rotation_mode="anchor")
    i, j = np.unravel_index(int(off.argmax()), off.shape)
    caption = (
        f"Correlations of the features as distances see them, after their transforms. The closest two are "
        f"{names[int(i)]} and {names[int(j)]} ({signed(float(r[i, j]), 2)})."
    )
    if len(names) > SHOWN:
        caption += f" Drawn are the {SHOWN} features with the closest other one."
    return picture(figure, caption, broad=size > HALF)
