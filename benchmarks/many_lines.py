"""What exploring takes of ten million lines: ``python -m benchmarks.many_lines [LINES]``; the last line is JSON.

The grocery year with every household several times, under other names, until there are so many lines: stored events
for all four commands, and for `audit` the raw lines as well, year after year. Writes
``benchmarks/results/many_lines.json``.
"""

from __future__ import annotations

import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from benchmarks.exploring import command, exported
from benchmarks.origin import origin
from benchmarks.seeding import OUTCOME, written
from benchmarks.throughput import machine

RESULTS = Path(__file__).parent / "results" / "many_lines.json"
LINES = 10_000_000
AT_ONCE = 100_000


def households(source: Path, path: Path, lines: int) -> None:
    """Writes each line of stored events again and again, of other households, until there are `lines`."""
    with source.open("rb") as given:
        own = sum(1 for _ in given)
    copies = [b"-%d" % copy for copy in range(-(-lines // own))]
    left = lines
    with source.open("rb") as given, path.open("wb") as out:
        while left > 0 and (some := given.readlines(AT_ONCE)):
            more = [_renamed(line, copy) for line in some for copy in copies][:left]
            out.write(b"".join(more))
            left -= len(more)


def _renamed(line: bytes, suffix: bytes) -> bytes:
    for name in (b'"messageId":"', b'"userId":"'):
        before, _, rest = line.partition(name)
        value, _, after = rest.partition(b'"')
        line = before + name + value + suffix + b'"' + after
    return line


def years(source: Path, path: Path, lines: int) -> None:
    """Writes the raw lines of a year again with later times, until there are `lines`."""
    with duckdb.connect() as database:
        database.execute("SET threads = 2; SET memory_limit = '2GB'")
        database.execute(f"CREATE VIEW year AS FROM read_csv('{source}', all_varchar = true)")
        (own,) = database.execute("SELECT count(*) FROM year").fetchall()[0]
        later = "strftime(CAST(time AS TIMESTAMP) + to_years(CAST(y AS INTEGER)), '%Y-%m-%dT%H:%M:%SZ')"
        database.execute(
            f"COPY (SELECT * EXCLUDE (y) REPLACE ({later} AS time, line_id || '-' || y AS line_id, "
            f"basket_id || y AS basket_id) FROM range({-(-lines // own)}) r(y), year LIMIT {lines}) TO '{path}'"
        )


def main() -> None:
    """Measures, writes and prints."""
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else LINES
    with tempfile.TemporaryDirectory(prefix="stream-seg-many-") as name:
        folder = Path(name)
        raw, events = folder / "many.csv", folder / "many.ndjson"
        years(written(folder, dirty=False)[0], raw, lines)
        config, year = exported("completejourney", folder)
        households(year, events, lines)
        found = {
            "audit of raw lines": command("audit", raw, "--outcome", OUTCOME, "--now", "2040-01-01"),
            "audit": command("audit", events),
        }
        for step in ("explore", "choose", "compare"):
            found[step] = command(step, events, "--config", config, "--out", folder / step)
    told = {
        "lines": lines, "steps": found, "machine": machine(), "date": datetime.now(UTC).date().isoformat(), **origin(),
    }  # fmt: skip
    RESULTS.write_text(json.dumps(told, indent=2) + "\n")
    print(json.dumps(told))


if __name__ == "__main__":
    main()
