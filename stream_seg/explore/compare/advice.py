"""What to do, in words, after what the segments are for.

Definitions that are used again (a lever for each segment, a campaign every month) need centres: they can be served, and
mean the same tomorrow. Niche groups and anomalies are found by density and by mixtures, which say who belongs nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from stream_seg.explore.compare.agreement import SAME
from stream_seg.explore.compare.comparison import Comparison, Judged
from stream_seg.explore.compare.niche import SHOWN, Niche
from stream_seg.explore.compare.validity import DBCV_OF

Plan: TypeAlias = Literal["reusable", "niche"]
SHAKY = 0.6  # adjusted Rand under which groups are not found again
BETTER = 0.05  # of silhouette by which another method must win
LARGEST = 0.8  # share of the largest group: beyond it nobody would call it a segmentation
RARE = 0.05  # share of customers in no group up to which they are anomalies


class Advice(NamedTuple):
    """method: what to take; `plan` None: nothing said what segments are for, so both are answered."""

    plan: Plan | None
    method: str
    sentences: tuple[str, ...]


def advice(found: Comparison, *, levers: int, asked: Plan | None) -> Advice:
    """`levers`: how many segments have one in the configuration; `asked`: the plan that the caller named."""
    plan: Plan | None = asked or ("reusable" if levers else None)
    if asked:
        first = f"The plan is {_PLANS[asked]}, as asked."
    elif levers:
        first = f"The plan is {_PLANS['reusable']}: the configuration names {_count(levers, 'lever')}."
    else:
        first = "No lever is configured and no plan was named (--plan), so both are answered."
    reusable, niche = _reusable(found), _niche(found)
    sentences = [first, _structure(found)]
    if plan != "niche":
        sentences += reusable[1]
    if plan != "reusable":
        sentences += niche[1]
    elif hidden := len(_hidden(found)):
        sentences.append(f"{_count(hidden, 'small group')} that k-means does not show: --plan niche tells of them.")
    sentences.append(_streaming(found))
    return Advice(plan, niche[0] if plan == "niche" else reusable[0], tuple(one for one in sentences if one))


_PLANS = {"reusable": "definitions that are used again", "niche": "niche groups and anomalies"}


def _structure(found: Comparison) -> str:
    s = found.structure
    figures = (
        f"of {DBCV_OF:,} customers at most: silhouette of k-means {s.round_:.2f} against {s.no_groups[0]:.2f}, "
        f"DBCV of HDBSCAN {s.dense:.2f} against {s.no_groups[1]:.2f}"
    )
    beside = "customers drawn without any groups"
    if s.by_centres:
        return f"There are groups: they stand apart more clearly than {beside} ({figures})."
    if s.by_density:
        return f"There are groups, but no round ones: density sees more than in {beside}, centres do not ({figures})."
    return (
        f"There is no structure to find: nothing stands apart more clearly than {beside} ({figures}). Segments here "
        "are cuts through one crowd: fit for treating people by degree, wrong to call types. Ask for few, name them by "
        "degree, or bring features that tell customers apart."
    )


def _reusable(found: Comparison) -> tuple[str, list[str]]:
    """For definitions that are used again: the method to take, and why."""
    own = found.kmeans
    best = max((one for one in found.judged if _rival(one, found)), key=_clear, default=own)
    said = []
    if best is not own:
        figures = f"silhouette {_clear(best):.2f} against {_clear(own):.2f}"
        said.append(
            f"For definitions that are used again take the centres of {best.name}: it sets {best.labelled.groups} "
            f"groups apart better than k-means ({figures}) and finds them again as well (adjusted Rand "
            f"{best.stability[0]:.2f}); {best.serving.reason}."
        )
    else:
        said.append(
            "For definitions that are used again take k-means: its centres are what a worker serves, nothing is "
            "lost, and no method that can be served sets about as many groups apart clearly better (silhouette "
            f"{_clear(own):.2f})."
        )
    if own.stability[0] < SHAKY:
        said.append(
            f"But its {found.k} segments are not found again when a part of the customers is missing (adjusted Rand "
            f"{own.stability[0]:.2f}): ask for fewer; stream-seg choose weighs the numbers."
        )
    alike = [one.name for one in found.judged[1:] if found.with_kmeans(one.name) >= SAME]
    if alike:
        said.append(f"{_listed(alike)} {'finds' if len(alike) == 1 else 'find'} nearly the same groups as k-means.")
    dense = _best_dense(found)
    if dense is not None and found.structure.by_density and found.with_kmeans(dense.name) < SAME:
        lead = (
            f"{dense.name} sees {_count(dense.labelled.groups, 'group')} that k-means cuts through or joins (agreement "
        )
        lead += f"{found.with_kmeans(dense.name):.2f})"
        if dense.serving.served:
            said.append(f"{lead}; they can be served as centres: {dense.serving.reason}.")
        else:
            said.append(
                f"{lead}, and they cannot be served: {dense.serving.reason}. Add a feature in which they are apart, or "
                "use their customers as a list (labels.csv)."
            )
    return best.name, said


def _rival(one: Judged, found: Comparison) -> bool:
    """Whether a method could stand in for k-means: served, about as many groups, clearer, and as steady."""
    own = found.kmeans
    return bool(
        one.labelled.method.kind != "streaming"
        and one.serving.served
        and found.k / 2 <= one.labelled.groups <= 2 * found.k
        and np.mean(one.labelled.labels == 0) <= LARGEST
        and _clear(one) > _clear(own) + BETTER
        and one.stability[0] >= own.stability[0] - BETTER
    )


def _niche(found: Comparison) -> tuple[str, list[str]]:
    """For niche groups and anomalies: the method to take, and what it found."""
    best = _best_dense(found)
    if not (found.structure.by_density or found.structure.by_centres):
        return found.kmeans.name, ["There are no niche groups to be had here: what looks like one is chance."]
    if best is None:
        return found.kmeans.name, [
            "No method of density or mixture finds two groups: there is no niche to be had here."
        ]
    noise = best.labelled.noise
    figures = f"DBCV {best.validity.dbcv:.2f}" if best.validity.dbcv is not None else "no DBCV"
    groups = _count(best.labelled.groups, "group")
    said = [f"For niche groups and anomalies take {best.name} ({groups}, {figures}, {noise:.0%} in none)."]
    if not found.structure.by_density:
        said.append("Its groups stand apart no more clearly than chance would have it: hints, not findings.")
    if noise > RARE:
        said.append(
            f"With {noise:.0%} of the customers in no group it says where the crowd is dense; they are too many to be "
            "called anomalies."
        )
    elif noise > 0:
        said.append("Who is in no group has -1 in labels.csv: the anomalies, worth a look one by one.")
    hidden = _hidden(found)
    if hidden:
        count, shares = _count(len(hidden), "small group"), _listed([f"{one.share:.1%}" for one in hidden])
        said.append(
            f"{count} ({shares} of the customers) {'is' if len(hidden) == 1 else 'are'} no segment of k-means at k = "
            f"{found.k}: as lists they can be used at once, as segments where the report gives a k that shows them."
        )
    if alone := sum(1 for one in found.niches if len(one.found_by) == 1):
        said.append(f"One method alone finds {_count(alone, 'small group')}: a question, not a finding.")
    if not best.serving.served:
        said.append(f"As centres {best.name} is refused: {best.serving.reason}.")
    return best.name, said


def _streaming(found: Comparison) -> str:
    streams = [one for one in found.judged if one.labelled.method.kind == "streaming"]
    if not streams:
        return ""
    best = max(streams, key=lambda one: found.with_kmeans(one.name))
    ratio = best.serving.inertia
    more = f", inertia {ratio:.2f} times the least possible" if ratio is not None else ""
    figures = f"agreement {found.with_kmeans(best.name):.2f}{more}"
    return (
        f"Of the streaming clusterers {best.name} comes nearest to k-means ({figures}); one pass over each customer "
        "does not replace the learner that keeps the table."
    )


def _hidden(found: Comparison) -> list[Niche]:
    """The small groups that several methods find and k-means does not show; none where nothing stands apart."""
    if not (found.structure.by_density or found.structure.by_centres):
        return []
    return [one for one in found.niches if one.kmeans < SHOWN and len(one.found_by) > 1]


def _best_dense(found: Comparison) -> Judged | None:
    """The method of density or mixture with the clearest groups."""
    some = [
        one for one in found.judged if one.labelled.method.kind in {"density", "mixture"} and one.labelled.groups >= 2
    ]
    return max(some, key=lambda one: -np.inf if one.validity.dbcv is None else one.validity.dbcv, default=None)


def _clear(one: Judged) -> float:
    return -1.0 if one.validity.silhouette is None else one.validity.silhouette


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
