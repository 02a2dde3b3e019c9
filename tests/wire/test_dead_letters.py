from __future__ import annotations

import jsonschema_rs
import orjson
import pytest

from stream_seg.core.event import Fields
from stream_seg.errors import BadEvent
from stream_seg.ports import Message
from stream_seg.wire.dead_letters import dead_letter, late_event
from stream_seg.wire.decode import Decoder
from tests.contracts.examples import SCHEMAS
from tests.wire.records import Sent

RECORD = Sent(b"\xff{", key=b"C-\xfe", headers=(("trace", b"\x00"), ("ss-error-code", b"old")), offset=41)
WHY = BadEvent("invalid_json", "$", "not “JSON” \ud800", "send JSON")


def reasons(message: Message) -> dict[str, str]:
    return {name: value.decode() for name, value in message.headers[len(RECORD.headers) :]}


def test_a_dead_letter_is_the_record_untouched_with_its_reasons_behind() -> None:
    letter = dead_letter(RECORD, WHY, "shop-label", "T1")
    assert (letter.topic, letter.key, letter.value) == ("dead-letters", RECORD.key, RECORD.value)
    assert letter.headers[:2] == RECORD.headers
    assert reasons(letter) == {
        "__streams.errors.exception": "stream_seg.errors.BadEvent",
        "__streams.errors.message": "invalid_json at $: not “JSON” \\ud800; send JSON",
        "__streams.errors.topic": "shop.events.v1",
        "__streams.errors.partition": "3",
        "__streams.errors.offset": "41",
        "ss-error-id": "T1:3:41",
        "ss-error-code": "invalid_json",
        "ss-error-path": "$",
        "ss-error-remedy": "send JSON",
        "ss-error-group": "shop-label",
    }


def test_a_late_event_goes_to_a_topic_of_its_own() -> None:
    late = late_event(RECORD, "shop-label", "T1")
    assert (late.topic, late.key, late.value) == ("late-events", RECORD.key, RECORD.value)
    assert reasons(late)["ss-error-code"] == "too_late"


@pytest.mark.parametrize("message", [dead_letter(RECORD, WHY, "g", "T1"), late_event(RECORD, "g", "T1")])
def test_the_headers_keep_their_contract(message: Message) -> None:
    (path,) = SCHEMAS.rglob(f"{message.topic}.v1.schema.json")
    jsonschema_rs.validator_for(orjson.loads(path.read_bytes())).validate(reasons(message))


def test_every_rejection_of_the_decoder_makes_a_dead_letter() -> None:
    for row, error in Decoder(Fields()).decode([RECORD, Sent(None), Sent(b"{}")]).rejected:
        assert reasons(dead_letter(RECORD, error, "g", "T1"))["ss-error-code"] == error.code, row
