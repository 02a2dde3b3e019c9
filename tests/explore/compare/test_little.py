"""Too little to compare: a clear line, and never a word of a library."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from stream_seg.core.model import Float64
from stream_seg.errors import Stop
from stream_seg.explore.compare.comparison import compare

GENERATOR = np.random.default_rng(8)


def quiet(z: Float64, k: int) -> int:
    """How many methods came to a result; warnings would be errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = compare(z, k, 7, lambda *_: None)
    assert found.could_not == {}
    return len(found.judged)


@pytest.mark.parametrize(
    ("z", "k", "line"),
    [
        (np.zeros((0, 2)), 3, "there is no customer at this instant"),
        (np.zeros((1, 2)), 3, "there is one customer at this instant: groups take at least 6 for k = 3"),
        (np.ones((40, 2)), 3, "all 40 customers are alike in every column in the distance"),
        (GENERATOR.normal(size=(4, 2)), 6, "4 customers are too few for k = 6: ask for fewer with --k, at most 2"),
        (np.repeat(np.eye(3), 20, axis=0), 6, "60 customers, of whom 3 differ, for k = 6"),
    ],
    ids=["nobody", "one", "alike", "fewer than k", "few that differ"],
)
def test_too_little_is_said_in_one_line(z: Float64, k: int, line: str) -> None:
    with pytest.raises(Stop, match=line):
        compare(z, k, 7, lambda *_: None)


def test_as_few_as_are_asked_for_is_enough() -> None:
    assert quiet(np.random.default_rng(1).normal(size=(12, 3)), 6) == 12


def test_one_column_is_enough() -> None:
    x = np.random.default_rng(1).normal(size=(120, 1)) + np.repeat([[0.0], [9.0]], 60, axis=0)
    assert quiet(x, 2) == 12


def test_many_who_are_alike_are_no_trouble() -> None:
    alike = np.repeat(np.random.default_rng(1).normal(size=(9, 3)), 40, axis=0)
    assert quiet(alike, 3) == 12


def test_a_column_in_which_all_are_alike_is_no_trouble() -> None:
    x = np.column_stack([np.random.default_rng(1).normal(size=(80, 2)), np.zeros(80)])
    assert quiet(x, 3) == 12
