"""How long an audit takes and how much memory: ``python -m benchmarks.auditing [LINES]``; the last line is JSON.

The grocery year as it is, and the same lines again, year after year, until there are so many (10,000,000).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from benchmarks.seeding import NOW, OUTCOME, written

LINES = 10_000_000
# The peak of the process itself: what wait4 tells begins with what its parent had when it was forked.
PROGRAM = """
import atexit, pathlib, sys
from stream_seg.cli import main
status = pathlib.Path("/proc/self/status")
atexit.register(lambda: pathlib.Path(sys.argv[1]).write_text(status.read_text()))
main(sys.argv[2:])
"""


def grown(source: Path, path: Path, lines: int) -> None:
    """Writes the lines of a year again with later times, until there are `lines`."""
    with duckdb.connect() as database:
        database.execute("SET threads = 2; SET memory_limit = '2GB'")
        database.execute(f"CREATE VIEW year AS FROM read_csv('{source}', all_varchar = true)")
        (own,) = database.execute("SELECT count(*) FROM year").fetchall()[0]
        years = -(-lines // own)
        later = "strftime(CAST(time AS TIMESTAMP) + to_years(CAST(y AS INTEGER)), '%Y-%m-%dT%H:%M:%SZ')"
        database.execute(
            f"COPY (SELECT * EXCLUDE (y) REPLACE ({later} AS time, line_id || '-' || y AS line_id, "
            f"basket_id || y AS basket_id) FROM range({years}) r(y), year LIMIT {lines}) TO '{path}'"
        )


def measured(path: Path, now: str) -> dict[str, float]:
    """Seconds, CPU seconds and peak memory (MB) of the real command."""
    told = path.with_suffix(".status")
    began = time.monotonic()
    words = ["audit", str(path), "--outcome", OUTCOME, "--now", now, "--json"]
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(told), *words], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in {0, 3}:
        raise SystemExit(f"stream-seg audit ended with {process.returncode}")
    peak = re.search(r"VmHWM:\s+(\d+)", told.read_text())
    assert peak is not None
    return {
        "seconds": round(time.monotonic() - began, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "peak_mb": round(int(peak[1]) / 1024),
    }


def main() -> None:
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else LINES
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        year = written(folder, dirty=False)[0]
        found = {f"year_{key}": value for key, value in measured(year, NOW).items()}
        grown(year, folder / "many.csv", lines)
        found |= {f"many_{key}": value for key, value in measured(folder / "many.csv", "2040-01-01").items()}
    print(json.dumps({"lines": lines, **found}))


if __name__ == "__main__":
    main()
