"""What is counted day by day, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from stream_seg.adapters.memory.sampling import daily
from stream_seg.core.definition import DAY, Definition, Feature, feature_set_version
from stream_seg.core.model import Float64, ModelVersion
from stream_seg.pipeline.daily import Day, Space
from stream_seg.pipeline.quality import MATURE, Course, Optima, matters_in, ratio

FEATURES = (
    Feature(name="orders", aggregate="count", window=7 * DAY),
    Feature(name="paid", aggregate="sum", field="properties.paid", window=7 * DAY),
    Feature(name="age", aggregate="tenure", role="outcome"),
)
SHOP = Definition(name="shop", features=FEATURES, lateness=DAY, forget_after=97 * DAY, margin=0.2)
SPACE = Space(daily(SHOP))
SUNDAY = 7 * 2_900  # a number that seven divides: the end of a week


def model(version: int, *centers: tuple[float, ...]) -> ModelVersion:
    return ModelVersion(
        version=version, tier="all", feature_set_version=feature_set_version(SHOP), learner="keyed",
        columns=("orders", "paid"), centers=centers, mean=(0.0, 0.0), scale=(1.0, 1.0), clip_low=(None, None),
        clip_high=(None, None), segments=("x",) * len(centers), samples=9, trained_at=0,
    ).sealed()  # fmt: skip


def day(number: int, vectors: Float64, active: int) -> Day:
    """A day on which the first so many customers did something."""
    end = number * DAY
    silent = np.where(np.arange(len(vectors)) < active, 1, 5 * DAY)
    raw = np.column_stack([vectors, np.full(len(vectors), 99.0)])
    numbers = np.arange(len(vectors), dtype=np.int64)
    return Day(end, numbers - 3, silent.astype(np.int64), raw, numbers)


CROSS = np.array([[0.0, 0.0], [0.0, 1.0], [4.0, 0.0], [4.0, 1.0], [5.6, 0.0], [10.0, 0.0]])


def test_a_flip_is_a_customer_active_that_day_whom_the_new_version_alone_moves() -> None:
    course = Course(Optima(SPACE), 2)
    left, right = model(1, (0.0, 0.0), (10.0, 0.0)), model(2, (0.0, 0.0), (7.0, 0.0))
    moved = model(3, (7.0, 0.0), (0.0, 0.0))
    for number, (version, active) in enumerate([(None, 6), (left, 6), (left, 5), (right, 4), (moved, 4)], SUNDAY + 1):
        course.day(day(number, CROSS, active), version)
    # The border goes from 5 to 3.5: (4, 0) and (4, 1) of the first four move, 5.6 had moved before. Then names change.
    assert course.flips == [(0, 5), (2, 4), (4, 4)]
    assert course.versions == 3
    assert course.age == 3
    assert course.figures()["model_flips_per_1000"] == pytest.approx(1_000 * 6 / 13)
    assert course.figures()["model_flips_per_1000_mature"] is None


def test_mature_is_what_comes_ninety_days_after_the_first_model() -> None:
    course = Course(Optima(SPACE), 2)
    course.flips = [(5, 10)] * MATURE + [(1, 10), (0, 10)]
    assert course.figures()["model_flips_per_1000_mature"] == pytest.approx(1_000 / 20)


def test_a_number_of_a_segment_that_ended_is_no_segment_and_one_without_a_customer_is_dead() -> None:
    course = Course(Optima(SPACE), 2)
    course.day(day(SUNDAY, CROSS, 6), model(1, (2.0, 0.5), (), (8.0, 0.0)))
    assert course.dead == 0
    course.day(day(SUNDAY + 7, CROSS, 6), model(2, (2.0, 0.5), (), (8.0, 0.0), (90.0, 90.0)))
    assert course.dead == 1
    assert len(course.ratios) == len(course.held) == 2


def test_only_the_ends_of_weeks_are_held_against_a_batch_fit() -> None:
    course = Course(Optima(SPACE), 2)
    for number in range(SUNDAY + 1, SUNDAY + 14):
        course.day(day(number, CROSS, 6), model(1, (2.0, 0.5), (8.0, 0.0)))
    assert len(course.ratios) == 1


def test_the_ratio_is_one_for_what_the_batch_fit_finds_and_worked_out_by_hand_for_another() -> None:
    vectors = np.array([[0.0, 0.0], [0.0, 2.0], [8.0, 0.0], [8.0, 2.0]])
    optima, today = Optima(SPACE), day(SUNDAY, vectors, 4)
    best, other = model(1, (0.0, 1.0), (8.0, 1.0)), model(2, (1.0, 1.0), (8.0, 1.0))
    batch = optima.of(today, 2, best)
    assert batch is not None
    assert ratio(batch, best) == pytest.approx(1.0)
    # In units of (4, 1): each row is 1 from its centre; two of them are 1/16 more in the other.
    assert batch.inertia == pytest.approx(4.0)
    assert ratio(batch, other) == pytest.approx((4.0 + 2 / 16) / 4.0)


def test_customers_keep_a_segment_until_another_is_nearer_by_the_margin() -> None:
    course = Course(Optima(SPACE), 2)
    both = model(1, (0.0, 0.0), (10.0, 0.0))
    course.day(day(SUNDAY - 1, CROSS, 6), both)
    nearer = CROSS.copy()
    nearer[2, 0] = 5.1  # nearest to the second now, but not by a fifth
    course.day(day(SUNDAY, nearer, 6), both)
    assert course.held[0] > course.ratios[0]


def test_where_fewer_customers_differ_than_there_are_segments_nothing_is_measured() -> None:
    course = Course(Optima(SPACE), 2)
    course.day(day(SUNDAY, np.array([[1.0, 1.0], [2.0, 2.0], [1.0, 1.0]]), 3), model(1, (0.0, 0.0), (2.0, 2.0)))
    course.day(day(SUNDAY + 7, np.empty((0, 2)), 0), model(1, (0.0, 0.0), (2.0, 2.0)))
    assert course.figures()["inertia_ratio_median"] is None
    assert course.figures()["dead_clusters"] is None


def test_a_feature_matters_where_half_as_much_again_moves_its_mean() -> None:
    today = day(SUNDAY, np.array([[0.0, 3.0], [0.1, 4.0], [0.0, 5.0]]), 3)
    assert matters_in(SPACE, today, model(1, (0.0, 0.0), (1.0, 1.0))) == {"paid": 1}
