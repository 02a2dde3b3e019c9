"""Files into tables of text. Text stays text: what a reader would guess away (mixed types, odd numbers) is what we "
"look for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Literal, TypeAlias

from stream_seg.errors import ConfigError
from stream_seg.explore.audit.database import Database, text
from stream_seg.explore.audit.findings import Finding
from stream_seg.explore.audit.inputs import SCANNING, Inputs, fill, table_of, unique
from stream_seg.explore.audit.json_lines import load_lines
from stream_seg.explore.audit.scanning import scan
from stream_seg.explore.audit.separated import read_csv
from stream_seg.explore.audit.tables import Column, Table
from stream_seg.progress import Tell

Form: TypeAlias = Literal["csv", "parquet", "ndjson"]
SUFFIXES: dict[str, Form] = {
    ".csv": "csv", ".tsv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson", ".json": "ndjson", ".parquet": "parquet",
    ".pq": "parquet",
}  # fmt: skip
_STRUCT = re.compile(r"STRUCT\(")


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
        reader = {"csv": read_csv, "parquet": _read_parquet, "ndjson": _read_ndjson}[kind]
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


# --- NDJSON


def _read_ndjson(database: Database, path: Path, inputs: Inputs, numbers: Iterator[int], tell: Tell) -> None:
    scanned = scan(path, database.folder, lambda done, size: tell(f"{SCANNING} of {path.name}", done, size))
    inputs.findings += scanned.findings(path)
    lines = load_lines(database, scanned.path, Path(inputs.topic) if inputs.topic else path)
    table, new = table_of(inputs, path, "ndjson", lines.names, numbers)
    _widened(database, table, lines.names, new=new)
    declared = dict(zip(lines.names, lines.declared, strict=True))
    for one in table.columns:
        one.declared = declared.get(one.name, one.declared)
    if table.wide:
        database.widen()
    fill(database, table, path, lines.source(table.columns), new=new, tell=tell)
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
    table, new = table_of(inputs, path, "parquet", unique([name for name, _, _ in leaves]), numbers)
    if table.wide:
        database.widen()
    by_name = {name: (sql, kind) for name, sql, kind in leaves}
    for one in table.columns:
        one.declared = by_name[one.name][1]
    chosen = ", ".join(f"CAST({by_name[one.name][0]} AS VARCHAR) AS {one.key}" for one in table.columns)
    try:
        fill(database, table, path, f"SELECT {chosen} FROM {source}", new=new, tell=tell)
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
