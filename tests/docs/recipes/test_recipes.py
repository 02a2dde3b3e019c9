"""docs/recipes: each page loads as it stands; its features, its example and its sentences are those of real data."""

from __future__ import annotations

import re
from collections import defaultdict
from statistics import fmean, pstdev

import numpy as np
import pytest

from stream_seg.explore.affinity import fit, yaml_of
from tests.docs.pages import text_of
from tests.docs.recipes import of_clicks, of_households, of_orders
from tests.docs.recipes.case import Between, Case
from tests.docs.recipes.example import segments, shown
from tests.docs.recipes.page import FOLDER, RECIPES, recipe
from tests.docs.recipes.rows import matching

CASES: dict[str, Case] = {**of_orders.CASES, **of_households.CASES, **of_clicks.CASES}
SECTIONS = ["What your events need", "Features", "What the numbers mean", "Traps", "On real data"]
every_recipe = pytest.mark.parametrize("name", CASES)


def test_every_page_is_a_recipe_that_is_tried_and_every_recipe_has_a_page() -> None:
    pages = {page.stem for page in FOLDER.glob("*.md")} - {"README"}
    assert pages == RECIPES.keys() == CASES.keys()


def test_the_table_of_recipes_has_each_with_its_question_its_aggregates_and_its_data() -> None:
    told = {"The Complete Journey": "completejourney", "CDNOW": "cdnow", "clickstream": "clickstream"}
    rows = re.findall(
        r"^\| \[(.*?)\]\((.*?)\.md\) \| (.*?) \| (.*?) \| (.*?) \|$", text_of(FOLDER / "README.md"), re.MULTILINE
    )
    assert [name for _, name, *_ in rows] == list(RECIPES)
    for title, name, question, aggregates, data in rows:
        page = recipe(name)
        assert page.text.lower().startswith(f"# {title}\n")
        assert page.text.split("*")[1].startswith(question.removesuffix("?"))
        assert set(re.findall(r"`(\w+)`", aggregates)) == {feature.aggregate for feature in page.definition.features}
        assert told[data] == RECIPES[name]


@every_recipe
def test_a_page_has_its_sections_and_says_what_high_and_low_mean(name: str) -> None:
    page = recipe(name)
    assert re.findall(r"^## (.*)$", page.text, re.MULTILINE) == SECTIONS
    deciding = [feature for feature in page.definition.features if feature.role == "feature"]
    assert deciding
    assert [feature.name for feature in deciding if feature.words is None and feature.encode is None] == []
    assert page.yaml.count("\n    basis: ") == len(deciding)  # said, though most are what it would be otherwise


@every_recipe
def test_its_features_say_of_every_customer_what_the_raw_rows_say(name: str) -> None:
    page, by_hand = recipe(name), CASES[name].by_hand
    found = {column.name: page.features.of(column.name) for column in page.features.columns}
    seen = set()
    for customer in page.data.customers:
        for column, value in by_hand(page.data, customer).items():
            said = found[column][customer]
            seen.add(column)
            if isinstance(value, Between):
                assert value.low - 1e-6 <= said <= value.high * (1 + 1e-9) + 1e-6, (customer, column)
            else:
                assert said == pytest.approx(value, rel=1e-9, abs=1e-9), (customer, column)
    hashed = {column.name for column in page.features.columns if column.feature.encode == "hashed"}
    assert seen == found.keys() - hashed


@every_recipe
def test_the_example_on_the_page_is_what_comes_out(name: str) -> None:
    page, case = recipe(name), CASES[name]
    found = segments(page.features, case.k, case.later(page.data))
    assert shown(found, case.shown, case.said) == page.example
    text = " ".join(page.text.split())
    assert [sentence for sentence in case.says(found) if sentence not in text] == []


def test_the_projections_on_the_page_are_those_that_are_fitted_on_its_data() -> None:
    page = recipe("co-purchase-affinity")
    names = [feature.name for feature in page.definition.features if feature.name.startswith("buys_")]
    counts = np.stack([list(page.features.of(name).values()) for name in names], axis=1)
    fitted = fit(counts, names, 2, prefix="buys_")
    assert yaml_of(fitted, "affinity", "2017-10-05") in page.yaml
    explained = sum(one.explained for one in fitted.projections)
    assert f"Two directions of six explain {100 * explained:.0f} %" in page.text
    values = page.features.of("affinity_1").values()
    bought = [value for value, count in zip(values, counts.sum(axis=1), strict=True) if count]
    assert (fmean(bought), pstdev(bought)) == pytest.approx((0.0, 1.0), abs=1e-3)


def test_households_of_one_store_share_one_of_the_buckets_on_the_page() -> None:
    page = recipe("location")
    columns = [column.name for column in page.features.columns if column.feature.name == "store"]
    assert len(columns) == 16 + 1  # and one for unknown
    found = np.stack([list(page.features.of(name).values()) for name in columns], axis=1)
    assert (found.sum(axis=1) == 1).all()
    buckets = defaultdict[str, set[int]](set)
    for customer, bucket in zip(page.data.customers, found.argmax(axis=1).tolist(), strict=True):
        stores = [row.properties["store"] for row in matching(page.data.of[customer], "Product Purchased")]
        buckets[stores[-1] if stores else "unknown"].add(bucket)
    assert [store for store, those in buckets.items() if len(those) > 1] == []
    assert len(set.union(*buckets.values())) >= 16
