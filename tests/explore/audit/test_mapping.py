"""The proposed mapping is one that replay reads the same file with."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from stream_seg.cli import call
from tests.explore.audit.asking import HEADER, NOW, audited, csv, refused, rows_of

Capture = pytest.CaptureFixture[str]
REST = """
name: shop
features:
- {name: orders, aggregate: count, window: 90d, tiles: 9}
- {name: spend, aggregate: sum, field: properties.amount, window: 90d, tiles: 9}
segments: {k: 3, warm_start: 20}
time: {lateness: 1d}
"""


def replayed(folder: Path, data: Path, mapping: Path, capsys: Capture) -> dict[str, int]:
    settings = folder / "segmentation.yaml"
    settings.write_text(mapping.read_text("utf-8") + REST, "utf-8")
    assert call(["replay", str(data), "--config", str(settings), "--out", str(folder / "out"), "--json"]) == 0
    summary: dict[str, int] = json.loads(capsys.readouterr().out)
    return summary


def slashed(time: str) -> str:
    return f"{time[5:7]}/{time[8:10]}/{time[:4]} {time[11:16]}"


@pytest.mark.parametrize("form", ["iso", "no zone", "slashes", "seconds", "parquet", "ndjson", "odd names"])
def test_a_written_mapping_makes_events_of_every_row(tmp_path: Path, capsys: Capture, form: str) -> None:
    rows = [(who, at, amount) for who, at, amount in rows_of()]
    data, header = tmp_path / "events.csv", list(HEADER)
    if form == "no zone":
        rows = [(who, at.replace("T", " ").rstrip("Z"), amount) for who, at, amount in rows]
    elif form == "slashes":
        rows = [(who, slashed(at), amount) for who, at, amount in rows]
    elif form == "seconds":
        rows = [(who, str(1_704_000_000 + 3_600 * n), amount) for n, (who, _, amount) in enumerate(rows)]
    elif form == "odd names":
        header = ["user: #id", "event time", "amount"]
    if form == "parquet":
        data = tmp_path / "events.parquet"
        whos, times, amounts = zip(*rows, strict=True)
        stamps = pa.array([at.rstrip("Z") for at in times]).cast(pa.timestamp("us"))
        table = pa.table({"customer_id": list(whos), "time": stamps, "amount": [float(one) for one in amounts]})
        pyarrow.parquet.write_table(table, data)
    elif form == "ndjson":
        data = tmp_path / "events.ndjson"
        lines = [{"user": {"id": who}, "at": at, "cart": {"amount": float(amount)}} for who, at, amount in rows]
        data.write_text("\n".join(json.dumps(line) for line in lines))
    else:
        csv(data, rows, header)
    mapping = tmp_path / "input.yaml"
    document = audited(capsys, data, "--write-mapping", mapping)
    assert document["mapping_file"] == str(mapping)
    summary = replayed(tmp_path, data, mapping, capsys)
    assert (summary["accepted"], summary["dead_letters"], summary["customers"]) == (len(rows), 0, 40)


def test_segment_calls_need_no_mapping_and_the_file_says_so(tmp_path: Path, capsys: Capture) -> None:
    data, mapping = tmp_path / "events.ndjson", tmp_path / "input.yaml"
    lines = [
        {"type": "track", "event": "Order", "userId": who, "timestamp": at, "properties": {"amount": float(amount)}}
        for who, at, amount in rows_of()
    ]
    data.write_text("\n".join(json.dumps(line) for line in lines))
    assert audited(capsys, data, "--write-mapping", mapping)["mapping"]["mapping"] is None
    assert replayed(tmp_path, data, mapping, capsys)["accepted"] == len(lines)


def test_what_is_one_value_for_each_customer_is_a_trait_and_what_says_nothing_is_left_out(
    tmp_path: Path, capsys: Capture
) -> None:
    rows = [(*row, f"city-{row[0]}", "US", f"r-{n}-x") for n, row in enumerate(rows_of())]
    path = csv(tmp_path / "events.csv", rows, [*HEADER, "city", "country", "row_ref"])
    found = audited(capsys, path)["mapping"]
    assert found["mapping"]["traits"] == {"city": "city"}
    assert found["mapping"]["properties"] == {"amount": "amount"}
    assert found["left_out"] == {"country": "constant", "row_ref": "unique per row"}


def test_a_file_that_is_there_stays_as_it_is_without_force(tmp_path: Path, capsys: Capture) -> None:
    path, mapping = csv(tmp_path / "events.csv", rows_of()), tmp_path / "input.yaml"
    mapping.write_text("mine")
    assert "is there already; --force writes over it" in refused(capsys, path, "--write-mapping", mapping)
    assert mapping.read_text() == "mine"
    audited(capsys, path, "--write-mapping", mapping, "--force")
    assert "mapping:" in mapping.read_text()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["events.csv", "input.yaml"]


def test_the_sidecar_decides_roles_and_its_units_stand_in_the_mapping(tmp_path: Path, capsys: Capture) -> None:
    rows = [(f"x{n % 7}", *row) for n, row in enumerate(rows_of())]
    path = csv(tmp_path / "events.csv", rows, ["client_no", *HEADER])
    (tmp_path / "events.csv.meaning.yaml").write_text(
        "outcome: client_no\ncolumns:\n  amount: {unit: USD, meaning: what was paid}\n  customer_id: {role: customer}\n"
    )
    mapping = tmp_path / "input.yaml"
    document = audited(capsys, path, "--write-mapping", mapping, "--now", NOW)
    assert document["outcome"] == "client_no"
    assert document["mapping"]["mapping"]["customer"] == "customer_id"
    assert document["mapping"]["left_out"] == {"client_no": "the outcome"}
    assert "      amount: amount  # USD, what was paid" in mapping.read_text().splitlines()
