"""Every version can be made again out of what LEARN recorded; what is damaged or changed shows."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from stream_seg.core.clustering import learner, made_with
from stream_seg.core.definition import Learning
from stream_seg.core.model import Float64, ModelVersion
from stream_seg.core.operation import UNLIMITED, Limits, Operation
from stream_seg.errors import Stop
from stream_seg.pipeline.reproduction import reproduced
from stream_seg.ports import Message
from stream_seg.wire.trainings import PART, Part, training_in, training_messages
from tests.models.registry import Shop
from tests.queries.shop import BEGAN, FEATURES, REST, definition, events

KAFKAS_LIMIT = 1_048_576  # bytes of a record, by default
CLIPPED = FEATURES.replace("tiles: 7, transform: [log1p]", "tiles: 7, transform: [log1p, {quantile_clip: [0.05, 0.9]}]")
RULES = {
    "river": REST,
    "keyed": REST.replace("learner: river", "learner: keyed").replace("publish_every: 7d", "publish_every: 2d"),
    "clips": REST.replace("learner: river", "learner: keyed").replace("publish_every: 7d", "publish_every: 3d"),
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(definition(tmp_path_factory.mktemp("shop")), events())


@pytest.mark.parametrize("rules", RULES)
def test_every_version_is_the_same_to_the_bit_when_it_is_made_again(rules: str, tmp_path: Path) -> None:
    shop = Shop(definition(tmp_path, CLIPPED if rules == "clips" else FEATURES, RULES[rules]), events())
    shop.order("retrain")
    assert len(shop.models) >= 4
    asked = set[tuple[str, ...]]()
    for version, model in shop.models.items():
        answer = reproduced(model, shop.training(version))
        assert answer["same"], answer
        assert [part["difference"] for part in answer["parts"]] == [0.0, 0.0, 0.0]
        assert answer["made_with"] == answer["here"]
        asked.add(tuple(answer["asks"]))
    assert {("begin",), ("refit",)} <= asked
    if rules == "keyed":
        assert ("learn", "refit") in asked


def test_the_recording_of_a_version_is_the_same_in_every_run(shop: Shop, tmp_path: Path) -> None:
    again = Shop(definition(tmp_path), events())
    assert again.trainings == shop.trainings
    assert len(shop.trainings) >= 3


def test_a_version_that_is_another_one_is_not_the_same_and_the_difference_is_stated(shop: Shop) -> None:
    model = shop.models[2]
    mean = tuple(m + 0.25 for m in model.mean)
    answer = reproduced(msgspec.structs.replace(model, mean=mean).sealed(), shop.training(2))
    assert not answer["same"]
    assert [(part["part"], part["same"]) for part in answer["parts"]] == [
        ("centres", True), ("mean", False), ("scale", True),
    ]  # fmt: skip
    assert answer["parts"][1]["difference"] == pytest.approx(0.25)
    fewer = msgspec.structs.replace(model, centers=model.centers[:-1]).sealed()
    assert reproduced(fewer, shop.training(2))["parts"][0]["difference"] is None


def large(customers: int = 5_000, columns: int = 20) -> tuple[ModelVersion, Operation]:
    """A day of the largest table that there is by default, in numbers that hardly compress."""
    draw = np.random.default_rng(3)
    table: Float64 = draw.lognormal(3.0, 2.0, (customers, columns))
    news = np.concatenate([table[draw.permutation(customers)[: customers // 2]], table[:100] * 1.5, -0.0 * table[:1]])
    rules = Learning(k=6)
    learning = learner(columns, rules)
    learning.begin(table)
    state = learning.dump()
    learning.learn(news, table)
    (mean, scale), centers = learning.fitted()
    model = ModelVersion(
        version=7, tier="all", feature_set_version="3f9a0c1e77b2", learner=rules.learner,
        columns=tuple(f"c{i}" for i in range(columns)), centers=tuple(map(tuple, centers.tolist())),
        mean=tuple(mean.tolist()), scale=tuple(scale.tolist()), clip_low=(None,) * columns, clip_high=(None,) * columns,
        segments=tuple("abcdef"), samples=customers, trained_at=BEGAN,
    ).sealed()  # fmt: skip
    return model, Operation(("learn",), rules, state, table, news, UNLIMITED, UNLIMITED)


def recorded(model: ModelVersion, operation: Operation) -> list[Message]:
    return training_messages(model, operation, tuple(range(len(model.centers))), made_with(), "shop")


def test_the_largest_table_goes_out_in_parts_that_any_broker_takes_and_comes_back_to_the_bit() -> None:
    model, operation = large()
    messages = recorded(model, operation)
    assert len(messages) > 1
    assert max(len(message.value or b"") + len(message.key or b"") for message in messages) < KAFKAS_LIMIT * 0.6
    assert sum(len(message.value or b"") for message in messages) < operation.table.nbytes * 1.4
    assert messages == recorded(model, operation)
    values = [message.value or b"" for message in messages]
    back = training_in(reversed(values), 7).operation
    for name in ("table", "news"):
        assert getattr(back, name).tobytes() == getattr(operation, name).tobytes()
    assert (back.asks, back.rules, back.state) == (operation.asks, operation.rules, operation.state)
    assert reproduced(model, values)["same"]


def test_limits_come_back_too() -> None:
    model, operation = large(60, 3)
    limits = Limits((-np.inf, 0.0, 1.5), (np.inf, 9.5, 2.5))
    back = training_in([m.value or b"" for m in recorded(model, operation._replace(after=limits))], 7).operation
    assert (back.before, back.after) == (UNLIMITED, limits)


def test_parts_that_are_missing_or_damaged_are_told_and_not_used() -> None:
    model, operation = large()
    values = [message.value or b"" for message in recorded(model, operation)]
    with pytest.raises(Stop, match="nothing is recorded about how version 7 was made"):
        training_in([], 7)
    with pytest.raises(Stop, match="of version 7 is missing in the trainings topic"):
        training_in([values[0], *values[2:]], 7)
    with pytest.raises(Stop, match="cannot be read"):
        training_in([values[0][:50], *values[1:]], 7)
    part = msgspec.json.decode(values[0], type=Part)
    cut = msgspec.structs.replace(part, data=part.data[: PART // 2])
    with pytest.raises(Stop, match="cannot be read"):
        training_in([msgspec.json.encode(cut), *values[1:]], 7)
    other = msgspec.structs.replace(part, checksum="0" * 64)
    with pytest.raises(Stop, match="does not match its checksum"):
        training_in([msgspec.json.encode(other), *values[1:]], 7)
