"""Co-purchase affinity: what goes together in customers' baskets, as projections that the live features compute.

Correspondence analysis of customers by categories, each customer counting the same: the principal components of the
shares s of each customer's whole, each share in units of the root of its mean c. A component's coordinate is then
Σ weight · s, which is what the aggregate `projection` computes from features that exist. So what is fitted here is
exactly what is served, and it stands in the file as numbers.

Weights are shifted and stretched so that the customers that they were fitted on have mean 0 and standard deviation 1
(the shares sum to 1, so a shift of all weights shifts the value), turned so that the largest is positive, and rounded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from sklearn.decomposition import PCA

from stream_seg.core.model import Float64
from stream_seg.core.naming import MOST_WORDS
from stream_seg.errors import Stop

DIGITS = 4  # of a weight: what is below may differ between processors
RARE = 0.01  # a category that is less of everything than this is weighed as if it were so much: else it would shout
LEAST = 10  # customers for each category, below which a fit is of chance


class Projection(NamedTuple):
    """One component: a weight for each category, and how much of the variance between customers it explains."""

    weights: tuple[float, ...]
    explained: float
    high: str
    low: str


class Affinity(NamedTuple):
    """Fitted projections, the first explains most. of: the features that they are made of; version: of all weights."""

    of: tuple[str, ...]
    projections: tuple[Projection, ...]
    customers: int
    version: str


def fit(amounts: Float64, of: Sequence[str], components: int, *, prefix: str = "") -> Affinity:
    """Fits projections to a table of customers (rows) by categories (columns); `prefix` is left out of words.

    Raises `Stop` where there is too little to fit: too few customers, or all alike.
    """
    amounts = np.maximum(amounts, 0.0)
    whole = amounts.sum(axis=1)
    shares = amounts[whole > 0.0] / whole[whole > 0.0, None]
    customers, categories = shares.shape
    if customers < LEAST * categories:
        what = f"{customers:,} customers have anything in the {categories} features, {LEAST * categories:,} are needed"
        raise Stop(f"{what} for weights that are more than chance; ask for fewer features, or give more events")
    unit = np.sqrt(np.maximum(shares.mean(axis=0), RARE))
    scaled = shares / unit
    if not (scaled.std(axis=0) > 1e-12).any():
        raise Stop("all customers have the same shares: there is nothing that tells them apart")
    analysis = PCA(n_components=components, svd_solver="full").fit(scaled)
    found = []
    for loadings, explained in zip(analysis.components_, analysis.explained_variance_ratio_.tolist(), strict=True):
        weights = loadings / unit
        value = shares @ weights
        weights = (weights - value.mean()) / value.std()
        weights *= 1.0 if weights[np.argmax(np.abs(weights))] > 0 else -1.0
        pull = weights * unit  # a rare category has a large weight and moves few
        names = [name.removeprefix(prefix) for name in of]
        high, low = (_words(names, pull * sign) for sign in (1.0, -1.0))
        found.append(Projection(tuple(round(float(w), DIGITS) + 0.0 for w in weights), explained, high, low))
    canonical = msgspec.json.encode([list(of), [one.weights for one in found]])
    return Affinity(tuple(of), tuple(found), customers, hashlib.sha256(canonical).hexdigest()[:12])


def _words(names: Sequence[str], pull: Float64) -> str:
    """What a customer who is far out at one end buys more of than others: the one or two that pull there most."""
    first, second = np.argsort(-pull, kind="stable")[:2].tolist()
    said = [names[n].replace("_", " ") for n in (first, second) if pull[n] > pull[first] / 2]
    both = f"buy more {' and '.join(said)}"
    return both if len(both.split()) <= MOST_WORDS else f"buy more {' '.join(said[0].split()[: MOST_WORDS - 2])}"


def yaml_of(found: Affinity, name: str, day: str) -> str:
    """The features to paste below those that they are made of, with where they come from."""
    lines = [
        f"  # stream-seg affinity: fitted on {found.customers:,} customers as of {day}, version {found.version}",
    ]
    for number, one in enumerate(found.projections, 1):
        lines += [
            f"  - name: {name}_{number}   # explains {100 * one.explained:.0f} %",
            "    basis: behavioural",
            "    aggregate: projection",
            f"    of: [{', '.join(found.of)}]",
            f"    weights: [{', '.join(f'{weight:g}' for weight in one.weights)}]",
            "    transform: [{clip: [-4, 4]}]",
            f"    words: {{high: {one.high}, low: {one.low}}}",
        ]
    return "\n".join(lines) + "\n"
