"""Asks the real command, and reads what it says."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from stream_seg.cli import call

NOW = "2024-06-01"


def audited(
    capsys: pytest.CaptureFixture[str], *words: str | Path, code: int | None = None, now: str = NOW
) -> dict[str, Any]:
    """The document of an audit; `code`: how the command has to end."""
    ended = call(["audit", *map(str, words), "--now", now, "--json"])
    said = capsys.readouterr()
    assert ended == code or (code is None and ended in {0, 3}), said.err
    document: dict[str, Any] = json.loads(said.out)
    return document


def refused(capsys: pytest.CaptureFixture[str], *words: str | Path, code: int = 2) -> str:
    """What a command says that ends without a result."""
    assert call(["audit", *map(str, words)]) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    return said.err


def told(document: Mapping[str, Any], check: str, column: str = "") -> list[dict[str, Any]]:
    return [one for one in document["findings"] if one["check"] == check and (not column or column in one["columns"])]


def rows_of(customers: int = 40, each: int = 10) -> list[tuple[str, ...]]:
    """Plain purchases: customer, time, amount; nothing is wrong with them."""
    rows: list[tuple[str, ...]] = []
    for number in range(each):
        for c in range(customers):
            day = (c * 7 + number * 11) % 100
            time = f"2024-{1 + day // 28:02}-{1 + day % 28:02}T{8 + c % 12:02}:{number:02}:{c % 60:02}Z"
            rows.append((f"c{c}", time, f"{5 + c}.{number}5"))
    return rows


HEADER = ("customer_id", "time", "amount")


def csv(path: Path, rows: Iterable[Iterable[str]], header: Iterable[str] = HEADER, by: str = ",") -> Path:
    path.write_text("\n".join(by.join(row) for row in [header, *rows]) + "\n", "utf-8")
    return path
