"""What the encoders write is what the schemas promise."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import orjson
import pytest
from ruamel.yaml import YAML

from stream_seg.core.activation import Activation, Fill
from stream_seg.core.definition import DAY, Definition, Feature, Mapping, feature_set_version
from stream_seg.core.emergence import Group
from stream_seg.core.emission import CAUSES
from stream_seg.core.engine import compile_engine
from stream_seg.core.findings import Finding, emerged
from stream_seg.core.lineage import Change
from stream_seg.core.model import ModelVersion
from stream_seg.ports import Message
from stream_seg.wire import control
from stream_seg.wire.activations import Kind, activation_message, read_activated
from stream_seg.wire.customers import PLACEHOLDERS
from stream_seg.wire.definitions import Described, Happened, definition_messages, model_message, passed_message
from stream_seg.wire.drift import finding_messages, waiting_message
from stream_seg.wire.output import Movement, label_message, movement_messages, sample_message
from tests.contracts.examples import SCHEMAS as FILES
from tests.contracts.examples import published

SCHEMAS = {contract.name: contract for contract in published()}
NOON = 1_772_366_400_000
FEATURES = (Feature(name="orders", aggregate="count", window=28 * DAY), Feature(name="silence", aggregate="recency"))
DEFINITION = Definition(name="shop", features=FEATURES, lateness=28 * DAY, forget_after=118 * DAY)
MODEL = ModelVersion(
    version=1,
    tier="all",
    feature_set_version=feature_set_version(DEFINITION),
    learner="river",
    columns=("orders", "silence"),
    centers=((1.0, -1.0), (-1.0, 1.0)),
    mean=(3.0, 9.0),
    scale=(2.0, 0.0),
    clip_low=(None, 0.0),
    clip_high=(40.0, None),
    segments=("Order often", "Lately silent"),
    samples=20,
    trained_at=NOON,
).sealed()
ACTIVATION = Activation(
    number=2,
    definition=DEFINITION,
    feature_set_version=feature_set_version(DEFINITION),
    model=MODEL,
    who="ann",
    at=NOON,
    why="begin",
)


def refusals(name: str, value: bytes | None) -> list[str]:
    assert value is not None
    return [f"{e.instance_path}: {e.message}" for e in SCHEMAS[name].validator().iter_errors(orjson.loads(value))]


def refused_headers(message: Message) -> list[str]:
    headers = {name: value.decode() for name, value in message.headers}
    contract = SCHEMAS["input/cloudevents-headers.v1"]
    return [f"{e.instance_path}: {e.message}" for e in contract.validator().iter_errors(headers)]


def moved(**changes: Any) -> Movement:
    usual: dict[str, Any] = {
        "customer": "Łódź:7".encode(),
        "incarnation": 12,
        "sequence": 3,
        "previous": 0,
        "segment": 1,
        "cause": CAUSES.index("time"),
        "at": NOON,
        "confidence": 0.4,
        "margin": 0.2,
        "top_features": [{"feature": "silence", "before": 3.0, "after": None, "effect": 1.2}],
    }
    return Movement(**{**usual, **changes})


@pytest.mark.parametrize(
    "movement",
    [
        moved(),
        moved(sequence=1, previous=None, margin=None, cause=CAUSES.index("backfill"), top_features=[]),
        moved(segment=None, confidence=None, margin=None, cause=CAUSES.index("forgotten"), top_features=[]),
    ],
    ids=["between-segments", "first", "last"],
)
def test_a_movement_and_its_label_keep_their_contracts(movement: Movement) -> None:
    change, label = movement_messages(movement, ACTIVATION, "2026-03-01T12:00:01.000Z", "live")
    assert (change.topic, change.key) == ("segment-changes", movement.customer)
    assert refusals("output/segment-changes.v1", change.value) == []
    assert refused_headers(change) == []
    assert (label.topic, label.key) == ("customer-segments", movement.customer)
    if movement.segment is None:
        assert label.value is None
    else:
        assert refusals("output/customer-segments.v1", label.value) == []
        assert refused_headers(label) == []


def test_a_label_that_is_sent_again_has_another_id_when_it_says_something_else() -> None:
    first = label_message(b"C-1", 12, 3, 1, NOON, NOON, ACTIVATION)
    again = label_message(b"C-1", 12, 3, 1, NOON, NOON + DAY, ACTIVATION)
    assert refusals("output/customer-segments.v1", again.value) == []
    assert dict(first.headers)["ce_id"] != dict(again.headers)["ce_id"]


def test_every_cause_that_the_fold_knows_is_in_the_contract() -> None:
    contract = SCHEMAS["output/segment-changes.v1"].schema["properties"]["cause"]["enum"]
    assert set(CAUSES) <= set(contract)


def test_a_sample_keeps_its_contract() -> None:
    sample = sample_message(b"C-1", 12, 1, NOON, NOON - DAY, -7, [1.0, float("nan")], 2, 3, "all", -1, 0)
    assert (sample.topic, sample.key) == ("samples", b"all")
    assert refusals("internal/sample.v1", sample.value) == []


def test_a_drift_finding_keeps_its_contract() -> None:
    group = Group(size=9, share=0.5, center=(9.0, 1.0), population=(2.0, 1.1), z=(3.5, -0.1))
    columns = ["orders", "silence"]
    reading = Finding(metric="psi", subject="orders", value=0.3, words="orders has changed much")
    bare = Finding(metric="share_shift", subject="1", value=0.1)
    found = [reading, bare, emerged(group, columns, 0.05, "act", new=True)]
    messages = finding_messages(found, compile_engine([ACTIVATION]), 1, NOON)
    for message in messages:
        assert refusals("output/drift-metrics.v1", message.value) == []
        assert refused_headers(message) == []
    assert [orjson.loads(message.value or b"")["subject"]["kind"] for message in messages] == [
        "feature", "segment", "tier",
    ]  # fmt: skip
    assert len({dict(message.headers)["ce_id"] for message in messages}) == 3
    assert orjson.loads(messages[2].value or b"")["words"].endswith("are alike: high orders")


def test_what_learn_publishes_keeps_its_contracts() -> None:
    raw = np.array([[5.0, 3_600.0], [0.0, 2e6], [4.0, 60.0]])
    history: dict[int, list[Happened]] = {}
    columns = compile_engine([ACTIVATION]).plan.columns
    nobody, all_in_0 = np.full(3, -1), np.zeros(3, np.int64)
    kinds = (
        [Change("created", 0, (), 2), Change("created", 1, (), 0)],
        [Change("updated", 0, (), 2), Change("split", 1, (0,), 1), Change("retired", 2, (), 3)],
        [Change("merged", 0, (1,), 2), Change("emerged", 1, (), 1)],
    )
    lately: dict[str, Any] = {"active": nobody < 0, "settled": nobody < 0, "moved": {(0, 1): 3}}
    told = [Described(MODEL, DEFINITION, columns, raw, nobody, all_in_0, lineage, **lately) for lineage in kinds]
    created, *later = [definition_messages(one, history, announced=NOON, active_from=NOON + DAY) for one in told]
    assert [message.key for message in created] == [b"all:0", b"all:1"]
    for message in [*created, *(message for messages in later for message in messages)]:
        assert refusals("output/segment-definitions.v1", message.value) == []
        assert refused_headers(message) == []
    model = model_message(MODEL, "shop")
    assert (model.topic, model.key) == ("models", b"all:1")
    assert refusals("output/models.v1", model.value) == []
    assert refused_headers(model) == []
    waiting = waiting_message(MODEL, ACTIVATION, [(0, 1, 25), (1, 0, 6)], 100, held=False)
    assert (waiting.topic, waiting.key) == ("drift-metrics", b"all")
    assert refusals("output/drift-metrics.v1", waiting.value) == []
    assert refused_headers(waiting) == []
    assert refusals("internal/learn-progress.v1", passed_message(0, NOON).value) == []


@pytest.mark.parametrize(
    ("activation", "kind"),
    [
        (ACTIVATION, "rollback"),
        (ACTIVATION, "promote"),
        (ACTIVATION, "model"),
        (msgspec.structs.replace(ACTIVATION, number=1, model=None), "definition"),
    ],
)
def test_an_entry_of_the_history_keeps_its_contract_and_is_read_back(activation: Activation, kind: Kind) -> None:
    message = activation_message(activation, kind)
    assert (message.topic, message.key) == ("activations", b"%d" % activation.number)
    assert refusals("output/activations.v1", message.value) == []
    assert refused_headers(message) == []
    entry = read_activated(message.value or b"")
    version = activation.model.version if activation.model else None
    assert (entry.number, entry.kind, entry.model_version, entry.who) == (activation.number, kind, version, "ann")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("activate", ACTIVATION),
        (
            "activate",
            msgspec.structs.replace(ACTIVATION, model=None, ramp="now", retained=FEATURES, aliases={"a": "b"}),
        ),
        ("activate", msgspec.structs.replace(ACTIVATION, fill=Fill((0, 1204), NOON))),
        ("sources", control.Sources(("q3lZ:0", "q3lZ:1"))),
        ("progress", control.Progress("q3lZ:0", NOON)),
        ("passed-day", control.PassedDay(3, 4, NOON)),
        ("apply", control.Apply("0b3f", 4, DEFINITION, "ann", NOON, "")),
        ("apply", control.Apply("0b3f", 4, DEFINITION, "ann", NOON, "", Fill((0, 1204), NOON))),
        ("order", control.Order("5a1f", "promote", 4, "ann", NOON, "", model=MODEL, ramp="now")),
        ("order", control.Order("5a1f", "rollback", 4, "ann", NOON, "it was better", model=MODEL)),
    ],
)
def test_a_control_record_keeps_its_contract(name: str, value: msgspec.Struct) -> None:
    message = control.control("events", name, value, 0)
    assert refusals(f"internal/{name}.v1", message.value) == []


def test_contract_and_decoder_know_the_same_placeholders() -> None:
    for form in ("segment.v1", "cloudevents.v1"):
        assert set(SCHEMAS[f"input/{form}"].schema["$defs"]["usable"]["not"]["enum"]) == PLACEHOLDERS


def test_the_mapping_contract_has_the_parts_that_a_definition_takes() -> None:
    assert set(SCHEMAS["input/mapping.v1"].schema["properties"]) == set(Mapping.__struct_fields__)


def test_a_control_header_is_listed_for_every_kind() -> None:
    kinds = {control.ACTIVATE, control.TICK, control.SOURCES, control.PROGRESS, control.END}
    kinds |= {control.PASSED_DAY, control.APPLY, control.ORDER}
    document = YAML(typ="safe").load(FILES / "asyncapi.yaml")
    assert set(document["components"]["schemas"]["controlHeaders"]["properties"]["ss-control"]["enum"]) == kinds
