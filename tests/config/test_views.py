"""The section `views`: what a right one becomes, each mistake with its place, and the views that are there without."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_seg.config import load
from stream_seg.core.definition import DAY
from stream_seg.core.ready_made import why_not
from stream_seg.core.syntax import ExpressionError
from stream_seg.core.views import View, parse_who
from stream_seg.errors import ConfigError

HEAD = """\
name: shop
features:
- {name: orders, aggregate: count, window: 7d, tiles: 7}
- {name: silence, aggregate: recency}
- {name: plan, aggregate: latest, field: traits.plan, encode: one_hot, categories: [free, plus]}
- {name: items, aggregate: count, window: 7d, tiles: 7, role: outcome}
views:
"""  # seven lines
WHO = "- {name: a, question: Who?, rank: orders, who: "  # the text of the condition begins in column 49
RANK = "- {name: a, question: Who?, who: orders > 1, rank: "  # its value begins in column 52


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "segmentation.yaml"


def told(path: Path, text: str) -> list[str]:
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    return [line.removeprefix(f"{path}:") for line in caught.value.problems]


def test_a_view_is_read_with_its_weights_and_what_lately_means(path: Path) -> None:
    path.write_text(
        HEAD
        + "- name: gone\n  question: Who has gone?\n  who: silence > 14d\n  rank: {orders: 1, silence.standing: -0.5}\n"
        + "  lately: 2w\n- {name: here, question: Who is here?, who: not orders == 0, rank: orders}\n"
    )
    gone, here = load(path, {}).views
    assert gone == View(
        name="gone", question="Who has gone?", who="silence > 14d", rank={"orders": 1.0, "silence.standing": -0.5},
        lately=14 * DAY,
    )  # fmt: skip
    assert (here.rank, here.lately) == ({"orders": 1.0}, 30 * DAY)


MISTAKES = [
    ("- {}", "8:3: views[0].name: is missing, add it (unique"),
    ("- {name: a, question: Q?, who: orders > 1}", "8:3: views[0].rank: is missing, add it"),
    ("- {name: a, who: orders > 1, rank: orders}", "8:3: views[0].question: is missing, add it"),
    ("- {name: A b, question: Q?, who: orders > 1, rank: orders}", "8:10: views[0].name: `A b` cannot be used"),
    ("- {name: a, question: Q?, who: orders > 1, rank: orders, latly: 3d}", "8:58: views[0].latly: is not a key here"),
    ("- {name: a, question: Q?, who: orders > 1, rank: orders, lately: 30}", "8:66: views[0].lately: `30` has no unit"),
    (WHO + "orders > 1}\n" + WHO + "orders > 2}", "9:10: views[1].name: `a` is taken by views[0], choose another"),
    (WHO + "'ordrs > 1'}", "8:49: views[0].who: ordrs is no feature and no word of views; did you mean orders?"),
    (WHO + "'orders > 1 and moved.form == 1'}", "8:64: views[0].who: moved.form is no feature and no word"),
    (WHO + "'zzz > 1'}", "8:49: views[0].who: zzz is no feature and no word of views; features are orders, sil"),
    (WHO + "'properties.price > 1'}", "8:49: views[0].who: properties.price is no feature"),
    (WHO + "'silence > 30'}", "8:59: views[0].who: silence is a time; write it with its unit: 30s, 30m, 30h or 30d"),
    (WHO + "'silence > \"x\"'}", "8:59: views[0].who: silence is a time; write it with its unit: 30s"),
    (WHO + "'orders > 30d'}", "8:58: views[0].who: orders is a number and no time; write a number"),
    (WHO + "'orders == \"x\"'}", "8:59: views[0].who: orders is a number and no text; write a number"),
    (WHO + "'plan == \"pluss\"'}", '8:57: views[0].who: "pluss" is nothing that plan can be; did you mean "plus"?'),
    (WHO + "'plan == 3'}", '8:57: views[0].who: plan is a text; write it in quotes: "3"'),
    (WHO + "'plan > \"plus\"'}", "8:56: views[0].who: > compares numbers; use =="),
    (WHO + "'plan.standing > 1'}", "8:49: views[0].who: plan is a category; compare plan itself"),
    (WHO + "'items.standing > 1'}", "8:49: views[0].who: items is an outcome, and no model knows where those stand"),
    (WHO + "'segment > 2'}", "8:59: views[0].who: > compares numbers; use =="),
    (WHO + "'segment == 1.5'}", "8:60: views[0].who: segment is a segment; write its number, or its name in quotes"),
    (WHO + "'segment == Regulars'}", "8:60: views[0].who: Regulars is not a constant; did you mean the text"),
    (WHO + "'moved.cause == \"silence\"'}", '8:64: views[0].who: "silence" is nothing that moved.cause can be'),
    (WHO + "'customer.trend < 0'}", "8:49: views[0].who: customer.trend needs a feature with `aggregate: trend`"),
    (WHO + "'orders = 1'}", "8:56: views[0].who: = is not known here; did you mean ==?"),
    (WHO + "'orders > 1 silence'}", "8:60: views[0].who: silence is not expected here; join conditions with and, or"),
    (WHO + "'orders >'}", "8:57: views[0].who: a text in quotes, a number"),
    (RANK + "{}}", "8:52: views[0].rank: expected terms and their weights, got a mapping, write it as {"),
    (RANK + "[orders]}", "8:52: views[0].rank: expected terms and their weights, got a list"),
    (RANK + "{orders: much}}", "8:61: views[0].rank.orders: expected a number, got `much`"),
    (RANK + "{orders: 0}}", "8:61: views[0].rank.orders: 0 ranks nobody, write another weight or take the term out"),
    (RANK + "{ordrs: 1}}", "8:53: views[0].rank.ordrs: ordrs is no feature and no word of views; did you mean orders?"),
    (RANK + "{plan: 1}}", "8:53: views[0].rank.plan: plan is a category, which cannot be weighed; put it into `who`"),
    (RANK + "segment}", "8:52: views[0].rank.segment: segment is a segment, which cannot be weighed"),
    (" {name: a}", "8:2: views: expected a list, got a mapping, begin each entry with `- `"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line"), MISTAKES, ids=[line.partition(": ")[2] for _, line in MISTAKES])
def test_a_mistake_in_a_view_is_told_with_its_place(path: Path, text: str, line: str) -> None:
    assert told(path, HEAD + text)[0][: len(line)] == line


def test_without_views_there_are_three_that_ask_what_the_features_allow(path: Path) -> None:
    path.write_text(HEAD.replace("views:\n", ""))
    config = load(path, {})
    assert [view.name for view in config.views] == ["drifting-away", "primed-for-upsell", "needs-onboarding"]
    assert not any("trend" in view.who + str(view.rank) for view in config.views)
    assert [why_not(view, config.definition.features) for view in config.views] == [None] * 3
    week = "- {name: now, aggregate: trend, of: [orders, month]}\n"
    month = "- {name: month, aggregate: count, window: 28d, tiles: 7}\n"
    path.write_text(HEAD.replace("views:\n", month + week))
    config = load(path, {})
    assert ["customer.trend" in view.who for view in config.views] == [True, True, False]
    assert [why_not(view, config.definition.features) for view in config.views] == [None] * 3


def test_a_ready_made_view_that_no_feature_answers_says_which_is_missing(path: Path) -> None:
    path.write_text("name: shop\nfeatures:\n- {name: level, aggregate: latest, field: traits.level}\n")
    config = load(path, {})
    for view in config.views:
        why = why_not(view, config.definition.features)
        assert why is not None
        assert "needs a feature that says how active a customer is (count, sum, decayed_sum" in why


def test_a_feature_called_as_a_word_of_views_is_told_where_a_view_names_it(path: Path) -> None:
    features = "name: shop\nfeatures:\n- {name: segment, aggregate: count, window: 7d, tiles: 7}\n"
    path.write_text(features)
    assert load(path, {}).views
    (line,) = told(path, features + "views:\n- {name: a, question: Q?, who: segment == 1, rank: segment.standing}\n")
    assert line == "5:32: views[0].who: segment is a feature and a word of views; give the feature another name"


def test_every_unit_of_a_duration_is_read() -> None:
    sizes = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
    for unit, size in sizes.items():
        assert parse_who(f"customer.age > 2{unit}", ()).bound == 2 * size  # type: ignore[union-attr]  # an Ordered
    with pytest.raises(ExpressionError, match="'2' means nothing here"):
        parse_who("customer.age > 2y", ())
