"""What a compiled feature set is: what each word of a record means and how each column is read from it.

A *cell* is a piece of state (the tiles of one sum, one timestamp, one sketch); features that need the same cell
share it. A *group* is a set of cells whose tiles have the same width and number, so their tiles move on together.
A *column* is one number of the feature vector; an encoded feature has several. The compiled fold knows only the
arrays of `PlanArrays`, so no feature set ever triggers a compilation. `stream_seg.core.planning` makes plans.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stream_seg.core.definition import Feature

# Kinds of cell
SUM, MAX, MIN, DAYS, SKETCH, SESSIONS, ON_SITE, DECAY, LAST, FIRST, GAPS, LATEST, LATEST_CODE, LATEST_HASH = range(14)

# Kinds of column
(
    READ_SUM, READ_EXTREME, READ_MEAN, READ_SKETCH, READ_DECAY, READ_RECENCY, READ_TENURE, READ_GAP,
    READ_LATEST, READ_ORDINAL, READ_ONE_HOT, READ_BIT, READ_RATIO, READ_TREND, READ_PROJECTION, READ_DIVERSITY,
) = range(16)  # fmt: skip

# Columns of PlanArrays.groups
WIDTH, TILES, HEAD, SHIFT, FIRST_CELL, END_CELL = range(6)
# Columns of PlanArrays.cells
CELL, WHERE, INPUT, WORD, GROUP, SIZE, TILE = range(7)
# Columns of PlanArrays.reads and PlanArrays.tuning
READ, A, B, NUMBER, LOG, SOURCE = range(6)
SCALE, EMPTY, LOW, HIGH = range(4)
# Columns of PlanArrays.parts
COLUMN, WEIGHT = range(2)
# What changes a column in silence, where it is no group
FROM_GRID, FROM_COLUMNS, FROM_NOTHING = -1, -2, -3
# Places in PlanArrays.settings
EVALUATE_EVERY, LEARN_EVERY, FORGET_AFTER, LATENESS, SAMPLED_FOR, USES_GRID, LOOSE = range(7)

OCCUPANCY_BITS = 60

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]


class PlanArrays(NamedTuple):
    """The plan as the compiled fold sees it: few arrays, since a compiled call passes each of them along.

    settings  (7,) times in ms; whether any column is read on the grid; how many cells have no tiles (they come first)
    groups    (groups, 6) tile width ms, tiles, word of the head tile (the occupancy bits follow), shift (-1: by the
              customer's hash, else ms), first cell and one past the last
    cells     (cells, 7) kind, bit of the condition (-1: every event), input (row of the decoded columns; -1: 1 per
              event; -2 - row: 1 where it is present), first word, group (-1: none), size (registers, buckets, or
              where its categories start in `codes`), first word of its tiles
    scales    (cells,) half-life or gap in ms
    reads     (columns, 6) kind, a and b (a cell, an earlier column, or the first of `parts` and one past the last), a
              number (code, bit), log1p or not, and what changes it in silence: a group, or `FROM_GRID`, `FROM_COLUMNS`,
              `FROM_NOTHING`
    tuning    (columns, 4) scale, value where there is nothing to measure, clip low, clip high
    codes     code of a text field -> category + 1; 0: not listed
    parts     (parts, 2) of what is measured over shares: an earlier column, its weight
    tiers     (tiers, 3) bit of the condition, bit of "its fields are there" (-1: it reads none), `tier_key`
    """

    settings: Int64
    groups: Int64
    cells: Int64
    scales: Float64
    reads: Int64
    tuning: Float64
    codes: Int64
    parts: Float64
    tiers: Int64


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
