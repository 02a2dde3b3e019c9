"""What is missing, and what each way to fill it would mean: how many customers change their segment under each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from stream_seg.core.definition import Feature
from stream_seg.core.evaluation import adjusted_rand
from stream_seg.core.model import Float64, Int64
from stream_seg.core.profile import UNKNOWN
from stream_seg.core.scaling import REACH, scaler_of
from stream_seg.explore.page import Section, paragraph, picture, rows
from stream_seg.explore.report.categories import values_of
from stream_seg.explore.report.drawing import HALF, bars, canvas
from stream_seg.explore.report.subject import Bool, Chapter, Subject, apartness, moved, segmented
from stream_seg.explore.report.units import listed, number, percent

RARE = 0.005  # share of customers below which (or above whose rest) no choice is worth a look
TRIED = 8  # features whose choices are tried, those with most missing
PATTERNS = 6  # combinations that are shown
APART = 0.3  # standard deviations by which those who lack something differ, to be said


class Choice(NamedTuple):
    """A way to fill what is missing: the columns that stand in for the feature's own."""

    name: str
    columns: Float64
    meaning: str


def missing(subject: Subject) -> Chapter:
    """The section."""
    features = subject.definition.features
    shares = subject.missing.mean(axis=0)
    lacking = sorted((i for i in range(len(features)) if shares[i] > 0), key=lambda i: (-shares[i], i))
    if not lacking:
        text = "Nothing is missing: every feature had something to measure of every customer."
        return Chapter(Section("What is missing", "missing", [paragraph(text)]), {"features": {}})
    told = {features[i].name: {"share": float(shares[i]), **_who(subject, i)} for i in lacking}
    parts = [
        paragraph(
            "Missing is what had nothing to measure: no event with the field, a ratio over nothing, a category that "
            "never came. The configuration says what counts then (`empty`, or “unknown” as a category of its own); "
            "that is a decision about the product, not about statistics: it says to whom such a customer is alike."
        ),
        _picture(subject, lacking),
        *(paragraph(_difference(names, told[names[0]])) for names in _alike(subject, lacking, told)),
        _patterns(subject, lacking),
    ]
    choices = {}
    inside = {column.feature.name for column in subject.table.columns}
    tried = [i for i in lacking if features[i].name in inside and RARE <= shares[i] <= 1 - RARE]
    if tried:
        parts.append(_intro(subject))
    for i in tried[:TRIED]:
        choices[features[i].name] = effects = _effects(subject, i)
        parts.append(_table(subject, i, effects))
    if len(tried) > TRIED:
        parts.append(paragraph(f"Tried for the {TRIED} features with most missing, of {len(tried)}."))
    return Chapter(Section("What is missing", "missing", parts), {"features": told, "choices": choices})


def _who(subject: Subject, i: int) -> dict[str, Any]:
    """Where those who lack a feature differ most from the others, in standard deviations of all; not of itself."""
    without, feature = subject.missing[:, i], subject.definition.features[i]
    related = {feature.name, *(feature.of or ())}
    if without.all() or not subject.table.names:
        return {}
    gaps = subject.table.z[without].mean(axis=0) - subject.table.z[~without].mean(axis=0)
    for f, column in enumerate(subject.table.columns):
        other = subject.definition.features.index(column.feature)
        same = (subject.missing[:, other] == without).mean() > 0.95
        if column.feature.name in related or same or related & set(column.feature.of or ()):
            gaps[f] = 0.0
    f = int(np.abs(gaps).argmax())
    return {"differs": subject.table.names[f], "by": float(gaps[f])} if abs(gaps[f]) >= APART else {}


def _alike(subject: Subject, lacking: list[int], told: dict[str, Any]) -> list[list[str]]:
    """The features whose absence says something, those that the same customers lack together."""
    groups = dict[bytes, list[str]]()
    for i in lacking:
        name = subject.definition.features[i].name
        if "differs" in told[name]:
            groups.setdefault(subject.missing[:, i].tobytes(), []).append(name)
    return list(groups.values())


def _difference(names: list[str], one: dict[str, Any]) -> str:
    side = "higher" if one["by"] > 0 else "lower"
    return (
        f"{listed(names)} {'is' if len(names) == 1 else 'are'} not missing at random: the {percent(one['share'])} "
        f"without are {side} in {one['differs']} on average ({abs(one['by']):.1f} standard deviations). Filled with "
        "the usual value they would be made alike to others who act differently."
    )


def _picture(subject: Subject, lacking: list[int]) -> str:
    features = subject.definition.features
    shown = lacking[:20]
    with canvas(HALF, 0.7 + 0.24 * len(shown)) as figure:
        axes = figure.subplots()
        bars(axes, [features[i].name for i in shown], [100 * float(subject.missing[:, i].mean()) for i in shown])
        axes.set_xlabel("% of the customers without a value")
    first = features[lacking[0]].name
    caption = f"{first} is missing most: of {percent(float(subject.missing[:, lacking[0]].mean()))} of the customers."
    return picture(figure, caption)


def _patterns(subject: Subject, lacking: list[int]) -> str:
    names = [subject.definition.features[i].name for i in lacking]
    patterns = Counter(tuple(row) for row in subject.missing[:, lacking].tolist())
    body = [
        [
            listed([name for name, out in zip(names, pattern, strict=True) if out], 8) or "nothing",
            f"{count:,}",
            percent(count / subject.n),
        ]
        for pattern, count in sorted(patterns.items(), key=lambda item: (-item[1], item[0]))[:PATTERNS]
    ]
    return rows(["missing together", "customers", "share"], body, right=[1, 2])


def _intro(subject: Subject) -> str:
    z = subject.table.z
    labels, _ = segmented(z, subject.table.within, subject.k, subject.seed + 1)
    noise = moved(subject.segments.labels, labels)
    return paragraph(
        "Under each choice the segments are fitted anew. How many customers are in another one then (segments matched "
        f"as well as they can be) is the effect of the choice; another seed alone moves {percent(noise)}. To whom the "
        "choice makes the unknown alike is said by the segment in which most of them are then."
    )


def choices(subject: Subject, i: int) -> Iterator[Choice]:
    """Ways to fill feature i, each as columns before the scale."""
    feature, without = subject.definition.features[i], subject.missing[:, i]
    at = subject.inside(feature)
    own = subject.table.x[:, at]
    indicator = without.astype(np.float64)[:, None]
    if feature.encode in {"one_hot", "hashed", "binary"}:
        values = [None if out else value for value, out in zip(values_of(subject, feature), without, strict=True)]
        yield from _of_category(values, indicator)
    else:
        middle = float(np.median(own[~without]))
        filled = np.where(without[:, None], middle, own)
        said = _middle(subject, feature, without)
        yield Choice(f"median ({said})", filled, "whoever has none is taken for an average customer")
        yield Choice(
            "median and indicator",
            np.hstack([filled, indicator]),
            "average, and “unknown” sets apart by a column of its own",
        )
    yield Choice("left out", np.empty((subject.n, 0)), "the feature decides nothing")


def _of_category(values: list[str | None], indicator: Float64) -> Iterator[Choice]:
    known = Counter(value for value in values if value is not None)
    order = sorted(known, key=lambda value: (-known[value], value))[:64]
    one_hot = np.array([[float(value == one) for one in order] for value in values])
    top = np.array([[float((value or order[0]) == one) for one in order] for value in values])
    yield Choice(
        f"“{UNKNOWN}” as a category", np.hstack([one_hot, indicator]), "the unknown are alike, and unlike the known"
    )
    yield Choice(f"most frequent ({order[0]})", top, "whoever is unknown is taken for the most frequent")
    yield Choice("indicator alone", indicator, "only whether it is known counts")


def _middle(subject: Subject, feature: Feature, without: Bool) -> str:
    at = subject.at(feature)[0]
    column = subject.table.space.plan.columns[at]
    middle = float(np.median(subject.table.raw[~without, at]))
    if feature.encode is not None:
        return feature.categories[max(int(middle) - 1, 0)]
    return number(middle / subject.unit(column).size)


def _effects(subject: Subject, i: int) -> list[dict[str, Any]]:
    table, feature = subject.table, subject.definition.features[i]
    others = np.delete(table.x, subject.inside(feature), axis=1)
    now = subject.segments.labels
    found = []
    for choice in choices(subject, i):
        x = np.hstack([others, choice.columns])
        if not x.shape[1]:
            continue
        z = scaler_of(x).transform(x)
        within = np.flatnonzero((np.abs(z) <= REACH).all(axis=1)).astype(np.int64)
        labels, _ = segmented(z, within, subject.k, subject.seed)
        found.append(
            {
                "choice": choice.name, **_where(subject, i, labels),
                "moved": moved(now, labels), "agreement": adjusted_rand(now, labels),
                "silhouette": apartness(z, labels, subject.seed), "meaning": choice.meaning,
            }
        )  # fmt: skip
    return found


def _where(subject: Subject, i: int, labels: Int64) -> dict[str, Any]:
    """The segment that has most of those without a value, by the name of the present one that it is most like."""
    at = np.bincount(labels[subject.missing[:, i]])
    most = int(at.argmax())
    there = np.bincount(subject.segments.labels[labels == most])
    return {"segment": int(there.argmax()), "unknown_there": float(at[most] / at.sum())}


def _there(subject: Subject, one: dict[str, Any]) -> str:
    return f"{percent(one['unknown_there'])} in {one['segment']} ({subject.segments.names[one['segment']]})"


def _configured(feature: Feature) -> tuple[str, str]:
    """What the configuration does now, and what that means."""
    match feature.encode:
        case None:
            return (
                f"as configured (`empty: {feature.empty:g}`)",
                f"whoever has none is taken for one with {feature.empty:g}",
            )
        case "ordinal":
            return "as configured (code 0)", f"“unknown” counts as one step below {feature.categories[0]}"
        case "binary":
            return "as configured (bits of code 0)", "“unknown” is alike to whoever's code has few bits"
        case _:
            return "as configured (a category)", "the unknown are alike, and unlike the known"


def _table(subject: Subject, i: int, effects: list[dict[str, Any]]) -> str:
    feature = subject.definition.features[i]
    name, meaning = _configured(feature)
    apart = apartness(subject.table.z, subject.segments.labels, subject.seed)
    now = _there(subject, _where(subject, i, subject.segments.labels))
    body = [[name.replace("`", ""), now, "–", "–", f"{apart:.2f}", meaning]]
    body += [
        [
            one["choice"], _there(subject, one), f"{one['moved'] * subject.n:,.0f} ({percent(one['moved'])})",
            f"{one['agreement']:.2f}", f"{one['silhouette']:.2f}", one["meaning"],
        ]
        for one in effects
    ]  # fmt: skip
    head = [
        f"{feature.name}, missing", "most of the unknown are", "change segment", "agreement", "silhouette",
        "what it says",
    ]  # fmt: skip
    return rows(head, body, right=[2, 3, 4])
