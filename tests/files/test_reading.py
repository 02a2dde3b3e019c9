"""Files become events: every form, every mistake with its place, nothing lost."""

from __future__ import annotations

import gzip
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stream_seg.adapters.files import Batch, read
from stream_seg.adapters.files.batch import joined
from stream_seg.core.definition import Mapping
from stream_seg.errors import ConfigError, Stop

if TYPE_CHECKING:
    from collections.abc import Callable

ORDERS = Mapping(
    customer="who", time="when", event="=Order Completed", message="id", time_zone="UTC",
    properties={"price": "price", "gift": "gift"},
)  # fmt: skip
NOON = 1483272000000  # 2017-01-01 12:00 UTC


def read_all(*paths: Path, mapping: Mapping | None = ORDERS, size: int = 3) -> Batch:
    batches = list(read(paths, mapping, size))
    assert all(0 < len(batch) <= size for batch in batches)
    return joined(batches)


def why(batch: Batch) -> dict[str, str]:
    return {batch.place(i).rpartition("/")[2]: reason.code for i, reason in sorted(batch.rejected.items())}


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    def written(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        raw = content.encode() if isinstance(content, str) else content
        path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
        return path

    return written


EXPECTED = {
    "type": "track", "event": "Order Completed", "userId": "anna", "timestamp": "2017-01-01T12:00:00.000Z",
    "messageId": "m1", "properties": {"price": 2.5, "gift": "yes"},
}  # fmt: skip


def test_ids_in_a_csv_are_text_even_where_they_look_like_numbers(file: Any) -> None:
    path = file("o.csv", "id,who,when,price,gift\n1.0,1e5,2017-01-01 12:00,1e1,007\n2,0012.50,2017-01-01 12:00,-1,.5\n")
    batch = read_all(path)
    assert batch.keys == [b"1e5", b"0012.50"]
    assert [orjson.loads(value)["messageId"] for value in batch.values] == ["1.0", "2"]
    assert [orjson.loads(value)["properties"] for value in batch.values] == [
        {"price": 10, "gift": "007"},
        {"price": -1, "gift": ".5"},
    ]


@pytest.mark.parametrize("name", ["o.csv", "o.csv.gz", "o.tsv", "o.ndjson", "o.jsonl.gz", "o.parquet"])
def test_one_order_is_the_same_event_whatever_file_it_comes_from(file: Any, tmp_path: Path, name: str) -> None:
    row = {"id": "m1", "who": "anna", "when": "2017-01-01 12:00:00", "price": 2.5, "gift": "yes", "unused": "x"}
    if name.endswith("parquet"):
        when = datetime(2017, 1, 1, 12, tzinfo=UTC).replace(tzinfo=None)
        path = tmp_path / name
        pq.write_table(pa.Table.from_pylist([{**row, "when": when}]), path)
    elif "son" in name:
        path = file(name, orjson.dumps(row) + b"\n")
    else:
        tab = "\t" if "tsv" in name else ","
        path = file(name, "\ufeff" + tab.join(row) + "\r\n" + tab.join(map(str, row.values())) + "\r\n")
    batch = read_all(path)
    assert [orjson.loads(value) for value in batch.values] == [EXPECTED]
    assert (batch.keys, batch.times.tolist(), batch.rejected) == ([b"anna"], [NOON], {})


def test_csv_rows_may_span_lines_and_places_are_where_a_row_begins(file: Any) -> None:
    path = file(
        "o.csv", 'id,who,when,price,gift\n1,anna,2017-01-01 10:00,1,"a\nb"\n\n2,bo,2017-01-02 10:00,,"a,""b"""\n'
    )
    batch = read_all(path)
    assert [batch.place(i).rpartition(":")[2] for i in range(2)] == ["2", "5"]
    assert batch.keys == [b"anna", b"bo"]
    assert orjson.loads(batch.values[0])["properties"] == {"price": 1, "gift": "a\nb"}
    assert orjson.loads(batch.values[1])["properties"] == {"price": None, "gift": 'a,"b"'}


def test_bad_rows_come_back_byte_for_byte_with_their_place_and_the_others_are_read(file: Any) -> None:
    lines = [
        b"id,who,when,price,gift",
        b"1,anna,2017-01-01 12:00,1,",
        b"2,,2017-01-01 13:00,1,",
        b"3,undefined,2017-01-01 13:00,1,",
        b"4,bo,yesterday,1,",
        b"5,bo,,1,",
        b"6,bo,1970-01-01 00:00,1,",
        b"7,bo,2017-01-01 13:00",
        b"8,b\xff,2017-01-01 13:00,1,",
        b"9,bo,2017-01-01 13:00,\xff,",
        b'10,bo,2017-01-01 13:00,"1"x,',
        b"11," + b"x" * 257 + b",2017-01-01 13:00,1,",
        b"12,cleo,2017-01-01 14:00,1,",
    ]
    batch = read_all(file("o.csv", b"\n".join(lines) + b"\n"), size=100)
    codes = ["missing_id", "unusable_id", "invalid_timestamp", "missing_timestamp", "timestamp_out_of_range",
             "wrong_columns", "invalid_utf8", "invalid_utf8", "wrong_type", "id_too_long"]  # fmt: skip
    assert why(batch) == {f"o.csv:{3 + i}": code for i, code in enumerate(codes)}
    assert batch.values[1:-1] == lines[2:-1]
    assert batch.keys == [b"anna", *[None] * 10, b"cleo"]
    # A row without a usable time stands at the time of the row before it.
    assert batch.times.tolist() == [NOON] * 11 + [NOON + 7_200_000]


def test_an_unclosed_quote_does_not_swallow_the_file(file: Any) -> None:
    rows = "".join(f"{i},anna,2017-01-01,1,\n" for i in range(20_000))
    path = file("o.csv", 'id,who,when,price,gift\n0,"anna,2017-01-01,1,\n' + rows)
    batch = read_all(path, size=1_000)
    assert b"\n".join(value for i, value in enumerate(batch.values) if i in batch.rejected).startswith(b'0,"anna,')
    assert len(batch.rejected) < 10
    assert len(batch) > 10_000
    lost = sum(value.count(b"\n") + 1 for i, value in enumerate(batch.values) if i in batch.rejected)
    assert lost + len(batch) - len(batch.rejected) == 20_001


def test_ndjson_with_a_mapping_follows_dotted_paths(file: Any) -> None:
    mapping = Mapping(
        customer="user.id", time="ts", time_format="epoch_ms", event="kind", properties={"price": "cart.total"}
    )
    lines = [
        b'{"user": {"id": 7}, "ts": 1483272000000, "kind": "Paid", "cart": {"total": 3}}',
        b'{"user.id": "flat", "ts": "1483272000001", "kind": "Paid", "cart": "none"}',
        b'{"user": {"id": 7.5}, "ts": 1483272000000, "kind": "Paid"}',
        b'{"user": {"id": "x"}, "ts": true, "kind": "Paid"}',
        b'{"user": {"id": "x"}, "ts": 1483272000000, "kind": null}',
        b"[1]",
        b'{"user"',
    ]
    batch = read_all(file("o.ndjson", b"\n\n".join(lines)), mapping=mapping)
    assert batch.keys[:2] == [b"7", b"flat"]
    assert orjson.loads(batch.values[0])["properties"] == {"price": 3}
    assert orjson.loads(batch.values[1])["properties"] == {"price": None}
    assert list(why(batch).values()) == ["wrong_type", "wrong_type", "missing_event", "not_an_object", "invalid_json"]
    assert batch.place(6).endswith("o.ndjson:13")
    assert batch.values[2:] == lines[2:]


def test_ndjson_without_a_mapping_is_passed_on_untouched_with_its_customer_and_time(file: Any) -> None:
    lines = [
        b'{"type":"track","event":"e","userId":"anna","timestamp":"2017-01-01T12:00:00Z"}',
        (
            b'{"type":"track","event":"e","userId":"null","anonymousId":"a1","receivedAt":"2017-01-01T12:00:00Z",'
            b'"sentAt":"2017-01-01T11:00:09Z","originalTimestamp":"2017-01-01T11:00:04Z"}'
        ),
        (
            b'{"specversion":"1.0","id":"1","source":"s","type":"t","subject":"cleo",'
            b'"time":"2017-01-01T13:00:00+01:00","data":{}}'
        ),
        b'{"type":"track","event":"e","timestamp":"2017-01-01T12:00:00Z"}',
        b'{"type":"track","event":"e","userId":"bo","timestamp":"2017-01-01T12:00:00"}',
        b"\xff\xfe",
        b"[" * 5_000,
    ]
    batch = read_all(file("e.ndjson", b"\n".join(lines)), mapping=None)
    assert batch.values[:2] + batch.values[3:] == lines[:2] + lines[3:]
    assert batch.keys == [b"anna", b"a1", b"cleo", None, None, None, None]
    assert batch.times.tolist() == [NOON, NOON - 5_000, *[NOON] * 5]
    assert list(why(batch).values()) == ["missing_id", "timestamp_without_zone", "invalid_utf8", "too_deep"]


def test_times_of_a_local_zone_are_read_in_it(file: Any) -> None:
    from msgspec.structs import replace

    berlin = replace(ORDERS, time_zone="Europe/Berlin")
    path = file("o.csv", "id,who,when,price,gift\n1,a,2017-01-01 13:00,1,\n2,a,2017-07-01 14:00:00+02:00,1,\n")
    assert read_all(path, mapping=berlin).times.tolist() == [NOON, 1498910400000]
    nowhere = replace(ORDERS, time_zone=None)
    assert list(why(read_all(path, mapping=nowhere)).values()) == ["timestamp_without_zone"]


def test_parquet_nulls_decimals_and_dictionaries_are_read_as_what_they_mean(tmp_path: Path) -> None:
    from decimal import Decimal

    columns = {
        "id": pa.array(["1", None, "3"]),
        "who": pa.array([7, None, 9]),
        "when": pa.array([NOON * 1_000, NOON * 1_000, None], pa.timestamp("us")),
        "price": pa.array([Decimal("1.25"), None, None]),
        "gift": pa.array(["red", "red", "blue"]).dictionary_encode(),
    }
    path = tmp_path / "o.parquet"
    pq.write_table(pa.table(columns), path)
    batch = read_all(path)
    assert orjson.loads(batch.values[0])["properties"] == {"price": 1.25, "gift": "red"}
    assert batch.keys == [b"7", None, None]
    assert why(batch) == {"o.parquet:2": "missing_id", "o.parquet:3": "missing_timestamp"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("o.csv", "id,who\n", r"o.csv:1:1: when: no such column, choose from id, who"),
        ("o.csv", "", r"o.csv:1:1: the file is empty"),
        ("o.csv", "id;who;when\n1;anna;2017-01-01\n", r"o.csv:1:1: the columns are divided by ';', not ','"),
        ("o.tsv", "id,who,when\n1,anna,2017-01-01\n", r"o.tsv:1:1: the columns are divided by ',', not a tab"),
        ("o.parquet", "no parquet", r"cannot be read as Parquet"),
        ("o.xlsx", "", r"cannot tell what it is, use a name that ends in one of .ndjson"),
        ("o.parquet.gz", "", r"cannot tell what it is"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_what_to_do(file: Any, name: str, content: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_all(file(name, content))


def test_a_missing_file_a_missing_mapping_and_a_missing_package_are_named(
    file: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match=r"none.csv: cannot be opened: No such file"):
        read_all(tmp_path / "none.csv")
    with pytest.raises(ConfigError, match=r"columns need input.mapping"):
        read_all(file("o.csv", "id"), mapping=None)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigError, match=r"pip install 'stream_seg\[parquet\]'"):
        read_all(file("o.parquet", ""))


def test_a_table_in_utf_16_is_told(tmp_path: Path) -> None:
    (tmp_path / "o.csv").write_text("id,who,when\n1,anna,2017-01-01\n", "utf-16")
    with pytest.raises(ConfigError, match=r"o.csv:1:1: the file is UTF-16, write it as UTF-8"):
        read_all(tmp_path / "o.csv")


def test_a_parquet_that_is_damaged_inside_is_told(tmp_path: Path) -> None:
    path = tmp_path / "o.parquet"
    rows = range(1_000)
    columns = {"id": [str(n) for n in rows], "who": [f"c{n}" for n in rows], "when": [NOON + n for n in rows],
               "price": [float(n) for n in rows], "gift": ["red"] * 1_000}  # fmt: skip
    pq.write_table(pa.table(columns), path)
    whole = path.read_bytes()
    path.write_bytes(whole[:400] + bytes(200) + whole[600:])
    with pytest.raises(Stop, match=r"o.parquet: the Parquet is damaged: .*; fetch it again"):
        read_all(path)


def test_a_gzip_stream_cut_short_stops_after_what_could_be_read(file: Any) -> None:
    rows = "".join(f"{i},anna,2017-01-01,{i * 7919 % 1000},\n" for i in range(50_000))
    path = file("o.csv.gz", "id,who,when,price,gift\n" + rows)
    path.write_bytes(path.read_bytes()[:-5_000])
    seen = 0
    batches = read([path], ORDERS, 1_000)

    def read_to_the_end() -> None:
        nonlocal seen
        for batch in batches:
            seen += len(batch)

    with pytest.raises(Stop, match=r"o.csv.gz: the gzip stream is broken"):
        read_to_the_end()
    assert 10_000 < seen < 50_000
