"""How a category becomes numbers: each way tried, with what it does to distances and to the segments."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from stream_seg.core.definition import DAY, HOUR, Feature
from stream_seg.core.evaluation import adjusted_rand
from stream_seg.core.model import Float64, Int64
from stream_seg.core.profile import UNKNOWN
from stream_seg.core.scaling import REACH, scaler_of
from stream_seg.explore.page import Section, paragraph, picture, rows, warning
from stream_seg.explore.report.categories import categorical, values_of
from stream_seg.explore.report.drawing import SOFT, STRONG, WHOLE, canvas
from stream_seg.explore.report.subject import Change, Chapter, Subject, apartness, segmented
from stream_seg.explore.report.units import listed, percent
from stream_seg.wire.text_hash import hash_texts

TRIED = 6  # features that are tried
MANY = 20  # different categories beyond which their number is itself a problem
RARE = 0.02  # share of customers below which a category goes into `other`
COVERED = 0.5  # of the customers with a category, whom a list of frequent ones has to cover
LISTED = 12  # categories in a list that a person still reads
WIDEST = 64  # columns that are tried at most
OTHER = "other"
MEANINGS = {
    "label": "a number by the alphabet: who is near to whom is chance",
    "ordinal": "the number of its place in the order: right only where the order means something",
    "binary": "bits of its number: few columns, but some categories share bits and are nearer",
    "one-hot": "a column each: all are equally unlike, but the rarer one is the farther it lies",
    "hashed": "a column for each bucket: no list to keep, different categories may share one",
    "grouped": f"one-hot with all below {RARE * 100:.0f} % in `{OTHER}`",
    "left out": "the category decides nothing",
}


def encoders(subject: Subject) -> Chapter:
    """The section."""
    inside = {column.feature.name for column in subject.table.columns}
    features = [one for one in categorical(subject) if one.name in inside]
    if not features:
        text = "No category is in the distance, so there is no encoder to choose."
        return Chapter(Section("Encoders of categories", "encoders", [paragraph(text)]), {})
    parts = [
        paragraph(
            "Each column weighs the same in a distance, since each is brought to the same spread. So a category in "
            "many columns weighs as much as many features. The tables say for each encoder how many columns it makes, "
            "how much of all distance they are, how unequal the distances between two different categories become (1: "
            "all equal), and how far the segments agree (adjusted Rand: 1 the same, 0 chance) with those of the "
            "configuration, and with those that the other features make alone."
        )
    ]
    parts.append(rows(["encoder", "what it does"], [[name, said.replace("`", "")] for name, said in MEANINGS.items()]))
    figures, changes = dict[str, Any](), list[Change]()
    for feature in features[:TRIED]:
        told, proposed = _feature(subject, feature)
        figures[feature.name] = told
        changes += proposed
        parts += [_table(feature, told), _picture(feature, told), paragraph(_said(feature, told))]
        if told["flag"]:
            parts.append(warning(told["flag"]))
    if len(features) > TRIED:
        parts.append(paragraph(f"Tried for the first {TRIED} of {len(features)} categories."))
    return Chapter(Section("Encoders of categories", "encoders", parts), figures, changes)


def encoded(feature: Feature, values: Sequence[str]) -> dict[str, Float64]:
    """The columns of each encoder, before the scale; `values`: a category or `unknown` for each customer.

    >>> plan = Feature(name="plan", aggregate="latest", encode="one_hot", categories=("free", "plus"))
    >>> {name: columns.shape[1] for name, columns in encoded(plan, ["free", "plus", "unknown"]).items()}
    {'label': 1, 'ordinal': 1, 'binary': 2, 'one-hot': 3, 'hashed': 9, 'grouped': 3, 'left out': 0}
    """
    counts = Counter(value for value in values if value != UNKNOWN)
    known = sorted(counts)
    found = {"label": _codes(values, known)[:, None].astype(np.float64)}
    declared = [one for one in feature.categories if one in counts]
    if declared:
        found["ordinal"] = _codes(values, feature.categories)[:, None].astype(np.float64)
    codes = _codes(values, declared or known)
    bits = max(int(codes.max(initial=1)).bit_length(), 1)
    found["binary"] = np.array([[float(code >> bit & 1) for bit in range(bits)] for code in codes.tolist()])
    if len(known) < WIDEST:
        found["one-hot"] = _one_hot(values, [UNKNOWN, *known])
    hashes = (hash_texts(list(values)) & 0x7FFF_FFFF_FFFF_FFFF) % feature.buckets  # as the fold does
    buckets = [
        UNKNOWN if value == UNKNOWN else str(bucket) for value, bucket in zip(values, hashes.tolist(), strict=True)
    ]
    found["hashed"] = _one_hot(buckets, [UNKNOWN, *map(str, range(feature.buckets))])
    frequent = [one for one in known if counts[one] >= RARE * len(values)][: WIDEST - 2]
    grouped = [value if value == UNKNOWN or value in set(frequent) else OTHER for value in values]
    found["grouped"] = _one_hot(grouped, [UNKNOWN, *frequent, *([OTHER] if OTHER in grouped else [])])
    found["left out"] = np.empty((len(values), 0))
    return found


def _codes(values: Sequence[str], order: Sequence[str]) -> Int64:
    """1, 2, … by place, 0 for what is not among them."""
    number = {value: i for i, value in enumerate(order, start=1)}
    return np.array([number.get(value, 0) for value in values], np.int64)


def _one_hot(values: Sequence[str], columns: Sequence[str]) -> Float64:
    at = {value: i for i, value in enumerate(columns)}
    found = np.zeros((len(values), len(columns)))
    found[np.arange(len(values)), [at[value] for value in values]] = 1.0
    return found


def unequal(columns: Float64, values: Sequence[str]) -> float:
    """The largest distance between two different categories over the smallest; 0 where some are not told apart at all.

    >>> unequal(np.array([[1.0], [2.0], [4.0]]), ["a", "b", "c"])
    3.0
    """
    first = {value: i for i, value in reversed(list(enumerate(values)))}
    z = scaler_of(columns).transform(columns)[sorted(first.values())]
    if len(z) < 2 or not z.shape[1]:
        return 1.0
    gaps = np.sqrt(((z[:, None] - z[None]) ** 2).sum(axis=2))[np.triu_indices(len(z), 1)]
    return float(round(gaps.max() / gaps.min(), 9)) if gaps.min() > 1e-9 else 0.0


def _feature(subject: Subject, feature: Feature) -> tuple[dict[str, Any], list[Change]]:
    values = values_of(subject, feature)
    counts = Counter(value for value in values if value != UNKNOWN)
    others = np.delete(subject.table.x, subject.inside(feature), axis=1)
    tried = encoded(feature, values)
    labels = {name: _segments(subject, others, columns) for name, columns in tried.items()}
    found = []
    for name, columns in tried.items():
        z, of = labels[name]
        own = int((scaler_of(columns).scale > 0).sum()) if columns.shape[1] else 0
        every = own + int((scaler_of(others).scale > 0).sum()) if others.shape[1] else own
        found.append(
            {
                "encoder": name,
                "columns": columns.shape[1],
                "weight": own / every if every else 0.0,
                "unequal": unequal(columns, values),
                "silhouette": apartness(z, of, subject.seed),
                "agreement": adjusted_rand(subject.segments.labels, of),
                "alone": adjusted_rand(labels["left out"][1], of),
            }
        )
    told: dict[str, Any] = {
        "configured": feature.encode, "distinct": len(counts), "encoders": found, "flag": "",
        "known": sum(counts.values()) / max(len(values), 1),
    }  # fmt: skip
    told |= _many(counts, len(values))
    return told, _changes(subject, feature, told, counts)


def _segments(subject: Subject, others: Float64, columns: Float64) -> tuple[Float64, Int64]:
    x = np.hstack([others, columns])
    if not x.shape[1]:
        return x, np.zeros(subject.n, np.int64)
    z = scaler_of(x).transform(x)
    within = np.flatnonzero((np.abs(z) <= REACH).all(axis=1)).astype(np.int64)
    return z, segmented(z, within, subject.k, subject.seed)[0]


def _many(counts: Counter[str], n: int) -> dict[str, Any]:
    """Whether there are too many categories, and what would make fewer of them."""
    if len(counts) <= MANY:
        return {}
    rare = [one for one in counts if counts[one] < RARE * n]
    flag = f"{len(counts):,} different categories are many: "
    told: dict[str, Any] = {"rare": len(rare), "rare_share": sum(counts[one] for one in rare) / n}
    prefix = hierarchy(sorted(counts))
    if prefix is not None:
        separator, groups = prefix
        told |= {"prefix": separator, "groups": len(groups)}
        flag += (
            f"the part before “{separator}” has only {len(groups)} ({listed(groups, 4)}); send that part as a field of "
            "its own and take it as the feature. "
        )
    frequent, covered = len(counts) - len(rare), 1 - told["rare_share"] * n / sum(counts.values())
    if covered >= COVERED:
        flag += (
            f"{len(rare):,} of them are rarer than {RARE * 100:.0f} % and have {percent(told['rare_share'])} of the "
            f"customers together: list the {frequent} frequent ones under `categories`, the rest count as unknown."
        )
    else:
        flag += (
            f"a list would not help, the {frequent} that have {RARE * 100:.0f} % each cover {percent(covered)} of the "
            f"customers. Group them by what they stand for (a region, a kind) before they are sent, count how many "
            f"different ones a customer has (`aggregate: distinct`), or only report it (`role: outcome`)."
        )
    return {**told, "covered": covered, "flag": flag}


def hierarchy(values: Sequence[str]) -> tuple[str, list[str]] | None:
    """A separator whose first parts are few, and those; None where there is none.

    >>> hierarchy(["de-by", "de-nw", "fr-idf", "fr-ara"])
    ('-', ['de', 'fr'])
    """
    best: tuple[str, list[str]] | None = None
    for separator in ("/", ">", ":", ".", "|", "-", "_", " "):
        if sum(separator in value for value in values) < 0.9 * len(values):
            continue
        groups = sorted({re.split(re.escape(separator), value, maxsplit=1)[0].strip() for value in values})
        if 2 <= len(groups) <= len(values) / 2 and (best is None or len(groups) < len(best[1])):
            best = separator, groups
    return best


def _changes(subject: Subject, feature: Feature, told: dict[str, Any], counts: Counter[str]) -> list[Change]:
    """Where the configured encoder makes unlike categories alike: a column each, or no place in the distance."""
    now = next((one for one in told["encoders"] if one["encoder"] == feature.encode), None)
    if feature.encode == "hashed" and now and not now["unequal"]:
        why = "different categories share a bucket: whoever falls into it is alike by chance"
    elif feature.encode == "binary" and now and now["unequal"] >= 2:
        times = f"{now['unequal']:.1f}"
        why = f"by bits two categories are up to {times} times as unlike as two others, which means nothing"
    else:
        return []
    order = sorted(counts, key=lambda one: (-counts[one], one))
    kept = [one for one in feature.categories if one in counts] or [
        one for one in order if counts[one] >= RARE * subject.n
    ]
    if 2 <= len(kept) <= LISTED and sum(counts[one] for one in kept) >= COVERED * sum(counts.values()):
        if left := len(counts) - len(kept):
            why += f"; the {left} rarer than {RARE * 100:.0f} % count as unknown"
        return [Change(feature.name, {"encode": "one_hot", "categories": kept}, why, without=("buckets",))]
    if len(counts) <= MANY or len({column.feature.name for column in subject.table.columns}) < 2:
        return []
    why += f"; {len(counts)} are too many for a column each: still reported, no longer in the distance"
    return [Change(feature.name, {"role": "outcome"}, why), *_different(subject, feature)]


def _different(subject: Subject, feature: Feature) -> list[Change]:
    """How many different ones a customer has, instead of which was the last: of what events name again and again."""
    name, windows = f"{feature.name}_different", [one.window for one in subject.definition.features if one.window]
    if not (feature.field or "").startswith("properties.") or not windows:
        return []
    usual = max(windows, key=windows.count)
    window = f"{usual // DAY}d" if usual % DAY == 0 else f"{usual // HOUR}h"
    keys = {"name": name, "aggregate": "distinct", "field": feature.field, "window": window, "transform": ["log1p"]}
    return [Change(name, keys, f"what {feature.name} says of a customer's ways: how many different ones she has")]


def _said(feature: Feature, told: dict[str, Any]) -> str:
    by_name = {one["encoder"]: one for one in told["encoders"]}
    now = by_name.get((feature.encode or "").replace("_", "-"), by_name["grouped"])
    tried = [one for one in told["encoders"] if one["encoder"] != "left out"]
    low, high = min(one["agreement"] for one in tried), max(one["agreement"] for one in tried)
    said = (
        f"{feature.name} is {feature.encode} now: {now['columns']} column{'s' if now['columns'] > 1 else ''}, "
        f"{percent(now['weight'])} of all distance. Segments under the other encoders agree with the present ones "
        f"between {low:.2f} and {high:.2f}; without {feature.name}, {by_name['left out']['agreement']:.2f}. "
    )
    if by_name["left out"]["agreement"] < 0.5:
        return said + "So it largely decides who belongs together: be sure that this is what the segmentation is for."
    if low > 0.9:
        return said + "So the encoder hardly matters; take the one with the fewest columns that is still readable."
    return said + "So the encoder is a decision: look at what each of them calls alike."


def _table(feature: Feature, told: dict[str, Any]) -> str:
    body = [
        [
            one["encoder"], str(one["columns"]), percent(one["weight"]),
            ("some not told apart" if not one["unequal"] else f"{one['unequal']:.1f}") if one["columns"] else "–",
            f"{one['silhouette']:.2f}", f"{one['agreement']:.2f}", f"{one['alone']:.2f}",
        ]
        for one in told["encoders"]
    ]  # fmt: skip
    head = [
        feature.name, "columns", "of all distance", "largest / smallest distance", "silhouette", "agrees with now",
        "with the others alone",
    ]  # fmt: skip
    return rows(head, body, right=range(1, 7))


def _picture(feature: Feature, told: dict[str, Any]) -> str:
    tried = told["encoders"]
    names = [one["encoder"] for one in tried]
    with canvas(WHOLE, 2.4) as figure:
        left, right = figure.subplots(1, 2, sharey=True)
        left.barh(names, [100 * one["weight"] for one in tried], color=STRONG, height=0.7)
        left.set_xlabel("% of all distance")
        left.set_title(f"{feature.name}: weight")
        right.barh(names, [one["agreement"] for one in tried], color=SOFT, height=0.7, hatch="//", edgecolor="white")
        right.set_xlabel("agreement with the present segments (1: the same)")
        right.set_title("segments")
        left.invert_yaxis()
    heavy = max(tried, key=lambda one: one["weight"])
    caption = (
        f"{feature.name}: as {heavy['encoder']} it takes {percent(heavy['weight'])} of all distance; the less the bars "
        "on the right reach 1, the more the segments depend on the encoder."
    )
    return picture(figure, caption, broad=True)
