"""The keyed learner's arithmetic: k-means over a table that holds each customer's newest vector once.

Learning from customers and not from events is what keeps it near the optimum: who is active daily has one row, as
who comes once a month. Every day is one Lloyd iteration from where the centres are; from time to time a refit looks
whether the scale has moved or a fresh start would be clearly better. Everything is a function of the table, the
state and the seed, the same to the bit on every machine.

Source: Lloyd (1982); k-means++ by Arthur and Vassilvitskii (2007); what is adopted when was measured on purchase and
click streams (docs/learners.md).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stream_seg.core.kmeans import assign, fit, lloyd
from stream_seg.core.lineage import matched, shared
from stream_seg.core.model import Float64
from stream_seg.core.scaling import Scaler, drifted, scaler_of, within_reach

RESTARTS = 40  # of a refit: many look alike, and what a later one would find moves customers once more
FRESH = 0.97  # a fresh start is taken for less than this share of the inertia
BETTER = 1.01  # Lloyd run to its end is taken when the inertia was more than this many times as great
TO_THE_END = 100


class Fitted(NamedTuple):
    """What was learned: centres (k, columns) in the space of the scaler."""

    scaler: Scaler
    centers: Float64


def begin(x: Float64, k: int, seed: int) -> Fitted:
    """The first centres, from the newest vector of each customer: x (customers, columns)."""
    scaler = scaler_of(x)
    return Fitted(scaler, fit(scaler.transform(within_reach(x, scaler)), k, seed)[0])


def step(fitted: Fitted, x: Float64) -> Fitted:
    """One Lloyd iteration over the table; a centre that nobody is near goes to where a customer is farthest off."""
    z = fitted.scaler.transform(within_reach(x, fitted.scaler))
    return Fitted(fitted.scaler, lloyd(z, fitted.centers, 1)[0]) if len(z) else fitted


def rescaled(fitted: Fitted, scaler: Scaler) -> Fitted:
    """The same centres, to rounding, in the space of another scaler."""
    old, mean = fitted.scaler, scaler.mean
    inverse = np.divide(1.0, scaler.scale, out=np.zeros_like(scaler.scale), where=scaler.scale > 0)
    return Fitted(scaler, (fitted.centers * old.scale + old.mean - mean) * inverse)


def inertia(fitted: Fitted, x: Float64, scaler: Scaler) -> float:
    """Sum of squared distances of x (customers, columns) to the centres of `fitted`, in the space of `scaler`."""
    z = scaler.transform(within_reach(x, scaler))
    return assign(z, rescaled(fitted, scaler).centers)[1]


def refit(fitted: Fitted, x: Float64, seed: int, restarts: int = RESTARTS) -> Fitted:
    """Looks whether the scale, the end of Lloyd's iterations or a fresh start are clearly better than what there is.

    Of a fresh start the centres are matched to the old ones by the customers whom they share, so a centre goes on
    under its number.
    """
    new = scaler_of(x)
    now = rescaled(fitted, new) if drifted(fitted.scaler, new) else fitted
    z = now.scaler.transform(within_reach(x, now.scaler))
    k = len(now.centers)
    if len(np.unique(z, axis=0)) < k:
        return now
    before, present = assign(z, now.centers)
    settled, _ = lloyd(z, now.centers, TO_THE_END)
    at_the_end = assign(z, settled)[1]
    fresh, _ = fit(z, k, seed, restarts)
    anew, least = assign(z, fresh)
    if least < FRESH * min(at_the_end, present):
        return Fitted(now.scaler, fresh[[new for _, new in matched(shared(before, anew, k, k))]])
    return Fitted(now.scaler, settled) if present > BETTER * at_the_end else now
