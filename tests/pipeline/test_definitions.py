"""What LEARN says of a segment, worked out by hand over forty days of ten customers."""

from __future__ import annotations

from typing import Any

import pytest

from stream_seg.core.definition import DAY, Feature, Learning
from stream_seg.wire import control
from stream_seg.wire.output import sample_message
from tests.pipeline.test_learning import START, Trainer

FEATURES = (
    Feature(name="spend", aggregate="sum", field="properties.v", window=2 * DAY),
    Feature(
        name="plan", aggregate="latest", field="traits.plan", encode="one_hot", categories=("free", "pro"),
        role="outcome",
    ),
)  # fmt: skip
PLANS = ("unknown", "free", "pro")  # in the order of the columns
LAST = 40
# name: spend on the first days, spend at the end, plan, on which day something was done last (0: every day)
SHOP = {
    "a0": (3.0, 1.0, "free", 0),
    "a1": (4.0, 2.0, "free", 0),
    "a2": (4.0, 3.0, "free", 0),
    "a3": (5.0, 4.0, "free", 10),  # thirty days ago to the millisecond: that is too long
    "a4": (4.0, 10.0, "pro", 9),
    "x": (54.0, 45.0, "unknown", 0),  # nearer to the dear ones as they were, and to the others as they are
    "b0": (56.0, 100.0, "pro", 0),
    "b1": (56.0, 104.0, "pro", 0),
    "b2": (57.0, 108.0, "pro", 0),
    "b3": (57.0, 120.0, "free", 11),
}
# name: day -> 0, among the cheap from then on, or 1, among the dear
MOVES = {
    "a0": {5: 1, 10: 0},  # both are more than a month old at the end
    "a1": {11: 1, 12: 0},
    "x": {40: 0},
    "b0": {2: -1, 20: 1},  # who had no segment did not come from one
    "b1": {16: 0, 17: 1},  # on the 14th and 15th nobody saw it
}
UNSEEN = {"b1": (14, 15)}


def tell_a_day(trainer: Trainer, cheap: int, dear: int) -> None:
    """The samples of the next day, and its end."""
    trainer.day += 1
    day, at = trainer.day, START + trainer.day * DAY
    for i, (name, (before, after, plan, last)) in enumerate(SHOP.items()):
        if day in UNSEEN.get(name, ()):
            continue
        came = [(2, int(name[0] != "a")), *((w, s) for w, s in MOVES.get(name, {}).items() if w <= day)]
        since, place = came[-1]
        segment = -1 if day == 1 or place < 0 else (cheap, dear)[place]
        vector = [before if day < 30 else after, *(float(plan == one) for one in PLANS)]
        trainer.send(
            sample_message(
                name.encode(), 1, day, at - 1, START + last * DAY if 0 < last < day else at - 2, i << 40, vector,
                trainer.learn.memory.state.layout, 0, "all", segment, START + since * DAY - 1,
            )
        )  # fmt: skip
    trainer.send(control.control("samples", control.PASSED_DAY, control.PassedDay(0, 1, at), 0))


@pytest.fixture(scope="module")
def told() -> list[dict[str, Any]]:
    """What was said on the last day: of the cheap, of the dear. The version of the first day was old enough by then."""
    rules = Learning(k=2, warm_start=10, publish_gain=1e9, publish_every=(LAST - 1) * DAY, max_model_moves=1.0)
    trainer = Trainer(rules, FEATURES)
    tell_a_day(trainer, -1, -1)
    cheap, dear = sorted((0, 1), key=lambda segment: trainer.model.centers[segment])
    for _ in range(LAST - 1):
        trainer.said("segment-definitions")
        tell_a_day(trainer, cheap, dear)
    assert trainer.model.version == 2
    said = {int(one["segment"]): one for one in trainer.said("segment-definitions")}
    numbers = {str(cheap): "cheap", str(dear): "dear"}
    for one in said.values():
        for way in ("moved_in", "moved_out"):
            one[way] = {numbers[other]: customers for other, customers in one[way].items()}
    return [said[cheap], said[dear]]


def test_sizes_and_shares_are_of_those_who_are_nearest_now(told: list[dict[str, Any]]) -> None:
    assert [(one["size"], one["share"], one["customers_affected"]) for one in told] == [(6, 0.6, 6), (4, 0.4, 4)]
    assert [one["change"] for one in told] == ["updated", "updated"]


def test_the_reach_is_the_share_who_did_something_in_the_last_thirty_days(told: list[dict[str, Any]]) -> None:
    assert [one["reach"] for one in told] == [0.666667, 1.0]


def test_middle_and_spread_are_the_quartiles_of_the_customers_in_real_units(told: list[dict[str, Any]]) -> None:
    everybody = {"role": "feature", "population": 49.7, "population_median": 27.5}
    cheap = {"center": 65 / 6, "low": 2.25, "median": 3.5, "high": 8.5, "before": 4.0}  # 1 2 3 4 10 45; before: no 45
    dear = {"center": 108.0, "low": 103.0, "median": 106.0, "high": 111.0, "before": 95.4}  # 100 104 108 120; and 45
    assert [one["profile"]["spend"] for one in told] == [pytest.approx(everybody | own) for own in (cheap, dear)]


def test_an_outcome_has_its_profile_too(told: list[dict[str, Any]]) -> None:
    for one, pro in zip(told, (1 / 6, 0.75), strict=True):
        profile = one["profile"]["plan=pro"]
        assert (profile["role"], profile["center"], profile["population"]) == ("outcome", pytest.approx(pro), 0.4)


def test_categories_are_shares_of_the_segment_and_of_everybody_the_commonest_first(told: list[dict[str, Any]]) -> None:
    population = {"free": 0.5, "pro": 0.4, "unknown": 0.1}
    cheap = {"free": 4 / 6, "pro": 1 / 6, "unknown": 1 / 6}
    for one, shares in zip(told, (cheap, {"pro": 0.75, "free": 0.25}), strict=True):
        assert one["categories"]["plan"] == [
            {"value": value, "share": share, "population": population[value]} for value, share in shares.items()
        ]


def test_movements_are_those_of_the_last_thirty_days_between_segments(told: list[dict[str, Any]]) -> None:
    cheap, dear = told
    assert (cheap["moved_in"], cheap["moved_out"]) == ({"dear": 3}, {"dear": 2})  # a1, b1, x in; a1, b1 out
    assert (dear["moved_in"], dear["moved_out"]) == ({"cheap": 2}, {"cheap": 3})


def test_stability_is_of_those_who_were_there_thirty_days_ago_or_left_since(told: list[dict[str, Any]]) -> None:
    cheap, dear = told
    assert cheap["stability"] == pytest.approx(4 / 6, abs=1e-6)  # a0, a2, a3, a4 stayed; a1 and b1 left
    assert dear["stability"] == 0.4  # b2, b3 stayed; a1, b1, x left
