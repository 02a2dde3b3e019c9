"""What goes in and comes out is written down, and the writing is true: each example is read as its schema says."""

from __future__ import annotations

from pathlib import Path

import jsonschema_rs
import orjson
import pytest

from tests.contracts.examples import Published, published, refusals, rules

ALL = published()
each_schema = pytest.mark.parametrize("contract", ALL, ids=[contract.name for contract in ALL])
GOOD = [(contract, path) for contract in ALL for path in contract.good()]
BAD = [(contract, path) for contract in ALL for path in contract.bad()]


def named(cases: list[tuple[Published, Path]]) -> list[str]:
    return [f"{contract.name}/{path.stem}" for contract, path in cases]


def test_every_input_form_and_every_output_topic_has_a_schema() -> None:
    names = {contract.name for contract in ALL}
    assert names >= {
        "input/segment.v1",
        "input/cloudevents.v1",
        "input/cloudevents-headers.v1",
        "input/mapping.v1",
        "output/segment-changes.v1",
        "output/customer-segments.v1",
        "output/models.v1",
        "output/activations.v1",
        "output/segment-definitions.v1",
        "output/drift-metrics.v1",
        "output/dead-letters.v1",
    }


@each_schema
def test_a_schema_is_valid_json_schema_2020_12_and_says_what_it_is(contract: Published) -> None:
    assert contract.schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema_rs.meta.validate(contract.schema)
    assert contract.schema["$id"] == f"urn:stream-seg:{contract.name.split('/')[1]}"
    assert contract.schema["title"]
    assert contract.schema["description"]


@each_schema
def test_outputs_carry_nothing_that_is_not_declared_and_inputs_may(contract: Published) -> None:
    headers = contract.name.endswith(("headers.v1", "dead-letters.v1", "late-events.v1"))
    declared_by_us = contract.name.startswith(("output/", "internal/")) or contract.name == "input/mapping.v1"
    closed = contract.schema.get("additionalProperties") is False
    assert closed == (declared_by_us and not headers)


@pytest.mark.parametrize(("contract", "path"), GOOD, ids=named(GOOD))
def test_a_good_example_is_accepted(contract: Published, path: Path) -> None:
    errors = [error.message for error in contract.validator().iter_errors(orjson.loads(path.read_bytes()))]
    assert errors == []


@pytest.mark.parametrize(("contract", "path"), BAD, ids=named(BAD))
def test_a_bad_example_is_refused_by_the_one_rule_that_its_file_is_named_for(contract: Published, path: Path) -> None:
    errors = contract.validator().iter_errors(orjson.loads(path.read_bytes()))
    assert [name for error in errors for _, name in refusals(error)] == [path.stem.split("--")[0]]


@each_schema
def test_every_rule_of_a_schema_has_a_bad_example(contract: Published) -> None:
    validator = contract.validator()
    shown = {
        place
        for path in contract.bad()
        for error in validator.iter_errors(orjson.loads(path.read_bytes()))
        for place, _ in refusals(error)
    }
    assert rules(contract.schema) - shown == set()


@each_schema
def test_every_definition_of_a_schema_is_used(contract: Published) -> None:
    text = orjson.dumps(contract.schema).decode()
    assert [name for name in contract.schema.get("$defs", {}) if f'"#/$defs/{name}"' not in text] == []


@each_schema
def test_every_schema_has_a_good_example(contract: Published) -> None:
    assert contract.good()
