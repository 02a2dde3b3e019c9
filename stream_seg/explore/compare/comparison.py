"""All methods on one table, and everything that is said of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from stream_seg.core.model import Float64
from stream_seg.errors import Stop
from stream_seg.explore.compare.agreement import agreement
from stream_seg.explore.compare.cost import Cost, measured
from stream_seg.explore.compare.methods import KMEANS, METHODS, Labelled, Method, labelled
from stream_seg.explore.compare.niche import Niche, niches, with_least_k
from stream_seg.explore.compare.serving import Serving, serving
from stream_seg.explore.compare.stability import stability
from stream_seg.explore.compare.tree import Tree, tree
from stream_seg.explore.compare.validity import Structure, Validity, structure, validity
from stream_seg.progress import Tell

COMPARING = "comparing methods"
# What a library raises over numbers that it cannot work with; anything else is a mistake of ours and not swallowed.
COULD_NOT = (ArithmeticError, LookupError, ValueError, AttributeError)


class Judged(NamedTuple):
    """One method: its labels and what they are worth. stability: mean and least."""

    labelled: Labelled
    validity: Validity
    stability: tuple[float, float]
    serving: Serving

    @property
    def name(self) -> str:
        return self.labelled.method.name


class Comparison(NamedTuple):
    """What came out; m methods.

    rand, information  (m, m) agreement of each with each
    could_not          why a method is missing
    costs              seconds and memory: the only part that is not the same again
    """

    k: int
    seed: int
    judged: Sequence[Judged]
    rand: Float64
    information: Float64
    structure: Structure
    niches: Sequence[Niche]
    tree: Tree
    could_not: Mapping[str, str]
    costs: Mapping[str, Cost]

    @property
    def kmeans(self) -> Judged:
        """The one that a worker serves."""
        return self.judged[0]

    def with_kmeans(self, name: str) -> float:
        """How far a method agrees with k-means (adjusted Rand)."""
        return float(self.rand[[one.name for one in self.judged].index(name), 0])


def compare(z: Float64, k: int, seed: int, tell: Tell, methods: Sequence[Method] = METHODS) -> Comparison:
    """Compares the methods on customers z (n, f) in units of their scale. Raises `Stop` where there is too little."""
    check(z, k)
    z = np.ascontiguousarray(z)
    judged: list[Judged] = []
    could_not: dict[str, str] = {}
    costs: dict[str, Cost] = {}
    for number, method in enumerate(methods):
        tell(COMPARING, number, len(methods))
        try:
            with measured() as cost:
                found = labelled(method, z, k, seed)
            judged.append(
                Judged(found, validity(z, found.labels, seed), stability(z, found, k, seed), serving(z, found, seed))
            )
        except COULD_NOT as error:
            if method.name == KMEANS:
                raise
            could_not[method.name] = f"{type(error).__name__}: {error}"
            continue
        costs[method.name] = cost
    tell(COMPARING, len(methods), len(methods))
    labels = [one.labelled.labels for one in judged]
    small = with_least_k(z, niches(z, [one.labelled for one in judged], judged[0].labelled), seed)
    return Comparison(
        k, seed, judged, *agreement(labels), structure(z, k, seed), small, tree(z, k, seed), could_not, costs
    )


def check(z: Float64, k: int) -> None:
    """Raises `Stop` where there is nothing to compare: too few customers, or all alike."""
    n = len(z)
    if n < 2:
        who = "there is one customer" if n else "there is no customer"
        raise Stop(
            f"{who} at this instant: groups take at least {2 * k} for k = {k}; give more events, or another --at"
        )
    different = len(np.unique(z, axis=0))
    if different == 1:
        raise Stop(
            f"all {n:,} customers are alike in every column in the distance: nothing tells them apart; add features"
        )
    if n < 2 * k:
        raise Stop(f"{n:,} customers are too few for k = {k}: ask for fewer with --k, at most {n // 2}")
    if different <= k:
        raise Stop(f"{n:,} customers, of whom {different} differ, for k = {k}: ask for fewer with --k, or add features")
