"""How a customer and the segments are shown to a person."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stream_seg.bootstrap import commands as bootstrap
from stream_seg.cli import call
from stream_seg.cli.customer import rendered as customer_text
from stream_seg.cli.segments import rendered as segments_text
from stream_seg.cli.who import rendered as who_text
from stream_seg.pipeline.answers import CustomerAnswer, SegmentsAnswer, WhoAnswer

ANN: CustomerAnswer = {
    "customer_id": "ann",
    "segment": 2,
    "segment_name": "Regulars",
    "since": "2017-03-01T10:00:00Z",
    "features": [
        {"name": "orders_30d", "value": 12.0, "in_distance": 1.375},
        {"name": "plan", "value": "plus", "in_distance": None},
    ],
    "margin": 0.42,
    "runner_up": 4,
    "why": [{"feature": "orders_30d", "effect": 0.81, "text": "orders often"}],
    "history": [
        {"sequence": 1, "before": 4, "after": 2, "cause": "time", "at": "2017-03-01T10:00:00Z", "model_version": 3},
        {"sequence": 0, "before": None, "after": 4, "cause": "event", "at": "2017-01-01T10:00:00Z", "model_version": 1},
    ],
    "incarnation": 17,
    "model_version": 3,
    "feature_set_version": "abcdef012345",
    "last_event": "2017-02-01T09:00:00Z",
}
HERE: SegmentsAnswer = {
    "segments": [
        {
            "segment": 0,
            "tier": "all",
            "name": "Regulars",
            "customers": 1204,
            "share": 0.602,
            "profile": {"orders_30d": 12.4, "silence": 86400.0},
            "learned_from": {
                "size": 900,
                "reach": 0.914,
                "stability": 0.75,
                "moved_in": {"1": 40},
                "moved_out": {"1": 200},
                "measures": {},
                "categories": {},
                "as_of": "2017-03-12T00:00:00.000Z",
            },
            "lever": "early access",
            "owner": None,
            "question": "Who comes back by itself?",
        },
        {
            "segment": 1,
            "tier": "all",
            "name": "Gone quiet",
            "customers": 796,
            "share": 0.398,
            "profile": {"orders_30d": 0.0, "silence": 4233600.5},
            "learned_from": None,
            "lever": None,
            "owner": None,
            "question": None,
        },
    ],
    "customers": 2010,
    "unlabelled": 10,
    "model_version": 3,
    "tiers": {"all": 3},
}
DRIFTING: WhoAnswer = {
    "view": "drifting-away",
    "question": "Who is drifting away?",
    "customers": 2010,
    "found": 17,
    "unranked": 2,
    "as_of": "2017-03-13T10:00:00.000Z",
    "ranked": [
        {
            "customer_id": "ann",
            "score": 1.8412,
            "segment": 1,
            "segment_name": "Gone quiet",
            "moved": {
                "before": 0,
                "before_name": "Regulars",
                "cause": "time",
                "at": "2017-03-01T10:00:00.000Z",
                "ago": 1_036_800.0,
            },
            "reasons": [
                {
                    "text": "order rarely",
                    "term": "orders_30d",
                    "value": 1.0,
                    "before": 9.84,
                    "population": 4.2,
                    "unit": None,
                },
                {
                    "text": "have gone silent",
                    "term": "silence",
                    "value": 864_000.0,
                    "before": 90_000.0,
                    "population": 172_800.0,
                    "unit": "s",
                },
            ],
        },
        {
            "customer_id": "bob",
            "score": -0.5,
            "segment": None,
            "segment_name": None,
            "moved": None,
            "reasons": [
                {"text": "silent for", "term": "customer.silence", "value": 950_400.0, "before": None,
                 "population": None, "unit": "s"},
                {"text": "plan", "term": "plan", "value": "plus", "before": None, "population": None, "unit": None},
                {"text": "spend a lot", "term": "spend", "value": 99.0, "before": None,
                 "population": 24.5, "unit": None},
                {"text": "", "term": "items", "value": 7.0, "before": None, "population": None, "unit": None},
            ],
        },
        {"customer_id": "cid", "score": -1.0, "segment": 0, "segment_name": "Regulars", "moved": None, "reasons": []},
    ],
}  # fmt: skip


def test_who_is_in_a_view_is_shown_with_a_reason_a_line_before_and_now_or_beside_everybody() -> None:
    assert (
        who_text(DRIFTING)
        == """\
Who is drifting away? 17 of 2,010 customers, 2 of them without anything to rank by; the first 3

customer  score  segment       why
ann        1.84  1 Gone quiet  was in 0 Regulars; moved 12d ago, as time passed
                               order rarely: orders_30d 9.84 → 1
                               have gone silent: silence 25h → 10d
bob       -0.50  –             silent for 11d
                               plan plus
                               spend a lot: spend 99, everybody 24.5
                               items 7
cid       -1.00  0 Regulars    –"""
    )
    nobody: WhoAnswer = {**DRIFTING, "found": 0, "unranked": 0, "ranked": []}
    assert who_text(nobody) == "Who is drifting away? 0 of 2,010 customers"


def test_a_customer_is_shown_with_segment_margin_reasons_features_and_movements() -> None:
    assert (
        customer_text(ANN)
        == """\
ann is in segment 2 (Regulars) since 2017-03-01T10:00:00Z
margin 0.42 to segment 4
last event 2017-02-01T09:00:00Z, model 3, features abcdef012345, incarnation 17

Why here and not in segment 4
  orders often  orders_30d  +0.81

Features
  feature     value  in the distance
  orders_30d     12             1.38
  plan         plus                –

Movements, newest first
  #  when                  from  to  cause  model
  1  2017-03-01T10:00:00Z  4     2   time   3
  0  2017-01-01T10:00:00Z  –     4   event  1"""
    )


def test_a_customer_before_the_first_model_has_no_segment_and_says_so() -> None:
    early: CustomerAnswer = {
        **ANN,
        "segment": None,
        "segment_name": None,
        "since": None,
        "margin": None,
        "runner_up": None,
        "why": [],
        "history": [],
        "model_version": None,
    }
    text = customer_text(early)
    assert text.startswith("ann has no segment yet: there is no model.\n")
    assert "No movement yet." in text


def test_segments_are_shown_with_size_share_and_profiles_side_by_side() -> None:
    assert (
        segments_text(HERE)
        == """\
2,010 customers, 10 without a segment; model 3

segment  name        customers  share  active  stayed  lever         owner  question
      0  Regulars        1,204  60.2%     91%     75%  early access  –      Who comes back by itself?
      1  Gone quiet        796  39.8%       –       –  –             –      –

profile          0            1
orders_30d    12.4            0
silence     86,400  4,233,600.5"""
    )


def test_with_json_the_answer_is_the_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "segmentation.yaml"
    file.write_text("name: shop\nfeatures:\n- {name: orders, aggregate: count, window: 7d, tiles: 7}\n")
    monkeypatch.setattr(bootstrap, "customer", lambda *_: ANN)
    monkeypatch.setattr(bootstrap, "segments", lambda *_: HERE)
    assert call(["customer", "ann", "--config", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == ANN
    assert call(["--json", "segments", "--config", str(file)]) == 0
    assert json.loads(capsys.readouterr().out) == HERE
