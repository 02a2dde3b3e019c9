"""Declared features compiled to arrays: what each word of a record means and how each column is read from it.

A *cell* is a piece of state (the tiles of one sum, one timestamp, one sketch); features that need the same cell
share it. A *group* is a set of cells whose tiles have the same width and number, so their tiles move on together.
A *column* is one number of the feature vector; an encoded feature has several. The compiled fold knows only the
arrays of `PlanArrays`, so no feature set ever triggers a compilation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stream_seg.core.definition import DAY, MINUTE, Definition, Feature, feature_set_version
from stream_seg.core.event import Fields
from stream_seg.core.expression import reads_calendar
from stream_seg.core.record import HEADER

SAMPLE_FOR = 90 * DAY  # a silent customer is sampled for learning this long

# Kinds of cell
SUM, MAX, MIN, DAYS, SKETCH, SESSIONS, ON_SITE, DECAY, LAST, FIRST, GAPS, LATEST, LATEST_CODE, LATEST_HASH = range(14)
OF_MEAN = 1  # size of a SUM whose twin must be as old as it is

# Kinds of column
(
    READ_SUM, READ_EXTREME, READ_MEAN, READ_SKETCH, READ_DECAY, READ_RECENCY, READ_TENURE, READ_GAP,
    READ_LATEST, READ_ORDINAL, READ_ONE_HOT, READ_BIT, READ_RATIO, READ_TREND,
) = range(14)  # fmt: skip
ON_GRID = (READ_DECAY, READ_RECENCY, READ_TENURE, READ_GAP)

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]


# Columns of PlanArrays.groups
WIDTH, TILES, HEAD, SHIFT, FIRST_CELL, END_CELL = range(6)
# Columns of PlanArrays.cells
CELL, WHERE, INPUT, WORD, GROUP, SIZE, TILE = range(7)
# Columns of PlanArrays.reads and PlanArrays.tuning
READ, A, B, NUMBER, LOG, SOURCE = range(6)
SCALE, EMPTY, LOW, HIGH = range(4)
# What changes a column in silence, where it is no group
FROM_GRID, FROM_COLUMNS, FROM_NOTHING = -1, -2, -3
# Places in PlanArrays.settings
EVALUATE_EVERY, LEARN_EVERY, FORGET_AFTER, LATENESS, SAMPLED_FOR, USES_GRID, LOOSE = range(7)


class PlanArrays(NamedTuple):
    """The plan as the compiled fold sees it: few arrays, since a compiled call passes each of them along.

    settings  (7,) times in ms; whether any column is read on the grid; how many cells have no tiles (they come first)
    groups    (groups, 6) tile width ms, tiles, word of the head tile (the occupancy bits follow), shift (-1: by the
              customer's hash, else ms), first cell and one past the last
    cells     (cells, 7) kind, bit of the condition (-1: every event), input (row of the decoded columns; -1: 1 per
              event; -2 - row: 1 where it is present), first word, group (-1: none), size (registers, buckets, or
              where its categories start in `codes`), first word of its tiles
    scales    (cells,) half-life or gap in ms
    reads     (columns, 6) kind, a and b (a cell, or an earlier column), a number (code, bit), log1p or not, and what
              changes it in silence: a group, or `FROM_GRID`, `FROM_COLUMNS`, `FROM_NOTHING`
    tuning    (columns, 4) scale, value where there is nothing to measure, clip low, clip high
    codes     code of a text field -> category + 1; 0: not listed
    """

    settings: Int64
    groups: Int64
    cells: Int64
    scales: Float64
    reads: Int64
    tuning: Float64
    codes: Int64


OCCUPANCY_BITS = 60


def occupancy_words(tiles: int) -> int:
    """Words of the bit set that says which tiles of a group hold anything."""
    return (tiles + OCCUPANCY_BITS - 1) // OCCUPANCY_BITS


@dataclass(frozen=True)
class Column:
    """One number of the vector: `part` names the category or bit of an encoded feature."""

    feature: Feature
    part: str | None = None

    @property
    def name(self) -> str:
        return self.feature.name if self.part is None else f"{self.feature.name}={self.part}"


@dataclass(frozen=True)
class CellKey:
    """What makes two cells the same cell. Also the name under which a changed feature set finds it again."""

    kind: int
    where: str | None
    field: str | None
    width: int = 0
    tiles: int = 0
    scale: float = 0.0
    size: int = 0
    constants: tuple[str, ...] = ()
    offset: int = 0  # minutes, of what depends on the calendar


@dataclass(frozen=True)
class Plan:
    """A compiled feature set.

    width      words of a record
    columns    the vector's columns in order
    distance   (columns,) bool: takes part in the distance (``role: feature``)
    cells      cell -> (first word, words)
    groups     (width ms, tiles, shift) -> first word
    """

    version: str
    arrays: PlanArrays
    width: int
    columns: tuple[Column, ...]
    distance: npt.NDArray[np.bool_]
    cells: dict[CellKey, tuple[int, int]]
    groups: dict[tuple[int, int, int], int]

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]


@dataclass
class _Builder:
    utc_offset: int
    cells: dict[CellKey, int] = field(default_factory=dict)  # in order of first need
    columns: list[Column] = field(default_factory=list)
    reads: list[tuple[int, int | CellKey, int | CellKey, int, float]] = field(default_factory=list)
    at: dict[str, int] = field(default_factory=dict)  # feature -> its first column

    def cell(self, key: CellKey) -> CellKey:
        if key.kind == DAYS or reads_calendar(key.where):
            key = replace(key, offset=self.utc_offset)
        self.cells.setdefault(key, len(self.cells))
        return key

    def read(
        self,
        feature: Feature,
        kind: int,
        a: int | CellKey,
        b: int | CellKey = -1,
        *,
        number: int = 0,
        scale: float = 0.0,
        part: str | None = None,
    ) -> None:
        self.at.setdefault(feature.name, len(self.columns))
        self.columns.append(Column(feature, part))
        self.reads.append((kind, a, b, number, scale))


def compile_plan(definition: Definition, fields: Fields, condition: Callable[[str | None], int]) -> Plan:
    """The plan of a definition.

    `fields` says in which row of the decoded columns each field stands, `condition` which bit of the mask holds a
    ``where`` (-1 for no condition). The definition must have passed `stream_seg.config`'s checks.
    """
    build = _Builder(definition.utc_offset)
    for feature in definition.features:
        _BY_AGGREGATE[feature.aggregate](build, feature, definition)
    return _lay_out(definition, build, fields, condition)


def _tiled(
    build: _Builder, f: Feature, kind: int, field_: str | None = None, *, scale: float = 0.0, size: int = 0
) -> CellKey:
    assert f.window is not None
    return build.cell(CellKey(kind, f.where, field_, f.window // f.tiles, f.tiles, scale, size))


def _windowed(build: _Builder, f: Feature, _: Definition) -> None:
    match f.aggregate:
        case "count":
            build.read(f, READ_SUM, _tiled(build, f, SUM, _present(f.field)))
        case "sum":
            build.read(f, READ_SUM, _tiled(build, f, SUM, f.field), number=1)
        case "mean":
            # Two cells of its own: a sum that is older than its count would make a wrong mean after a change.
            total, events = (_tiled(build, f, SUM, field_, size=OF_MEAN) for field_ in (f.field, _present(f.field)))
            build.read(f, READ_MEAN, total, events)
        case "max":
            build.read(f, READ_EXTREME, _tiled(build, f, MAX, f.field), number=1)
        case "min":
            build.read(f, READ_EXTREME, _tiled(build, f, MIN, f.field), number=-1)
        case "sessions":
            build.read(f, READ_SUM, _tiled(build, f, SESSIONS, scale=float(f.gap or 0)))
        case "time_on_site":
            build.read(f, READ_SUM, _tiled(build, f, ON_SITE, scale=float(f.gap or 0)))
        case "distinct":
            build.read(f, READ_SKETCH, _tiled(build, f, SKETCH, f.field, size=f.registers))
        case other:
            raise AssertionError(other)


def _present(field_: str | None) -> str | None:
    """Marks an input that counts the events which have the field, instead of adding it up."""
    return None if field_ is None else f"{field_}?"


def _distinct_days(build: _Builder, f: Feature, _: Definition) -> None:
    assert f.window is not None
    build.read(f, READ_SUM, build.cell(CellKey(DAYS, f.where, None, DAY, f.window // DAY)))


def _decayed(build: _Builder, f: Feature, _: Definition) -> None:
    build.read(f, READ_DECAY, build.cell(CellKey(DECAY, f.where, f.field, scale=float(f.half_life or 0))))


def _recency(build: _Builder, f: Feature, _: Definition) -> None:
    build.read(f, READ_RECENCY, build.cell(CellKey(LAST, f.where, None)))


def _tenure(build: _Builder, f: Feature, _: Definition) -> None:
    build.read(f, READ_TENURE, build.cell(CellKey(FIRST, f.where, None)))


def _mean_gap(build: _Builder, f: Feature, _: Definition) -> None:
    build.read(f, READ_GAP, build.cell(CellKey(GAPS, f.where, None)))


def _latest(build: _Builder, f: Feature, _: Definition) -> None:
    unknown = "unknown"
    if f.encode is None:
        build.read(f, READ_LATEST, build.cell(CellKey(LATEST, f.where, f.field)))
    elif f.encode == "hashed":
        cell = build.cell(CellKey(LATEST_HASH, f.where, f.field, size=f.buckets))
        for code in range(f.buckets + 1):
            build.read(f, READ_ONE_HOT, cell, number=code, part=unknown if code == 0 else f"bucket{code}")
    else:
        cell = build.cell(CellKey(LATEST_CODE, f.where, f.field, constants=f.categories))
        if f.encode == "ordinal":
            build.read(f, READ_ORDINAL, cell)
        elif f.encode == "one_hot":
            for code, category in enumerate((unknown, *f.categories)):
                build.read(f, READ_ONE_HOT, cell, number=code, part=category)
        else:
            for bit in range(len(f.categories).bit_length()):
                build.read(f, READ_BIT, cell, number=bit, part=f"bit{bit}")


def _derived(build: _Builder, f: Feature, definition: Definition) -> None:
    assert f.of is not None
    a, b = (build.at[name] for name in f.of)
    if f.aggregate == "ratio":
        build.read(f, READ_RATIO, a, b)
        return
    windows = {other.name: other.window or DAY for other in definition.features}
    build.read(f, READ_TREND, a, b, scale=windows[f.of[1]] / windows[f.of[0]])


_BY_AGGREGATE: dict[str, Callable[[_Builder, Feature, Definition], None]] = {
    **dict.fromkeys(("count", "sum", "mean", "max", "min", "sessions", "time_on_site", "distinct"), _windowed),
    "distinct_days": _distinct_days,
    "decayed_sum": _decayed,
    "recency": _recency,
    "tenure": _tenure,
    "mean_gap": _mean_gap,
    "latest": _latest,
    "ratio": _derived,
    "trend": _derived,
}


def _lay_out(definition: Definition, build: _Builder, fields: Fields, condition: Callable[[str | None], int]) -> Plan:
    groups = {key: 0 for key in dict.fromkeys(_group_of(cell, definition) for cell in build.cells) if key[1]}
    order = sorted(build.cells, key=lambda cell: _group_rank(cell, definition, list(groups)))
    word, cells = HEADER, {}
    for group in groups:
        groups[group] = word
        word += 1 + occupancy_words(group[1])
    for cell in order:
        size = _words_of(cell)
        cells[cell] = (word, size)
        word += size
    number = {cell: i for i, cell in enumerate(order)}
    loose = sum(cell.tiles == 0 for cell in order)
    per_group = [sum(_group_of(cell, definition) == group for cell in order) for group in groups]
    ends = np.cumsum([loose, *per_group]).tolist()
    sizes, codes = _categories(order, fields)
    reads, tuning = [], []
    for column, (kind, a, b, i, scale) in zip(build.columns, build.reads, strict=True):
        f = column.feature
        first, second = (x if isinstance(x, int) else number[x] for x in (a, b))
        source = _source(kind, a, groups, definition)
        reads.append((kind, first, second, i, int(f.log1p), source))
        tuning.append((scale, f.empty, *(f.clip or (-math.inf, math.inf))))
    uses_grid = any(read[0] in ON_GRID for read in reads)
    arrays = PlanArrays(
        settings=np.array(
            [
                definition.evaluate_every,
                definition.learn_every,
                definition.forget_after,
                definition.lateness,
                SAMPLE_FOR,
                uses_grid,
                loose,
            ],
            np.int64,
        ),
        groups=_rows([(*g[:2], word, g[2], ends[i], ends[i + 1]) for i, (g, word) in enumerate(groups.items())], 6),
        cells=_rows(
            [
                (
                    cell.kind,
                    condition(cell.where),
                    _input_row(cell, fields),
                    cells[cell][0],
                    list(groups).index(_group_of(cell, definition)) if cell.tiles else -1,
                    size,
                    cells[cell][0] + (cell.kind in (SESSIONS, ON_SITE)),
                )
                for cell, size in zip(order, sizes, strict=True)
            ],
            7,
        ),
        scales=np.array([cell.scale for cell in order], np.float64),
        reads=_rows(reads, 6),
        tuning=np.array(tuning, np.float64).reshape(-1, 4),
        codes=np.array(codes, np.int64),
    )
    distance = np.array([column.feature.role == "feature" for column in build.columns], np.bool_)
    version = feature_set_version(definition)
    return Plan(version, arrays, word, tuple(build.columns), distance, cells, groups)


def _categories(order: list[CellKey], fields: Fields) -> tuple[list[int], list[int]]:
    """Each cell's size, and the table that turns the codes of a text field into one feature's categories."""
    constants = {text.path: text.constants for text in fields.texts}
    sizes: list[int] = []
    codes: list[int] = []
    for cell in order:
        sizes.append(len(codes) if cell.kind == LATEST_CODE else cell.size)
        if cell.kind == LATEST_CODE:
            assert cell.field is not None
            listed = {category: i + 1 for i, category in enumerate(cell.constants)}
            codes += [0, *(listed.get(constant, 0) for constant in constants[cell.field])]
    return sizes, codes


def _source(kind: int, a: int | CellKey, groups: dict[tuple[int, int, int], int], definition: Definition) -> int:
    """What changes a column between events."""
    if kind in ON_GRID:
        return FROM_GRID
    if isinstance(a, int):
        return FROM_COLUMNS
    return list(groups).index(_group_of(a, definition)) if a.tiles else FROM_NOTHING


def _group_of(cell: CellKey, definition: Definition) -> tuple[int, int, int]:
    """(tile width, tiles, shift): days start at local midnight, every other tile at the customer's own phase."""
    if cell.kind == DAYS:
        return (cell.width, cell.tiles, definition.utc_offset * MINUTE % DAY)
    return (cell.width, cell.tiles, -1 if cell.tiles else 0)


def _group_rank(cell: CellKey, definition: Definition, groups: list[tuple[int, int, int]]) -> int:
    return groups.index(_group_of(cell, definition)) if cell.tiles else -1


def _words_of(cell: CellKey) -> int:
    match cell.kind:
        case k if k in (SUM, MAX, MIN, DAYS):
            return cell.tiles
        case k if k == SKETCH:
            return cell.size
        case k if k in (SESSIONS, ON_SITE):
            return 1 + cell.tiles  # the time of the last event, then the tiles
        case k if k in (DECAY, LATEST, LATEST_CODE, LATEST_HASH):
            return 2  # value and time
        case k if k == GAPS:
            return 3  # first, last, how many
        case _:
            return 1


def _input_row(cell: CellKey, fields: Fields) -> int:
    if cell.field is None:
        return -1
    if cell.kind in (SKETCH, LATEST_HASH):
        return fields.hashes.index(cell.field)
    if cell.kind == LATEST_CODE:
        return [text.path for text in fields.texts].index(cell.field)
    if cell.field.endswith("?"):
        return -2 - fields.numbers.index(cell.field[:-1])
    return fields.numbers.index(cell.field)


def _rows(rows: Sequence[tuple[int, ...]], width: int) -> Int64:
    return np.array(rows, np.int64).reshape(-1, width)
