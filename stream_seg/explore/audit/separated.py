"""Files of columns, divided by commas or tabs, into tables of text."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from stream_seg.errors import ConfigError
from stream_seg.explore.audit.database import LINE, Database, text
from stream_seg.explore.audit.findings import EXAMPLES, Finding
from stream_seg.explore.audit.inputs import SCANNING, Inputs, fill, table_of, unique
from stream_seg.explore.audit.scanning import opened, scan
from stream_seg.explore.audit.tables import Table, cut
from stream_seg.progress import Tell
from stream_seg.wire.separated import mistake

_VALUE = re.compile(r"[+-]?\d+[.,]\d+|\d{4}-\d\d-\d\d([T ].*)?|[+-]?\d{5,}")  # no name, even of a year or a place


def read_csv(database: Database, path: Path, inputs: Inputs, numbers: Iterator[int], tell: Tell) -> None:
    """One file into its table, and what was seen on the way. Raises `ConfigError` where no row can be read."""
    scanned = scan(path, database.folder, lambda done, size: tell(f"{SCANNING} of {path.name}", done, size))
    delimiter = "\t" if ".tsv" in path.suffixes else ","
    names, skip = _header(path, scanned.path, delimiter)
    inputs.findings += [*scanned.findings(path), *_names(path, names)]
    own = unique(names)
    table, new = table_of(inputs, path, "csv", own, numbers)
    if table.wide:
        database.widen()
    given = [f"f{i}" for i in range(len(own))]
    types = "{" + ", ".join(f"'{one}': 'VARCHAR'" for one in given) + "}"
    order = [own.index(one.name) for one in table.columns]
    chosen = ", ".join(f"f{at} AS {one.key}" for at, one in zip(order, table.columns, strict=True))
    database.run("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
    source = (
        f"SELECT {chosen} FROM read_csv({text(str(scanned.path))}, header = false, skip = {skip}, "
        f"delim = {text(delimiter)}, quote = '\"', escape = '\"', columns = {types}, auto_detect = false, "
        f"nullstr = '', max_line_size = {LINE}, null_padding = false, store_rejects = true, rejects_limit = 0)"
    )
    try:
        fill(database, table, path, source, new=new, tell=tell)
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
    if wrong := mistake(names, delimiter):
        raise ConfigError([f"{path}:1:1: {wrong}"])
    return names, skip


def _names(path: Path, names: Sequence[str]) -> Iterator[Finding]:
    twice = sorted({name for name in names if name and names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        yield Finding(
            "severe", "duplicate_header", f"{path}:1: {len(twice)} names stand over more than one column: "
            + cut(", ".join(twice)), "give each column its own name: whoever reads by name gets the first alone",
            tuple(twice[:10]), path.name, {"names": len(twice)},
        )  # fmt: skip
    values = [name for name in names if _VALUE.fullmatch(name)]
    if values:
        yield Finding(
            "severe", "no_header", f"{path}:1: the line of column names looks like a row ({cut(', '.join(values))})",
            "write a first line with the names of the columns: this row was taken for them", (), path.name,
            {"values": len(values)},
        )  # fmt: skip
    empty = sum(not name for name in names)
    if empty:
        yield Finding(
            "warning", "unnamed_column", f"{path}:1: {empty} columns have no name",
            "name them in the first line, or leave them out", (), path.name, {"columns": empty},
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
