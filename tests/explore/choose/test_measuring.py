"""What is measured of numbers of segments, where one knows what must come out."""

from typing import Any

import numpy as np
import pytest

from stream_seg.config.good import Good
from stream_seg.core.kmeans import assign
from stream_seg.core.model import Float64
from stream_seg.explore.choose.gap import Gap
from stream_seg.explore.choose.measuring import Measured, Measures, explained
from stream_seg.explore.choose.ranking import elbow, rank, verdict
from stream_seg.explore.choose.stability import Stability, between_months, bootstrap, jaccard

LENIENT = Good((2, 64), 0.0, 1.0, 0.0, ())


def lumps(k: int, apart: float, each: int = 60, seed: int = 1) -> tuple[Float64, Float64]:
    """Customers around k centres on a line."""
    centers = np.array([[apart * j, 0.0] for j in range(k)])
    noise = np.random.default_rng(seed).normal(size=(k * each, 2))
    return np.ascontiguousarray(np.repeat(centers, each, axis=0) + noise), centers


def test_what_is_apart_is_found_again_by_other_draws_and_what_is_not_is_not() -> None:
    for apart, least, most in ((20.0, 0.999, 1.0), (0.0, -0.1, 0.7)):
        z, centers = lumps(3, apart)
        labels = assign(z, centers + np.array([[0.0, 0.0], [0.1, 0.0], [0.0, 0.1]]) * (apart == 0.0))[0]
        found = bootstrap(z, labels, 3, seed=7, draws=10)
        assert least <= found.agreement <= most
        assert all(least <= one <= most for one in found.jaccard) or apart == 0.0


def test_months_agree_while_the_customers_stay_what_they_are() -> None:
    z, _ = lumps(3, 20.0)
    other, _ = lumps(3, 20.0, seed=2)
    assert between_months([(z, z), (other, other), (z, z)], 3, seed=7) == (1.0, 1.0)
    mixed = np.random.default_rng(4).normal(size=(180, 2)) * 10.0
    assert between_months([(z, z), (mixed, mixed)], 3, seed=7)[0] < 0.9
    assert between_months([(z, z), (z[:3], z[:3])], 3, seed=7) == ()


def test_jaccard_of_the_same_is_one() -> None:
    labels = np.array([0, 0, 1, 2, 2, 2])
    assert np.diag(jaccard(labels, labels, 3)).tolist() == [1.0, 1.0, 1.0]


def test_segments_explain_nothing_of_what_is_alike_and_all_of_what_they_are_made_of() -> None:
    labels = np.repeat(np.array([0, 1, 2]), 100)
    assert explained(np.ones(300), labels) == 0.0
    assert explained(np.random.default_rng(5).normal(size=300), labels) < 0.03
    assert explained(labels * 1000.0, labels) == pytest.approx(1.0)


def one_of(k: int, **changes: Any) -> Measured:
    made = Measured(
        k=k, centers=np.zeros((k, 1)), labels=np.zeros(1, np.int64), inertia=100.0 / k, shares=(1.0 / k,) * k,
        names=("x",) * k, distinct=k, silhouette=0.5, silhouettes=(0.5,) * k, stability=Stability(0.9, (0.9,) * k),
        months=(0.9,), separation={}, moves=0.1, flips=None,
    )  # fmt: skip
    return made._replace(**changes)


def measures(*each: Measured) -> Measures:
    n = each[-1].k
    return Measures(each, Gap((0.0,) * n, (0.0,) * n, tuple(float(i) for i in range(n)), (0.01,) * n))


def test_who_misses_what_was_called_good_comes_behind_whoever_does_not() -> None:
    good = Good((2, 3), 0.3, 0.2, 0.7, ("spend",))
    each = measures(
        one_of(2, silhouette=0.1, separation={"spend": 0.2}),
        one_of(3, silhouette=0.9, separation={"spend": 0.01}),
        one_of(4, silhouette=0.9, separation={"spend": 0.2}, moves=0.5, stability=Stability(0.5, (0.5,) * 4)),
    )
    order = rank(each, good)
    assert [one.measured.k for one in order] == [2, 3, 4]
    assert order[1].misses == ("it does not separate spend: 1.0% of its variance, less than 6%",)
    assert order[2].misses == (
        "there are more of them than the 3 that can be served",
        "the smallest segment holds 25.00% of the customers, less than 30%",
        "50% of the customers move in a month, more than 20%",
        "other draws of the customers agree by 0.50, less than 0.7",
    )
    assert "they hold everything that was called good" in order[0].because


def test_among_equals_in_good_the_measures_decide_and_say_so() -> None:
    order = rank(measures(one_of(2), one_of(3, silhouette=0.8), one_of(4)), LENIENT)
    assert order[0].measured.k == 3
    assert order[0].places["silhouette"] == 1.0
    assert "best in silhouette" in order[0].because


def test_what_cannot_be_measured_places_nobody() -> None:
    order = rank(measures(one_of(2, moves=None, months=()), one_of(3, moves=None, months=())), LENIENT)
    assert set(order[0].places) == {"gap", "silhouette", "other draws", "names"}


def test_the_verdict_is_there_only_where_there_are_no_clusters() -> None:
    none = Gap((0.0,) * 3, (0.0,) * 3, (0.3, 0.2, 0.1), (0.01,) * 3)
    assert "No clusters at all" in (verdict(Measures((), none)) or "")
    assert verdict(Measures((), none._replace(gaps=(0.1, 0.9, 0.8)))) is None


def test_the_elbow_is_where_more_gain_little() -> None:
    assert elbow([2, 3, 4, 5, 6], [100.0, 50.0, 20.0, 18.0, 17.0]) == 4
    assert elbow([2], [5.0]) == 2
    assert elbow([2, 3, 4], [0.0, 0.0, 0.0]) == 2


def test_a_limit_and_what_misses_it_never_read_the_same() -> None:
    good = Good((2, 64), 0.025, 0.7, 0.7, ())
    near = one_of(2, shares=(0.02496, 0.97504), moves=0.7004, stability=Stability(0.69997, (0.9, 0.9)))
    assert rank(measures(near, one_of(3)), good)[1].misses == (
        "the smallest segment holds 2.496% of the customers, less than 2.5%",
        "70.04% of the customers move in a month, more than 70%",
        "other draws of the customers agree by 0.69997, less than 0.7",
    )
