"""The comparison as one JSON document and as a table of labels: the same bytes for the same customers."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from stream_seg.core.model import Float64, Int64
from stream_seg.explore.compare.advice import Advice
from stream_seg.explore.compare.comparison import Comparison, Judged
from stream_seg.explore.compare.sample import centroids
from stream_seg.explore.compare.tree import parent_of

Named: TypeAlias = Callable[[Float64], Sequence[str]]  # centres (groups, f) -> a name for each
NAMED = 20  # groups of a method that are named: more are no segmentation


def document(found: Comparison, z: Float64, advice: Advice, named: Named) -> dict[str, Any]:
    """Everything but time and memory. Figures have six decimals."""
    told: dict[str, Any] = rounded({
        "k": found.k,
        "seed": found.seed,
        "plan": advice.plan,
        "take": advice.method,
        "advice": list(advice.sentences),
        "structure": {
            "silhouette": found.structure.round_,
            "silhouette_without_groups": found.structure.no_groups[0],
            "dbcv": found.structure.dense,
            "dbcv_without_groups": found.structure.no_groups[1],
            "by_centres": found.structure.by_centres,
            "by_density": found.structure.by_density,
        },
        "methods": [method(one, z, named) for one in found.judged],
        "could_not": dict(found.could_not),
        "agreement": {
            "methods": [one.name for one in found.judged],
            "adjusted_rand": found.rand.tolist(),
            "adjusted_mutual_information": found.information.tolist(),
        },
        "tree": tree(found, z, named),
        "niches": [
            {
                "name": named(z[one.members > 0].mean(axis=0, keepdims=True))[0],
                "share": one.share,
                "found_by": list(one.found_by),
                "overlap_with_kmeans": one.kmeans,
                "shown_by_kmeans_from_k": one.from_k,
            }
            for one in found.niches
        ],
    })  # fmt: skip
    return told


def method(one: Judged, z: Float64, named: Named) -> dict[str, Any]:
    """One method."""
    labels, serving = one.labelled.labels, one.serving
    sizes = np.bincount(labels[labels >= 0], minlength=one.labelled.groups)
    return {
        "method": one.name,
        "kind": one.labelled.method.kind,
        "groups": one.labelled.groups,
        "sizes": sizes.tolist(),
        "names": list(named(centroids(z, labels))) if 0 < one.labelled.groups <= NAMED else None,
        "noise": one.labelled.noise,
        "silhouette": one.validity.silhouette,
        "dbcv": one.validity.dbcv,
        "why_none": one.validity.why,
        "stability": {"mean": one.stability[0], "least": one.stability[1]},
        "given": len(one.labelled.rows),
        "parameters": dict(one.labelled.found.told),
        "parameters_because": one.labelled.found.why,
        "notes": list(one.labelled.notes),
        "serving": {
            "verdict": serving.verdict,
            "reason": serving.reason,
            "loss": serving.loss,
            "loss_with_one_centre_each": serving.loss_one,
            "inertia_ratio": serving.inertia,
            "centres": None if serving.centres is None else serving.centres.tolist(),
            "group_of_centre": None if serving.groups is None else serving.groups.tolist(),
        },
    }


def tree(found: Comparison, z: Float64, named: Named) -> list[dict[str, Any]]:
    """The levels of the tree; `inside` is the group of the level before that each group belongs to."""
    levels: list[dict[str, Any]] = []
    before: Int64 | None = None
    for level in found.tree.levels:
        sizes = np.bincount(level.labels, minlength=level.groups)
        levels.append({
            "level": level.name,
            "groups": level.groups,
            "sizes": sizes.tolist(),
            "names": list(named(centroids(z, level.labels))),
            "inside": None if before is None else [parent_of(level.labels, before, g) for g in range(level.groups)],
        })  # fmt: skip
        before = level.labels
    return levels


def labels_csv(customers: Sequence[str], within: Int64, found: Comparison) -> str:
    """One row a customer, one column a method: the number of the group from the largest, -1: none, empty: left out.

    The levels of the tree follow as columns of their own.
    """
    columns = {_slug(one.name): one.labelled.labels for one in found.judged}
    columns |= {f"tree_{level.groups}": level.labels for level in found.tree.levels}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["customer", *columns])
    row_of = {int(row): at for at, row in enumerate(within)}
    for i, customer in enumerate(customers):
        at = row_of.get(i)
        writer.writerow([customer, *("" if at is None else int(labels[at]) for labels in columns.values())])
    return out.getvalue()


def timings(found: Comparison) -> dict[str, Any]:
    """Seconds and MB of each method's one fit: of this machine and this hour, so no part of what is the same again."""
    return {
        name: {
            "seconds": round(cost.seconds, 3),
            "cpu_seconds": round(cost.cpu_seconds, 3),
            "peak_mb": None if cost.peak_mb is None else round(cost.peak_mb, 1),
        }
        for name, cost in found.costs.items()
    }


def _slug(name: str) -> str:
    """A name as a column.

    >>> _slug("EM (Gaussian mixture)")
    'em_gaussian_mixture'
    """
    return "_".join("".join(c if c.isalnum() else " " for c in name.lower()).split())


def rounded(value: Any) -> Any:
    """Six decimals everywhere: beyond them a figure says nothing."""
    if isinstance(value, float):
        return round(value, 6) + 0.0
    if isinstance(value, Mapping):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    return value
