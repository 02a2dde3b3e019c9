"""Whether a method finds the same groups again when a fifth of the customers had not been there."""

from __future__ import annotations

import numpy as np

from stream_seg.core.evaluation import adjusted_rand
from stream_seg.core.model import Float64
from stream_seg.explore.compare.methods import Labelled, labelled

ROUNDS = 4
KEPT = 0.8  # of the customers that the method was given
MOST = 1_500  # customers of one round


def stability(z: Float64, full: Labelled, k: int, seed: int) -> tuple[float, float]:
    """Mean and least adjusted Rand between the labels of everybody and those of fits without a part of the customers.

    Parameters are chosen anew each time, by the same rule: that is part of the method.
    """
    found = []
    for number in range(ROUNDS):
        generator = np.random.default_rng([seed, number])
        rows = np.sort(generator.choice(full.rows, min(int(KEPT * len(full.rows)), MOST), replace=False))
        again = labelled(full.method, np.ascontiguousarray(z[rows]), k, seed + number)
        found.append(adjusted_rand(full.labels[rows], again.labels))
    return float(np.mean(found)), float(min(found))
