"""What is said of a customer and of the segments agrees with what was published."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stream_seg.core.definition import DAY
from stream_seg.core.engine import compile_engine
from stream_seg.core.hashing import partition_of
from stream_seg.core.measures import transform
from stream_seg.errors import EngineTooOld
from stream_seg.pipeline.answers import CustomerAnswer
from stream_seg.pipeline.label_state import ACTIVATIONS, Memory
from stream_seg.pipeline.queries import centre_in_real_units, customer_answer, partitions_of, segments_answer
from stream_seg.ports import Message, Slot
from stream_seg.wire import control
from stream_seg.wire.timestamps import read_time
from tests.queries.shop import BEGAN, FEATURES, REST, Events, Shop, definition, events


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(definition(tmp_path_factory.mktemp("shop")), events())


def asked(shop: Shop, customer: str) -> CustomerAnswer | None:
    key = customer.encode()
    slot = Slot("label", partition_of(key, partitions_of(shop.replay.slots.meta(Slot("label", 0)))))
    slots = shop.replay.slots
    return customer_answer(key, slots.record(slot, key), slots.history(slot, key), slots.meta(slot))


def known(shop: Shop, customer: str) -> CustomerAnswer:
    answer = asked(shop, customer)
    assert answer is not None
    return answer


def test_the_answer_for_every_customer_is_the_label_that_was_published(shop: Shop) -> None:
    assert len(shop.labels) == 60
    for customer, label in shop.labels.items():
        answer = known(shop, customer)
        said = (str(answer["segment"]), answer["since"], answer["incarnation"])
        assert said == (label["segment"], label["since"], label["incarnation"])
        assert answer["model_version"] == max(
            shop.models
        )  # everybody has adopted it; a label names the model that moved its customer
        assert answer["segment_name"] == shop.definitions[int(label["segment"])]["name"]
        assert answer["feature_set_version"] == label["feature_set_version"]


def test_the_history_is_the_last_movements_newest_first(shop: Shop) -> None:
    moved = 0
    for customer in shop.labels:
        theirs = [m for m in shop.movements if m["customer_id"] == customer][::-1][:8]
        told = [
            (m["sequence"], None if m["before"] is None else str(m["before"]), str(m["after"]), m["cause"], m["at"])
            for m in known(shop, customer)["history"]
        ]
        assert told == [
            (m["sequence"], m["previous_segment"], m["segment"], m["cause"], m["event_time"]) for m in theirs
        ]
        moved += len(told) > 1
    assert moved > 10


def test_margin_and_runner_up_are_those_of_the_distances_to_the_centres(shop: Shop) -> None:
    models = {a.model.version: a.model for a in Memory(shop.facts()[0].meta, 0).activations if a.model}
    below = 0
    for customer in shop.labels:
        answer = known(shop, customer)
        assert answer["model_version"] is not None
        model = models[answer["model_version"]]
        z = {one["name"]: one["in_distance"] for one in answer["features"]}
        here = np.array([z[name] for name in model.columns], float)
        d = {j: ((np.array(model.centers[j]) - here) ** 2).sum() for j in model.alive}
        segment = answer["segment"]
        assert segment is not None
        others = [j for j in model.alive if j != segment]
        second = min(others, key=lambda j: float(d[j]))
        assert answer["runner_up"] == second
        assert answer["margin"] == pytest.approx(1 - d[segment] / d[second], abs=1e-4)
        effects = sum(one["effect"] for one in answer["why"])
        assert effects >= d[second] - d[segment] - 1e-4  # what speaks against the segment is left out
        below += d[second] < d[segment]
    assert below < 20


def test_the_reasons_are_in_the_words_of_the_definition(shop: Shop) -> None:
    texts = {one["text"] for customer in shop.labels for one in known(shop, customer)["why"]}
    assert texts <= {
        "order often", "order rarely", "spend a lot", "spend little", "have gone silent", "were here lately",
    }  # fmt: skip
    assert {"order often", "order rarely"} <= texts


def test_features_are_read_at_the_partitions_clock_not_at_the_last_event(shop: Shop) -> None:
    silent = known(shop, "c2")  # came in the first week only
    values = {one["name"]: one["value"] for one in silent["features"]}
    assert silent["last_event"] is not None
    as_of = datetime.fromisoformat(silent["as_of"])
    assert as_of.timestamp() * 1000 == BEGAN + 21 * DAY
    away = (as_of - datetime.fromisoformat(silent["last_event"])).total_seconds()
    assert isinstance(values["silence"], float)
    assert away * 16 / 17 - 300 <= values["silence"] <= away
    assert values["orders"] == 0.0
    assert values["items"] == 0.0
    assert {one["name"]: one["in_distance"] for one in silent["features"]}["items"] is None


def test_nobody_is_known_by_an_id_that_never_came(shop: Shop) -> None:
    assert asked(shop, "c60") is None


def test_before_the_first_model_a_customer_has_features_and_no_segment(tmp_path: Path) -> None:
    early = Shop(definition(tmp_path, rest=REST.replace("warm_start: 20", "warm_start: 500")), events())
    answer = known(early, "c0")
    assert (answer["segment"], answer["margin"], answer["why"], answer["history"]) == (None, None, [], [])
    assert answer["features"][0]["value"] != 0.0
    here = segments_answer(early.facts())
    assert (here["customers"], here["unlabelled"], here["segments"], here["model_version"]) == (60, 60, [], None)
    assert here["profiles_from"] == "none"


CATEGORIES = """
features:
  - {name: orders, aggregate: count, window: 7d, tiles: 7}
  - {name: plain, aggregate: latest, field: properties.level, encode: ordinal, categories: [low, mid, high]}
  - {name: hot, aggregate: latest, field: properties.level, encode: one_hot, categories: [low, mid, high]}
  - {name: bits, aggregate: latest, field: properties.level, encode: binary, categories: [low, mid, high]}
  - {name: hashed, aggregate: latest, field: properties.level, encode: hashed, buckets: 4}
"""


def level(customer: str, value: str | None) -> Events:
    body = b'{"type":"track","event":"e","userId":"%b","timestamp":"2023-11-15T10:00:00Z","properties":{%b}}'
    told = b"" if value is None else b'"level":"%b"' % value.encode()
    return Events([body % (customer.encode(), told)], [customer.encode()], [1_700_042_400_000])


@pytest.mark.parametrize("value", ["low", "mid", "high", "else", None])
def test_a_category_is_said_by_its_name_however_it_is_encoded(tmp_path: Path, value: str | None) -> None:
    one = Shop(definition(tmp_path, CATEGORIES), level("ann", value))
    said = {f["name"]: f["value"] for f in known(one, "ann")["features"]}
    expected = value if value in {"low", "mid", "high"} else "unknown"
    assert (said["plain"], said["hot"], said["bits"]) == (expected, expected, expected)
    assert str(said["hashed"]).startswith("unknown" if value is None else "bucket")


def test_a_record_of_the_layout_before_is_read_in_todays(tmp_path: Path) -> None:
    shop = Shop(definition(tmp_path), events())
    before = {customer: known(shop, customer) for customer in shop.labels}
    changed = definition(tmp_path, FEATURES + "  - {name: lately, aggregate: count, window: 2d, tiles: 2}\n")
    wish = control.Apply("r1", 2, changed, "t", 0, "t")
    message: Message = control.control("samples", control.APPLY, wish, 0)
    shop.replay.log.append("samples", None, message.value, message.headers, partition=0)
    shop.replay.pump()
    memory = Memory(shop.facts()[0].meta, 0)
    assert [a.layout for a in memory.activations][-2:] == [1, memory.activations[-1].number]
    for customer, was in before.items():
        now = known(shop, customer)
        assert (now["segment"], now["margin"], now["history"]) == (was["segment"], was["margin"], was["history"])
        values = {one["name"]: one["value"] for one in now["features"]}
        assert values.pop("lately") == 0.0
        assert values == {one["name"]: one["value"] for one in was["features"]}


def test_segments_count_everybody_once_and_tell_what_was_declared(shop: Shop) -> None:
    here = segments_answer(shop.facts(), shop.definitions)
    newest = Memory(shop.facts()[0].meta, 0).activations[-1].model
    assert newest is not None
    sizes = dict.fromkeys(newest.alive, 0)
    for label in shop.labels.values():
        sizes[int(label["segment"])] += 1
    assert {one["segment"]: one["customers"] for one in here["segments"]} == sizes
    assert (here["customers"], here["unlabelled"]) == (60, 0)
    assert sum(one["share"] for one in here["segments"]) == pytest.approx(1, abs=1e-5)
    declared = here["segments"][1]
    assert (declared["name"], declared["lever"], declared["owner"]) == ("The Ones", "thank them", "crm")
    assert [one["question"] for one in here["segments"]] == [None, "Who stays?", None]
    causes: dict[str, int] = {}
    for movement in shop.movements:
        causes[movement["cause"]] = causes.get(movement["cause"], 0) + 1
    assert here["movements_by_cause"] == causes


def test_who_moves_back_within_a_day_or_a_week_is_counted(shop: Shop) -> None:
    left: dict[tuple[str, int], tuple[str | None, int]] = {}
    expected = {"1d": 0, "7d": 0}
    for movement in sorted(shop.movements, key=lambda movement: (movement["incarnation"], movement["sequence"])):
        who, at = (movement["customer_id"], movement["incarnation"]), read_time(movement["event_time"], "event_time")
        before, since = left.get(who, (None, 0))
        if movement["segment"] is not None and movement["segment"] == before:
            for within, days in (("1d", 1), ("7d", 7)):
                expected[within] += at - since <= days * DAY
        left[who] = movement["previous_segment"], at
    assert expected["1d"] < expected["7d"]
    assert segments_answer(shop.facts(), shop.definitions)["returned_within"] == expected


def test_profiles_are_the_definitions_of_the_model_in_force_outcomes_included(shop: Shop) -> None:
    here = segments_answer(shop.facts(), shop.definitions)
    assert here["profiles_from"] == "definitions"
    for one in here["segments"]:
        told = shop.definitions[one["segment"]]["profile"]
        assert one["profile"] == {name: entry["center"] for name, entry in told.items()}
        assert "items" in one["profile"]


def test_what_the_definitions_say_beyond_the_means_is_told_too(shop: Shop) -> None:
    for one in segments_answer(shop.facts(), shop.definitions)["segments"]:
        told, learned_from = shop.definitions[one["segment"]], one["learned_from"]
        assert learned_from is not None
        same = ("size", "reach", "stability", "moved_in", "moved_out", "categories")
        assert {key: value for key, value in learned_from.items() if key in same} == {key: told[key] for key in same}
        assert learned_from["measures"] == told["profile"]
        assert learned_from["as_of"] == told["announced_at"]
    assert all(one["learned_from"] is None for one in segments_answer(shop.facts(), None)["segments"])


def test_with_definitions_of_another_version_profiles_are_the_models_centres(shop: Shop) -> None:
    stale: dict[int, dict[str, Any]] = {n: one | {"model_version": 0} for n, one in shop.definitions.items()}
    for definitions in (stale, {0: shop.definitions[0]}, None):
        here = segments_answer(shop.facts(), definitions)
        assert here["profiles_from"] == "centres"
        assert [set(one["profile"]) for one in here["segments"]] == [{"orders", "spend", "silence"}] * 3


def test_a_centre_in_real_units_is_scaled_and_logged_back_to_the_centre(shop: Shop) -> None:
    activation = Memory(shop.facts()[0].meta, 0).activations[-1]
    assert activation.model is not None
    engine = compile_engine([activation])
    for number in activation.model.alive:
        profile = centre_in_real_units(activation, number)
        raw = np.array([[profile.get(name, 0.0) for name in engine.plan.names]])
        x = np.empty_like(raw)
        transform(engine.plan.arrays, raw, x)
        z = (x[0, :3] - np.array(activation.model.mean)) / np.array(activation.model.scale)
        assert z == pytest.approx(np.array(activation.model.centers[number]))


def test_a_log_that_a_newer_engine_decided_is_not_guessed_at(shop: Shop) -> None:
    slot = next(slot for slot in shop.slots() if shop.replay.slots.record(slot, b"c0"))
    meta = dict(shop.replay.slots.meta(slot))
    meta[ACTIVATIONS] = meta[ACTIVATIONS].replace(b'"engine":1', b'"engine":99')
    with pytest.raises(EngineTooOld, match="engine 99"):
        customer_answer(b"c0", shop.replay.slots.record(slot, b"c0"), [], meta)
