"""What takes the place of what was in force, where Redis is empty and the logs forgot."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stream_seg.adapters.memory.log import Member, MemoryLog
from stream_seg.adapters.memory.world import MemoryWorld
from stream_seg.bootstrap.restoring import succession
from stream_seg.core.definition import feature_set_version
from stream_seg.pipeline.learn import Learn, LearnSettings
from stream_seg.pipeline.learn_state import Memory
from stream_seg.pipeline.registry import Registry
from stream_seg.pipeline.table import Table
from stream_seg.wire import control
from tests.models.registry import Shop
from tests.queries.shop import BEGAN, FEATURES, definition, events


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Versions 1, 2 and 3; back to 2."""
    found = Shop(definition(tmp_path), events())
    found.order("rollback", 2)
    assert [one.model_version for one in found.history] == [None, 1, 2, 3, 2]
    return found


def test_the_version_in_force_labels_again_and_no_number_is_given_twice(shop: Shop, tmp_path: Path) -> None:
    rules = definition(tmp_path)
    again = succession(rules, shop.registered(), who="ann", at=BEGAN, why="Redis was empty")
    assert (again.activation.number, again.activation.layout) == (6, 6)
    assert again.activation.model == shop.models[2]
    assert again.said[1:] == ["tier all: version 2 labels again"]

    learn = Registry(Memory({}, 0), Table(0, 1))
    (entry,) = learn.first(again.activation)
    assert entry.topic == "activations"
    assert learn.memory.state.versions == 3
    assert learn.memory.state.free == max(model.k for model in shop.models.values())


def test_a_version_that_is_damaged_or_of_other_features_stays_out_and_why_is_said(shop: Shop, tmp_path: Path) -> None:
    known = shop.registered()
    damaged = replace(
        known, models={1: shop.models[1]}, damaged={2: "its record does not match its checksum", 3: "too"}
    )
    again = succession(definition(tmp_path), damaged, who="ann", at=BEGAN, why="")
    assert (again.activation.model, again.activation.versions) == (None, 3)
    assert again.said[1].startswith("tier all: not version 2 (its record does not match its checksum); nobody is")

    other = definition(tmp_path, FEATURES.replace("window: 14d", "window: 21d"))
    again = succession(other, known, who="ann", at=BEGAN, why="")
    assert again.activation.model is None
    assert again.activation.feature_set_version == feature_set_version(other)
    assert again.said[1].startswith("tier all: not version 2 (it was learned on other features); nobody is labelled")


def test_days_that_stand_before_the_first_activation_are_of_the_lost_state_and_come_again() -> None:
    log = MemoryLog({"samples": 1}, clock=lambda: BEGAN)
    log.assign(member := Member("learn"), "samples", 0)
    world, learn = MemoryWorld(log, member), Learn("samples", 0, LearnSettings())
    world.run(learn.open())
    told = control.control("samples", control.PASSED_DAY, control.PassedDay(0, 1, BEGAN), 0)
    world.run(learn.process([log.append("samples", None, told.value, told.headers)]))
    assert learn.memory.state.passed == {}
