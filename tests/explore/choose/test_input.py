"""What ``stream-seg choose`` says of files that hold nothing to choose from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.explore.choose.test_choosing import invoke

TABLE = """
name: shop
input: {mapping: {customer: who, time: at, time_zone: UTC, event: '=order', properties: {paid: paid}}}
features:
- {name: orders, aggregate: count, window: 30d}
- {name: spend, aggregate: sum, field: properties.paid, window: 30d}
"""
HEAD = b"who,at,paid\n"
ROW = b"ann,2024-01-01,5\n"


@pytest.mark.parametrize(
    ("name", "content", "code", "said"),
    [
        ("a.csv", b"", 2, "a.csv:1:1: the file is empty, begin it with a line of column names"),
        ("a.csv", HEAD, 1, "a.csv: there is no row in it, add the rows"),
        ("a.csv", HEAD + ROW, 1, "1 different customers are too few for segments"),
        ("a.csv", b"who\nann\n", 2, "a.csv:1:1: at: no such column, choose from who"),
        (
            "a.csv",
            HEAD.replace(b",", b";") + ROW.replace(b",", b";"),
            2,
            "the columns are divided by ';', not ','; write it with ','",
        ),
        ("a.csv", b"\xef\xbb\xbf" + HEAD + ROW, 1, "1 different customers are too few for segments"),
        ("a.csv", HEAD + b"\xe9ve,2024-01-01,5\n", 1, "a.csv:2: invalid_utf8 at $: the row is not UTF-8"),
        (
            "a.csv",
            HEAD + b"ann,yesterday,5\n",
            1,
            "no usable event; the first that is none, a.csv:2: invalid_timestamp",
        ),
        ("a.csv", b"who,at,paid,who\n" + ROW, 2, "a.csv:1:1: who: two columns have this name, rename one of them"),
        ("a.parquet", b"PAR1 and then it was cut off", 2, "a.parquet: cannot be read as Parquet"),
    ],
)
def test_bad_input_is_told_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes, code: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(content)
    (tmp_path / "shop.yaml").write_text(TABLE)
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from stream_seg.cli import main; main()",
            "choose",
            name,
            "-c",
            "shop.yaml",
            "--out",
            "out",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert said in done.stderr
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [name, "shop.yaml"]


def test_one_cloud_is_told_to_be_none(tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    rows = [f"c{i},2024-01-{1 + i % 28:02},{a:.3f},{b:.3f}" for i, (a, b) in enumerate(draw.normal(50, 9, (300, 2)))]
    (tmp_path / "a.csv").write_text("\n".join(["who,at,paid,kept", *rows]) + "\n")
    kept = "- {name: kept, aggregate: sum, field: properties.kept, window: 60d}\n"
    table = TABLE.replace("paid: paid}", "paid: paid, kept: kept}").replace("window: 30d", "window: 60d")
    (tmp_path / "shop.yaml").write_text(table.replace("- {name: orders, aggregate: count, window: 60d}\n", kept))
    words = ("-c", str(tmp_path / "shop.yaml"), "--out", str(tmp_path / "out"), "--most", "4")
    code, said = invoke("choose", str(tmp_path / "a.csv"), *words)
    assert code == 3
    assert "segments by the gap statistic: none" in said
    assert "No clusters at all: the customers lie in one cloud" in said
