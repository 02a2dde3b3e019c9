"""Ctrl-C in the middle of an audit: exit code 130, nothing half-written, no rows left in a temporary folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.explore.audit.asking import csv, rows_of

# Whoever runs tests in the background has processes that ignore SIGINT, unless they say otherwise.
HEARD = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
PROGRAM = "{}from stream_seg.cli import main; main()"
# A disk that is slow at this moment: the file is written, and has not got its name yet.
SLOW_DISK = """import pathlib, sys, time
write = pathlib.Path.write_text
def slow(path, *rest):
    write(path, *rest)
    print("writing", file=sys.stderr, flush=True)
    time.sleep(60)
pathlib.Path.write_text = slow
"""


@pytest.mark.parametrize("when", ["reading bytes", "reading rows", "looking at columns", "checking", "writing"])
def test_ctrl_c_leaves_nothing_half_written(tmp_path: Path, when: str) -> None:
    kept = tmp_path / "kept"  # where rows lie while they are looked at
    kept.mkdir()
    path = csv(tmp_path / "events.csv", rows_of(2000, 40))
    program = PROGRAM.format(HEARD + (f"\nexec({SLOW_DISK!r})\n" if when == "writing" else ""))
    words = ["audit", str(path), "--write-mapping", str(tmp_path / "input.yaml")]
    with subprocess.Popen(
        [sys.executable, "-c", program, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "TMPDIR": str(kept)},
    ) as process:  # fmt: skip
        assert process.stderr is not None
        assert process.stdout is not None
        assert any(line.startswith(when) for line in process.stderr)
        process.send_signal(signal.SIGINT)
        rest, said = process.stderr.read(), process.stdout.read()
    assert process.returncode == 130, rest
    assert "Traceback" not in rest
    assert said == ""
    assert [*kept.iterdir()] == []
    assert sorted(one.name for one in tmp_path.iterdir()) == ["events.csv", "kept"]
