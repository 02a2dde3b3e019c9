"""How model versions are shown to a person, and when one is asked before anything happens."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from stream_seg.bootstrap import orders
from stream_seg.cli import call
from stream_seg.cli.model_text import compared, listed, reproduced, shown
from stream_seg.core.model import ModelVersion
from stream_seg.errors import Stop
from stream_seg.pipeline.model_answers import (
    ActivationLine,
    DiffAnswer,
    ModelAnswer,
    ModelsAnswer,
    ReproduceAnswer,
    VersionLine,
)

ENTRY: ActivationLine = {
    "number": 9,
    "tier": "all",
    "kind": "rollback",
    "model_version": 6,
    "feature_set_version": "3f9a0c1e77b2",
    "ramp": "now",
    "who": "ann",
    "at": "2026-03-01T08:30:00.250Z",
    "why": "7 is wrong",
}
LINE: VersionLine = {
    "version": 6,
    "tier": "all",
    "standing": "in force",
    "trained_at": "2026-02-01T00:00:00.000Z",
    "samples": 2469,
    "learner": "keyed",
    "feature_set_version": "3f9a0c1e77b2",
    "segments": [{"segment": 0, "name": "Regulars"}, {"segment": 2, "name": "Gone quiet"}],
    "moves": None,
    "active_from": None,
    "why": None,
}
LIST: ModelsAnswer = {
    "in_force": 6,
    "tiers": {"all": 6},
    "frozen": True,
    "frozen_tiers": ["all"],
    "versions": [
        {**LINE, "version": 9, "standing": "announced", "moves": 0.1, "active_from": "2026-03-08T00:00:00.000Z"},
        {**LINE, "version": 8, "standing": "waiting", "moves": 0.61},
        {**LINE, "version": 7, "standing": "damaged", "why": "its record does not match its checksum", "samples": None},
        LINE,
    ],
    "activations": [ENTRY],
    "missing": 8,
}
ONE: ModelAnswer = {
    "version": 6,
    "tier": "all",
    "standing": "in force",
    "trained_at": "2026-02-01T00:00:00.000Z",
    "samples": 2469,
    "learner": "keyed",
    "feature_set_version": "3f9a0c1e77b2",
    "checksum": "9f" * 32,
    "units": "transformed",
    "segments": [
        {"segment": 0, "name": "Regulars", "centre": {"orders": 12.4}},
        {"segment": 2, "name": "Gone quiet", "centre": {"orders": 0.0}},
    ],
    "scaling": [{"column": "orders", "mean": 3.1, "scale": 2.2, "low": None, "high": 40.0}],
    "activations": [ENTRY],
}
DIFF: DiffAnswer = {
    "before": 7,
    "after": 8,
    "in_force": 7,
    "customers": 2010,
    "unlabelled": 10,
    "moves": 1220,
    "share": 0.61,
    "max_model_moves": 0.5,
    "too_many": True,
    "margin": 0.1,
    "flows": [{"before": 0, "before_name": "Regulars", "after": 2, "after_name": "Gone quiet", "customers": 1220}],
    "sample": [{"customer_id": "ann", "before": 0, "after": 2}],
    "as_of": "2026-03-01T08:30:00.250Z",
}
AGAIN: ReproduceAnswer = {
    "version": 7,
    "same": False,
    "parts": [
        {"part": "centres", "same": False, "difference": 2.2e-16},
        {"part": "mean", "same": True, "difference": 0.0},
        {"part": "scale", "same": False, "difference": None},
    ],
    "asks": ["learn", "refit"],
    "customers": 2469,
    "columns": 12,
    "made_with": {"numpy": "2.1.0", "processor": "x86_64"},
    "here": {"numpy": "2.1.0", "processor": "aarch64"},
}


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if line]


def test_the_list_says_where_each_version_stands_and_who_put_what_in_force() -> None:
    said = lines(listed(LIST))
    assert said[0] == "version 6 is in force; frozen: nothing is published by itself until `stream-seg model thaw`"
    assert said[2].startswith("9 all announced for 2026-03-08T00:00:00.000Z, would move 10.0% ")
    assert said[3].startswith("8 all waiting, would move 61.0% ")
    assert said[4].startswith("7 all damaged: its record does not match its checksum ")
    assert said[5].endswith("2,469 keyed 3f9a0c1e77b2 0 Regulars, 2 Gone quiet")
    assert said[-2] == "9 6 rollback, all at once ann 2026-03-01T08:30:00.250Z 7 is wrong"
    assert said[-1] == "8 activations of before the history was kept are not in it."
    one_of_two: ModelsAnswer = {**LIST, "tiers": {"all": 6, "gold": None}, "frozen_tiers": ["gold"]}
    assert lines(listed(one_of_two))[0].startswith("in force: all 6, gold –; gold frozen: nothing is published by")
    empty: ModelsAnswer = {
        "in_force": None,
        "tiers": {},
        "frozen": None,
        "frozen_tiers": [],
        "versions": [],
        "activations": [],
        "missing": 0,
    }
    assert listed(empty) == "no version is in force yet"


def test_a_version_is_shown_with_its_segments_side_by_side() -> None:
    said = lines(shown(ONE))
    assert said[1:4] == ["segment name", "0 Regulars", "2 Gone quiet"]
    assert said[4:6] == ["centre (after log1p) 0 2", "orders 12.4 0"]
    assert said[7] == "orders 3.1 2.2 – 40"
    assert said[-1] == "2026-03-01T08:30:00.250Z ann, rollback: 7 is wrong"
    assert shown({**ONE, "activations": []}).endswith("It was never in force.")


def test_a_comparison_begins_with_its_verdict() -> None:
    said = lines(compared(DIFF))
    assert said[0] == (
        "version 7 → 8: 1,220 of 2,000 customers would move, 61.0%; more than that: it waits for a person "
        "(a version may move 50% by itself); 10 have no segment"
    )
    assert said[2:] == ["0 Regulars 2 Gone quiet 1,220", "for example from to", "ann 0 2"]


def test_what_came_out_differently_is_stated_with_what_is_different_here() -> None:
    assert lines(reproduced(AGAIN)) == [
        "version 7 made again (learn, refit; 2,469 customers × 12 columns): not the same",
        "part greatest difference",
        "centres 2.2e-16",
        "mean the same to the bit",
        "scale of another shape",
        "processor: x86_64 then, aarch64 now",
    ]
    assert lines(reproduced({**AGAIN, "here": AGAIN["made_with"]}))[-1].startswith("Libraries and processor are those")
    assert reproduced({**AGAIN, "same": True}).endswith("customers × 12 columns): the same to the bit")


@pytest.fixture
def ordered(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What was ordered, instead of ordering it."""
    done: list[dict[str, Any]] = []
    model = ModelVersion(
        version=6, tier="all", feature_set_version="3f9a0c1e77b2", learner="keyed", columns=("n",), centers=((0.0,),),
        mean=(0.0,), scale=(1.0,), clip_low=(None,), clip_high=(None,), segments=("all",), samples=1, trained_at=0,
    ).sealed()  # fmt: skip

    def order(_: object, kind: str, **asked: Any) -> dict[str, Any]:
        done.append({"kind": kind, **asked})
        return {"order": kind, "version": 6, "request": "r", "answer": "version 6 is in force with activation 9"}

    monkeypatch.setattr(orders, "meant", lambda *_: (7, model))
    monkeypatch.setattr(orders, "order", order)
    return done


@pytest.fixture
def config(tmp_path: Path) -> str:
    file = tmp_path / "segmentation.yaml"
    file.write_text("name: shop\nfeatures:\n- {name: orders, aggregate: count, window: 7d, tiles: 7}\n")
    return str(file)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_person_is_asked_first_and_may_say_no(
    ordered: list[dict[str, Any]], config: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["model", "rollback", "--why", "7 is wrong", "-c", config]
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    assert call(words) == 1
    assert "Version 6 after 7; customers follow at their next daily visit. Put it in force?" in capsys.readouterr().err
    assert ordered == []
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    assert call([*words, "--json", "--who", "ann"]) == 0
    assert json.loads(capsys.readouterr().out)["answer"] == "version 6 is in force with activation 9"
    (order,) = ordered
    assert (order["kind"], order["who"], order["why"], order["ramp"]) == ("rollback", "ann", "7 is wrong", "walk")
    assert order["model"].version == 6


def test_where_nobody_can_be_asked_yes_is_needed(
    ordered: list[dict[str, Any]], config: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    words = ["model", "promote", "6", "--why", "it was better", "-c", config]
    assert call(words) == 2
    assert "Invalid value for --yes: is needed where nobody can be asked" in capsys.readouterr().err
    for ramp, asked in (("0", "now"), ("now", "now"), ("walk", "walk")):
        assert call([*words, "--yes", "--ramp", ramp]) == 0
        assert ordered[-1]["ramp"] == asked
    assert call(["model", "promote", "6", "--why", " ", "--yes", "-c", config]) == 2
    assert call(["model", "promote", "--why", "x", "--yes", "-c", config]) == 2
    assert call(["model", "rollback", "--yes", "-c", config]) == 2
    assert len(ordered) == 3


def test_a_refusal_exits_with_1(
    config: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def order(*_: object, **__: object) -> None:
        raise Stop("refused: there is no learner yet; it begins once enough customers are known")

    monkeypatch.setattr(orders, "order", order)
    assert call(["model", "retrain", "-c", config, "--json"]) == 1
    shown_ = capsys.readouterr()
    assert shown_.err == "stream-seg: refused: there is no learner yet; it begins once enough customers are known\n"
    assert json.loads(shown_.out)["error"]["message"].startswith("refused: there is no learner yet")
