"""What is right and still worth a look: segments without a lever, words that no name has room for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stream_seg.cli import call
from stream_seg.config import load

HEAD = (
    "name: shop\nfeatures:\n- {name: orders, aggregate: count, window: 7d, tiles: 7}\nsegments: {k: 3}\n"  # four lines
)


def noticed(path: Path, rest: str) -> list[str]:
    path.write_text(HEAD + rest)
    return [line.removeprefix(f"{path}:") for line in load(path, {}).notices]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "segmentation.yaml"


LEVERS = "levers: [{segment: 0, lever: a}, {segment: 2, lever: c}, {segment: 1, lever: b}]"


def test_with_a_lever_for_each_segment_there_is_nothing_to_say(path: Path) -> None:
    assert noticed(path, LEVERS) == []


@pytest.mark.parametrize(
    ("rest", "lines"),
    [
        ("", ["1:1: levers: segments 0, 1, 2 are academic: nothing is done differently for anybody there; add"]),
        ("levers: [{segment: 0, lever: a}, {segment: 2, lever: c}]", ["5:1: levers: segment 1 is academic: nothing"]),
        (
            "levers:\n- {segment: 0, lever: a}\n- {segment: 2, name: Guests, owner: crm, question: Who looks?}",
            [
                "5:1: levers: segment 1 is academic: nothing",
                "7:3: levers[1].lever: segment 2 is academic: say what is done differently",
            ],
        ),
    ],
)  # fmt: skip
def test_segments_without_a_lever_are_told_with_their_place(path: Path, rest: str, lines: list[str]) -> None:
    assert [said[: len(line)] for said, line in zip(noticed(path, rest), lines, strict=True)] == lines


def test_words_that_no_name_has_room_for_are_told(path: Path) -> None:
    words = "{high: have not been here for a long time, low: have just been here once again}"
    wordy = f"- {{name: a, aggregate: recency, words: {words}}}\n"
    path.write_text(HEAD.replace("segments", wordy + "segments") + LEVERS)
    (line,) = load(path, {}).notices
    assert line.startswith(f"{path}:4:47: features[1].words.high: 8 words, and a segment's name has 6 at most")


MAPPED = """name: shop
input: {mapping: {customer: who, time: at, event: what, properties: {amount: paid}, traits: {plan: plan}}}
features:
- {name: spend, aggregate: sum, field: properties.amount, where: traits.plan == "free", window: 7d, tiles: 7}
- {name: typo, aggregate: sum, field: properties.amuont, window: 7d, tiles: 7}
- {name: elsewhere, aggregate: count, where: exists(traits.country) and properties.amount > 2, window: 7d, tiles: 7}
segments: {k: 3}
"""


def test_a_field_that_the_mapping_does_not_give_is_told(path: Path) -> None:
    path.write_text(MAPPED + LEVERS)
    said = "so only Segment calls and CloudEvents can have it"
    assert [line.removeprefix(f"{path}:") for line in load(path, {}).notices] == [
        f"5:39: features[1].field: input.mapping gives no properties.amuont, {said}; did you mean `amount`?",
        f"6:46: features[2].where: input.mapping gives no traits.country, {said}; use one of: plan",
    ]
    path.write_text(MAPPED.replace(", traits: {plan: plan}", "") + LEVERS)
    assert load(path, {}).notices[0].endswith("traits.plan, " + said + "; add traits: {plan: COLUMN} there")
    path.write_text(
        MAPPED.replace(
            "mapping: {customer: who, time: at, event: what, properties: {amount: paid}, traits: {plan: plan}}", ""
        )
        + LEVERS
    )
    assert load(path, {}).notices == ()


def test_config_check_lists_notices_and_exits_with_0(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_text(HEAD + "levers: [{segment: 1, lever: b}]\n")
    assert call(["config", "check", str(path)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert "fine. shop" in first
    assert second.startswith(f"{path}:5:1: levers: segments 0, 2 are academic")
    assert call(["config", "check", str(path), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["academic"], said["notices"]) == ([0, 2], [second])
