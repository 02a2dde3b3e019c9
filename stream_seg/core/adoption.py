"""Who takes a new activation at once, instead of at the next visit of the daily walk."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stream_seg.core.activation import Activation
from stream_seg.core.engine import Engine

Bools = npt.NDArray[np.bool_]


def at_once(activations: Sequence[Activation], engine: Engine) -> Bools:
    """(rows of the engine's models,) whether customers under it in the newest of `activations` take that at once.

    A tier's first model labels those who wait for one. With a ramp of ``now`` everybody takes it whose model changes.
    Where the newest features leave out what an older model still needs, nobody can stay under that.
    """
    *earlier, newest = activations
    found = np.zeros(len(engine.rows), np.bool_)
    if not earlier:
        return found
    had = {tier.definition.tier for one in earlier for tier in one.each if tier.model is not None}
    before = {tier.definition.tier: tier.model for tier in earlier[-1].each}
    changed = {tier.definition.tier for tier in newest.each if tier.model != before.get(tier.definition.tier)}
    for row, tier in enumerate(newest.each, len(engine.rows) - len(newest.each)):
        name = tier.definition.tier
        first = tier.model is not None and name not in had
        found[row] = engine.cut_off or first or (newest.ramp == "now" and (name in changed or not changed))
    return found
