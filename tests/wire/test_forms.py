"""Every input form becomes the same columns, and what INGEST writes is read by LABEL as the original would be."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_seg.core.definition import Mapping
from stream_seg.core.event import Fields, TextField
from stream_seg.errors import BadEvent
from stream_seg.wire.canonical import Canonicalizer, canonical
from stream_seg.wire.decode import Decoder
from tests.wire.records import WRITTEN, Sent, cloud, segment, sent

FIELDS = Fields(
    numbers=("properties.price",),
    texts=(TextField("event", ("order.placed", "Bought")), TextField("traits.plan", ("pro",))),
    hashes=("properties.sku",),
)
DECODER = Decoder(FIELDS, keyed=False)
STRUCTURED = "application/cloudevents+json"
AT = "2024-05-31T10:00:00.250Z"


def structured(**changes: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "specversion": "1.0", "id": "1", "source": "/shop", "type": "order.placed", "subject": "C-1", "time": AT,
        "data": {"price": 9.5},
    }  # fmt: skip
    return {name: value for name, value in (usual | changes).items() if value is not ...}


def read(record: Sent, mapping: Mapping | None = None) -> tuple[bytes, int, float, list[int]]:
    """(customer, time, price, codes) of the only event."""
    batch = Decoder(FIELDS, mapping, keyed=False).decode([record])
    assert batch.rejected == []
    return batch.customers[0], int(batch.times[0]), float(batch.numbers[0, 0]), batch.codes[:, 0].tolist()


def refused(record: Sent, mapping: Mapping | None = None) -> tuple[str, str]:
    """(code, path) of the only rejection."""
    ((_, error),) = Decoder(FIELDS, mapping, keyed=False).decode([record]).rejected
    return error.code, error.path


ORDER = (b"C-1", WRITTEN + 250, 9.5, [1, -1])


def test_a_structured_cloud_event_is_known_by_its_object_or_by_its_header() -> None:
    assert read(sent(structured())) == ORDER
    header = (("Content-Type", b"application/cloudevents+json; charset=utf-8"),)
    assert read(sent(structured(), headers=header)) == ORDER


def test_a_binary_cloud_event_has_its_attributes_in_headers() -> None:
    assert read(cloud(b'{"price":9.5}', ce_subject="C-1", ce_time=AT, content_type="application/json")) == ORDER
    assert read(cloud(b'{"price":9.5}', ce_subject="C-1", ce_time=AT)) == ORDER


def test_both_modes_of_a_cloud_event_are_one_message() -> None:
    records = [sent(structured()), cloud(b"{}", ce_subject="C-1", ce_time=AT)]
    first, second = DECODER.decode(records).messages.tolist()
    assert first == second != 0
    other = DECODER.decode([sent(structured(source="/other"))]).messages.tolist()
    assert other != [first]


def test_data_of_its_own_says_nothing_about_the_customer_or_the_time() -> None:
    data = {"price": 9.5, "userId": "C-7", "timestamp": 3, "type": "Bought"}
    assert read(sent(structured(data=data))) == ORDER


def test_a_cloud_event_may_have_no_data() -> None:
    for record in (sent(structured(data=...)), sent(structured(data=None)), cloud(None, ce_subject="C-1", ce_time=AT)):
        customer, time, price, codes = read(record)
        assert (customer, time, codes) == (b"C-1", WRITTEN + 250, [1, -1])
        assert math.isnan(price)


def test_a_segment_call_inside_a_cloud_event_stays_what_it_is() -> None:
    call = segment(userId="C-7", timestamp=..., messageId=...)
    assert read(sent(structured(data=call))) == (b"C-7", WRITTEN + 250, 9.5, [2, -1])
    assert read(cloud(orjson.dumps(call), ce_time=AT)) == (b"C-7", WRITTEN + 250, 9.5, [2, -1])
    with_id = DECODER.decode([sent(structured(data=segment(messageId="m-9"))), sent(segment(messageId="m-9"))]).messages
    assert with_id[0] == with_id[1]


def test_the_envelope_of_a_segment_call_says_what_the_call_does_not() -> None:
    eleven = segment(timestamp="2024-05-31T11:00:00Z", userId="null", anonymousId="a-1")
    assert read(sent(structured(data=eleven)))[:2] == (b"a-1", WRITTEN + 3_600_000)
    assert read(sent(structured(data=segment(userId="null"))))[0] == b"C-1"
    received = segment(timestamp=..., receivedAt="2024-05-31T11:00:00Z")
    assert read(sent(structured(data=received)))[1] == WRITTEN + 3_600_000
    ids = [sent(structured(data=segment(messageId=...))), sent(structured())]
    first, second = DECODER.decode(ids).messages.tolist()
    assert first == second


@pytest.mark.parametrize(
    ("record", "code", "path"),
    [
        (sent(structured(specversion="0.3")), "invalid_cloudevent", "$.specversion"),
        (sent(structured(id=...)), "invalid_cloudevent", "$.id"),
        (sent(structured(source="")), "invalid_cloudevent", "$.source"),
        (sent(structured(type=7)), "invalid_cloudevent", "$.type"),
        (sent(structured(data=...) | {"data_base64": "e30="}), "unsupported_content_type", "$.data_base64"),
        (sent(structured(data=[1])), "not_an_object", "$.data"),
        (sent(structured(data={"price": "9.5"})), "wrong_type", "$.data.price"),
        (sent(structured(data=segment(userId=3))), "wrong_type", "$.data.userId"),
        (sent(structured(data=segment(properties={"price": "x"}))), "wrong_type", "$.data.properties.price"),
        (sent(structured(subject=...)), "missing_id", "$.subject"),
        (sent(structured(subject="undefined")), "unusable_id", "$.subject"),
        (sent(structured(time="2024-05-31T10:00:00")), "timestamp_without_zone", "$.time"),
        (sent(structured(datacontenttype=1)), "invalid_cloudevent", "$.datacontenttype"),
        (sent(structured(data=segment(timestamp="now"))), "invalid_timestamp", "$.data.timestamp"),
        (sent(structured(data=segment(timestamp=..., receivedAt="now"))), "invalid_timestamp", "$.data.receivedAt"),
        (cloud(b"{}", ce_specversion="1"), "invalid_cloudevent", "$headers.ce_specversion"),
        (cloud(b"{}", ce_id=""), "invalid_cloudevent", "$headers.ce_id"),
        (cloud(b"{}"), "missing_id", "$headers.ce_subject"),
        (cloud(b"{}", ce_subject="C-1", ce_time="noon"), "invalid_timestamp", "$headers.ce_time"),
        (cloud(b"{}", content_type="text/csv"), "unsupported_content_type", "$headers.content-type"),
        (
            cloud(b"{}", content_type=STRUCTURED),
            "unsupported_content_type",
            "$headers.content-type",
        ),
        (cloud(b"[]", ce_subject="C-1"), "not_an_object", "$"),
        (cloud(b"{", ce_subject="C-1"), "invalid_json", "$"),
        (cloud(b'{"price":"9.5"}', ce_subject="C-1", ce_time=AT), "wrong_type", "$.price"),
        (Sent(b"{}", headers=(("ce_specversion", b"1.0"), ("ce_id", b"\xff"))), "invalid_utf8", "$headers.ce_id"),
        (
            sent(structured(), headers=(("content-type", b"application/cloudevents-batch+json"),)),
            "unsupported_content_type",
            "$headers.content-type",
        ),
    ],
)
def test_a_broken_cloud_event_is_rejected_with_the_place_in_the_record(record: Sent, code: str, path: str) -> None:
    assert refused(record) == (code, path)


OWN = Mapping(
    customer="user.id",
    time="at",
    time_format="epoch_ms",
    event="action.name",
    message="no",
    properties={"price": "action.value", "sku": "action.what"},
    traits={"plan": "user.plan"},
)


def own(**changes: Any) -> dict[str, Any]:
    usual = {"user": {"id": 17, "plan": "pro"}, "at": WRITTEN, "action": {"name": "Bought", "value": 3}, "no": 5}
    return usual | changes


def test_own_json_is_read_by_a_mapping() -> None:
    assert read(sent(own()), OWN) == (b"17", WRITTEN, 3.0, [2, 1])
    flat = {"user.id": "17", "at": str(WRITTEN), "action.name": "Bought", "action.value": 3.0}
    assert read(sent(flat), OWN) == (b"17", WRITTEN, 3.0, [2, -1])


@pytest.mark.parametrize(
    ("mapping", "value", "time"),
    [
        ({"time_format": "epoch_s"}, WRITTEN / 1000 + 0.25, WRITTEN + 250),
        ({"time_format": "epoch_s"}, str(WRITTEN // 1000), WRITTEN),
        ({}, "2024-05-31T12:00:00+02:00", WRITTEN),
        ({"time_zone": "Europe/Berlin"}, "2024-05-31 12:00:00", WRITTEN),
        ({"time_zone": "Europe/Berlin"}, "2024-05-31 10:00:00Z", WRITTEN),
        ({"time_zone": "-02:30"}, "2024-05-31T07:30", WRITTEN),
        ({"time_zone": "UTC", "time_format": "%d.%m.%Y %H.%M"}, "31.05.2024 10.00", WRITTEN),
        ({"time_format": "%Y-%m-%dT%H:%M%z"}, "2024-05-31T12:00+0200", WRITTEN),
        ({}, None, WRITTEN),
    ],
)
def test_times_of_own_json_are_read_as_declared(mapping: dict[str, Any], value: Any, time: int) -> None:
    declared = Mapping(customer="c", time="t", **mapping)
    assert read(sent({"c": "C-1", "t": value}), declared)[:2] == (b"C-1", time)


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"user": {}}, "missing_id", "$.user.id"),
        ({"user": {"id": "null"}}, "unusable_id", "$.user.id"),
        ({"user": {"id": True}}, "wrong_type", "$.user.id"),
        ({"user": {"id": 1.5}}, "wrong_type", "$.user.id"),
        ({"at": "yesterday"}, "invalid_timestamp", "$.at"),
        ({"at": 10**30}, "invalid_timestamp", "$.at"),
        ({"at": [1]}, "wrong_type", "$.at"),
        ({"at": 0}, "timestamp_out_of_range", "$.at"),
        ({"action": {"value": 3}}, "missing_event", "$.action.name"),
        ({"action": {"name": "Bought", "value": "3"}}, "wrong_type", "$.action.value"),
    ],
)
def test_own_json_that_cannot_be_used_is_rejected_with_its_own_path(changes: Any, code: str, path: str) -> None:
    assert refused(sent(own(**changes)), OWN) == (code, path)


def test_with_a_mapping_segment_events_and_cloud_events_are_still_known() -> None:
    assert read(sent(segment()), OWN)[0] == b"C-1"
    assert read(sent(structured()), OWN) == ORDER
    assert read(sent({"type": "track", "who": "C-3"}), Mapping(customer="who", time="t"))[0] == b"C-3"
    assert refused(sent(b"[]"), OWN) == ("not_an_object", "$")
    assert refused(sent(b"{"), OWN) == ("invalid_json", "$")


def test_one_bad_record_raises_where_one_record_is_asked_for() -> None:
    with pytest.raises(BadEvent, match=r"missing_id at \$\.subject"):
        canonical(sent(structured(subject=...)))


def test_a_segment_event_passes_ingest_byte_for_byte() -> None:
    value = b' {"type": "identify",\n"userId":"C-1", "n": 1.0e0, "n": 12345678901234567890123, "timestamp": "%s"}'
    value %= AT.encode()
    assert canonical(sent(value)) == (b"C-1", value)


def test_ingest_keeps_the_time_of_a_record_for_an_event_that_has_none() -> None:
    without = b'{"type":"identify","userId":"C-1","big":12345678901234567890123%s}'
    _, value = canonical(sent(without % b"", timestamp=WRITTEN + 7))
    assert value == without % b',"timestamp":"2024-05-31T10:00:00.007Z"'


def test_ingest_says_which_records_of_a_batch_it_took() -> None:
    records = [
        sent(segment(userId="A")),
        sent(b"{"),
        sent(segment(userId="B", timestamp=...)),
        sent(None),
        sent(structured()),
    ]
    taken = Canonicalizer().canonical(records)
    assert taken.rows.tolist() == [0, 2, 4]
    assert taken.customers == [b"A", b"B", b"C-1"]
    assert taken.times.tolist() == [WRITTEN + 250, WRITTEN, WRITTEN + 250]
    assert msgspec.json.decode(taken.values[1])["timestamp"] == "2024-05-31T10:00:00.000Z"
    assert [(row, error.code) for row, error in taken.rejected] == [(1, "invalid_json"), (3, "null_value")]


NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | st.text('aé"\\ ')
FACTS = st.dictionaries(st.sampled_from(["sku", "plan", "x"]), SCALARS) | st.none()
RECORDS = st.one_of(
    FACTS.map(lambda facts: sent(segment(properties=facts))),
    FACTS.map(lambda facts: sent(msgspec.json.encode(segment(timestamp=..., traits=facts)))),
    FACTS.map(lambda facts: sent(msgspec.json.encode(structured(data=facts or {})))),
    FACTS.map(lambda facts: sent(msgspec.json.encode(structured(time=..., data=segment(traits=facts))))),
    FACTS.map(lambda facts: cloud(msgspec.json.encode(facts or {}), ce_subject="C-1")),
    SCALARS.map(lambda value: sent(msgspec.json.encode(own(action={"name": "Bought", "what": value})))),
)


@given(RECORDS)
def test_what_ingest_writes_is_decoded_as_the_original_is(record: Sent) -> None:
    direct = Decoder(FIELDS, OWN, keyed=False).decode([record])
    ingested = Canonicalizer(OWN).canonical([record])
    later = [
        Sent(v, key=c, timestamp=WRITTEN + 9_999) for c, v in zip(ingested.customers, ingested.values, strict=True)
    ]
    hop = Decoder(FIELDS).decode(later)
    codes = [error.code for _, error in [*ingested.rejected, *hop.rejected]]
    assert codes == [error.code for _, error in direct.rejected]
    for name in ("times", "messages", "numbers", "codes", "hashes"):
        assert getattr(hop, name).tobytes() == getattr(direct, name).tobytes()
    assert hop.customers == direct.customers
