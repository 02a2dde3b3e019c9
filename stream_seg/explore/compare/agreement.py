"""How far labellings of the same customers agree, whatever they call their groups. Noise counts as one group more."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.metrics import adjusted_mutual_info_score

from stream_seg.core.evaluation import adjusted_rand
from stream_seg.core.model import Float64, Int64

SAME = 0.8  # adjusted Rand from which two labellings tell the same story


def agreement(labellings: Sequence[Int64]) -> tuple[Float64, Float64]:
    """Adjusted Rand (pairs of customers) and adjusted mutual information of each with each, (m, m).

    1: they agree wholly, 0: no more than by chance.

    >>> rand, information = agreement([np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0])])
    >>> rand.tolist() == information.tolist() == [[1.0, 1.0], [1.0, 1.0]]
    True
    """
    count = len(labellings)
    rand, information = np.eye(count), np.eye(count)
    for a in range(count):
        for b in range(a):
            rand[a, b] = rand[b, a] = adjusted_rand(labellings[a], labellings[b])
            information[a, b] = information[b, a] = adjusted_mutual_info_score(labellings[a], labellings[b])
    return rand, information
