"""One AsyncAPI document ties every schema to its topic, and it is a valid one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pytest
from ruamel.yaml import YAML

from stream_seg.adapters.kafka.topics import topic_name, topics
from tests.contracts.examples import SCHEMAS, published

OFFICIAL = Path(__file__).parent / "vendor" / "asyncapi-3.0.0.json"


def document() -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe").load(SCHEMAS / "asyncapi.yaml")
    return loaded


def references(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def official() -> jsonschema_rs.Draft7Validator:
    return jsonschema_rs.Draft7Validator(orjson.loads(OFFICIAL.read_bytes()))


def test_the_document_is_valid_asyncapi_3() -> None:
    assert [f"{error.instance_path}: {error.message}" for error in official().iter_errors(document())] == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda doc: doc.pop("info"),
        lambda doc: doc["operations"]["move"].update(action="publish"),
        lambda doc: doc["channels"]["models"]["bindings"]["kafka"].update(partitions=0),
    ],
)
def test_the_official_schema_refuses_a_spoilt_document(spoil: Any) -> None:
    doc = document()
    spoil(doc)
    assert not official().is_valid(doc)


def test_every_reference_leads_somewhere() -> None:
    doc = document()
    for reference in references(doc):
        if reference.startswith("#/"):
            at: Any = doc
            for step in reference.removeprefix("#/").split("/"):
                at = at[step]
        else:
            assert (SCHEMAS / reference).is_file(), reference


def test_every_schema_but_the_mapping_is_the_payload_or_the_headers_of_a_message() -> None:
    referenced = {reference for reference in references(document()) if reference.startswith("./")}
    # A mapping is part of a definition: nobody sends it by itself.
    names = {contract.name for contract in published()} - {"input/mapping.v1"}
    assert referenced == {f"./{name}.schema.json" for name in names}


def test_every_topic_is_a_channel_that_is_set_up_as_topics_create_does() -> None:
    channels = document()["channels"]
    declared = topics()
    assert set(channels) == set(declared) | {"product-events"}
    for logical, topic in declared.items():
        assert channels[logical]["address"] == topic_name("{name}", logical)
        kafka = channels[logical]["bindings"]["kafka"]
        assert kafka["topicConfiguration"]["cleanup.policy"] == [topic.configs["cleanup.policy"]]
        assert kafka.get("partitions") == topic.partitions


def test_every_message_travels_in_a_channel_and_every_channel_in_an_operation() -> None:
    doc = document()
    in_channels = {
        reference.rsplit("/", 1)[1] for reference in references(doc["channels"]) if "/messages/" in reference
    }
    assert in_channels == set(doc["components"]["messages"])
    assert {operation["channel"]["$ref"] for operation in doc["operations"].values()} == {
        f"#/channels/{channel}" for channel in doc["channels"]
    }
