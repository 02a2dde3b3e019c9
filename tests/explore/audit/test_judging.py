"""What is no defect is not called one, and a pattern is told by what explains it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest

from tests.explore.audit.asking import HEADER, audited, csv, rows_of, told

Capture = pytest.CaptureFixture[str]


def test_what_is_missing_for_whole_customers_is_told_so(tmp_path: Path, capsys: Capture) -> None:
    rows = [(*row, "" if int(row[0][1:]) < 32 else "45-54", "" if n % 3 else "x") for n, row in enumerate(rows_of(80))]
    document = audited(capsys, csv(tmp_path / "events.csv", rows, [*HEADER, "age", "note"]))
    (whole,) = told(document, "missing_by_customer")
    assert (whole["severity"], whole["columns"]) == ("warning", ["age"])
    assert told(document, "missing_at_random", "note")
    assert not told(document, "missing_at_random", "age")


def test_what_is_missing_far_more_often_for_some_values_is_not_missing_at_random(
    tmp_path: Path, capsys: Capture
) -> None:
    holes = {"meat": 8, "soap": 5, "bread": 1}  # of ten
    kinds = ["meat", "bread", "soap", "bread"]
    rows = [(*row, kind, "" if n // 4 % 10 < holes[kind] else "8 OZ")
            for n, row in enumerate(rows_of()) for kind in kinds]  # fmt: skip
    document = audited(capsys, csv(tmp_path / "events.csv", rows, [*HEADER, "department", "size"]))
    (found,) = told(document, "missing_by_value", "size")
    assert found["what"].endswith("for some values of department: meat (80 %), soap (50 %); for bread only 10 %")
    assert not told(document, "missing_at_random")


def clicks(path: Path, waits: list[float]) -> Path:
    """A customer each, who does the same twice, so many seconds apart."""
    began = datetime(2024, 5, 1, tzinfo=UTC)
    lines: list[dict[str, Any]] = []
    for n, wait in enumerate(waits):
        for i, at in enumerate((began + timedelta(minutes=n), began + timedelta(minutes=n, seconds=wait))):
            lines.append({
                "type": "track", "event": "Product Added", "messageId": f"m{n}-{i}", "userId": f"visitor-{n % 40}",
                "timestamp": at.isoformat(), "properties": {},
            })  # fmt: skip
    path.write_text("\n".join(json.dumps(line) for line in lines))
    return path


def test_clicks_that_repeat_at_any_distance_are_not_called_sent_again(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "clicks.ndjson"
    assert told(audited(capsys, clicks(path, [2.0] * 100)), "near_duplicates")
    assert not told(audited(capsys, clicks(path, [1 + n % 9 for n in range(180)])), "near_duplicates")


def test_dates_without_a_clock_are_told_and_nothing_is_said_of_seconds(tmp_path: Path, capsys: Capture) -> None:
    once = [(f"r{n}", who, f"{at[:10]}T12:00:00Z", f"{n % 7}.5") for n, (who, at, _) in enumerate(rows_of())]
    rows = sorted([*once, *((f"s{row}", *rest) for row, *rest in once[:30])], key=itemgetter(2))
    path = csv(tmp_path / "events.csv", rows, ["message_id", *HEADER])
    document = audited(capsys, path, code=0)
    (clock,) = told(document, "no_time_of_day")
    (twice,) = told(document, "near_duplicates")
    assert (clock["severity"], twice["severity"]) == ("note", "note")
    assert "of the same day" in twice["what"]


@pytest.mark.parametrize(("orders", "severity"), [(30, "warning"), (300, "severe")])
def test_a_keen_buyer_is_no_robot(tmp_path: Path, capsys: Capture, orders: int, severity: str) -> None:
    plain = rows_of(2000, 2)
    rows = [*plain, *(("keen", at, f"7.{n}") for n, (_, at, _) in enumerate(plain[:orders]))]
    (found,) = told(audited(capsys, csv(tmp_path / "events.csv", rows)), "heavy_id")
    assert found["severity"] == severity


def test_a_table_that_is_looked_up_has_keys_no_customers_and_needs_no_outcome(tmp_path: Path, capsys: Capture) -> None:
    rows = [(*row, f"p{n % 60}", str(n % 2)) for n, row in enumerate(rows_of())]
    events = csv(tmp_path / "events.csv", rows, [*HEADER, "product_id", "churned"])
    makers = [(f"p{n}", f"m-{n % 7}", str(n % 5)) for n in range(300)]
    products = csv(tmp_path / "products.csv", makers, ["product_id", "maker_id", "grade"])
    document = audited(capsys, events, products, "--outcome", "churned")
    assert document["tables"][1]["roles"]["customer"] is None
    assert not told(document, "no_outcome")
    assert not told(document, "unique_per_row", "product_id")


def test_what_no_file_says_is_asked_for_by_name(tmp_path: Path, capsys: Capture) -> None:
    path = csv(tmp_path / "events.csv", [(*row, str(n % 2)) for n, row in enumerate(rows_of())], [*HEADER, "flag"])
    (found,) = told(audited(capsys, path), "meaning_unknown")
    assert found["what"] == "the file says no unit for amount, and no source for any column"
