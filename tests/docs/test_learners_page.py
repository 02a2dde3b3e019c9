"""docs/learners.md: its learner learns, and its figures, and those of drift.md, are those that were measured."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from benchmarks import bars
from benchmarks.learner_figures import BLOCK, PAGES, RESULTS, TRAINER, filled, read
from stream_seg.adapters.memory.sampling import Sampling, daily
from stream_seg.adapters.memory.trial import Trial
from stream_seg.core.clustering import LEARNERS, OPTIONS
from stream_seg.core.definition import Learning
from stream_seg.errors import ConfigError
from stream_seg.pipeline.verdict import KEYS
from tests.docs.pages import ROOT, text_of
from tests.queries.shop import FEATURES, REST, definition, events

PAGE = text_of(ROOT / "docs/learners.md")
(CODE,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def entered() -> Iterator[Any]:
    before = dict(LEARNERS), dict(OPTIONS)
    known: dict[str, Any] = {}
    exec(CODE, known)
    yield known["Forgetful"]
    for table, entries in zip((LEARNERS, OPTIONS), before, strict=True):
        table.clear()  # type: ignore[attr-defined]  # both are dicts, of different values
        table.update(entries)  # type: ignore[attr-defined]  # as above


@pytest.mark.usefixtures("entered")
def test_the_learner_on_the_page_learns_in_a_real_learn_and_follows_the_customers(tmp_path: Path) -> None:
    activation = daily(definition(tmp_path))
    rules = msgspec.structs.replace(activation.definition.learning, learner="forgetful", publish_gain=0.0)
    trial = Trial.begin(activation, rules)
    for records in Sampling(activation).days([events(days=30)]):
        trial.day(records)
    assert trial.model is not None
    assert trial.model.learner == "forgetful"
    assert trial.model.version > 5


@pytest.mark.usefixtures("entered")
def test_its_options_are_checked_in_the_file_like_those_of_any_other(tmp_path: Path) -> None:
    rest = REST.replace("learner: river", "learner: forgetful, options: {half_life: 14}")
    assert definition(tmp_path, FEATURES, rest).learning.options == {"half_life": 14.0}
    with pytest.raises(ConfigError, match=r"segments\.options\.half_life: 0 is out of range, use 0\.1 to 365"):
        definition(tmp_path, FEATURES, rest.replace("14}", "0}"))
    with pytest.raises(ConfigError, match="no option of the learner `forgetful`, did you mean `half_life`"):
        definition(tmp_path, FEATURES, rest.replace("half_life", "halflife"))


def test_its_state_is_all_there_is_of_it(entered: Any) -> None:
    table = np.random.default_rng(1).normal(size=(60, 3))
    learner, other = entered(3, Learning(k=4)), entered(3, Learning(k=4))
    learner.begin(table)
    learner.learn(table[:9] + 1.0, table)
    other.load(learner.dump())
    for one in (learner, other):
        one.learn(table[:20], table)
        one.refit(table)
    assert other.dump() == learner.dump()
    assert other.fitted().centers.tolist() == learner.fitted().centers.tolist()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_figures_on_the_pages_are_those_that_were_measured(page: Path) -> None:
    text = text_of(page)
    assert filled(text, read(RESULTS), read(TRAINER)) == text


def test_every_table_has_its_place() -> None:
    assert [[found[1] for found in BLOCK.findall(text_of(page))] for page in PAGES] == [
        ["learners", "bars", "trainer"], ["drift"],
    ]  # fmt: skip


def test_what_was_measured_has_every_figure_of_every_set() -> None:
    results = read(RESULTS)
    for name in bars.SETS:
        assert [key for key in KEYS if results[name][key] is None] == []


def test_a_bar_that_is_missed_says_of_which_features_and_what_was_not_measured_is_a_dash() -> None:
    bar = bars.Bar("days", ("days",), bars.most(3), bars.most(1), ("drift", "by"))
    figures = {"days": 15, "drift": {"by": {"spend": 15, "visits": 3}}}
    results = {name: figures if name == "cdnow" else {} for name in bars.SETS}
    assert [bars.cell(bar, name, results[name]) for name in bars.SETS] == ["–", "**15** missed: `spend`", "–"]
    assert bars.cell(bar, "cdnow", {"days": 2}) == "2 °"
    assert bars.cell(bar, "cdnow", {"days": 1}) == "1"
    assert bars.cell(bars.Bar("share", ("days",), bars.least(0.9)), "cdnow", {"days": 0.875}) == "**0.875** missed"


def test_every_bar_is_of_a_figure_that_is_measured() -> None:
    of, later = read(RESULTS)["cdnow"], {"estimator", "score_us", "assign_us", "learners"}  # what a run measures anew
    assert {bar.path[0] for bar in bars.rows() if bars.reached(of, bar.path) is None} <= later
