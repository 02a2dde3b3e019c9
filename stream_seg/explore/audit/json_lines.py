"""Lines of JSON as columns: every path to a value is one, whatever the lines have in common."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stream_seg.errors import ConfigError
from stream_seg.explore.audit.database import LINE, Database, text
from stream_seg.explore.audit.findings import Finding, share
from stream_seg.explore.audit.tables import Column, Table, cut

KEPT = 1_000  # places of refused lines that are remembered, so that rows after them keep their numbers
DEEP = 20
TOGETHER = 100_000  # lines whose structure is asked for at once
NUMBERS = {"BIGINT", "UBIGINT", "HUGEINT", "DOUBLE"}


@dataclass(slots=True)
class Lines:
    """The lines of one file: those that hold an object, the paths in them, and what else there was."""

    database: Database
    path: Path
    names: list[str]
    declared: list[str]
    refused: int = 0
    refused_rows: list[int] = field(default_factory=list)
    shown: list[tuple[int, str]] = field(default_factory=list)
    shape: str = "{}"
    leaves: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def source(self, columns: Sequence[Column]) -> str:
        """SQL: the objects as columns of text."""
        steps = {name: "".join(f"[{text(step)}]" for step in steps) for name, steps in self.leaves.items()}
        chosen = ", ".join(f"{f's{steps[one.name]}' if one.name in steps else 'NULL'} AS {one.key}" for one in columns)
        return f"SELECT {chosen} FROM (SELECT json_transform(j, {text(self.shape)}) AS s FROM objects)"

    def findings(self, table: Table) -> Iterator[Finding]:
        """Lines that are no objects, and values that are now a number, now a text."""
        if self.refused:
            at = [f"line {row}" if not table.places else "{}:{}".format(*table.at(row)) for row, _ in self.shown]
            shown = "; ".join(f"{place}: {cut(content)}" for place, (_, content) in zip(at, self.shown, strict=True))
            yield Finding(
                "severe", "broken_rows", f"{self.refused:,} lines of {self.path} are no JSON objects ({shown})",
                "write one JSON object per line; they are left out here and dead letters in replay",
                (), table.name, {"rows": self.refused, "lines": [row for row, _ in self.shown]},
            )  # fmt: skip
        for name, declared in zip(self.names, self.declared, strict=True):
            if declared != "JSON":
                continue
            path = text("$" + "".join(f".{json.dumps(step)}" for step in self.leaves[name]))
            kinds = dict(
                self.database.run(
                    f"SELECT kind, count(*) FROM (SELECT CASE json_type(j, {path}) WHEN 'UBIGINT' THEN 'number' "
                    "WHEN 'BIGINT' THEN 'number' WHEN 'DOUBLE' THEN 'number' WHEN 'VARCHAR' THEN 'text' "
                    f"ELSE lower(json_type(j, {path})) END AS kind FROM objects) WHERE kind <> 'null' GROUP BY kind "
                    "ORDER BY 2 DESC, 1"
                )
            )
            if len(kinds) < 2:
                continue
            few = min(kinds, key=lambda kind: kinds[kind])
            column = table.column(name)
            yield Finding(
                "severe", "mixed_types",
                f"{name} is JSON of several types: " + ", ".join(f"{kind} {rows:,}" for kind, rows in kinds.items()),
                f"send one type: as it is, {share(kinds[few], sum(kinds.values()))} of the events that have it would "
                "be dead letters where a feature reads it", (name,), table.name, {"rows_by_type": kinds},
                () if column is None else self._examples(table, path, few),
            )  # fmt: skip

    def _examples(self, table: Table, path: str, kind: str) -> Any:
        kinds = {"number": "('UBIGINT', 'BIGINT', 'DOUBLE')", "text": "('VARCHAR')"}.get(
            kind, f"({text(kind.upper())})"
        )
        before = table.starts[-1][0]
        return table.examples(
            self.database.run(
                f"SELECT rowid + {before}, json_extract(j, {path}) FROM objects WHERE json_type(j, {path}) IN {kinds} "
                "ORDER BY rowid LIMIT 3"
            )
        )

    def drop(self) -> None:
        self.database.run("DROP TABLE objects; DROP TABLE lines")


def load_lines(database: Database, readable: Path, path: Path) -> Lines:
    """Reads `readable` line by line. Raises `ConfigError` where no line holds a JSON object."""
    bare = "'\x01'"  # no line of JSON holds it: the whole line is one cell
    database.run(
        f"CREATE OR REPLACE TABLE lines AS SELECT f AS j FROM read_csv({text(str(readable))}, header = false, "
        f"delim = {bare}, quote = '', escape = '', nullstr = '\x02', columns = {{'f': 'VARCHAR'}}, "
        f"auto_detect = false, max_line_size = {LINE})"
    )
    good = "CASE WHEN json_valid(j) THEN json_type(j) = 'OBJECT' ELSE false END"
    refused = database.run(f"SELECT rowid + 1, j FROM lines WHERE NOT ({good}) ORDER BY rowid LIMIT {KEPT}")
    database.run(f"CREATE OR REPLACE TABLE objects AS SELECT CAST(j AS JSON) AS j FROM lines WHERE {good}")
    (rows,) = database.one("SELECT count(*) FROM objects")
    (all_rows,) = database.one("SELECT count(*) FROM lines")
    if not rows:
        shown = cut(str(refused[0][1])) if refused else ""
        raise ConfigError([f"{path}:1:1: no line is a JSON object ({shown}), write one object per line"])
    found = dict(_paths(_structure(database, rows), ()))
    if not found:
        raise ConfigError([f"{path}:1:1: the objects are empty, there is nothing to audit"])
    names = [".".join(steps) for steps in found]
    return Lines(
        database,
        path,
        names,
        list(found.values()),
        refused=all_rows - rows,
        refused_rows=[int(row) for row, _ in refused],
        shown=[(int(row), str(content)) for row, content in refused[:3]],
        shape=json.dumps(_shape(found), ensure_ascii=False),
        leaves=dict(zip(names, found, strict=True)),
    )


def _structure(database: Database, rows: int) -> Any:
    """What is in the objects, some rows at a time: DuckDB keeps every row of what it looks at in one statement."""
    whole: Any = {}
    for first in range(0, rows, TOGETHER):
        (some,) = database.one(
            f"SELECT json_group_structure(j) FROM objects WHERE rowid >= {first} AND rowid < {first + TOGETHER}"
        )
        whole = together(whole, json.loads(some))
    return whole


def together(one: Any, other: Any) -> Any:
    """The structure of what has one or the other: objects with the paths of both, numbers, else ``JSON``.

    >>> together({"a": {"b": "BIGINT"}, "c": "NULL"}, {"a": {"b": "DOUBLE", "d": "VARCHAR"}, "c": "VARCHAR"})
    {'a': {'b': 'DOUBLE', 'd': 'VARCHAR'}, 'c': 'VARCHAR'}
    >>> together({"a": "VARCHAR"}, {"a": {"b": "BIGINT"}})
    {'a': 'JSON'}
    """
    if isinstance(one, dict) and isinstance(other, dict):
        names = dict.fromkeys((*one, *other))
        return {name: together(one.get(name, "NULL"), other.get(name, "NULL")) for name in names}
    if other in (one, "NULL"):
        return one
    if one == "NULL":
        return other
    numbers = isinstance(one, str) and isinstance(other, str) and {one, other} <= NUMBERS
    return "DOUBLE" if numbers else "JSON"


def _paths(structure: Any, steps: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    for name, inner in structure.items():
        if isinstance(inner, dict) and inner and len(steps) < DEEP:
            yield from _paths(inner, (*steps, name))
        else:
            yield (*steps, name), inner if isinstance(inner, str) else "JSON list"


def _shape(paths: dict[tuple[str, ...], str]) -> dict[str, Any]:
    """What `json_transform` is to make: objects where there are, text at every end."""
    shape: dict[str, Any] = {}
    for steps in paths:
        inner = shape
        for step in steps[:-1]:
            inner = inner.setdefault(step, {})
        inner[steps[-1]] = "VARCHAR"
    return shape
