"""Tiers in a configuration: what is read, and each mistake with its exact place and a remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_seg.config import load
from stream_seg.core.definition import Tier, feature_set_version
from tests.config.test_mistakes import HEAD, path, told

__all__ = ["path"]  # a fixture

MISTAKES = [
    ('tiers: [{where: event == "A"}]', "7:9: tiers[0].name: is missing, add it"),
    ("tiers: [{name: gold}]", "7:9: tiers[0].where: is missing, add it"),
    (
        'tiers: [{name: all, where: event == "A"}]',
        "7:16: tiers[0].name: `all` cannot be used, use small letters, digits and hyphens, not `all`",
    ),
    ('tiers: [{name: Gold, where: event == "A"}]', "7:16: tiers[0].name: `Gold` cannot be used, use small"),
    (
        'tiers: [{name: gold, where: event == "A"}, {name: gold, where: event == "B"}]',
        "7:51: tiers[1].name: `gold` is taken by tiers[0], use another name",
    ),
    ('tiers: [{name: gold, where: event == "A", k: 1}]', "7:46: tiers[0].k: 1 is out of range, use 2 to 64"),
    ('tiers: [{name: gold, where: event == "A", k: 65}]', "7:46: tiers[0].k: 65 is out of range, use 2 to 64"),
    (
        'tiers: [{name: gold, where: event == "A", k: many}]',
        "7:46: tiers[0].k: expected a whole number, got `many`",
    ),
    (
        'tiers: [{name: gold, where: event == "A", wher: x}]',
        "7:43: tiers[0].wher: is not a key here, did you mean `where`?",
    ),
    ("tiers: {name: gold}", "7:8: tiers: expected a list, got a mapping, begin each entry with `- `"),
    ("tiers: [gold]", "7:9: tiers[0]: expected `key: value` lines, got `gold`"),
]  # fmt: skip


@pytest.mark.parametrize(("section", "line"), MISTAKES, ids=[line.partition(": ")[2] for _, line in MISTAKES])
def test_a_mistake_in_a_tier_is_told_with_its_place(path: Path, section: str, line: str) -> None:
    problems = told(path, HEAD + section)
    assert [problem[: len(line)] for problem in problems] == [line]


CONDITIONS = [
    ('tiers:\n- name: gold\n  where: traits.plan = "gold"', "9:22: tiers[0].where: "),
    ("tiers:\n- name: gold\n  where: 'traits.plan == \"gold\" und event == \"A\"'", "9:33: tiers[0].where: "),
    ('tiers:\n- name: gold\n  where: plan == "gold"', "9:10: tiers[0].where: "),
    (
        'tiers:\n- name: a\n  where: event == "A"\n- name: gold\n  where: |\n    event == "A"\n    und event',
        "13:5: tiers[1].where: ",
    ),
    (
        'tiers:\n- name: gold\n  where: traits.age > 60\n- name: old\n  where: event == "A" and traits.age == "old"',
        "11:27: tiers[1].where: traits.age is a text here and a number in tier gold; compare it with one kind only",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("section", "line"), CONDITIONS, ids=[line for _, line in CONDITIONS])
def test_a_mistake_in_a_tiers_condition_is_told_at_its_column(path: Path, section: str, line: str) -> None:
    (problem,) = told(path, HEAD + section)
    assert problem.startswith(line), problem


def test_every_mistake_of_the_tiers_is_told_in_one_go(path: Path) -> None:
    problems = told(path, HEAD + 'tiers:\n- {name: a, where: event = "A"}\n- {name: a, where: event == "B", k: 99}\n')
    assert [problem.split(": ")[:2] for problem in problems] == [
        ["8:26", "tiers[0].where"],
        ["9:37", "tiers[1].k"],
    ]


def test_tiers_are_read_in_their_order_and_are_no_part_of_the_features(path: Path) -> None:
    path.write_text(HEAD)
    without = load(path, {}).definition
    path.write_text(
        HEAD + 'tiers:\n- {name: red, where: traits.plan == "red"}\n- {name: at-2, where: event == "A", k: 3}\n'
    )
    definition = load(path, {}).definition
    assert definition.tiers == (
        Tier(name="red", where='traits.plan == "red"'),
        Tier(name="at-2", where='event == "A"', k=3),
    )
    assert [definition.of(tier).learning.k for tier in ("all", "red", "at-2")] == [6, 6, 3]
    assert feature_set_version(definition) == feature_set_version(without)
