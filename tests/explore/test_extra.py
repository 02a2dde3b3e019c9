"""Without the extra `explore` each of its commands is one line that says what to install, and makes nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CONFIG = """
name: shop
features:
- {name: buys_bread, aggregate: count, window: 90d, tiles: 9}
- {name: buys_fish, aggregate: count, window: 30d, tiles: 9}
segments: {k: 3}
"""
PROGRAM = "import sys; sys.modules[{!r}] = None; from stream_seg.cli import main; main()"
MADE = ["-c", "shop.yaml", "--out", "run"]


@pytest.mark.parametrize(
    ("command", "package", "options"),
    [
        ("audit", "duckdb", ["--write-mapping", "input.yaml"]),
        ("explore", "matplotlib", MADE),
        ("choose", "matplotlib", MADE),
        ("compare", "hdbscan", MADE),
        ("affinity", "sklearn", ["-c", "shop.yaml", "--of", "buys_", "--components", "1"]),
    ],
)
def test_without_the_extra_the_remedy_is_told(tmp_path: Path, command: str, package: str, options: list[str]) -> None:
    (tmp_path / "shop.yaml").write_text(CONFIG)
    (tmp_path / "events.ndjson").write_text("{}\n")
    words = [sys.executable, "-c", PROGRAM.format(package), command, "events.ndjson", *options]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert done.stderr == f"stream-seg: the package {package} is not installed: pip install 'stream_seg[explore]'\n"
    assert done.stdout == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events.ndjson", "shop.yaml"]
