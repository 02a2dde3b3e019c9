"""The learner `river` is river's own pipeline: from the same centres the same numbers, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from river import cluster, compose, preprocessing

from stream_seg.core.clustering import RiverKMeans
from stream_seg.core.definition import Learning

COLUMNS, K = 3, 4


def draw(rows: int, seed: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Customers of some groups, with columns of different sizes, one of them constant."""
    random = np.random.default_rng(seed)
    x = random.gamma(1.0, size=(rows, COLUMNS)) * [1.0, 300.0, 0.0] + 10.0 * random.integers(0, K, (rows, 1))
    x[:, 2] = 7.0
    return x


@pytest.mark.parametrize("options", [{}, {"halflife": 0.3}])
def test_days_are_learned_as_a_river_pipeline_learns_their_vectors(options: dict[str, float]) -> None:
    table = draw(200, 1)
    learner = RiverKMeans(COLUMNS, Learning(k=K, options=options))
    learner.begin(table)
    scaler = preprocessing.StandardScaler()
    kmeans = cluster.KMeans(n_clusters=K, halflife=options.get("halflife", 0.02), seed=99)  # it draws nothing any more
    for row in table.tolist():
        scaler.learn_one(dict(enumerate(row)))
    begun = learner.fitted().centers.tolist()
    kmeans.centers = {j: dict(enumerate(center)) for j, center in enumerate(begun)}  # type: ignore[misc]  # read only
    pipeline = compose.Pipeline(scaler, kmeans)
    for day in range(2, 6):
        news = draw(50, day)
        learner.learn(news, table)
        again = RiverKMeans(COLUMNS, Learning(k=K, options=options))
        again.load(learner.dump())  # another worker takes over
        learner = again
        for row in news.tolist():
            pipeline.learn_one(dict(enumerate(row)))
        (mean, scale), centers = learner.fitted()
        assert mean.tolist() == [scaler.means[f] for f in range(COLUMNS)]
        assert scale.tolist() == [scaler.vars[f] ** 0.5 for f in range(COLUMNS)]
        assert centers.tolist() == [[kmeans.centers[j][f] for f in range(COLUMNS)] for j in range(K)]
        labels = [pipeline.predict_one(dict(enumerate(row))) for row in table.tolist()]
        z = (table - mean) / np.where(scale > 0, scale, np.inf)
        assert labels == ((z[:, None, :] - centers) ** 2).sum(2).argmin(1).tolist()
