"""Input that is no good: a clear line with place and remedy, or a finding; never a traceback, nothing half-written."""

from __future__ import annotations

import gzip
import re
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from stream_seg.cli import call
from tests.explore.audit.asking import HEADER, NOW, audited, csv, refused, rows_of, told

Capture = pytest.CaptureFixture[str]


def test_a_path_that_does_not_exist(tmp_path: Path, capsys: Capture) -> None:
    said = refused(capsys, tmp_path / "none.csv", "--write-mapping", tmp_path / "input.yaml")
    assert f"no such file: {tmp_path / 'none.csv'}" in said
    assert [*tmp_path.iterdir()] == []


def test_an_empty_file(tmp_path: Path, capsys: Capture) -> None:
    for name in ("events.csv", "events.ndjson"):
        path = tmp_path / name
        path.write_bytes(b"")
        assert f"{path}:1:1: the file is empty: there are no rows in it" in refused(capsys, path)


def test_a_header_and_nothing_else(tmp_path: Path, capsys: Capture) -> None:
    path = csv(tmp_path / "events.csv", [])
    said = refused(capsys, path, "--write-mapping", tmp_path / "input.yaml")
    assert f"{path}:2:1: there is a header and no row" in said
    assert not (tmp_path / "input.yaml").exists()


def test_a_first_line_that_is_a_row(tmp_path: Path, capsys: Capture) -> None:
    path = csv(tmp_path / "events.csv", rows_of()[1:], rows_of()[0])
    (found,) = told(audited(capsys, path, code=3), "no_header")
    assert "looks like a row" in found["what"]


def test_one_row(tmp_path: Path, capsys: Capture) -> None:
    document = audited(capsys, csv(tmp_path / "events.csv", [("ann", "2024-05-31T10:00:00Z", "1.5")]))
    assert document["tables"][0]["rows"] == 1
    assert document["tables"][0]["grain"]["sentence"] == "too few rows to tell"


def test_one_column(tmp_path: Path, capsys: Capture) -> None:
    document = audited(capsys, csv(tmp_path / "events.csv", [(str(n),) for n in range(50)], ["amount"]), code=3)
    assert {one["check"] for one in document["findings"] if one["severity"] == "severe"} == {"no_customer", "no_time"}
    assert document["mapping"]["mapping"] is None


def test_one_customer(tmp_path: Path, capsys: Capture) -> None:
    rows = [("ann", *rest) for _, *rest in rows_of()]
    (found,) = told(audited(capsys, csv(tmp_path / "events.csv", rows), code=3), "one_customer")
    assert found["columns"] == ["customer_id"]


@pytest.mark.parametrize(("by", "word"), [(";", "';'"), ("\t", "a tab"), ("|", "'|'")])
def test_columns_that_are_divided_by_something_else(tmp_path: Path, capsys: Capture, by: str, word: str) -> None:
    path = csv(tmp_path / "events.csv", rows_of(), by=by)
    assert f"{path}:1:1: the columns are divided by {word}, not ','" in refused(capsys, path)


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path, capsys: Capture) -> None:
    path = csv(tmp_path / "events.csv", rows_of())
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    document = audited(capsys, path, code=0)
    assert told(document, "byte_order_mark")
    assert document["tables"][0]["columns"][0]["name"] == "customer_id"


def test_utf_16(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "events.csv"
    path.write_text("a,b\n1,2\n", "utf-16")
    assert f"{path}:1:1: the file is UTF-16, write it as UTF-8" in refused(capsys, path)


def test_latin_1_is_read_and_told_with_its_lines(tmp_path: Path, capsys: Capture) -> None:
    path = csv(tmp_path / "events.csv", [(*row, "Caf\xe9" if i == 7 else "Tea") for i, row in enumerate(rows_of())],
               [*HEADER, "what"])  # fmt: skip
    path.write_bytes(path.read_bytes().decode().encode("latin-1"))
    document = audited(capsys, path, code=3)
    (found,) = told(document, "encoding")
    assert "1 lines of" in found["what"]
    assert "line 9: " in found["what"]
    assert "Caf\xe9" in found["what"]
    assert document["tables"][0]["rows"] == len(rows_of())


def test_mixed_types_in_a_column_are_told_with_their_rows(tmp_path: Path, capsys: Capture) -> None:
    rows = rows_of()
    rows[6] = (*rows[6][:2], "free")
    rows[8] = (*rows[8][:2], '"1,50"')
    (found,) = told(audited(capsys, csv(tmp_path / "events.csv", rows), code=3), "mixed_types", "amount")
    assert found["evidence"]["rows_by_kind"] == {"with a decimal comma": 1, "no number at all": 1}
    assert [(one["row"], one["value"]) for one in found["evidence"]["examples"]] == [(7, "free"), (9, "1,50")]


def test_ten_thousand_columns(tmp_path: Path, capsys: Capture) -> None:
    names = [f"v{i}" for i in range(10_000 - len(HEADER))]
    rows = [(*row, *(str((i + n) % 7) for i in range(len(names)))) for n, row in enumerate(rows_of(10, 5))]
    document = audited(capsys, csv(tmp_path / "events.csv", rows, [*HEADER, *names]))
    assert len(document["tables"][0]["columns"]) == 10_000
    assert document["mapping"]["mapping"]["customer"] == "customer_id"


def test_a_column_of_nan_alone(tmp_path: Path, capsys: Capture) -> None:
    rows = [(*row, "NaN") for row in rows_of()]
    document = audited(capsys, csv(tmp_path / "events.csv", rows, [*HEADER, "score"]))
    assert told(document, "empty_column", "score")
    assert "score" not in document["mapping"]["mapping"]["properties"]


def test_a_name_over_two_columns(tmp_path: Path, capsys: Capture) -> None:
    rows = [(*row, "7") for row in rows_of()]
    document = audited(capsys, csv(tmp_path / "events.csv", rows, [*HEADER, "amount"]), code=3)
    assert told(document, "duplicate_header", "amount")
    assert document["tables"][0]["columns"][-1]["name"] == "amount (column 4)"


def parquet(path: Path) -> Path:
    columns = dict(zip(HEADER, map(list, zip(*rows_of(), strict=True)), strict=True))
    pyarrow.parquet.write_table(pa.table(columns), path)
    return path


def test_a_truncated_parquet(tmp_path: Path, capsys: Capture) -> None:
    path = parquet(tmp_path / "events.parquet")
    assert audited(capsys, path)["tables"][0]["rows"] == len(rows_of())
    path.write_bytes(path.read_bytes()[:-100])
    said = refused(capsys, path)
    assert f"{path}: cannot be read as parquet" in said
    assert "fetch it again" in said


def test_a_truncated_gzip(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "events.csv.gz"
    path.write_bytes(gzip.compress(csv(tmp_path / "events.csv", rows_of()).read_bytes()))
    assert audited(capsys, path)["tables"][0]["rows"] == len(rows_of())
    path.write_bytes(path.read_bytes()[:-50])
    assert "the gzip stream is broken" in refused(capsys, path, code=1)


def test_rows_with_too_many_and_too_few_cells_are_told_and_the_others_keep_their_numbers(
    tmp_path: Path, capsys: Capture
) -> None:
    rows: list[tuple[str, ...]] = [*rows_of()]
    rows[3:3] = [("too", "few"), ("one", "2024-05-31T10:00:00Z", "1", "more")]
    rows[20] = (*rows[20][:2], "free")
    document = audited(capsys, csv(tmp_path / "events.csv", rows), code=3)
    (found,) = told(document, "broken_rows")
    assert found["evidence"]["lines"] == [5, 6]
    assert document["tables"][0]["rows"] == len(rows) - 2
    (mixed,) = told(document, "mixed_types", "amount")
    assert mixed["evidence"]["examples"][0]["row"] == 21


def test_lines_that_are_no_json_objects(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "events.ndjson"
    lines = [f'{{"who": "{who}", "time": "{at}", "amount": {amount}}}' for who, at, amount in rows_of()]
    lines[4], lines[5] = '{"who": ', "[1, 2]"
    path.write_text("\n".join(lines))
    document = audited(capsys, path, code=3)
    assert told(document, "broken_rows")[0]["evidence"] == {"rows": 2, "lines": [5, 6], "examples": []}
    path.write_text("no json\nat all\n")
    assert "no line is a JSON object" in refused(capsys, path)


def test_a_file_that_grows_while_it_is_read(tmp_path: Path, capsys: Capture) -> None:
    path = csv(tmp_path / "events.csv", rows_of(500, 40))
    ended = threading.Event()

    def grow() -> None:
        with path.open("a") as file:
            while not ended.is_set():
                file.write("late,2024-05-31T10:00:00Z,1\n")
                file.flush()

    growing = threading.Thread(target=grow)
    growing.start()
    try:
        document = audited(capsys, path)
    finally:
        ended.set()
        growing.join()
    (found,) = told(document, "growing")
    assert found["evidence"]["bytes_after"] > found["evidence"]["bytes_before"]
    assert re.search(r"changed from [\d,]+ to [\d,]+ bytes while it was read", found["what"])


def test_a_name_that_says_nothing_about_the_form(tmp_path: Path, capsys: Capture) -> None:
    path = csv(tmp_path / "events.dat", rows_of())
    assert "cannot tell what it is" in refused(capsys, path)
    assert audited(capsys, path, "--format", "csv")["tables"][0]["rows"] == len(rows_of())


def test_a_sidecar_with_mistakes_names_their_places(tmp_path: Path, capsys: Capture) -> None:
    path = csv(tmp_path / "events.csv", rows_of())
    sidecar = tmp_path / "events.csv.meaning.yaml"
    sidecar.write_text("columns:\n  amount: {unit: USD, roll: amount}\n  time: {role: clock}\n")
    assert call(["audit", str(path), "--now", NOW]) == 2
    said = capsys.readouterr().err
    assert f"{sidecar}:2:23: columns.amount.roll: is not a key here, did you mean `role`?" in said
    assert f"{sidecar}:3:10: columns.time.role: `clock` is no role" in said
    sidecar.write_text("columns:\n  amout: {unit: USD}\n")
    assert "did you mean `amount`?" in refused(capsys, path)
