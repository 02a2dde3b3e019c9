"""The keyed learner: river's own checks, what it refuses, and that it does what batch k-means does."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from river import compose, datasets, preprocessing
from river.checks import common, yield_checks
from sklearn.cluster import KMeans

from stream_seg.core.estimator import KeyedKMeans
from stream_seg.core.keyed import Fitted, begin, inertia, refit, rescaled, step
from stream_seg.core.kmeans import assign, fit
from stream_seg.core.model import Float64
from stream_seg.core.scaling import REACH, Scaler, drifted, scaler_of, within_reach

ON_DATA = [
    common.check_learn_one, common.check_pickling, common.check_shuffle_features_no_impact,
    common.check_emerging_features, common.check_disappearing_features, common.check_radically_disappearing_features,
    common.check_predict_one_pure, common.check_predict_one_before_any_learn,
    common.check_no_state_aliasing_with_input, common.check_clone_is_independent,
]  # fmt: skip


def blobs(seed: int, centers: Float64, size: int = 100, spread: float = 0.3) -> Float64:
    random = np.random.default_rng(seed)
    return np.vstack([center + spread * random.normal(size=(size, len(center))) for center in centers])


FOUR = np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 6.0], [6.0, 6.0]])


# --- the estimator


@pytest.mark.parametrize("check", [*yield_checks(KeyedKMeans())], ids=lambda check: check.__name__)
def test_it_passes_rivers_checks(check: Any) -> None:
    check(KeyedKMeans().clone())


@pytest.mark.parametrize("check", ON_DATA, ids=lambda check: check.__name__)
def test_it_passes_rivers_checks_on_data_too(check: Any) -> None:
    check(KeyedKMeans(n_clusters=3, warm_start=20), [(x, y) for x, y in datasets.TrumpApproval().take(200)])


def test_memory_is_bounded_by_the_table() -> None:
    data = [(x, y) for x, y in datasets.TrumpApproval().take(1_000)]
    common.check_bounded_memory_growth(KeyedKMeans(n_clusters=3, warm_start=20, table=100), data)
    model = KeyedKMeans(n_clusters=2, key="who", table=50, warm_start=10)
    for i in range(2_000):
        model.learn_one({"who": i, "a": float(i % 7), "b": float(i % 2)})
    assert len(model._slots) == 50
    assert len(model._rows) == 50


def test_nan_is_refused_by_name_and_nothing_is_learned() -> None:
    model = KeyedKMeans(n_clusters=2, warm_start=2)
    model.learn_one({"a": 1.0, "b": 2.0})
    for wrong in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="feature 'b' is"):
            model.learn_one({"a": 1.0, "b": wrong})
    assert model._seen == 1


@pytest.mark.parametrize("text", ["gold", "3", b"gold"])
def test_text_is_refused_by_name_and_nothing_is_learned(text: str | bytes) -> None:
    model = KeyedKMeans(n_clusters=2, key="who", warm_start=2)
    for use in (model.learn_one, model.predict_one):
        with pytest.raises(ValueError, match=r"feature 'plan' is the text b?'.*'; encode it, leave it out, or name it"):
            use({"who": "ann", "spend": 1.0, "plan": text})
    with pytest.raises(ValueError, match="feature 'spend' is None and no number"):
        model.learn_one({"who": "ann", "spend": None})
    assert (model._seen, model._columns, model._slots) == (0, {}, {})
    model.learn_one({"who": "ann", "spend": np.float64(1.0), "vip": True})
    assert list(model._slots) == ["ann"]


def test_a_key_behind_a_scaler_is_no_id_any_more_as_the_docstring_says() -> None:
    assert "a scaler in front scales numeric ids like any number" in " ".join((KeyedKMeans.__doc__ or "").split())
    model = preprocessing.StandardScaler() | KeyedKMeans(n_clusters=2, key="who", warm_start=2)
    for i in range(100):
        model.learn_one({"who": i % 10, "spend": float(i % 7)})
    assert len(model["KeyedKMeans"]._slots) > 50  # of ten customers
    with pytest.raises(TypeError):
        model.learn_one({"who": "ann", "spend": 1.0})


def test_seeds_make_it_repeatable_and_a_customer_has_one_row() -> None:
    x = blobs(1, FOUR)
    order = np.random.default_rng(2).integers(0, len(x), 3_000)
    models = [KeyedKMeans(n_clusters=4, key="who", warm_start=100, seed=3) for _ in range(2)]
    for model in models:
        for i in order.tolist():
            model.learn_one({"who": i, "a": x[i, 0], "b": x[i, 1]})
    assert models[0].centers == models[1].centers
    assert len(models[0]._slots) == len(np.unique(order))
    found = np.array([[center["a"], center["b"]] for center in models[0].centers.values()])
    assert sorted(np.round(found / 6).astype(int).tolist()) == [[0, 0], [0, 1], [1, 0], [1, 1]]


def test_it_learns_behind_rivers_scaler() -> None:
    customer = compose.Select("who")
    model = ((compose.Discard("who") | preprocessing.StandardScaler()) + customer) | KeyedKMeans(
        n_clusters=4, key="who", warm_start=100
    )
    x = blobs(1, FOUR) * [1.0, 1000.0]
    for i, (a, b) in enumerate(x.tolist() * 2):
        model.learn_one({"who": i % len(x), "a": a, "b": b})
    labels = [model.predict_one({"who": "new", "a": a, "b": b}) for a, b in (FOUR * [1.0, 1000.0]).tolist()]
    assert len(set(labels)) == 4


def test_a_vector_is_scored_as_a_table_is() -> None:
    x = blobs(1, FOUR, spread=3.0) * [1.0, 1000.0]
    model = KeyedKMeans(n_clusters=4, warm_start=100)
    for a, b in x.tolist():
        model.learn_one({"a": a, "b": b})
    assert model._fitted is not None
    expected, _ = assign(model._fitted.scaler.transform(x), model._fitted.centers)
    assert [model.predict_one({"b": b, "other": 1.0, "a": a}) for a, b in x.tolist()] == expected.tolist()
    assert model.predict_one({"a": 1e308, "b": 1e308}) in range(4)  # whose sum is no number


def test_refits_come_as_in_learn_where_a_day_is_a_vector_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    model, asked = KeyedKMeans(n_clusters=3, table=100, warm_start=50), list[tuple[int, int]]()

    def noted(fitted: Fitted, x: Float64, seed: int, restarts: int) -> Fitted:
        asked.append((model._seen, restarts))
        return refit(fitted, x, seed, restarts)

    monkeypatch.setattr("stream_seg.core.estimator.refit", noted)
    for i in range(6_000):
        model.learn_one({"a": float(i % 7), "b": float(i % 11)})
    days = [seen / 100 for seen, _ in asked]
    gaps = [round(later - one, 1) for one, later in pairwise(days)]
    assert gaps[:3] == [1.0] * 3  # a day, while it is younger than four
    assert all(0.25 * one <= gap <= 0.25 * one + 0.2 for one, gap in zip(days, gaps, strict=False) if 5 <= one <= 27)
    assert gaps[-2:] == [7.0, 7.0]
    assert {restarts for _, restarts in asked} == {10}


# --- the arithmetic


@pytest.mark.parametrize("seed", range(3))
def test_a_fit_is_as_good_as_scikit_learns(seed: int) -> None:
    x = np.random.default_rng(seed).gamma(1.0, size=(800, 6))
    theirs = KMeans(5, n_init=10, random_state=seed).fit(x).inertia_
    assert fit(x, 5, seed)[1] <= 1.01 * theirs


def test_steps_follow_customers_who_move() -> None:
    x = blobs(1, FOUR)
    fitted = begin(x, 4, 1)
    moved = x
    for day in range(1, 30):
        moved = blobs(1, FOUR + day * np.array([0.1, -0.05]))
        fitted = step(fitted, moved)
    assert inertia(fitted, moved, fitted.scaler) == pytest.approx(
        fit(fitted.scaler.transform(moved), 4, 1)[1], rel=1e-6
    )


def test_a_segment_that_empties_overnight_takes_the_farthest() -> None:
    x = blobs(1, FOUR)
    fitted = begin(x, 4, 1)
    gone = np.vstack([x[:300], x[:100] + 20.0])  # the last group left, another came elsewhere
    for _ in range(3):
        fitted = step(fitted, gone)
    labels, _ = assign(fitted.scaler.transform(gone), fitted.centers)
    assert len(np.unique(labels)) == 4


def test_two_empty_segments_do_not_become_one() -> None:
    x = blobs(1, FOUR)
    far = Fitted(scaler_of(x), np.array([[0.0, 0.0], [900.0, 0.0], [0.0, 900.0], [900.0, 900.0]]))
    after = step(far, x)
    assert len(np.unique(after.centers, axis=0)) == 4


def test_a_refit_keeps_the_number_of_a_segment() -> None:
    x = blobs(1, FOUR)
    fitted = begin(x, 4, 1)
    bad = Fitted(fitted.scaler, fitted.centers[[0, 1, 2, 2]] + np.array([[0, 0], [0, 0], [0, 0.1], [0, -0.1]]))
    again = refit(bad, x, 5)
    labels = [assign(f.scaler.transform(x), f.centers)[0] for f in (bad, again)]
    assert inertia(again, x, again.scaler) < 0.5 * inertia(bad, x, again.scaler)
    kept = sum(int((labels[0][labels[1] == j] == j).mean() > 0.5) for j in range(4))
    assert kept >= 2  # of the four; two shared a group before


def test_another_scale_maps_centres_exactly() -> None:
    x = blobs(1, FOUR)
    fitted = begin(x, 4, 1)
    other = Scaler(np.array([3.0, -7.0]), np.array([0.5, 11.0]))
    mapped = rescaled(fitted, other)
    real = [f.centers * f.scaler.scale + f.scaler.mean for f in (fitted, mapped)]
    assert real[0] == pytest.approx(real[1])


# --- what comes in


def test_a_constant_feature_is_left_out_and_comes_back() -> None:
    x = np.column_stack([blobs(1, FOUR), np.full(400, 1e9 + 0.1)])
    scaler = scaler_of(x)
    assert scaler.scale[2] == 0.0
    fitted = begin(x, 4, 1)
    assert np.isfinite(fitted.centers).all()
    varied = np.column_stack([x[:, :2], np.arange(400.0)])
    assert drifted(scaler, scaler_of(varied))
    assert refit(fitted, varied, 1).scaler.scale[2] > 0


def test_identical_features_count_twice_and_break_nothing() -> None:
    x = blobs(1, FOUR)
    fitted = begin(np.column_stack([x, x[:, 0]]), 4, 1)
    assert fitted.centers[:, 0] == pytest.approx(fitted.centers[:, 2])


@pytest.mark.parametrize("each", [5, 30, 100, 150])
@pytest.mark.parametrize("size", [1e5, 1e300])
def test_one_customer_who_is_far_off_shapes_nothing(each: int, size: float) -> None:
    """However few the others are: of n rows none is more than sqrt(n - 1) deviations of all of them off."""
    x = np.vstack([blobs(1, FOUR, each), [[size, 0.0]]])
    scaler = scaler_of(x)
    assert scaler.scale[0] < 10
    assert len(within_reach(x, scaler)) == 4 * each
    before = begin(x, 4, 1)
    after = step(before, x)
    assert np.abs(after.centers).max() < REACH
    assert np.isfinite(inertia(after, x, after.scaler))


def test_customers_who_are_all_the_same_give_no_refit() -> None:
    fitted = begin(blobs(1, FOUR), 4, 1)
    same = np.ones((50, 2))
    assert np.isfinite(refit(fitted, same, 1).centers).all()
    assert np.isfinite(step(fitted, same).centers).all()
