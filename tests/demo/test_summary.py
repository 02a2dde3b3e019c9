"""From what was published to what a person reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_seg.cli.story import told
from stream_seg.core.definition import Feature, Words
from stream_seg.pipeline.summary import Counts, Summary, reason, summarise

if TYPE_CHECKING:
    from collections.abc import Sequence

COUNTS = Counts(events=1000, accepted=990, dead_letters=4, late=5, duplicates=1, seconds=2.5)
FEATURES = (
    Feature(name="spend", aggregate="sum", words=Words(high="spend a lot", low="spend little")),
    Feature(name="silence", aggregate="recency", words=Words(high="have gone silent", low="were here just now")),
    Feature(name="plan", aggregate="latest"),
)


def moved(
    customer: str, sequence: int, at: str, before: str | None, after: str | None, cause: str = "event", *,
    incarnation: int = 0, version: int | None = 1, why: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:  # fmt: skip
    return {
        "id": f"{customer}:{incarnation}:{sequence}", "customer_id": customer, "incarnation": incarnation,
        "sequence": sequence, "previous_segment": before, "segment": after, "cause": cause,
        "event_time": f"2017-{at}:00.000Z", "model_version": version, "top_features": list(why),
    }  # fmt: skip


def defined(segment: str, name: str, version: int = 1, lever: str | None = None) -> dict[str, Any]:
    silence = {"center": 2e6 if "silent" in name else 1e5, "population": 1e6}
    return {
        "profile": {"silence": silence, "spend": {"center": 1.0, "population": 2.0}},
        "segment": segment, "name": name, "description": f"{name}.", "lever": lever, "change": "updated",
        "history": [{"model_version": v, "name": name} for v in range(1, version + 1)],
    }  # fmt: skip


SPENT = {"feature": "spend", "before": 12.0, "after": 250.4, "effect": 0.5}
FADED = {"feature": "silence", "before": 3_600.0, "after": 1_900_800.0, "effect": 0.9}
UPGRADED = {"feature": "plan=plus", "before": 0, "after": 1, "effect": 0.1}
MOVEMENTS = [
    moved("anna", 1, "01-05T10:00", None, "0", "backfill"),
    moved("anna", 2, "05-01T10:00", "0", "1", why=[SPENT, UPGRADED]),
    moved("anna", 3, "12-20T10:00", "1", "2", "time", version=2, why=[FADED]),
    moved("bo", 1, "12-01T10:00", None, "0", "backfill"),
    moved("bo", 2, "12-24T10:00", "0", "1"),
    moved("cleo", 1, "02-01T10:00", None, "0", "backfill"),
    moved("cleo", 2, "03-01T10:00", "0", "2", "time"),
    moved("dan", 1, "02-01T10:00", None, "2", "backfill"),
    moved("dan", 2, "12-31T10:00", "2", None, "forgotten"),
]  # fmt: skip
DEFINITIONS = [
    defined("0", "come seldom", 2),
    defined("1", "spend little"),
    defined("1", "spend a lot", 2, "thank them"),
    defined("2", "have gone silent"),
    defined("3", "nobody [yet]"),
]


def the_summary() -> Summary:
    return summarise(MOVEMENTS, DEFINITIONS, FEATURES, COUNTS)


def test_the_document_counts_everything_once() -> None:
    summary = the_summary()
    assert {key: summary[key] for key in COUNTS} == COUNTS  # type: ignore[literal-required]  # the keys of Counts
    assert summary["customers"] == 4
    assert summary["movements"] == 9
    assert summary["movements_by_cause"] == {"backfill": 4, "event": 2, "forgotten": 1, "time": 2}
    assert summary["model_versions"] == 2
    sizes = [(one["segment"], one["name"], one["customers"], round(one["share"], 2)) for one in summary["segments"]]
    assert sizes == [
        ("2", "have gone silent", 2, 0.67), ("1", "spend a lot", 1, 0.33), ("0", "come seldom", 0, 0),
        ("3", "nobody [yet]", 0, 0),
    ]  # fmt: skip
    assert summary["segments"][1]["lever"] == "thank them"


def test_the_last_month_ends_with_the_last_movement() -> None:
    month = the_summary()["last_month"]
    assert (month["began"], month["ended"]) == ("2017-12-01T10:00:00.000Z", "2017-12-31T10:00:00.000Z")
    assert month["from_to"] == [
        {"from": "0", "to": "1", "count": 1},
        {"from": "1", "to": "2", "count": 1},
        {"from": "2", "to": None, "count": 1},
    ]


def test_silent_are_those_whom_time_moved_last_and_lately() -> None:
    summary = the_summary()
    assert summary["silent"] == [{"customer": "anna", "from": "1", "to": "2", "since": "2017-12-20T10:00:00.000Z"}]
    assert summary["silent_customers"] == 1
    # What time takes out of a window may also move a customer who is as busy as ever: bo is not silent.
    bo = moved("bo", 3, "12-28T10:00", "1", "0", "time")
    assert summarise([*MOVEMENTS, bo], DEFINITIONS, FEATURES, COUNTS)["silent_customers"] == 1
    assert summarise([*MOVEMENTS, bo], DEFINITIONS, FEATURES[:1], COUNTS)["silent_customers"] == 2


def test_a_reason_that_did_not_visibly_change_is_said_as_it_is() -> None:
    features = {feature.name: feature for feature in FEATURES}
    assert (
        reason({"feature": "silence", "before": 518_400.0, "after": 518_401.0, "effect": 1}, features)
        == "silence 6 days"
    )
    assert reason({"feature": "spend", "before": None, "after": 3.5, "effect": 1}, features) == "spend 3.5"
    assert reason({"feature": "gone_since", "before": 3.5, "after": 1.0, "effect": 1}, features) == "gone since 3.5 → 1"


def test_the_story_is_of_the_customer_whose_way_shows_most_and_gives_the_reasons_in_words() -> None:
    story = the_summary()["story"]
    assert story is not None
    assert story["customer"] == "anna"
    assert [(step["from"], step["to"], step["cause"]) for step in story["steps"]] == [
        (None, "0", "backfill"), ("0", "1", "event"), ("1", "2", "time"),
    ]  # fmt: skip
    assert [step["why"] for step in story["steps"]] == [
        [],
        ["spend a lot (spend 12 → 250)", "plan is plus"],
        ["have gone silent (silence 1 hour → 22 days)"],
    ]


def test_a_customer_who_came_back_is_where_the_later_life_says() -> None:
    again = [*MOVEMENTS, moved("dan", 1, "12-31T11:00", None, "1", incarnation=900)]
    summary = summarise(again, DEFINITIONS, FEATURES, COUNTS)
    assert [(one["segment"], one["customers"]) for one in summary["segments"]] == [
        ("1", 2),
        ("2", 2),
        ("0", 0),
        ("3", 0),
    ]


@given(order=st.permutations(MOVEMENTS), repeated=st.lists(st.sampled_from(MOVEMENTS), max_size=4))
def test_the_order_of_arrival_and_repeats_change_nothing(
    order: list[dict[str, Any]], repeated: list[dict[str, Any]]
) -> None:
    assert summarise([*order, *repeated], DEFINITIONS, FEATURES, COUNTS) == the_summary()


def test_a_long_way_is_told_from_its_end() -> None:
    many = [moved("anna", n, f"01-{n:02}T10:00", str(n % 2), str((n + 1) % 2)) for n in range(1, 21)]
    story = summarise(many, DEFINITIONS, FEATURES, COUNTS)["story"]
    assert story is not None
    assert (story["earlier"], len(story["steps"]), story["steps"][-1]["at"]) == (12, 8, "2017-01-20T10:00:00.000Z")


def test_the_document_is_json_and_an_empty_run_has_one_too() -> None:
    nothing = summarise([], [], (), Counts(events=0, accepted=0, dead_letters=0, late=0, duplicates=0, seconds=0.0))
    assert json.loads(json.dumps(nothing)) == nothing
    assert json.loads(json.dumps(the_summary())) == the_summary()
    assert "Nobody has moved" in told(nothing)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_page_tells_it_all_and_fits(width: int) -> None:
    page = told(the_summary(), ["stream-seg customer anna"], width=width)
    assert max(map(len, page.splitlines())) <= width
    flat = " ".join(page.split())
    for said in (
        "1,000 events of 4 customers in 2 s (400 a second)",
        "990 accepted, 4 dead letters, 5 late, 1 duplicates",
        "9 movements (4 backfill, 2 event, 1 forgotten, 2 time), 2 model versions",
        "nobody [yet]",
        "thank them",
        "(1 Dec 2017 to 31 Dec 2017)",
        "1 customer moved because nothing happened",
        "anna (20 Dec 2017)",
        "22 days",
        "stream-seg customer anna",
    ):
        assert said in flat
    assert "\x1b[" not in page
    assert "\x1b[" in told(the_summary(), width=width, colour=True)


def test_the_largest_segment_has_the_longest_bar_and_an_empty_one_none() -> None:
    lines = [line for line in told(the_summary()).splitlines() if "%" in line]
    assert [line.count("█") for line in lines] == [24, 12, 0, 0]
