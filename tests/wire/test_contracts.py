"""The published schemas and the decoder agree: what a schema accepts is an event, what it refuses is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from stream_seg.core.definition import Mapping
from stream_seg.core.event import Fields
from stream_seg.wire.decode import Decoder
from tests.contracts.examples import SCHEMAS
from tests.wire.records import Sent

EXAMPLES = SCHEMAS / "examples" / "input"
# What the schema refuses and the decoder takes, because it never looks there.
NOT_READ = {
    "segment.v1/type@category": "no feature reads it",
    "segment.v1/type@integrations": "Segment's routing",
    "segment.v1/pattern@sentAt": "there is a timestamp",
    "segment.v1/minLength@messageId": "an empty id is none",
}


def examples(form: str, kind: str) -> list[Any]:
    return [pytest.param(path, id=path.stem) for path in sorted((EXAMPLES / form / kind).glob("*.json"))]


def codes(record: Sent) -> list[str]:
    return [error.code for _, error in Decoder(Fields(), keyed=False).decode([record]).rejected]


def in_binary_mode(path: Path) -> Sent:
    headers = orjson.loads(path.read_bytes())
    return Sent(b'{"revenue": 41.5}', headers=tuple((name, str(value).encode()) for name, value in headers.items()))


@pytest.mark.parametrize("path", [*examples("segment.v1", "good"), *examples("cloudevents.v1", "good")])
def test_what_a_schema_accepts_is_an_event(path: Path) -> None:
    assert codes(Sent(path.read_bytes())) == []


@pytest.mark.parametrize("path", examples("cloudevents-headers.v1", "good"))
def test_headers_that_the_schema_accepts_make_an_event(path: Path) -> None:
    assert codes(in_binary_mode(path)) == []


@pytest.mark.parametrize("path", [*examples("segment.v1", "bad"), *examples("cloudevents.v1", "bad")])
def test_what_a_schema_refuses_is_rejected(path: Path) -> None:
    rejected = codes(Sent(path.read_bytes(), timestamp=-1))  # a schema does not see the record's own time
    if f"{path.parts[-3]}/{path.stem}" in NOT_READ:
        assert rejected == []
    else:
        assert len(rejected) == 1


# Those of a wrong type are left out: a header is bytes, it cannot be a number.
BAD_HEADERS = [path for path in examples("cloudevents-headers.v1", "bad") if not path.id.startswith("type@")]


@pytest.mark.parametrize("path", BAD_HEADERS)
def test_headers_that_the_schema_refuses_are_rejected(path: Path) -> None:
    assert len(codes(in_binary_mode(path))) == 1


@pytest.mark.parametrize("path", examples("mapping.v1", "good"))
def test_a_mapping_that_the_schema_accepts_makes_a_decoder(path: Path) -> None:
    Decoder(Fields(), Mapping(**orjson.loads(path.read_bytes())))
