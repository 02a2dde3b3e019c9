"""All that is read, as tables in DuckDB: which table a file belongs to, and how its rows get there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stream_seg.errors import ConfigError
from stream_seg.explore.audit.database import Database
from stream_seg.explore.audit.findings import Finding
from stream_seg.explore.audit.tables import Column, Table
from stream_seg.progress import Tell

SCANNING, LOADING = "reading bytes", "reading rows"


@dataclass(slots=True)
class Inputs:
    """The tables of all inputs, and what was seen while they were read.

    topic, places  where the records of a topic stand that were written to a file first, see `Table.places`
    """

    tables: list[Table] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    topic: str | None = None
    places: list[tuple[int, str, int]] = field(default_factory=list)


def table_of(inputs: Inputs, path: Path, form: str, names: Sequence[str], numbers: Iterator[int]) -> tuple[Table, bool]:
    """The table with these columns, and whether it is new."""
    given = set(names)
    for table in inputs.tables:
        own = {one.name for one in table.columns}
        # Lines of JSON leave out what they have not; half of the paths in common is one kind of record.
        if table.form == form and (own == given or (form == "ndjson" and 2 * len(own & given) >= len(own | given))):
            return table, False
    columns = [Column(f"c{i}", name) for i, name in enumerate(names)]
    table = Table(inputs.topic or path.name, f"t{next(numbers)}", form, columns, places=inputs.places)
    inputs.tables.append(table)
    return table, True


def fill(database: Database, table: Table, path: Path, source: str, *, new: bool, tell: Tell) -> None:
    """Runs `source` into the table, whose rows keep their order."""
    begin = f"CREATE TABLE {table.sql} AS" if new else f"INSERT INTO {table.sql}"

    def percent(done: float) -> None:
        tell(f"{LOADING} of {path.name}", int(done), 100)

    percent(0)
    database.run(f"{begin} {source}", tell=percent)
    percent(100)
    (rows,) = database.one(f"SELECT count(*) FROM {table.sql}")
    if rows == table.rows:
        raise ConfigError([f"{path}: there is no row in it that can be read, only {table.form} of nothing"])
    table.starts.append((table.rows, str(path)))
    table.rows = rows


def unique(names: Sequence[str]) -> list[str]:
    """Names that differ: what stands twice, or is empty, gets its place."""
    seen: dict[str, int] = {}
    found = []
    for i, name in enumerate(names, 1):
        plain = name or f"column {i}"
        seen[plain] = seen.get(plain, 0) + 1
        found.append(plain if seen[plain] == 1 else f"{plain} (column {i})")
    return found
