from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_seg.errors import BadEvent
from stream_seg.wire.timestamps import UNREAD, in_future, parse_times, read_local, read_time, rfc3339

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
INSTANTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=OFFSETS)  # noqa: DTZ001 - bounds are naive


def by_datetime(text: str) -> int:
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(milliseconds=1)


@given(
    st.lists(INSTANTS, max_size=5), st.sampled_from("T "), st.sampled_from(["seconds", "milliseconds", "microseconds"])
)
def test_usual_times_are_read_as_datetime_reads_them(instants: list[datetime], letter: str, digits: str) -> None:
    texts = [at.isoformat(letter, digits) for at in instants]
    texts += [at.astimezone(UTC).isoformat(letter, digits).replace("+00:00", "Z") for at in instants if at.year > 1]
    expected = [by_datetime(text) for text in texts]
    assert parse_times(texts).tolist() == expected
    assert [read_time(text, "$") for text in texts] == expected


@pytest.mark.parametrize(
    "text",
    [
        "2024-02-29T23:59:59Z",
        "2024-05-31T10:00:00.1Z",
        "2024-05-31T10:00:00.123456789Z",
        "2024-05-31T10:00:00,5+02:00",
        "2024-05-31T10:00Z",
        "2024-05-31T10+0200",
        "2024-05-31 10:00:00-02",
        "20240531T100000Z",
        "20240531T100000.250-0330",
    ],
)
def test_every_iso_form_of_a_time_with_zone_is_read(text: str) -> None:
    assert read_time(text, "$") == by_datetime(text)
    assert parse_times([text])[0] in {by_datetime(text), UNREAD}


@pytest.mark.parametrize("text", ["2024-05-31t10:00:00z", "2024-05-31 10:00:00z"])
def test_small_letters_are_as_good_as_capitals(text: str) -> None:
    assert read_time(text, "$") == by_datetime("2024-05-31T10:00:00Z")


@pytest.mark.parametrize(
    "text",
    [
        "", "Z", "now", "1717149600", "2024-13-01T00:00:00Z", "2024-00-01T00:00:00Z", "2023-02-29T00:00:00Z",
        "2024-01-00T00:00:00Z", "2024-01-32T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01T00:60:00Z",
        "2024-01-01T00:00:60Z", "2024-01-01T00:00:00+24:00", "2024-01-01T00:00:00+01:60", "2024-01-01T00:00:00.Z",
        "2024-01-01T00:00:00ZZ", "2024-01-01T00:00:00Z\n", " 2024-01-01T00:00:00Z", "2024-W01-1T00:00:00Z",
        "2024-0101T00:00:00Z", "+2024-01-01T00:00:00Z", "2024/01/01T00:00:00Z",
        "2024-01-01T00:00:00.123", "2024-01-01T00.00.00Z", "2024-01-01T00:00:00\N{MINUS SIGN}01:00", "\ud800" * 20,
        "\N{FULLWIDTH DIGIT TWO}024-01-01T00:00:00Z",
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused_and_never_guessed(text: str) -> None:
    assert parse_times([text, "2024-05-31T10:00:00Z"]).tolist() == [UNREAD, by_datetime("2024-05-31T10:00:00Z")]
    with pytest.raises(BadEvent) as error:
        read_time(text, "$.timestamp")
    expected = "timestamp_without_zone" if text == "2024-01-01T00:00:00.123" else "invalid_timestamp"
    assert (error.value.code, error.value.path) == (expected, "$.timestamp")


@given(st.lists(st.text("0123456789-:TZ+. \n", max_size=30), max_size=4))
def test_the_compiled_loop_never_contradicts_the_exact_one(texts: list[str]) -> None:
    for text, time in zip(texts, parse_times(texts).tolist(), strict=True):
        if time != UNREAD:
            assert read_time(text, "$") == time


@given(INSTANTS.filter(lambda at: 2 < at.year < 9998))
def test_a_written_time_is_read_back(at: datetime) -> None:
    time = (at - EPOCH) // timedelta(milliseconds=1)
    assert read_time(rfc3339(time), "$") == time


def test_a_time_without_zone_is_read_as_it_stands_on_the_wall() -> None:
    assert read_local("2024-05-31", "$") == (by_datetime("2024-05-31T00:00:00Z"), None)


def test_only_what_is_further_ahead_than_the_allowed_skew_is_in_the_future() -> None:
    assert in_future(1_000, 700, max_skew=300) is None
    error = in_future(1_001, 700, max_skew=300)
    assert error is not None
    assert error.code == "timestamp_in_future"
