"""Many vectors at once get the segments that one at a time would get."""

from __future__ import annotations

import numpy as np
import pytest

from stream_seg.core.decision import distances, nearest_segments
from stream_seg.core.model import ModelArrays


def models(rng: np.random.Generator, columns: int, first: int, k: int) -> ModelArrays:
    """One model of a tier whose segments begin at `first`; the second of them is no more, a column is left out."""
    inverse = np.abs(rng.normal(size=(1, columns))) + 0.1
    inverse[0, 0] = 0.0
    absent = np.full((1, k), np.inf)
    absent[0, first:] = 0.0
    absent[0, first + 1] = np.inf
    number = np.ones(1, np.int64)
    return ModelArrays(
        number=number,
        tier=number * 0,
        first=number * first,
        k=number * k,
        version=number,
        dwell=number * 0,
        margin=np.zeros(1),
        low=np.full((1, columns), -1.5),
        high=np.full((1, columns), np.inf),
        mean=rng.normal(size=(1, columns)),
        inverse=inverse,
        centers=rng.normal(size=(1, columns, k)),
        absent=absent,
    )


@pytest.mark.parametrize("rows", [0, 1, 7, 8, 9, 1_000])
def test_many_at_once_are_where_each_alone_would_be(rows: int) -> None:
    rng = np.random.default_rng(rows)
    x = rng.normal(size=(rows, 5))
    x[rows // 2 :: 3, 2] = np.nan
    x[rows // 3 :: 5, 3] = np.inf
    x[rows // 4 :: 7] = 0.0
    for first, k in ((0, 4), (3, 9)):
        asked = models(rng, 5, first, k)
        alone = [int(distances(asked, 0, row, np.empty(k))) for row in x]
        assert nearest_segments(asked, 0, x).tolist() == alone


def test_without_a_model_nobody_has_a_segment() -> None:
    asked = models(np.random.default_rng(1), 3, 0, 4)
    assert nearest_segments(asked._replace(k=np.zeros(1, np.int64)), 0, np.zeros((3, 3))).tolist() == [-1, -1, -1]
