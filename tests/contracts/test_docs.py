"""What docs/contracts.md shows is what the schemas say."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pytest
from ruamel.yaml import YAML

from tests.contracts.examples import SCHEMAS, published

PAGE = SCHEMAS.parent / "docs" / "contracts.md"
TEXT = PAGE.read_text("utf-8")
SHOWN: list[tuple[str, str, str]] = re.findall(
    r"^```(json|yaml) schema=(\S+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL
)


@pytest.mark.parametrize(("language", "name", "body"), SHOWN, ids=[name for _, name, _ in SHOWN])
def test_an_example_on_the_page_is_accepted_by_its_schema(language: str, name: str, body: str) -> None:
    instance: Any = orjson.loads(body) if language == "json" else YAML(typ="safe").load(body)
    (contract,) = [contract for contract in published() if contract.name == name]
    assert [error.message for error in contract.validator().iter_errors(instance)] == []


def test_every_input_and_every_value_of_an_output_has_an_example_on_the_page() -> None:
    names = {contract.name for contract in published() if contract.name.startswith(("input/", "output/"))}
    assert {name for _, name, _ in SHOWN} == names - {"output/dead-letters.v1"}


def test_the_page_names_every_header_of_a_dead_letter() -> None:
    schema = orjson.loads((SCHEMAS / "output" / "dead-letters.v1.schema.json").read_bytes())
    unnamed = [
        name for name in schema["properties"] if f"`{name}`" not in TEXT and f"`…{name.rsplit('.', 1)[1]}`" not in TEXT
    ]
    assert unnamed == []


def test_every_field_of_a_movement_is_shown_on_the_page() -> None:
    schema = orjson.loads((SCHEMAS / "output" / "segment-changes.v1.schema.json").read_bytes())
    assert [name for name in schema["properties"] if f'"{name}"' not in TEXT] == []


def test_links_into_the_repository_lead_to_files() -> None:
    targets = {target.split("#")[0] for target in re.findall(r"\]\((?!https?:|#)([^)]+)\)", TEXT)}
    # input.md comes with the decoder.
    assert [target for target in targets - {"input.md"} if not (PAGE.parent / target).exists()] == []
