"""From a definition to its plan: the cells that its features need laid out in words, the columns as rows of arrays.

Cells without tiles come first, the others group by group.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from stream_seg.core.definition import DAY, MINUTE, Definition, feature_set_version, tier_key
from stream_seg.core.event import Fields
from stream_seg.core.expression import known_where
from stream_seg.core.needs import Needs, needs_of
from stream_seg.core.plan import (
    DAYS,
    DECAY,
    FROM_COLUMNS,
    FROM_GRID,
    FROM_NOTHING,
    GAPS,
    LATEST,
    LATEST_CODE,
    LATEST_HASH,
    MAX,
    MIN,
    ON_SITE,
    READ_DECAY,
    READ_GAP,
    READ_RECENCY,
    READ_TENURE,
    SESSIONS,
    SKETCH,
    SUM,
    CellKey,
    Int64,
    Plan,
    PlanArrays,
    occupancy_words,
)
from stream_seg.core.record import HEADER

SAMPLE_FOR = 90 * DAY  # a silent customer is sampled for learning this long
ON_GRID = (READ_DECAY, READ_RECENCY, READ_TENURE, READ_GAP)


def compile_plan(definition: Definition, fields: Fields, condition: Callable[[str | None], int]) -> Plan:
    """The plan of a definition.

    `fields` says in which row of the decoded columns each field stands, `condition` which bit of the mask holds a
    ``where`` (-1 for no condition). The definition must have passed `stream_seg.config`'s checks.
    """
    return _lay_out(definition, needs_of(definition), fields, condition)


def _lay_out(definition: Definition, needs: Needs, fields: Fields, condition: Callable[[str | None], int]) -> Plan:
    groups = {key: 0 for key in dict.fromkeys(_group_of(cell, definition) for cell in needs.cells) if key[1]}
    order = sorted(needs.cells, key=lambda cell: _group_rank(cell, definition, list(groups)))
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
    for column, (kind, a, b, i, scale) in zip(needs.columns, needs.reads, strict=True):
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
        parts=np.array(needs.parts, np.float64).reshape(-1, 2),
        tiers=_rows(
            [(condition(t.where), condition(known_where(t.where)), tier_key(t.name)) for t in definition.tiers], 3
        ),
    )
    distance = np.array([column.feature.role == "feature" for column in needs.columns], np.bool_)
    version = feature_set_version(definition)
    return Plan(version, arrays, word, tuple(needs.columns), distance, cells, groups)


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
