"""Little or bad input: a clear line, or a page that says what could not be drawn and why. Never a traceback."""

import json
from pathlib import Path
from typing import Any

import pytest

from stream_seg.cli import call
from tests.explore.report.shop import BEGINNING, START, events, explore, written

ONE_FEATURE = f"{BEGINNING}\nfeatures:\n  - {{name: orders, aggregate: count, window: 60d}}\n"
ONE_CATEGORY = (
    f"{BEGINNING}\nfeatures:\n  - {{name: plan, aggregate: latest, field: traits.plan, encode: ordinal, categories: "
    "[free, plus]}\n"
)


def read(folder: Path) -> tuple[str, dict[str, Any]]:
    return (folder / "run" / "report.html").read_text(), json.loads((folder / "run" / "report.json").read_bytes())


@pytest.mark.parametrize("config", [None, ONE_FEATURE, ONE_CATEGORY], ids=["all", "one feature", "one category"])
@pytest.mark.parametrize("customers", [1, 2, 16])
def test_few_customers_have_a_report(tmp_path: Path, customers: int, config: str | None) -> None:
    written(tmp_path, events(customers), *([config] if config else []))
    assert explore(tmp_path) == 0
    page, figures = read(tmp_path)
    assert figures["customers"] == customers
    assert ">nan<" not in page.lower()
    assert "it takes at least 17 customers" in page
    assert figures["maps"]["maps"] == []


def test_the_fewest_customers_that_a_map_takes(tmp_path: Path) -> None:
    written(tmp_path, events(18))
    assert explore(tmp_path) == 0
    assert [one["perplexity"] for one in read(tmp_path)[1]["maps"]["maps"]] == [5, 5, 5]


def test_customers_who_are_all_alike_are_one_segment_and_no_map(tmp_path: Path) -> None:
    lines = [{"customer": f"c{i}", "time": START + 1000, "event": "order", "price": 5} for i in range(40)]
    written(tmp_path, lines, ONE_FEATURE)
    assert explore(tmp_path) == 0
    page, figures = read(tmp_path)
    assert figures["segments"]["k"] == 1
    assert "too many are alike" in page
    assert "all customers have 1 events" in page


def test_more_customers_of_few_kinds_than_a_map_needs(tmp_path: Path) -> None:
    """17 kinds are enough for a map; many of a kind lie on one point."""
    lines = [
        {"customer": f"c{i}", "time": START + 1000 + j, "event": "order", "price": 5}
        for i in range(200) for j in range(1 + i % 20)
    ]  # fmt: skip
    written(tmp_path, sorted(lines, key=lambda one: one["time"]), ONE_FEATURE)
    assert explore(tmp_path) == 0
    assert read(tmp_path)[1]["maps"]["maps"]


@pytest.mark.parametrize(
    ("name", "content", "code", "said"),
    [
        ("events.ndjson", b"", 1, "there is no row in it, add the rows"),
        ("events.csv", b"customer,time,event,price,plan,age,town\n", 1, "there is no row in it, add the rows"),
        ("events.csv", b"", 2, "the file is empty"),
        ("events.csv", b"who;when\nann;1\n", 2, "the columns are divided by ';', not ','; write it with ','"),
        ("events.csv", b"customer,time,event,price,plan,age,town\nann,never,order,1,,,\n", 1, "no usable event"),
    ],
)
def test_what_is_no_input_is_said_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes, code: int, said: str
) -> None:
    written(tmp_path, [])
    (tmp_path / name).write_bytes(content)
    arguments = [str(tmp_path / name), "-c", str(tmp_path / "segmentation.yaml"), "--out", str(tmp_path / "run")]
    assert call(["explore", *arguments]) == code
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "run.part").exists()


def test_a_colour_that_is_no_feature_is_told_before_anything_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, events(2))
    assert explore(tmp_path, "--colour", "sped") == 2
    assert "no such feature: sped, choose from orders, spend" in capsys.readouterr().err


def test_what_the_environment_changes_would_not_be_in_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, events(2))
    monkeypatch.setenv("STREAM_SEG_SEGMENTS__K", "4")
    assert explore(tmp_path) == 2
    assert "STREAM_SEG_SEGMENTS__K" in capsys.readouterr().err
