"""How many customers another version would move, held to a count that is made without any of its code."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
import pytest

from stream_seg.core.model import ModelVersion
from stream_seg.errors import Stop
from stream_seg.pipeline.model_answers import DiffAnswer
from stream_seg.pipeline.models import model_answer, models_answer
from stream_seg.pipeline.moves import Comparison
from stream_seg.pipeline.queries import customer_answer
from stream_seg.ports import Slot
from tests.models.registry import PARTITIONS, Shop
from tests.queries.shop import FEATURES, definition, events

LOGGED = {"orders", "spend"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(definition(tmp_path_factory.mktemp("shop")), events())


def compared(shop: Shop, before: int, after: ModelVersion, sample: int = 5, page: int = 7) -> DiffAnswer:
    known = shop.registered()
    comparison, slots = Comparison(known, known.version(before), after, sample), shop.replay.slots
    for slot in (Slot("label", p) for p in range(PARTITIONS)):
        at = -1
        while found := slots.ring(slot, at, page):
            ids = [customer for customer, _ in found]
            comparison.look(ids, slots.records(slot, ids), slots.meta(slot))
            at = found[-1][1]
    return comparison.answer()


def turned(model: ModelVersion) -> ModelVersion:
    """The version with its centres handed on by one: as many move as can."""
    rows = [model.centers[number] for number in model.alive]
    centers = list(model.centers)
    for number, row in zip(model.alive, [*rows[1:], rows[0]], strict=True):
        centers[number] = row
    return msgspec.structs.replace(model, version=model.version + 1, centers=tuple(centers)).sealed()


def brute(shop: Shop, before: ModelVersion, after: ModelVersion, margin: float) -> Counter[tuple[int, int]]:
    """From → to over all customers, out of what `stream-seg customer` says of each."""
    flows = Counter[tuple[int, int]]()
    for partition in range(PARTITIONS):
        slot, slots = Slot("label", partition), shop.replay.slots
        for customer, _ in slots.ring(slot):
            answer = customer_answer(customer, slots.record(slot, customer), [], slots.meta(slot))
            assert answer is not None
            values = {one["name"]: one["value"] for one in answer["features"]}
            x = np.array([float(values[c] or 0.0) for c in before.columns])
            x = np.array([np.log1p(v) if c in LOGGED else v for c, v in zip(before.columns, x, strict=True)])

            def gaps(model: ModelVersion, x: np.ndarray = x) -> dict[int, float]:
                z = (x - np.array(model.mean)) / np.array(model.scale)
                return {n: float(((z - np.array(model.centers[n])) ** 2).sum()) for n in model.alive}

            def decided(model: ModelVersion, here: int | None) -> int:
                near = gaps(model)
                best = min(near, key=lambda n: near[n])
                return best if here is None or here not in near or near[best] < (1 - margin) * near[here] else here

            here = decided(before, answer["segment"] if answer["model_version"] == before.version else None)
            flows[here, decided(after, here)] += 1
    return flows


@pytest.mark.parametrize(("before", "other"), [(3, "1"), (1, "2"), (3, "turned"), (2, "turned")])
def test_every_customer_is_counted_once_where_the_rule_of_the_fold_sends_it(
    shop: Shop, before: int, other: str
) -> None:
    old = shop.models[before]
    after = turned(old) if other == "turned" else shop.models[int(other)]
    answer, expected = compared(shop, before, after), brute(shop, old, after, 0.1)
    moved = {pair: count for pair, count in expected.items() if pair[0] != pair[1]}
    assert {(flow["before"], flow["after"]): flow["customers"] for flow in answer["flows"]} == moved
    assert (answer["customers"], answer["unlabelled"], answer["moves"]) == (60, 0, sum(moved.values()))
    assert answer["share"] == pytest.approx(answer["moves"] / 60, abs=1e-6)
    assert answer["too_many"] == (answer["share"] > 0.5)
    if other == "turned":
        assert answer["moves"] > 40


def test_a_version_that_changes_nothing_moves_nobody_and_pages_do_not_matter(shop: Shop) -> None:
    same = msgspec.structs.replace(shop.models[3], version=4).sealed()
    assert (compared(shop, 3, same)["moves"], compared(shop, 3, same)["flows"]) == (0, [])
    after = turned(shop.models[3])
    assert compared(shop, 3, after, page=1) == compared(shop, 3, after, page=1000)


def test_the_sample_is_a_part_of_those_who_would_move_and_its_size_is_kept(shop: Shop) -> None:
    after = turned(shop.models[3])
    some, everybody = compared(shop, 3, after, 5), compared(shop, 3, after, 1000)
    assert len(some["sample"]) == 5
    assert len(everybody["sample"]) == everybody["moves"]
    assert everybody["sample"][:5] == some["sample"]
    assert Counter((one["before"], one["after"]) for one in everybody["sample"]) == {
        (flow["before"], flow["after"]): flow["customers"] for flow in everybody["flows"]
    }
    assert compared(shop, 3, after, 0)["sample"] == []


def test_a_declared_name_stands_in_the_flows(shop: Shop) -> None:
    names = {flow["before"]: flow["before_name"] for flow in compared(shop, 3, turned(shop.models[3]))["flows"]}
    assert names[1] == "The Ones"


def test_versions_of_other_features_cannot_be_compared(shop: Shop) -> None:
    other = msgspec.structs.replace(shop.models[3], feature_set_version="0123456789ab").sealed()
    with pytest.raises(Stop, match="learned on other features"):
        compared(shop, 3, other)


def test_before_a_changed_definition_has_a_model_the_old_versions_can_still_be_compared(tmp_path: Path) -> None:
    from stream_seg.wire import control

    shop = Shop(definition(tmp_path), events())
    changed = definition(
        tmp_path, FEATURES.replace("window: 7d, tiles: 7, transform", "window: 6d, tiles: 6, transform")
    )
    wish = control.Apply("a", PARTITIONS, changed, "ann", 0, "narrower")
    shop.send(control.control("samples", control.APPLY, wish, 0), "a")
    assert [(one.kind, one.model_version) for one in shop.history][-1] == ("definition", 3)
    assert compared(shop, 3, turned(shop.models[3]))["moves"] > 40
    answer = model_answer(shop.registered(), 2)
    assert answer["units"] == "real"


def test_what_there_is_is_listed_newest_first_with_its_standing_and_its_history(shop: Shop) -> None:
    answer = models_answer(shop.registered())
    assert [(one["version"], one["standing"]) for one in answer["versions"]] == [
        (3, "in force"), (2, "earlier"), (1, "earlier"),
    ]  # fmt: skip
    assert [segment["name"] for segment in answer["versions"][0]["segments"]][1] == "The Ones"
    assert [(one["number"], one["kind"]) for one in answer["activations"]] == [
        (4, "model"), (3, "model"), (2, "model"), (1, "definition"),
    ]  # fmt: skip
    assert (answer["in_force"], answer["frozen"], answer["missing"]) == (3, False, 0)


def test_a_version_is_shown_in_real_units_with_who_put_it_in_force(shop: Shop) -> None:
    answer = model_answer(shop.registered(), 3)
    assert answer["units"] == "real"
    raw = {one["segment"]: one["centre"] for one in answer["segments"]}
    model = shop.models[3]
    place = model.columns.index("spend")
    for number in model.alive:
        logged = model.centers[number][place] * model.scale[place] + model.mean[place]
        assert raw[number]["spend"] == pytest.approx(np.expm1(logged))
    assert [(one["number"], one["who"]) for one in answer["activations"]] == [(4, "learn")]
    with pytest.raises(Stop, match="there is no version 9; there are 1, 2, 3"):
        model_answer(shop.registered(), 9)
