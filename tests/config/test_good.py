"""What a segmentation is for, when it is good, and the version that it begins with: right ones and each mistake."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from stream_seg.config import load
from stream_seg.config.good import Good
from stream_seg.core.definition import feature_set_version
from stream_seg.core.model import ModelVersion
from stream_seg.errors import ConfigError

HEAD = """\
name: shop
question: Who needs what?
features:
- {name: orders, aggregate: count, window: 7d, tiles: 7}
- {name: plan, aggregate: latest, field: traits.plan, encode: ordinal, categories: [free, plus], basis: demographic}
- {name: items, aggregate: count, window: 7d, tiles: 7, role: outcome}
"""  # six lines


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "segmentation.yaml"


def told(path: Path, text: str) -> list[str]:
    path.write_text(HEAD + text)
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    return [line.removeprefix(f"{path}:") for line in caught.value.problems]


def a_model(path: Path, **changes: object) -> ModelVersion:
    path.write_text(HEAD)
    model = ModelVersion(
        version=1, tier="all", feature_set_version=feature_set_version(load(path, {}).definition), learner="keyed",
        columns=("orders", "plan"), centers=((0.0, 0.0), (1.0, 1.0)), mean=(0.0, 0.0), scale=(1.0, 1.0),
        clip_low=(None, None), clip_high=(None, None), segments=("low", "high"), samples=2, trained_at=0,
    )  # fmt: skip
    return msgspec.structs.replace(model, **changes).sealed()


def test_what_is_good_is_read_with_its_defaults(path: Path) -> None:
    path.write_text(HEAD + "good: {segments: [3, 64], min_share: 5%, must_separate: [items]}\n")
    found = load(path, {})
    assert found.good == Good((3, 64), 0.05, 1.0, 0.7, ("items",))
    assert found.question == "Who needs what?"
    assert found.bases == {"orders": "behavioural", "plan": "demographic", "items": "behavioural"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("good: {min_share: 3}", "7:19: good.min_share: `3` is out of range, use 0% to 100%"),
        ("good: {segments: 3}", "7:18: good.segments: expected two whole numbers, got `3`, write [2, 64]"),
        ("good: {segments: [8, 3]}", "7:18: good.segments: [8, 3] holds no number, put the smaller one first"),
        ("good: {min_share: much}", "7:19: good.min_share: `much` is not a share, write 3% or 0.03"),
        ("good: {min_share: 3 %, moves: 1}", "7:24: good.moves: is not a key here, use one of: segments, min_share"),
        (
            "good: {must_separate: [items, itmes]}",
            "7:31: good.must_separate[1]: `itmes` is no feature with a number, did you mean `items`",
        ),
        ("good: {must_separate: plan}", "good.must_separate[0]: `plan` is no feature with a number"),
        ("segments: {k: 2, initial_model: gone.json}", "7:33: segments.initial_model: "),
    ],
)
def test_a_mistake_has_its_place_and_remedy(path: Path, text: str, problem: str) -> None:
    (line,) = told(path, text)
    assert problem.split(": ", 1)[1] in line
    assert line.startswith(problem.split(" ", maxsplit=1)[0]) or problem.startswith("good")


def test_a_feature_stands_on_one_of_four_bases(path: Path) -> None:
    path.write_text(HEAD.replace("demographic", "demografic"))
    with pytest.raises(ConfigError, match=r"5:\d+: features\[1\]\.basis: `demografic` is not known here, did you mean"):
        load(path, {})


def test_the_basis_says_nothing_that_a_record_depends_on(path: Path) -> None:
    path.write_text(HEAD)
    before = feature_set_version(load(path, {}).definition)
    path.write_text(HEAD.replace(", basis: demographic", ""))
    assert feature_set_version(load(path, {}).definition) == before


def test_the_version_beside_the_file_is_read(path: Path) -> None:
    model = a_model(path)
    path.with_name("model.json").write_bytes(msgspec.json.encode(model))
    path.write_text(HEAD + "segments: {k: 2, initial_model: model.json}")
    assert load(path, {}).initial == model


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"feature_set_version": "abc"}, "was learned on other features (abc, the file has"),
        ({"centers": ((0.0,), (1.0,))}, "the parts of the model do not fit together"),
        ({"scale": (1.0,)}, "the parts of the model do not fit together"),
        ({"segments": ("one",)}, "the parts of the model do not fit together"),
        ({"tier": "business"}, "only where there are no tiers"),
        (
            {"centers": ((0.0, 0.0), (), (1.0, 1.0), (2.0, 2.0)), "segments": ("a", "", "b", "c")},
            "has 3 segments and `k` says 2, make them the same",
        ),
    ],
)
def test_a_version_that_does_not_fit_is_told(path: Path, changes: dict[str, object], problem: str) -> None:
    path.with_name("model.json").write_bytes(msgspec.json.encode(a_model(path, **changes)))
    (line,) = told(path, "segments: {k: 2, initial_model: model.json}")
    assert line.startswith("7:33: segments.initial_model: ")
    assert problem in line


def test_a_version_that_was_changed_by_hand_is_told(path: Path) -> None:
    changed = msgspec.structs.replace(a_model(path), mean=(0.5, 0.0))
    path.with_name("model.json").write_bytes(msgspec.json.encode(changed))
    assert "does not match its checksum" in told(path, "segments: {k: 2, initial_model: model.json}")[0]
    path.with_name("model.json").write_bytes(b"{}")
    assert "is not a model version" in told(path, "segments: {k: 2, initial_model: model.json}")[0]
