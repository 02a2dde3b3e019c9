"""`.ci/run`: what failed is run again, and nothing else makes a run green that did not see every test."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Stands for make: notes what it was asked and ends as the next line of `ends` says (pytest's status; cut: no status).
MAKE = """#!/bin/bash
[ "$1" = test ] || exit 0
rm -f .venv/.pytest-status
echo "${STREAM_SEG_REDIS_BINARY:+redis} $2" >>asked
read -r end <ends
sed -i 1d ends
[ "$end" = cut ] && exit 124
echo "$end" >.venv/.pytest-status
[ "$end" = 0 ] || exit 2
"""
STORE = "tests/store tests/docs/test_operating_page.py"


@pytest.mark.parametrize(
    ("ends", "asked", "green"),
    [
        ("0 0", [f"redis T={STORE}", " T="], True),
        ("0 1 0", [f"redis T={STORE}", " T=", " T=--last-failed "], True),
        ("0 1 1", [f"redis T={STORE}", " T=", " T=--last-failed "], False),
        ("1 0 0", [f"redis T={STORE}", f"redis T=--last-failed {STORE}", " T="], True),
        ("0 2", [f"redis T={STORE}", " T="], False),  # interrupted, or a test file that cannot be read
        ("0 cut", [f"redis T={STORE}", " T="], False),
        ("cut", [f"redis T={STORE}"], False),
    ],
)
def test_only_what_failed_in_a_whole_run_is_run_again(tmp_path: Path, ends: str, asked: list[str], green: bool) -> None:  # noqa: FBT001 — a column of the table
    for directory in (".ci", ".venv", "bin"):
        (tmp_path / directory).mkdir()
    shutil.copy(ROOT / ".ci/run", tmp_path / ".ci/run")
    for name, text in {"make": MAKE, "java": "", "javac": "", "mvn": "", "redis-server": ""}.items():
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "ends").write_text("".join(f"{end}\n" for end in ends.split()))
    environment = {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    environment.pop("STREAM_SEG_REDIS_BINARY", None)
    done = subprocess.run([tmp_path / ".ci/run"], env=environment, capture_output=True, check=False)
    assert (tmp_path / "asked").read_text().splitlines() == asked
    assert (done.returncode == 0) is green
