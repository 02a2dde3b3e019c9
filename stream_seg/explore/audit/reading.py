"""Files into tables of text. Text stays text: what a reader would guess away (mixed types, odd numbers) is what we "
"look for.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Literal, TypeAlias

from stream_seg.errors import ConfigError
from stream_seg.explore.audit.database import Database, text
from stream_seg.explore.audit.findings import EXAMPLES, Finding
from stream_seg.explore.audit.json_lines import load_lines
from stream_seg.explore.audit.scanning import Scan, opened, scan
from stream_seg.explore.audit.tables import Column, Table, cut

Form: TypeAlias = Literal["csv", "parquet", "ndjson"]
Tell: TypeAlias = Callable[[str, int, "int | None"], None]
SUFFIXES: dict[str, Form] = {
    ".csv": "csv", ".tsv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson", ".json": "ndjson", ".parquet": "parquet",
    ".pq": "parquet",
}  # fmt: skip
OTHERS = (";", "\t", "|", ",")
SCANNING, LOADING = "reading bytes", "reading rows"
LINE = 16_000_000  # bytes of one line at most
_STRUCT = re.compile(r"STRUCT\(")


@dataclass(slots=True)
class Inputs:
    """The tables of all inputs, and what was seen while they were read.

    topic, places  where the records of a topic stand that were written to a file first, see `Table.places`
    """

    tables: list[Table] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    topic: str | None = None
    places: list[tuple[int, str, int]] = field(default_factory=list)


def form_of(path: Path, told: Form | None) -> Form:
    """What a file is, by its name. Raises `ConfigError`."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    zipped = bool(suffixes) and suffixes[-1] == ".gz"
    found = told or SUFFIXES.get((suffixes[-2] if len(suffixes) > 1 else "") if zipped else "".join(suffixes[-1:]))
    if found is None or (zipped and found == "parquet"):
        known = ", ".join(SUFFIXES)
        raise ConfigError(
            [f"{path}: cannot tell what it is, use a name that ends in one of {known} (text also .gz), or --format"]
        )
    return found


def read(
    database: Database,
    paths: Sequence[Path],
    form: Form | None,
    tell: Tell,
    topic: str | None = None,
    places: Sequence[tuple[int, str, int]] = (),
) -> Inputs:
    """All inputs. Files with the same columns are one table, in the order given.

    Raises
    ------
    ConfigError
        A file cannot be read, has no rows, or its columns are divided by another character.
    """
    inputs, numbers = Inputs(topic=topic, places=list(places)), count()
    for path in paths:
        if not path.is_file():
            raise ConfigError([f"{path}: no such file, check the path"])
        kind = form_of(path, form)
        reader = {"csv": _read_csv, "parquet": _read_parquet, "ndjson": _read_ndjson}[kind]
        before = path.stat().st_size
        try:
            reader(database, path, inputs, numbers, tell)
        except database.error as error:
            raise ConfigError(
                [f"{path}: cannot be read as {kind}: {_first_line(error)}; fetch it again, or write it anew"]
            ) from error
        after = path.stat().st_size if path.exists() else 0
        if after != before:
            inputs.findings.append(
                Finding(
                    "warning", "growing", f"{path} changed from {before:,} to {after:,} bytes while it was read",
                    "audit it again when nobody writes to it; the figures are of what was there when it was read",
                    table=path.name, figures={"bytes_before": before, "bytes_after": after},
                )
            )  # fmt: skip
    return inputs


def _table(inputs: Inputs, path: Path, form: str, names: Sequence[str], numbers: Iterator[int]) -> tuple[Table, bool]:
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


def _fill(database: Database, table: Table, path: Path, source: str, *, new: bool, tell: Tell) -> None:
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


# --- CSV


def _read_csv(database: Database, path: Path, inputs: Inputs, numbers: Iterator[int], tell: Tell) -> None:
    scanned = scan(path, database.folder, lambda done, size: tell(f"{SCANNING} of {path.name}", done, size))
    delimiter = "\t" if ".tsv" in path.suffixes else ","
    names, skip = _header(path, scanned.path, delimiter)
    inputs.findings += [*_encoding(path, scanned), *_names(path, names)]
    unique = _unique(names)
    table, new = _table(inputs, path, "csv", unique, numbers)
    if table.wide:
        database.widen()
    given = [f"f{i}" for i in range(len(unique))]
    types = "{" + ", ".join(f"'{one}': 'VARCHAR'" for one in given) + "}"
    order = [unique.index(one.name) for one in table.columns]
    chosen = ", ".join(f"f{at} AS {one.key}" for at, one in zip(order, table.columns, strict=True))
    database.run("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
    source = (
        f"SELECT {chosen} FROM read_csv({text(str(scanned.path))}, header = false, skip = {skip}, "
        f"delim = {text(delimiter)}, quote = '\"', escape = '\"', columns = {types}, auto_detect = false, "
        f"nullstr = '', max_line_size = {LINE}, null_padding = false, store_rejects = true, rejects_limit = 0)"
    )
    try:
        _fill(database, table, path, source, new=new, tell=tell)
    except ConfigError:
        raise ConfigError([f"{path}:2:1: there is a header and no row that could be read, add the rows"]) from None
    _rejected(database, path, table, inputs, skip)


def _header(path: Path, readable: Path, delimiter: str) -> tuple[list[str], int]:
    """The names of the columns, and how many lines they take. Raises `ConfigError` for another delimiter."""
    with opened(readable) as file:
        lines = (line.decode("utf-8-sig" if i == 0 else "utf-8", "replace") for i, line in enumerate(file))
        rows = csv.reader(lines, delimiter=delimiter)
        try:
            names = [name.strip() for name in next(rows)]
        except (StopIteration, csv.Error) as error:
            raise ConfigError([f"{path}:1:1: there is no line of column names: {error}"]) from None
        skip = rows.line_num
    if len(names) == 1:
        by = {other: names[0].count(other) for other in OTHERS if other != delimiter}
        best = max(by, key=lambda other: by[other])
        if by[best]:
            shown = {"\t": "a tab", ";": "';'", "|": "'|'", ",": "','"}
            remedy = "name it .tsv" if best == "\t" else f"write it with {shown[delimiter]}"
            raise ConfigError(
                [f"{path}:1:1: the columns are divided by {shown[best]}, not {shown[delimiter]}; {remedy}"]
            )
    return names, skip


def _unique(names: Sequence[str]) -> list[str]:
    """Names that differ: what stands twice, or is empty, gets its place."""
    seen: dict[str, int] = {}
    found = []
    for i, name in enumerate(names, 1):
        plain = name or f"column {i}"
        seen[plain] = seen.get(plain, 0) + 1
        found.append(plain if seen[plain] == 1 else f"{plain} (column {i})")
    return found


def _names(path: Path, names: Sequence[str]) -> Iterator[Finding]:
    twice = sorted({name for name in names if name and names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        yield Finding(
            "severe", "duplicate_header", f"{path}:1: {len(twice)} names stand over more than one column: "
            + cut(", ".join(twice)), "give each column its own name: whoever reads by name gets the first alone",
            tuple(twice[:10]), path.name, {"names": len(twice)},
        )  # fmt: skip
    empty = sum(not name for name in names)
    if empty:
        yield Finding(
            "warning", "unnamed_column", f"{path}:1: {empty} columns have no name",
            "name them in the first line, or leave them out", (), path.name, {"columns": empty},
        )  # fmt: skip


def _encoding(path: Path, scanned: Scan) -> Iterator[Finding]:
    if scanned.bom:
        yield Finding(
            "note", "byte_order_mark", f"{path} begins with a byte order mark",
            "nothing for stream_seg; other readers may see it as part of the first column's name", (), path.name,
        )  # fmt: skip
    if scanned.strange:
        shown = "; ".join(f"line {line}: {cut(content)}" for line, content in scanned.shown)
        yield Finding(
            "severe", "encoding", f"{scanned.strange:,} lines of {path} are not UTF-8 ({shown})",
            f"write it as UTF-8 (iconv -f LATIN1 -t UTF-8 {path.name}): replay sets such rows aside. They were read as "
            "Windows-1252 here", (), path.name, {"lines": scanned.strange},
        )  # fmt: skip
    if scanned.nuls:
        yield Finding(
            "severe", "nul_bytes", f"{path} holds {scanned.nuls:,} NUL bytes: it was cut off or damaged while written",
            "fetch the file again", (), path.name, {"bytes": scanned.nuls},
        )  # fmt: skip


def _rejected(database: Database, path: Path, table: Table, inputs: Inputs, skip: int) -> None:
    found = database.run(
        "SELECT line, any_value(error_type), any_value(error_message), any_value(csv_line) FROM reject_errors "
        "GROUP BY line ORDER BY line"
    )
    for line, *_ in found:
        table.refuse(str(path), int(line) - skip)
    if found:
        shown = "; ".join(f"line {line}: {cut(str(why))}" for line, _, why, _ in found[:EXAMPLES])
        inputs.findings.append(
            Finding(
                "severe",
                "broken_rows",
                f"{len(found):,} rows of {path} are no rows of this table ({shown})",
                "quote cells that hold the delimiter, a quote or a line break; they are left out here and dead letters "
                "in replay",
                (),
                table.name,
                {"rows": len(found), "lines": [int(line) for line, *_ in found[:EXAMPLES]]},
            )
        )


# --- NDJSON


def _read_ndjson(database: Database, path: Path, inputs: Inputs, numbers: Iterator[int], tell: Tell) -> None:
    scanned = scan(path, database.folder, lambda done, size: tell(f"{SCANNING} of {path.name}", done, size))
    inputs.findings += _encoding(path, scanned)
    lines = load_lines(database, scanned.path, Path(inputs.topic) if inputs.topic else path)
    table, new = _table(inputs, path, "ndjson", lines.names, numbers)
    _widened(database, table, lines.names, new=new)
    declared = dict(zip(lines.names, lines.declared, strict=True))
    for one in table.columns:
        one.declared = declared.get(one.name, one.declared)
    if table.wide:
        database.widen()
    _fill(database, table, path, lines.source(table.columns), new=new, tell=tell)
    for row in lines.refused_rows:
        table.refuse(str(path), row)
    inputs.findings += lines.findings(table)
    lines.drop()


def _widened(database: Database, table: Table, names: Sequence[str], *, new: bool) -> None:
    """Lines of another file may have paths that those before had not."""
    for name in names:
        if table.column(name) is None:
            column = Column(f"c{len(table.columns)}", name)
            table.columns.append(column)
            if not new:
                database.run(f"ALTER TABLE {table.sql} ADD COLUMN {column.key} VARCHAR")


# --- Parquet


def _read_parquet(database: Database, path: Path, inputs: Inputs, numbers: Iterator[int], tell: Tell) -> None:
    source = f"read_parquet({text(str(path))})"
    leaves = [leaf for name, kind in database.run(f"SELECT column_name, column_type FROM (DESCRIBE FROM {source})")
              for leaf in _leaves(database, source, name, _quoted(name), kind)]  # fmt: skip
    table, new = _table(inputs, path, "parquet", _unique([name for name, _, _ in leaves]), numbers)
    if table.wide:
        database.widen()
    by_name = {name: (sql, kind) for name, sql, kind in leaves}
    for one in table.columns:
        one.declared = by_name[one.name][1]
    chosen = ", ".join(f"CAST({by_name[one.name][0]} AS VARCHAR) AS {one.key}" for one in table.columns)
    try:
        _fill(database, table, path, f"SELECT {chosen} FROM {source}", new=new, tell=tell)
    except ConfigError:
        raise ConfigError([f"{path}: there is no row in it, add the rows"]) from None


def _leaves(database: Database, source: str, name: str, sql: str, kind: str) -> Iterator[tuple[str, str, str]]:
    """What is in a column: itself, or the fields of a struct by their dotted paths."""
    if not _STRUCT.match(kind) or kind.endswith("]"):
        yield name, sql, kind
        return
    fields = database.run(f"SELECT column_name, column_type FROM (DESCRIBE SELECT unnest({sql}) FROM {source})")
    for inner, inner_kind in fields:
        yield from _leaves(database, source, f"{name}.{inner}", f"{sql}.{_quoted(inner)}", inner_kind)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
