"""Inputs as tables of text: one per set of columns, whatever the files' form; rows keep the numbers of their places."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from stream_seg.explore.audit.database import Database
from stream_seg.explore.audit.findings import EXAMPLES, Example

WIDE = 300  # columns
SHOWN = 60  # characters of a value in an example

# What stands for "nothing" in files: the spellings of databases, spreadsheets and programs. Compared in small letters.
NOTHING = (
    "", "null", "none", "nil", "nan", "na", "n/a", "#n/a", "<na>", "undefined", "[object object]", "-", "--", "?",
    "\\n", "nat", "missing",
)  # fmt: skip
_NOTHING = ", ".join(f"'{word}'" for word in NOTHING)


def gone(text: str) -> str:
    """SQL: this text says nothing."""
    return f"({text} IS NULL OR lower(trim({text})) IN ({_NOTHING}))"


@dataclass(slots=True)
class Column:
    """One column. `key` is its name in SQL; `declared` the type that the file itself tells, text where it has none.

    What comes after is filled in by `profile.profiled`:
    distinct  different values, about so many above 100,000; kind: see `profile.KINDS`
    counts    rows by the shape of their value (number, iso_z, …); spellings: rows by how "nothing" is written
    least, most, median, p99: of numbers
    unit, source, meaning, role: from the sidecar; role also inferred
    """

    key: str
    name: str
    declared: str = "VARCHAR"
    rows: int = 0
    missing: int = 0
    distinct: int = 0
    kind: str = "text"
    top: str = ""
    top_rows: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    spellings: dict[str, int] = field(default_factory=dict)
    least: float | None = None
    most: float | None = None
    median: float | None = None
    p99: float | None = None
    first: str = ""
    longest: int = 0
    unit: str = ""
    source: str = ""
    meaning: str = ""
    role: str = ""
    form: str = ""  # of times: see instants.FORMS

    @property
    def present(self) -> int:
        return self.rows - self.missing

    @property
    def text(self) -> str:
        """SQL: its value, NULL where it says nothing."""
        return (
            f"CASE WHEN {gone(self.key)} THEN NULL ELSE trim({self.key}) END" if self.missing else f"trim({self.key})"
        )

    @property
    def number(self) -> str:
        """SQL: its value as a number, NULL where it is none."""
        return f"TRY_CAST({self.key} AS DOUBLE)"

    @property
    def absent(self) -> str:
        """SQL: it says nothing."""
        return gone(self.key)


@dataclass(slots=True)
class Table:
    """All rows of the files that have the same columns. `sql`: its name in SQL.

    starts   (rows before it, file) for each file, in order; refused: places of rows that could not be read
    places   of records out of a topic: (line from 1, partition, offset), where a run of offsets begins
    wide     so many columns that only one at a time is looked at
    """

    name: str
    sql: str
    form: str
    columns: list[Column]
    starts: list[tuple[int, str]] = field(default_factory=list)
    refused: dict[str, list[int]] = field(default_factory=dict)
    rows: int = 0
    places: list[tuple[int, str, int]] = field(default_factory=list)

    @property
    def wide(self) -> bool:
        return len(self.columns) > WIDE

    def column(self, name: str) -> Column | None:
        return next((one for one in self.columns if one.name == name), None)

    def place(self, rowid: int) -> tuple[str, int]:
        """The file and the row in it (from 1, without the header; those that could not be read count too)."""
        at = bisect_right(self.starts, rowid, key=lambda start: start[0]) - 1
        before, file = self.starts[max(at, 0)]
        row = rowid - before + 1
        for refused in self.refused.get(file, ()):
            if refused > row:
                break
            row += 1
        return self.at(row) if self.places else (file, row)

    def at(self, line: int) -> tuple[str, int]:
        """Partition and offset of a record that was written down as this line, from 1."""
        first, partition, offset = self.places[bisect_right(self.places, line, key=lambda run: run[0]) - 1]
        return partition, offset + line - first

    def refuse(self, file: str, row: int) -> None:
        insort(self.refused.setdefault(file, []), row)

    def examples(self, found: Iterable[Sequence[Any]]) -> tuple[Example, ...]:
        """Of rows (rowid, value …): the first few as evidence."""
        shown = []
        for rowid, *values in list(found)[:EXAMPLES]:
            file, row = self.place(int(rowid))
            shown.append(Example(file, row, cut(", ".join("nothing" if v is None else str(v) for v in values))))
        return tuple(shown)

    def look(self, database: Database, where: str, *columns: Column) -> tuple[Example, ...]:
        """The first rows for which a condition holds, with these columns as they stand in the file."""
        keys = ", ".join(one.key for one in columns)
        sql = f"SELECT rowid, {keys} FROM {self.sql} WHERE {where} ORDER BY rowid LIMIT {EXAMPLES}"
        return self.examples(database.run(sql))


def cut(value: str) -> str:
    """A value short enough to be shown on a line, with control characters made visible."""
    plain = "".join(c if c.isprintable() else repr(c)[1:-1] for c in value)
    return plain if len(plain) <= SHOWN else plain[: SHOWN - 1] + "…"
