"""`stream-seg who`: lists the questions, answers one, and says plainly when it cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stream_seg.bootstrap import commands as bootstrap
from stream_seg.cli import call
from stream_seg.core.views import View

SMALL = "name: shop\nfeatures:\n- {name: orders, aggregate: count, window: 7d, tiles: 7}\n"
LEVEL = "name: shop\nfeatures:\n- {name: level, aggregate: latest, field: traits.level}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "segmentation.yaml"


def test_without_a_view_all_are_listed_with_their_questions(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(SMALL)
    assert call(["who", "-c", str(file)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "drifting-away      Who is drifting away?",
        "primed-for-upsell  Who is primed for upsell?",
        "needs-onboarding   Who needs onboarding help?",
    ]
    file.write_text(SMALL + "views: [{name: big, question: Who buys most?, who: orders > 3, rank: orders}]\n")
    assert call(["who", "-c", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "views": [{"view": "big", "question": "Who buys most?", "cannot": None}]
    }


def test_a_view_that_no_feature_answers_is_listed_with_what_is_missing_and_asking_it_exits_with_2(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(LEVEL)
    assert call(["who", "-c", str(file)]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert "Who is drifting away? Cannot be answered: moved.change needs a feature that says how active" in first
    assert call(["who", "drifting-away", "-c", str(file)]) == 2
    assert f"{file}: features: drifting-away cannot be answered: moved.change needs" in capsys.readouterr().err


def test_a_view_is_asked_for_so_many_as_wanted(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int]] = []
    empty = {"view": "", "question": "Who?", "customers": 3, "found": 0, "unranked": 0, "as_of": None, "ranked": []}

    def who(_: object, view: View, limit: int) -> object:
        asked.append((view.name, limit))
        return empty

    monkeypatch.setattr(bootstrap, "who", who)
    file.write_text(SMALL)
    assert call(["who", "drifting-away", "-c", str(file)]) == 0
    assert capsys.readouterr().out == "Who? 0 of 3 customers\n"
    assert call(["who", "needs-onboarding", "-c", str(file), "--limit", "5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == empty
    assert asked == [("drifting-away", 20), ("needs-onboarding", 5)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["drifting-awya"], "there is no view 'drifting-awya', did you mean `drifting-away`?"),
        (["everybody"], "there is no view 'everybody', use one of: drifting-away, primed-for-upsell, needs-onboarding"),
        (["drifting-away", "--limit", "0"], "Invalid value for '--limit'"),
    ],
)
def test_wrong_usage_exits_with_2(
    file: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(SMALL)
    assert call(["who", *arguments, "-c", str(file)]) == 2
    assert message in capsys.readouterr().err
