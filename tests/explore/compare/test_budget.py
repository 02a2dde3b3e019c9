"""Each method has so many customers as its time and memory allow; the others follow, and the output says so."""

from __future__ import annotations

import numpy as np
import pytest

from stream_seg.core.evaluation import adjusted_rand
from stream_seg.explore.compare.methods import METHODS, Method, labelled
from stream_seg.explore.compare.sample import NOISE, by_size, carried_over, drawn
from tests.explore.compare.planted import blobs


@pytest.mark.parametrize("method", [one for one in METHODS if one.kind != "streaming"], ids=lambda one: one.name)
def test_a_method_over_its_budget_sees_a_sample_and_labels_everybody(method: Method) -> None:
    z, who = blobs()
    found = labelled(method._replace(most=150), z, 3, 7)
    assert len(found.rows) == 150
    assert len(found.labels) == len(z)
    assert adjusted_rand(found.labels, who) > 0.85


def test_the_share_of_noise_stays_what_it_was_among_the_sampled() -> None:
    generator = np.random.default_rng(2)
    z = generator.normal(size=(4_000, 2))
    rows = drawn(len(z), 1_000, seed=7)
    sampled = np.where(np.hypot(*z[rows].T) > 2.0, NOISE, 0)
    everybody = carried_over(z, rows, sampled)
    assert (everybody[rows] == sampled).all()
    assert np.mean(everybody < 0) == pytest.approx(np.mean(sampled < 0), abs=0.03)


def test_quadratic_methods_are_bounded_so_that_a_matrix_of_distances_fits() -> None:
    for method in METHODS:
        if method.kind in {"density", "tree"}:
            assert method.most**2 * 8 <= 1e9


def test_groups_are_numbered_from_the_largest_whatever_they_were_called() -> None:
    assert by_size(np.array([5, -1, 9, 9, 5, 9])).tolist() == [1, -1, 0, 0, 1, 0]


def test_the_same_seed_gives_the_same_labels_and_another_seed_another_sample() -> None:
    z, _ = blobs()
    for method in METHODS:
        again = [labelled(method._replace(most=200), z, 3, 7).labels.tolist() for _ in range(2)]
        assert again[0] == again[1]
    assert drawn(600, 200, 7).tolist() != drawn(600, 200, 8).tolist()
