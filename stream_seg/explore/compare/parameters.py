"""What each method is told, chosen from the table itself: the same table gives the same parameters."""

from __future__ import annotations

import numpy as np
from sklearn.cluster import estimate_bandwidth
from sklearn.neighbors import NearestNeighbors

from stream_seg.core.model import Float64

SMALLEST = 0.01  # of the customers: a group below that is nobody's campaign
QUANTILE = 0.2  # of all pairs, for the bandwidth of mean-shift: its usual 0.3 drowns all but the largest groups


def neighbours(z: Float64) -> int:
    """How many customers within reach make a place dense: twice the columns (Sander et al., 1998), 4 to 20.

    >>> neighbours(np.zeros((500, 9))), neighbours(np.zeros((500, 1))), neighbours(np.zeros((12, 9)))
    (18, 4, 4)
    """
    return int(min(max(4, 2 * z.shape[1]), 20, max(4, len(z) // 10)))


def distances_to(z: Float64, k: int) -> Float64:
    """(n,) the distance of each customer to the k-th other one, in rising order."""
    found = NearestNeighbors(n_neighbors=min(k + 1, len(z))).fit(z).kneighbors(z)[0][:, -1]
    return np.sort(np.asarray(found, np.float64))


def knee(rising: Float64) -> float:
    """Where a rising curve bends up: its point farthest below the straight line from its first to its last point.

    >>> knee(np.array([1.0, 1.1, 1.2, 1.3, 9.0]))
    1.3
    """
    low, high = rising[0], rising[-1]
    if high == low:
        return float(high)
    gap = np.linspace(0.0, 1.0, len(rising)) - (rising - low) / (high - low)
    return float(rising[int(np.argmax(gap))])


def reach(z: Float64) -> float:
    """The eps of DBSCAN: the knee of the sorted distances to the k-th neighbour; above 0 also where many are alike."""
    rising = distances_to(z, neighbours(z))
    found = knee(rising)
    return found if found > 0.0 else float(rising[rising > 0.0].min(initial=1.0))


def smallest_group(n: int) -> int:
    """The smallest group that HDBSCAN may name: 1 % of the customers, not below 5.

    >>> smallest_group(2_469), smallest_group(100)
    (25, 5)
    """
    return max(5, round(SMALLEST * n))


def bandwidth(z: Float64, seed: int) -> float:
    """That of mean-shift: the mean distance to the nearest fifth of the customers, of at most 500 drawn."""
    found = float(estimate_bandwidth(z, quantile=QUANTILE, n_samples=min(500, len(z)), random_state=seed))
    return found if found > 0.0 else reach(z)


def radius(z: Float64, seed: int, most: int = 1_000) -> float:
    """The threshold of BIRCH: half of the median distance to the nearest neighbour's neighbourhood.

    Small enough that no leaf spans two groups, large enough that most leaves hold several customers.
    """
    rows = z if len(z) <= most else z[np.random.default_rng(seed).choice(len(z), most, replace=False)]
    rising = distances_to(rows, neighbours(rows))
    found = float(rising[len(rising) // 2]) / 2.0
    return found if found > 0.0 else float(rising[rising > 0.0].min(initial=1.0)) / 2.0
