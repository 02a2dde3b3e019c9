"""Whether islands are there: groups survive other settings of the map, noise does not."""

import numpy as np
import pytest

from stream_seg.explore.report.maps import Map, agreement, drawn_maps, faithful, islands_of


@pytest.fixture(scope="module")
def maps() -> list[Map]:
    """Of three groups, far apart in four columns."""
    rng = np.random.default_rng(3)
    z = np.concatenate([rng.normal(loc=loc, size=(60, 4)) for loc in (-6.0, 0.0, 6.0)])
    return drawn_maps(z, 7, lambda *_: None)


def test_groups_survive_and_noise_with_the_same_correlations_does_not(maps: list[Map]) -> None:
    own = [one for one in maps if one.kind == "customers"]
    noise = [one for one in maps if one.kind == "noise"]
    assert {one.number for one in own} == {3}
    assert agreement(own) > 0.95
    assert agreement(noise) < agreement(own) - 0.2


def test_the_same_order_draws_the_same_map_to_the_bit(maps: list[Map]) -> None:
    rng = np.random.default_rng(3)
    z = np.concatenate([rng.normal(loc=loc, size=(60, 4)) for loc in (-6.0, 0.0, 6.0)])
    again = drawn_maps(z, 7, lambda *_: None)
    assert all((a.points == b.points).all() for a, b in zip(maps, again, strict=True))


def test_a_map_that_is_the_space_keeps_all_neighbours_and_a_shuffled_one_none() -> None:
    z = np.random.default_rng(1).normal(size=(300, 2))
    shuffled = np.random.default_rng(2).permutation(z)
    found = faithful(z, [Map(30, "", z, islands_of(z)), Map(30, "", shuffled, islands_of(shuffled))])
    assert found["kept"][0] == 1.0
    assert found["kept"][1] < 0.15
    assert found["kept_between"] < 0.15
