"""What becomes of a record: a row of columns, or a rejection with its code and place."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_seg.core.definition import Mapping
from stream_seg.core.event import Decoded, Fields, TextField
from stream_seg.errors import ConfigError
from stream_seg.wire.customers import PLACEHOLDERS
from stream_seg.wire.decode import Decoder
from stream_seg.wire.rejections import REMEDIES
from stream_seg.wire.text_hash import hash_texts
from tests.wire.records import WRITTEN, Sent, cloud, segment, sent

FIELDS = Fields(
    numbers=("properties.price", "context.screen.width"),
    texts=(
        TextField("event", ("Bought", "Opened")),
        TextField("type", ("track", "page")),
        TextField("properties.plan", ("free", "pro", "true", "17")),
        TextField("properties.coupon", ()),
        TextField("context.screen", ()),
    ),
    hashes=("properties.sku", "properties.price"),
)
DECODER = Decoder(FIELDS, keyed=False)


def decoded(*records: Sent, decoder: Decoder = DECODER) -> Decoded:
    return decoder.decode(records)


def rejected(record: Sent, decoder: Decoder = DECODER) -> tuple[str, str]:
    """(code, path) of the only record of a batch."""
    batch = decoder.decode([record])
    assert len(batch) == 0
    ((row, error),) = batch.rejected
    assert row == 0
    assert error.reason
    assert error.remedy == REMEDIES[error.code]
    return error.code, error.path


def test_a_segment_event_becomes_a_row() -> None:
    batch = decoded(sent(segment()))
    assert batch.customers == [b"C-1"]
    assert batch.times.tolist() == [WRITTEN + 250]
    assert batch.messages.tolist() == hash_texts(["m-1"]).tolist() != [0]
    assert batch.numbers[:, 0].tolist()[0] == 9.5
    assert np.isnan(batch.numbers[1, 0])
    assert batch.codes[:, 0].tolist() == [1, 1, 2, -1, -1]
    assert batch.hashes[:, 0].tolist() == hash_texts(["S-1", "9.5"]).tolist()
    assert batch.rejected == []


@pytest.mark.parametrize(
    ("properties", "codes", "hashes"),
    [
        ({"plan": "other"}, (0, -1), ("", "")),
        ({"plan": ""}, (0, -1), ("", "")),
        ({"plan": True}, (3, -1), ("", "")),
        ({"plan": "true"}, (3, -1), ("", "")),
        ({"plan": False}, (0, -1), ("", "")),
        ({"plan": 17}, (4, -1), ("", "")),
        ({"plan": 17.0}, (4, -1), ("", "")),
        ({"plan": 1}, (0, -1), ("", "")),
        ({"plan": None, "coupon": None, "sku": None, "price": None}, (-1, -1), ("", "")),
        ({"coupon": {"any": [1]}}, (-1, 0), ("", "")),
        ({"coupon": False}, (-1, 0), ("", "")),
        ({"sku": 17, "price": 17}, (-1, -1), ("17", "17")),
        ({"sku": 17.0}, (-1, -1), ("17", "")),
        ({"sku": True}, (-1, -1), ("true", "")),
        ({"sku": ""}, (-1, -1), ("", "")),
        ({"sku": "two\nlines"}, (-1, -1), ("two\nlines", "")),
        (None, (-1, -1), ("", "")),
        (..., (-1, -1), ("", "")),
    ],
)
def test_fields_of_any_scalar_type_are_read(properties: Any, codes: tuple[int, int], hashes: tuple[str, str]) -> None:
    batch = decoded(sent(segment()), sent(segment(properties=properties)))
    assert batch.codes[2:4, 1].tolist() == list(codes)
    assert batch.hashes[:, 1].tolist() == hash_texts(hashes).tolist()
    assert (batch.hashes[:, 1] == 0).tolist() == [text == "" for text in hashes]


def test_an_object_exists_even_when_it_is_empty() -> None:
    contexts: list[Any] = [..., None, {}, {"screen": None}, {"screen": {}}, {"screen": {"width": 3}}]
    batch = decoded(*(sent(segment(context=context)) for context in contexts))
    assert batch.codes[4].tolist() == [-1, -1, -1, -1, 0, 0]
    assert batch.numbers[1, 5] == 3


def test_the_name_of_a_page_or_screen_is_its_event() -> None:
    page = {"type": "page", "userId": "C-1", "name": "Opened", "event": "Bought", "timestamp": "2024-05-31T10:00:00Z"}
    batch = decoded(sent(segment()), sent(page), sent(page | {"type": "identify", "event": None}))
    assert batch.codes[0].tolist() == [1, 2, -1]
    assert batch.codes[1].tolist() == [1, 2, 0]


@pytest.mark.parametrize(
    ("ids", "customer"),
    [
        ({"userId": "C-1", "anonymousId": "a"}, b"C-1"),
        ({"userId": None, "anonymousId": "a"}, b"a"),
        ({"userId": "", "anonymousId": "a"}, b"a"),
        ({"userId": "undefined", "anonymousId": "a"}, b"a"),
        ({"userId": "x" * 257, "anonymousId": "a"}, b"a"),
        ({"userId": "José 7"}, "José 7".encode()),
        ({"userId": "é" * 128}, ("é" * 128).encode()),
    ],
)
def test_the_customer_is_the_user_id_or_else_the_anonymous_id(ids: dict[str, Any], customer: bytes) -> None:
    assert decoded(sent(segment(userId=...) | ids)).customers == [customer]


TIMES = {
    "sentAt": "2024-05-31T10:00:05Z",
    "originalTimestamp": "2024-05-31T10:00:02Z",
    "receivedAt": "2024-05-31T10:00:09Z",
}


@pytest.mark.parametrize(
    ("times", "seconds"),
    [
        (TIMES | {"timestamp": "2024-05-31T10:00:01Z", "sentAt": "rubbish"}, 1),
        (TIMES, 6),
        (TIMES | {"sentAt": "2024-05-31T09:00:00Z"}, 9),
        (TIMES | {"sentAt": None}, 9),
        (TIMES | {"receivedAt": None}, 2),
        ({}, 0),
    ],
    ids=["its own", "less the wait", "no negative wait", "received", "original", "its record's"],
)
def test_an_event_without_timestamp_has_the_time_that_is_known_best(times: dict[str, Any], seconds: int) -> None:
    assert decoded(sent(segment(timestamp=...) | times)).times.tolist() == [WRITTEN + seconds * 1000]


def raw(text: str) -> Sent:
    return sent(text.encode())


DEEP = '{"type":"track","userId":"C-1","event":"e","timestamp":"2024-05-31T10:00:00Z","x":%s}'
NOBODY = segment(type="alias", previousId="a", userId=..., anonymousId="b")
NO_ZONE = segment(timestamp=..., receivedAt="2024-05-31T10:00:00")
BAD: list[tuple[str, Sent, str, str]] = [
    ("null value", sent(None), "null_value", "$"),
    ("empty", raw(""), "invalid_json", "$"),
    ("broken", raw('{"type":"track"'), "invalid_json", "$"),
    ("text", raw("hello"), "invalid_json", "$"),
    ("two objects", raw("{} {}"), "invalid_json", "$"),
    ("lone surrogate", raw('{"type":"track","userId":"\\ud800"}'), "invalid_json", "$"),
    ("bad UTF-8", sent(b'{"type":"track","x":"\xff"}'), "invalid_utf8", "$"),
    ("UTF-16", sent('{"type":"track"}'.encode("utf-16")), "invalid_utf8", "$"),
    ("NaN", raw('{"type":"track","x":NaN}'), "not_a_number", "$"),
    ("Infinity", raw('{"type":"track","properties":{"price":Infinity}}'), "not_a_number", "$"),
    ("-Infinity", raw('{"type":"track","properties":{"price":-Infinity}}'), "not_a_number", "$"),
    ("overflow", raw('{"type":"track","properties":{"price":1e999}}'), "number_out_of_range", "$.properties.price"),
    ("too large", sent(segment(properties={"price": 1.1e200})), "number_out_of_range", "$.properties.price"),
    ("too small", sent(segment(properties={"price": -1.1e200})), "number_out_of_range", "$.properties.price"),
    ("too large whole", sent(segment(properties={"price": 11 * 10**199})), "number_out_of_range", "$.properties.price"),
    ("1,000 deep", raw(DEEP % ("[" * 1000 + "]" * 1000)), "too_deep", "$"),
    ("100,000 deep", raw(DEEP % ('{"a":' * 100_000 + "1" + "}" * 100_000)), "too_deep", "$"),
    ("only opened", raw("[" * 100_000), "too_deep", "$"),
    ("list", raw("[1]"), "not_an_object", "$"),
    ("number", raw("17"), "not_an_object", "$"),
    ("null", raw("null"), "not_an_object", "$"),
    ("no type", sent(segment(type=...)), "missing_type", "$.type"),
    ("unknown type", sent(segment(type="click")), "unsupported_type", "$.type"),
    ("merge", sent(segment(type="merge")), "unsupported_type", "$.type"),
    ("type is a number", sent(segment(type=1)), "unsupported_type", "$.type"),
    ("id is a number", sent(segment(userId=1)), "wrong_type", "$.userId"),
    ("id is an object", sent(segment(anonymousId={})), "wrong_type", "$.anonymousId"),
    ("price is a text", sent(segment(properties={"price": "9.5"})), "wrong_type", "$.properties.price"),
    ("price is true", sent(segment(properties={"price": True})), "wrong_type", "$.properties.price"),
    ("plan is a list", sent(segment(properties={"plan": []})), "wrong_type", "$.properties.plan"),
    ("sku is an object", sent(segment(properties={"sku": {}})), "wrong_type", "$.properties.sku"),
    ("properties is a list", sent(segment(properties=[])), "wrong_type", "$.properties"),
    ("traits is a text", sent(segment(traits="x")), "wrong_type", "$.traits"),
    ("context is a number", sent(segment(context=3)), "wrong_type", "$.context"),
    ("timestamp is a number", sent(segment(timestamp=WRITTEN)), "wrong_type", "$.timestamp"),
    ("no id", sent(segment(userId=...)), "missing_id", "$.userId"),
    ("both null", sent(segment(userId=None, anonymousId=None)), "missing_id", "$.userId"),
    ("id is empty", sent(segment(userId="")), "unusable_id", "$.userId"),
    ("id is blank", sent(segment(userId=" \t ")), "unusable_id", "$.userId"),
    *((f"id is {w}", sent(segment(userId=w)), "unusable_id", "$.userId") for w in sorted(PLACEHOLDERS)),
    ("anonymous id is null", sent(segment(userId=..., anonymousId="null")), "unusable_id", "$.anonymousId"),
    ("id of 10 kB", sent(segment(userId="x" * 10_000)), "id_too_long", "$.userId"),
    ("id of 257 bytes", sent(segment(userId="é" * 128 + "x")), "id_too_long", "$.userId"),
    ("id with a line break", sent(segment(userId="a\nb")), "id_control_character", "$.userId"),
    ("id with a zero", sent(segment(userId="a\0b")), "id_control_character", "$.userId"),
    ("no event name", sent(segment(event=...)), "missing_event", "$.event"),
    ("empty event name", sent(segment(event="")), "missing_event", "$.event"),
    ("group of nobody", sent(segment(type="group")), "missing_group", "$.groupId"),
    ("alias of nobody", sent(segment(type="alias")), "missing_previous_id", "$.previousId"),
    ("alias to nobody", sent(NOBODY), "missing_id", "$.userId"),
    ("no time at all", sent(segment(timestamp=...), timestamp=-1), "missing_timestamp", "$.timestamp"),
    ("no zone", sent(segment(timestamp="2024-05-31T10:00:00")), "timestamp_without_zone", "$.timestamp"),
    ("only a date", sent(segment(timestamp="2024-05-31")), "timestamp_without_zone", "$.timestamp"),
    ("no time", sent(segment(timestamp="yesterday")), "invalid_timestamp", "$.timestamp"),
    ("empty time", sent(segment(timestamp="")), "invalid_timestamp", "$.timestamp"),
    ("30 February", sent(segment(timestamp="2024-02-30T10:00:00Z")), "invalid_timestamp", "$.timestamp"),
    ("1970", sent(segment(timestamp="1970-01-01T00:00:00Z")), "timestamp_out_of_range", "$.timestamp"),
    ("1999", sent(segment(timestamp="1999-12-31T23:59:59.999Z")), "timestamp_out_of_range", "$.timestamp"),
    ("2101", sent(segment(timestamp="2101-01-01T00:00:00Z")), "timestamp_out_of_range", "$.timestamp"),
    ("9999", sent(segment(timestamp="9999-12-31T23:59:59Z")), "timestamp_out_of_range", "$.timestamp"),
    ("record of 1970", sent(segment(timestamp=...), timestamp=0), "timestamp_out_of_range", "$.timestamp"),
    ("received without zone", sent(NO_ZONE), "timestamp_without_zone", "$.receivedAt"),
    ("sent is a number", sent(segment(timestamp=..., sentAt=1)), "wrong_type", "$.sentAt"),
]  # fmt: skip


@pytest.mark.parametrize(("record", "code", "path"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_what_cannot_be_used_is_rejected_with_a_code_and_a_path(record: Sent, code: str, path: str) -> None:
    assert rejected(record) == (code, path)


def test_a_bad_record_costs_only_itself() -> None:
    good = [sent(segment(userId=f"C-{i}")) for i in range(len(BAD) + 1)]
    mixed = [good[0], *itertools.chain.from_iterable(zip((case[1] for case in BAD), good[1:], strict=True))]
    batch = decoded(*mixed)
    assert batch.customers == [f"C-{i}".encode() for i in range(len(BAD) + 1)]
    assert batch.rows.tolist() == list(range(0, len(mixed), 2))
    assert [(row, error.code) for row, error in batch.rejected] == [(2 * i + 1, c[2]) for i, c in enumerate(BAD)]


def test_what_nobody_reads_is_ignored_whatever_it_is() -> None:
    odd = segment(properties={"price": 1, "x": "1e999", "y": [[[1]]]}, integrations=7, receivedAt=False, category=[1])
    assert decoded(sent(odd)).numbers[0].tolist() == [1.0]
    assert decoded(raw('{"x":' + "9" * 5000 + ',"type":"identify","userId":"C-1"}')).customers == [b"C-1"]


def test_256_levels_are_decoded_and_brackets_in_texts_are_no_levels() -> None:
    assert len(decoded(raw(DEEP % ("[" * 255 + "]" * 255)))) == 1
    assert rejected(raw(DEEP % ("[" * 256 + "]" * 256))) == ("too_deep", "$")
    assert len(decoded(raw(DEEP % ('"\\"' + "[{" * 1000 + '"')))) == 1
    assert len(decoded(raw(DEEP % ("[" + "{}," * 1000 + "1]")))) == 1


def test_a_value_of_10_mb_is_decoded() -> None:
    assert decoded(sent(segment(context={"page": {"html": "x" * 10_000_000}}))).customers == [b"C-1"]


def test_the_last_of_two_equal_keys_counts() -> None:
    assert decoded(raw('{"type":"identify","userId":"A","userId":"B"}')).customers == [b"B"]


def test_in_keyed_mode_the_key_must_be_the_customer() -> None:
    keyed = Decoder(FIELDS)
    assert decoded(sent(segment(), key=b"C-1"), decoder=keyed).customers == [b"C-1"]
    assert rejected(sent(segment(), key=b"C-2"), keyed) == ("key_mismatch", "$key")
    assert rejected(sent(segment()), keyed) == ("key_mismatch", "$key")
    assert rejected(sent(segment(userId="null"), key=b"null"), keyed) == ("unusable_id", "$.userId")


def test_an_empty_batch_has_columns_without_rows() -> None:
    batch = decoded()
    assert (batch.numbers.shape, batch.codes.shape, batch.hashes.shape) == ((2, 0), (5, 0), (2, 0))
    assert decoded(sent(b"{")).numbers.shape == (2, 0)


def test_headers_of_other_tools_change_nothing() -> None:
    headers: Any = (("traceparent", b"00-1"), ("content-type", b"application/json"), ("x", None))  # Kafka has null
    assert decoded(Sent(sent(segment()).value, headers=headers)).customers == [b"C-1"]


def test_a_mapping_with_an_unknown_time_zone_is_a_mistake_of_the_configuration() -> None:
    with pytest.raises(ConfigError, match="Europe/Atlantis"):
        Decoder(FIELDS, Mapping(customer="c", time="t", time_zone="Europe/Atlantis"))


# Anything at all, alone and together: nothing escapes, and a record's fate is its own.
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text('ab\n\\"é€\ud800 ', max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["price", "plan", "sku", "x"]), inner),
    max_leaves=4,
)
ODD = JSON | st.sampled_from(
    ["2024-05-31T10:00:00Z", "2024-05-31T10:00", "C-1", "a\nb", "null", "track", "page", "1.0"]
)
NAMES = ["type", "userId", "anonymousId", "event", "name", "timestamp", "properties", "context", "messageId"]
MORE = ["specversion", "id", "source", "data", "subject", "groupId", "sentAt", "receivedAt"]
NEARLY = st.dictionaries(st.sampled_from(NAMES + MORE), ODD, max_size=4).map(lambda changes: segment() | changes)
HEADER = st.tuples(
    st.sampled_from(["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "content-type", "x"]),
    st.sampled_from([b"1.0", b"a", b"\xff", b"", b"application/cloudevents+json", b"application/json"]),
)


def dumped(value: object) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # numbers beyond 64 bits, lone surrogates
        return repr(value).replace("'", '"').encode("utf-8", "replace")


RECORDS = st.builds(
    Sent,
    st.none() | st.binary(max_size=40) | NEARLY.map(dumped) | st.just(dumped(segment())),
    key=st.none() | st.sampled_from([b"C-1", b"x"]),
    headers=st.lists(HEADER, max_size=5).map(tuple) | st.just(()),
)
MAPPING = Mapping(customer="userId", time="timestamp", event="name", properties={"price": "properties.price"})


@settings(max_examples=400)
@given(st.lists(RECORDS, max_size=5), st.sampled_from([None, MAPPING]), st.booleans())
def test_a_batch_of_anything_is_what_its_records_are_one_by_one(
    records: list[Sent],
    mapping: Mapping | None,
    keyed: bool,  # noqa: FBT001 - drawn
) -> None:
    decoder = Decoder(FIELDS, mapping, keyed=keyed)
    whole = decoder.decode(records)
    alone = [decoder.decode([record]) for record in records]
    assert whole.rows.tolist() == [i for i, one in enumerate(alone) if len(one)]
    assert whole.customers == [c for one in alone for c in one.customers]
    rejections = [(i, str(error)) for i, one in enumerate(alone) for _, error in one.rejected]
    assert [(row, str(error)) for row, error in whole.rejected] == rejections
    for name in ("times", "messages", "numbers", "codes", "hashes"):
        parts = [getattr(one, name) for one in alone if len(one)]
        if parts:
            np.testing.assert_array_equal(getattr(whole, name), np.concatenate(parts, axis=-1))


@given(st.binary())
def test_random_bytes_are_never_an_event(value: bytes) -> None:
    assert rejected(sent(value))[0] in REMEDIES


def test_a_cloud_event_among_others_is_read_as_one() -> None:
    event = cloud(b'{"price": 3}', ce_subject="C-9", ce_time="2024-05-31T10:00:00Z")
    assert decoded(sent(segment()), event).customers == [b"C-1", b"C-9"]
