"""The sidecar: what no file says by itself. Units, sources, roles and the outcome, written down once beside the "
"data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from stream_seg.config.problems import Problems, choose
from stream_seg.config.source import read
from stream_seg.explore.audit.names import ROLES
from stream_seg.explore.audit.tables import Table

KEYS = ("unit", "source", "meaning", "role")


@dataclass(slots=True)
class Meaning:
    """outcome: the column that is to be explained; columns: what was said about each."""

    outcome: str | None = None
    columns: dict[str, dict[str, str]] = field(default_factory=dict)


def sidecar_of(path: Path) -> Path:
    """Where the sidecar of an input lies.

    >>> sidecar_of(Path("data/events.csv")).as_posix()
    'data/events.csv.meaning.yaml'
    """
    return path.with_name(f"{path.name}.meaning.yaml")


def read_meaning(path: Path) -> Meaning:
    """A sidecar. Raises `ConfigError` with every mistake and its place."""
    problems = Problems(str(path))
    source = read(path, problems)
    found = Meaning()
    for key, value in source.values.items():
        at = source.keys[(key,)]
        if key == "outcome" and isinstance(value, str):
            found.outcome = value
        elif key == "columns" and isinstance(value, dict):
            for name, said in value.items():
                found.columns[name] = {}
                if not isinstance(said, dict):
                    place = source.places[key, name]
                    problems.at(
                        place.line,
                        place.column,
                        f"columns.{name}",
                        "expected {unit: …, source: …, meaning: …, role: …}",
                    )
                    continue
                for word, what in said.items():
                    place = source.keys[key, name, word]
                    if word not in KEYS:
                        problems.at(
                            place.line,
                            place.column,
                            f"columns.{name}.{word}",
                            f"is not a key here, {choose(word, KEYS)}",
                        )
                    elif word == "role" and what not in ROLES:
                        problems.at(
                            place.line,
                            place.column,
                            f"columns.{name}.role",
                            f"`{what}` is no role, {choose(what, ROLES)}",
                        )
                    else:
                        found.columns[name][word] = str(what)
        else:
            problems.at(at.line, at.column, str(key), f"is not a key here, {choose(key, ('outcome', 'columns'))}")
    problems.raise_if_any()
    return found


def apply(meaning: Meaning, path: Path, tables: list[Table]) -> None:
    """Writes what is said into the columns. Raises `ConfigError` for columns that no table has."""
    problems = Problems(str(path))
    known = [one.name for table in tables for one in table.columns]
    for name, said in meaning.columns.items():
        if name not in known:
            problems.at(0, 0, f"columns.{name}", f"there is no such column, {choose(name, known[:30])}")
        for table in tables:
            column = table.column(name)
            if column is not None:
                column.unit, column.source = said.get("unit", ""), said.get("source", "")
                column.meaning, column.role = said.get("meaning", ""), said.get("role", "")
    problems.raise_if_any()
