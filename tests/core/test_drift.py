from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from stream_seg.core.drift import Detector, DriftMonitor
from stream_seg.core.findings import Finding
from stream_seg.core.model import Float64, Int64
from stream_seg.core.quantisation import Centers
from stream_seg.errors import Stop

COLUMNS = ["spend", "visits", "coupons"]
CUSTOMERS = 120
MODEL = Centers(
    np.array([3.0, 1.0, 0.2]),
    np.array([1.0, 0.5, 0.4]),
    np.array([[-1.0, -1.0, 0.0], [1.0, 1.0, 0.0]]),
)
NOBODY = np.empty((0, 3)), np.empty(0, np.int64)

Day = tuple[Float64, Int64]
Change = Callable[[int, Float64], Float64]


def unchanged(_day: int, x: Float64) -> Float64:
    return x


def days(count: int, change: Change = unchanged, seed: int = 1) -> Iterator[tuple[int, Float64, Int64]]:
    """Days of 120 customers of two kinds; four of five have no coupon."""
    random = np.random.default_rng(seed)
    for day in range(count):
        kind = random.integers(0, 2, CUSTOMERS) * 2 - 1
        x = np.stack([
            3.0 + kind + random.normal(0, 0.4, CUSTOMERS),
            1.0 + 0.5 * kind + random.normal(0, 0.2, CUSTOMERS),
            np.where(random.random(CUSTOMERS) < 0.2, random.normal(1.0, 0.3, CUSTOMERS), 0.0),
        ], axis=1)  # fmt: skip
        yield day, change(day, x), random.permutation(CUSTOMERS).astype(np.int64) - 60


def started(detector: Detector = "ewma") -> DriftMonitor:
    monitor = DriftMonitor(COLUMNS, detector)
    monitor.adopt(1, MODEL)
    return monitor


def alarms(findings: list[Finding]) -> set[tuple[str, str]]:
    return {(f.metric, f.subject) for f in findings if f.severity != "none"}


def raised(count: int, change: Change = unchanged, detector: Detector = "ewma") -> dict[int, set[tuple[str, str]]]:
    """Day -> what alarms on it."""
    monitor = started(detector)
    found = {day: alarms(monitor.observe(day, x, hashes)) for day, x, hashes in days(count, change)}
    return {day: of_day for day, of_day in found.items() if of_day}


def from_day_60(column: int, shift: float) -> Change:
    def change(day: int, x: Float64) -> Float64:
        if day >= 60:
            x[:, column] += shift
        return x

    return change


def strangers(day: int, x: Float64) -> Float64:
    """From day 60 on six customers of a day are unlike anybody."""
    if day >= 60:
        x[:6] = np.array([3.0, 4.0, 3.0]) + 0.1 * x[:6]
    return x


def test_nothing_is_raised_while_nothing_changes() -> None:
    assert raised(250) == {}


@pytest.mark.parametrize(("column", "name"), [(0, "spend"), (1, "visits")])
def test_a_feature_whose_mean_moves_is_found_within_three_days_and_named(column: int, name: str) -> None:
    found = raised(63, from_day_60(column, 0.8))
    assert found
    assert min(found) >= 60
    assert ("feature_mean", name) in set.union(*found.values())


def test_another_number_of_customers_with_a_coupon_is_told_apart_from_larger_coupons() -> None:
    def more(day: int, x: Float64) -> Float64:
        if day >= 60:
            x[:24, 2] = x[:24, 2] + 1.0 * (x[:24, 2] == 0.0)
        return x

    def larger(day: int, x: Float64) -> Float64:
        if day >= 60:
            x[:, 2] += 0.4 * (x[:, 2] != 0.0)
        return x

    charts = {"feature_share", "feature_mean"}
    for change, metric in ((more, "feature_share"), (larger, "feature_mean")):
        found = set.union(*raised(66, change).values())
        assert {m for m, subject in found if subject == "coupons" and m in charts} == {metric}


def test_what_changes_for_everybody_overnight_is_seen_where_the_mean_of_all_is_too_unsteady() -> None:
    monitor = started()
    found: dict[int, set[tuple[str, str]]] = {}
    for day, x, hashes in days(70):
        before = x + np.random.default_rng(day).normal(0.0, 0.05, x.shape)
        if day >= 60:
            x[:, 0] += 0.1
        if day > 60:
            before[:, 0] += 0.1
        found[day] = alarms(monitor.observe(day, x, hashes, before))
    assert {day: of_day for day, of_day in found.items() if of_day} == {60: {("feature_change", "spend")}}


def test_an_alarm_is_raised_once_and_what_changed_becomes_usual() -> None:
    monitor = started()
    new: list[int] = []
    learning: list[int] = []
    findings: list[Finding] = []
    for day, x, hashes in days(140, from_day_60(0, 0.35)):
        findings = monitor.observe(day, x, hashes)
        learning += [day for f in findings if (f.metric, f.subject, f.mean) == ("feature_mean", "spend", None)]
        new += [day for f in findings if f.metric == "feature_mean" and f.new and f.severity == "warn"]
    (last,) = [f for f in findings if f.metric == "feature_mean" and f.subject == "spend"]
    assert len(new) == 1
    assert [day for day in learning if day > 60] == list(range(new[0] + 8, new[0] + 35))
    assert last.mean == pytest.approx(3.35, abs=0.1)


def test_a_change_that_grows_becomes_grave_and_says_so_in_words() -> None:
    monitor = started()
    told = [
        f
        for day, x, hashes in days(66, from_day_60(0, 2.0))
        for f in monitor.observe(day, x, hashes)
        if f.metric == "feature_mean" and f.subject == "spend" and f.severity == "act"
    ]
    assert told
    assert told[0].words.startswith("spend is higher than usual: ")
    assert "deviations; its distribution has changed" in told[0].words


def test_the_stability_index_and_the_displacement_tell_how_much_and_where() -> None:
    def last_of(change: Change) -> dict[tuple[str, str], float]:
        monitor = started()
        findings: list[Finding] = []
        for day, x, hashes in days(67, change):
            findings = monitor.observe(day, x, hashes)
        return {(f.metric, f.subject): f.value for f in findings}

    usual, moved = last_of(unchanged), last_of(from_day_60(0, 0.6))
    assert usual["psi", "spend"] < 0.05
    assert moved["psi", "spend"] > 0.25
    assert moved["psi", "visits"] < 0.05
    for segment in ("0", "1"):
        assert moved["centroid_displacement", segment] > usual["centroid_displacement", segment] + 0.3
        assert abs(usual["share_shift", segment]) < 0.1


@pytest.mark.parametrize("seed", range(4))
def test_another_model_alarms_nothing_and_a_change_soon_after_it_is_still_found(seed: int) -> None:
    other = Centers(MODEL.mean + 0.5, MODEL.scale * 2.0, np.array([[0.0, 0.0, 0.0], [3.0, 3.0, 3.0], [-2.0, 0.0, 1.0]]))
    monitor = started()
    found: dict[int, set[tuple[str, str]]] = {}
    for day, x, hashes in days(75, lambda day, x: x + 2.0 * (day >= 70), seed):
        if day in {45, 60}:
            monitor.adopt(day, other if day == 45 else MODEL)
        found[day] = alarms(monitor.observe(day, x, hashes))
    assert {day for day, of_day in found.items() if of_day} == {70, 71, 72, 73, 74}
    assert ("quantisation_error", "model") in found[72]
    assert monitor.version == 60


def test_a_far_group_is_found_and_described_by_what_sets_it_apart() -> None:
    monitor = started()
    told = [
        f
        for day, x, hashes in days(70, strangers)
        for f in monitor.observe(day, x, np.where(np.arange(CUSTOMERS) < 6, 10_000 + 6 * day + hashes % 6, hashes))
        if f.metric == "emergence"
    ]
    assert told
    assert told[0].new
    assert [f.new for f in told if f.severity == "warn"].count(True) <= 1
    group = told[-1].group
    assert group is not None
    assert group.center == pytest.approx((3.3, 4.1, 3.02), abs=0.15)
    assert group.population == pytest.approx(MODEL.mean)
    assert "high coupons, high visits" in told[0].words


def test_the_same_few_outliers_day_by_day_are_no_emergence() -> None:
    def same(day: int, x: Float64) -> Float64:
        return strangers(60, x) if day >= 60 else x

    monitor = started()
    found = set[tuple[str, str]]()
    for day, x, _ in days(70, same):
        found |= {
            alarm for alarm in alarms(monitor.observe(day, x, np.arange(CUSTOMERS))) if alarm[0] == "outlier_mass"
        }
    assert found == set()


@pytest.mark.parametrize("detector", ["ewma", "adwin", "page_hinkley"])
def test_a_restart_on_any_day_changes_nothing(detector: Detector) -> None:
    steady, restarted = started(detector), started(detector)
    other = Centers(MODEL.mean, MODEL.scale, np.array([[0.0, 0.0, 0.0], [np.nan] * 3]))
    for day, x, hashes in days(75, strangers):
        if day == 50:
            steady.adopt(2, other)
            restarted.adopt(2, other)
        restarted = DriftMonitor.load(restarted.dump())
        assert restarted.observe(day, x, hashes, x - 0.1) == steady.observe(day, x, hashes, x - 0.1)
        assert restarted.dump() == steady.dump()


def test_the_order_in_which_customers_come_changes_not_a_byte() -> None:
    one, other = started(), started()
    random = np.random.default_rng(3)
    for day, x, hashes in days(45):
        mixed = random.permutation(CUSTOMERS)
        assert one.observe(day, x, hashes, x) == other.observe(day, x[mixed], hashes[mixed], x[mixed])
    assert one.dump() == other.dump()


def test_the_state_stays_as_small_as_it_was_after_some_weeks() -> None:
    monitor, sizes = started(), []
    for day, x, hashes in days(160, strangers):
        monitor.observe(day, x, hashes)
        sizes.append(len(monitor.dump()))
    assert sizes[-1] < 1.2 * sizes[70]


@pytest.mark.parametrize("detector", ["adwin", "page_hinkley", "kswin"])
def test_rivers_detectors_find_a_large_shift_under_their_own_name(detector: Detector) -> None:
    monitor = started(detector)
    found: list[tuple[int, str]] = []
    for day, x, hashes in days(6, lambda day, x: x + 3.0 * (day >= 4)):
        found += [(day, f.metric) for f in monitor.observe(day, x, hashes) if f.subject == "spend" and f.new]
    assert (4, detector) in found
    assert {metric for _, metric in found} == {detector}


def test_an_unknown_detector_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(Stop, match="'cusum'; there are: ewma, adwin, page_hinkley, kswin"):
        DriftMonitor(COLUMNS, "cusum")  # type: ignore[arg-type]  # what a configuration might say


def test_nobody_belongs_to_an_absent_centre_and_nothing_is_said_of_it() -> None:
    absent = Centers(MODEL.mean, MODEL.scale, np.vstack([MODEL.centers[:1], [[np.nan] * 3], MODEL.centers[1:]]))
    whole, partly = started(), DriftMonitor(COLUMNS)
    partly.adopt(1, absent)
    here: list[Finding] = []
    there: list[Finding] = []
    for day, x, hashes in days(40):
        here, there = whole.observe(day, x, hashes), partly.observe(day, x, hashes)
    model_wide = ("quantisation_error", "outlier_mass")
    assert [f for f in here if f.metric in model_wide] == [f for f in there if f.metric in model_wide]
    assert {f.subject for f in there if f.metric == "share_shift"} == {"0", "2"}


def test_a_model_without_any_centre_is_refused() -> None:
    with pytest.raises(Stop, match="model version 9 has no centre"):
        DriftMonitor(COLUMNS).adopt(9, Centers(MODEL.mean, MODEL.scale, np.full((2, 3), np.nan)))


def test_a_constant_feature_is_quiet_until_it_is_constant_no_more() -> None:
    model = Centers(MODEL.mean, np.array([1.0, 0.5, 0.0]), MODEL.centers)
    monitor = DriftMonitor(COLUMNS)
    monitor.adopt(1, model)
    found: dict[int, set[tuple[str, str]]] = {}
    for day, x, hashes in days(64):
        x[:, 2] = 0.1
        if day >= 60:
            x[:30, 2] = 0.3
        found[day] = alarms(monitor.observe(day, x, hashes, x))
    assert {day: of_day for day, of_day in found.items() if of_day and day < 60} == {}
    assert ("feature_share", "coupons") in found[61]


def test_days_without_a_customer_say_nothing_and_change_nothing_usual() -> None:
    monitor = started()
    findings: list[Finding] = []
    for day, x, hashes in days(80):
        empty = day % 7 == 6
        findings = monitor.observe(day, *(NOBODY if empty else (x, hashes)))
        assert (findings == []) == (empty or day < 2)
        assert alarms(findings) == set()


def test_before_the_first_model_and_the_first_hundred_customers_nothing_is_measured() -> None:
    monitor = DriftMonitor(COLUMNS)
    for day, x, hashes in days(6):
        if day == 2:
            monitor.adopt(1, MODEL)
        findings = monitor.observe(day, x[:40], hashes[:40])
        assert (findings != []) == (day >= 3)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_finite_number_is_refused_with_the_feature_and_the_day(value: float) -> None:
    monitor = started()
    ((day, x, hashes),) = days(1)
    x[7, 1] = value
    with pytest.raises(Stop, match="day 0 has a value that is no finite number in visits"):
        monitor.observe(day, x, hashes)


def test_a_day_is_observed_once_and_in_order() -> None:
    monitor = started()
    for day, x, hashes in days(3):
        monitor.observe(day, x, hashes)
        with pytest.raises(Stop, match=f"day {day} comes after day {day}"):
            monitor.observe(day, x, hashes)


def test_a_state_of_another_format_is_not_read() -> None:
    with pytest.raises(Stop, match="format 2, this version reads 1"):
        DriftMonitor.load(started().dump().replace(b'"format":1', b'"format":2'))
