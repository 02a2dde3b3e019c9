"""The recipes in docs/recipes: their pages, the features on them, what those say on the data set of each."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, cached_property

import msgspec
import numpy as np

from stream_seg.core.definition import Definition, Feature
from tests.docs.pages import ROOT, text_of
from tests.docs.recipes.clicks import clicks
from tests.docs.recipes.folding import Features, definition_of, folded
from tests.docs.recipes.households import households
from tests.docs.recipes.orders import orders
from tests.docs.recipes.rows import DataSet

FOLDER = ROOT / "docs/recipes"
SETS: dict[str, Callable[[], DataSet]] = {"completejourney": households, "cdnow": orders, "clickstream": clicks}
RECIPES = {
    "recency-frequency-monetary": "cdnow",
    "basket-composition": "completejourney",
    "discount-sensitivity": "completejourney",
    "category-mix": "completejourney",
    "replenishment-cycle": "completejourney",
    "co-purchase-affinity": "completejourney",
    "channel-preference": "completejourney",
    "responsiveness-to-messages": "completejourney",
    "returns": "clickstream",
    "subscription-feature-diversity": "clickstream",
    "onboarding-completion": "clickstream",
    "session-timing": "clickstream",
    "time-on-site": "clickstream",
    "time-since-last-open": "clickstream",
    "age-bands": "completejourney",
    "location": "completejourney",
}


@dataclass(frozen=True)
class Recipe:
    """One page. `yaml`: its features as they stand; `example`: the figures that it shows."""

    name: str

    @property
    def text(self) -> str:
        return text_of(FOLDER / f"{self.name}.md")

    @property
    def yaml(self) -> str:
        (block,) = re.findall(r"^```yaml\n(.*?)^```$", self.text, re.MULTILINE | re.DOTALL)
        return str(block)

    @property
    def example(self) -> str:
        (block,) = re.findall(r"^```text\n(.*?)\n```$", self.text, re.MULTILINE | re.DOTALL)
        return str(block)

    @property
    def data(self) -> DataSet:
        return SETS[RECIPES[self.name]]()

    @cached_property
    def definition(self) -> Definition:
        return definition_of(self.yaml, self.data)

    @cached_property
    def features(self) -> Features:
        """What its features say, out of the one replay of its data set."""
        whole = features_of(RECIPES[self.name])
        names = {feature.name for feature in self.definition.features}
        at = [i for i, column in enumerate(whole.columns) if column.feature.name in names]
        columns = tuple(whole.columns[i] for i in at)
        return replace(whole, columns=columns, raw=whole.raw[:, at], x=np.ascontiguousarray(whole.x[:, at]))


@cache
def recipe(name: str) -> Recipe:
    return Recipe(name)


def merged(data: str) -> dict[str, Feature]:
    """All features of the recipes of a data set; of one name there is one."""
    found: dict[str, Feature] = {}
    for name in (name for name, of in RECIPES.items() if of == data):
        for feature in recipe(name).definition.features:
            assert found.setdefault(feature.name, feature) == feature, f"{name}: {feature.name} is another elsewhere"
    return found


@cache
def features_of(data: str) -> Features:
    """One replay for all recipes of a data set."""
    one = recipe(next(name for name, of in RECIPES.items() if of == data))
    definition = msgspec.structs.replace(one.definition, features=tuple(merged(data).values()))
    return folded(definition, one.data)
