"""Whether groups can be served as centres, which is all that a live worker compares customers with, and what is lost.

A worker labels by the nearest centre. Groups of another form are approximated: one centre each, the mean, and more
where that labels too many customers differently. Centres of one group bear its name and lever; a customer who goes from
one of them to another moves nowhere that matters. What stays too far off is refused, with its loss.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from stream_seg.core.evaluation import inertia_of, optimum
from stream_seg.core.kmeans import assign, fit
from stream_seg.core.model import Float64, Int64
from stream_seg.explore.compare.methods import Labelled
from stream_seg.explore.compare.sample import centroids, drawn

Verdict: TypeAlias = Literal["as it is", "one centre each", "several centres each", "refused"]
LOSS = 0.05  # share of the grouped customers who may be labelled differently
NOISE = 0.10  # share of customers without a group: a centre would take every one of them in
EACH, ALL = 3, 64  # centres of one group; of all together, as many as a configuration can ask for
MEASURED_ON = 5_000  # customers


class Serving(NamedTuple):
    """What it would be to serve a labelling by centres.

    loss     share of grouped customers whom the centres put into another group; `loss_one`: with one centre a group
    inertia  that of the centres over the least that as many centres can have
    centres  (c, f) and the group of each, (c,); none where refused
    reason   why refused, or what it costs
    """

    verdict: Verdict
    reason: str
    loss: float | None = None
    loss_one: float | None = None
    inertia: float | None = None
    centres: Float64 | None = None
    groups: Int64 | None = None

    @property
    def served(self) -> bool:
        return self.verdict != "refused"


def serving(z: Float64, one: Labelled, seed: int) -> Serving:
    """The verdict on one labelling of the rows of z."""
    count = one.groups
    if count < 2:
        return Serving("refused", "it finds no groups" if count == 0 else "it finds one group: nothing to tell apart")
    if count > ALL:
        return Serving("refused", f"{count} groups, and a configuration has at most {ALL} segments")
    rows = drawn(len(z), MEASURED_ON, seed)
    x, labels = np.ascontiguousarray(z[rows]), one.labels[rows]
    if one.found.centres is not None:
        centres, owners = _own(z, one), np.arange(count, dtype=np.int64)
        return Serving(
            "as it is", "it labels by the nearest centre itself", 0.0, 0.0, _inertia(x, centres, seed), centres, owners
        )
    means = centroids(z, one.labels)
    centres, owners = means, np.arange(count, dtype=np.int64)
    first = loss = _loss(x, labels, centres, owners)
    best = (loss, centres, owners)
    shares = np.ones(count, np.int64)
    while best[0] > LOSS and (worst := _worst(x, labels, best[1], best[2], shares)) is not None and shares.sum() < ALL:
        shares[worst] += 1
        centres, owners = _split(x, labels, shares, means, seed)
        loss = _loss(x, labels, centres, owners)
        if loss < best[0]:
            best = (loss, centres, owners)
    loss, centres, owners = best
    ratio = _inertia(x, centres, seed)
    told = f"{loss:.1%} of the grouped customers would be in another group with {len(centres)} centres"
    if first != loss:
        told += f" ({first:.1%} with one each)"
    if one.noise > NOISE:
        reason = f"{one.noise:.0%} belong to no group, and centres would put every one of them into one; {told}"
        return Serving("refused", reason, loss, first, ratio)
    if loss > LOSS:
        return Serving("refused", f"its groups are no neighbourhoods of centres: {told}", loss, first, ratio)
    if one.noise > 0:
        told += f"; {one.noise:.1%} without a group would be in the nearest"
    verdict: Verdict = "one centre each" if len(centres) == count else "several centres each"
    return Serving(verdict, told, loss, first, ratio, centres, owners)


def _own(z: Float64, one: Labelled) -> Float64:
    """A method's own centres, in the order of its labels; those that nobody is nearest to are gone."""
    assert one.found.centres is not None
    nearest = assign(z, np.ascontiguousarray(one.found.centres))[0]
    first = [int(np.argmax(one.labels == g)) for g in range(one.groups)]
    return np.ascontiguousarray(one.found.centres[nearest[first]])


def _loss(x: Float64, labels: Int64, centres: Float64, owners: Int64) -> float:
    grouped = labels >= 0
    return float(np.mean(owners[assign(x, centres)[0][grouped]] != labels[grouped])) if grouped.any() else 0.0


def _worst(x: Float64, labels: Int64, centres: Float64, owners: Int64, shares: Int64) -> int | None:
    """The group that takes part in most mistakes and may have one more centre."""
    said = owners[assign(x, centres)[0]]
    wrong = (labels >= 0) & (said != labels)
    mistakes = np.bincount(labels[wrong], minlength=len(shares)) + np.bincount(said[wrong], minlength=len(shares))
    mistakes[(shares >= EACH) | (np.bincount(labels[labels >= 0], minlength=len(shares)) <= shares)] = 0
    return int(np.argmax(mistakes)) if mistakes.any() else None


def _split(x: Float64, labels: Int64, shares: Int64, means: Float64, seed: int) -> tuple[Float64, Int64]:
    """So many centres of each group, each group by itself; one that the sample did not meet keeps its mean."""
    parts = []
    for group, share in enumerate(shares.tolist()):
        inside = np.ascontiguousarray(x[labels == group])
        parts.append(fit(inside, share, seed)[0] if len(inside) else means[group : group + 1])
    owners = np.repeat(np.arange(len(parts), dtype=np.int64), [len(part) for part in parts])
    return np.ascontiguousarray(np.vstack(parts)), owners


def _inertia(x: Float64, centres: Float64, seed: int) -> float | None:
    least = optimum(x, min(len(centres), len(x)), seed)[1]
    labels = assign(x, centres)[0]
    return inertia_of(x, centres, labels) / least if least > 0 else None
