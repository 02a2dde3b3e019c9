"""What each feature needs: the cells that keep its state, and the columns that read them.

Features are asked in the order in which they are declared; two that need the same cell share it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from stream_seg.core.definition import DAY, Definition, Feature
from stream_seg.core.expression import reads_calendar
from stream_seg.core.plan import (
    DAYS,
    DECAY,
    FIRST,
    GAPS,
    LAST,
    LATEST,
    LATEST_CODE,
    LATEST_HASH,
    MAX,
    MIN,
    ON_SITE,
    READ_BIT,
    READ_DECAY,
    READ_DIVERSITY,
    READ_EXTREME,
    READ_GAP,
    READ_LATEST,
    READ_MEAN,
    READ_ONE_HOT,
    READ_ORDINAL,
    READ_PROJECTION,
    READ_RATIO,
    READ_RECENCY,
    READ_SKETCH,
    READ_SUM,
    READ_TENURE,
    READ_TREND,
    SESSIONS,
    SKETCH,
    SUM,
    CellKey,
    Column,
)

OF_MEAN = 1  # size of a SUM whose twin must be as old as it is


@dataclass
class Needs:
    """What the features ask for, as far as they have asked.

    cells    cell -> its number, in the order in which they were first needed
    columns  the columns of the vector, and in `reads` for each: kind, a and b (a cell, an earlier column, or places in
             `parts`), a number and a scale (see `PlanArrays`)
    parts    of what is measured over shares: earlier columns, each with its weight
    at       feature -> its first column
    """

    utc_offset: int
    cells: dict[CellKey, int] = field(default_factory=dict)
    columns: list[Column] = field(default_factory=list)
    reads: list[tuple[int, int | CellKey, int | CellKey, int, float]] = field(default_factory=list)
    parts: list[tuple[int, float]] = field(default_factory=list)
    at: dict[str, int] = field(default_factory=dict)

    def cell(self, key: CellKey) -> CellKey:
        """Asks for a cell; returns its key, which names the offset from UTC where the calendar matters."""
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
        """Asks for the next column of the vector."""
        self.at.setdefault(feature.name, len(self.columns))
        self.columns.append(Column(feature, part))
        self.reads.append((kind, a, b, number, scale))


def needs_of(definition: Definition) -> Needs:
    """What the features of a definition need. It must have passed `stream_seg.config`'s checks."""
    needs = Needs(definition.utc_offset)
    for feature in definition.features:
        _BY_AGGREGATE[feature.aggregate](needs, feature, definition)
    return needs


def _tiled(
    needs: Needs, f: Feature, kind: int, field_: str | None = None, *, scale: float = 0.0, size: int = 0
) -> CellKey:
    assert f.window is not None
    return needs.cell(CellKey(kind, f.where, field_, f.window // f.tiles, f.tiles, scale, size))


def _windowed(needs: Needs, f: Feature, _: Definition) -> None:
    match f.aggregate:
        case "count":
            needs.read(f, READ_SUM, _tiled(needs, f, SUM, _present(f.field)))
        case "sum":
            needs.read(f, READ_SUM, _tiled(needs, f, SUM, f.field), number=1)
        case "mean":
            # Two cells of its own: a sum that is older than its count would make a wrong mean after a change.
            total, events = (_tiled(needs, f, SUM, field_, size=OF_MEAN) for field_ in (f.field, _present(f.field)))
            needs.read(f, READ_MEAN, total, events)
        case "max":
            needs.read(f, READ_EXTREME, _tiled(needs, f, MAX, f.field), number=1)
        case "min":
            needs.read(f, READ_EXTREME, _tiled(needs, f, MIN, f.field), number=-1)
        case "sessions":
            needs.read(f, READ_SUM, _tiled(needs, f, SESSIONS, scale=float(f.gap or 0)))
        case "time_on_site":
            needs.read(f, READ_SUM, _tiled(needs, f, ON_SITE, scale=float(f.gap or 0)))
        case "distinct":
            needs.read(f, READ_SKETCH, _tiled(needs, f, SKETCH, f.field, size=f.registers))
        case other:
            raise AssertionError(other)


def _present(field_: str | None) -> str | None:
    """Marks an input that counts the events which have the field, instead of adding it up."""
    return None if field_ is None else f"{field_}?"


def _distinct_days(needs: Needs, f: Feature, _: Definition) -> None:
    assert f.window is not None
    needs.read(f, READ_SUM, needs.cell(CellKey(DAYS, f.where, None, DAY, f.window // DAY)))


def _decayed(needs: Needs, f: Feature, _: Definition) -> None:
    needs.read(f, READ_DECAY, needs.cell(CellKey(DECAY, f.where, f.field, scale=float(f.half_life or 0))))


def _recency(needs: Needs, f: Feature, _: Definition) -> None:
    needs.read(f, READ_RECENCY, needs.cell(CellKey(LAST, f.where, None)))


def _tenure(needs: Needs, f: Feature, _: Definition) -> None:
    needs.read(f, READ_TENURE, needs.cell(CellKey(FIRST, f.where, None)))


def _mean_gap(needs: Needs, f: Feature, _: Definition) -> None:
    needs.read(f, READ_GAP, needs.cell(CellKey(GAPS, f.where, None)))


def _latest(needs: Needs, f: Feature, _: Definition) -> None:
    unknown = "unknown"
    if f.encode is None:
        needs.read(f, READ_LATEST, needs.cell(CellKey(LATEST, f.where, f.field)))
    elif f.encode == "hashed":
        cell = needs.cell(CellKey(LATEST_HASH, f.where, f.field, size=f.buckets))
        for code in range(f.buckets + 1):
            needs.read(f, READ_ONE_HOT, cell, number=code, part=unknown if code == 0 else f"bucket{code}")
    else:
        cell = needs.cell(CellKey(LATEST_CODE, f.where, f.field, constants=f.categories))
        if f.encode == "ordinal":
            needs.read(f, READ_ORDINAL, cell)
        elif f.encode == "one_hot":
            for code, category in enumerate((unknown, *f.categories)):
                needs.read(f, READ_ONE_HOT, cell, number=code, part=category)
        else:
            for bit in range(len(f.categories).bit_length()):
                needs.read(f, READ_BIT, cell, number=bit, part=f"bit{bit}")


def _derived(needs: Needs, f: Feature, definition: Definition) -> None:
    assert f.of is not None
    a, b = (needs.at[name] for name in f.of)
    if f.aggregate == "ratio":
        needs.read(f, READ_RATIO, a, b)
        return
    windows = {other.name: other.window or DAY for other in definition.features}
    needs.read(f, READ_TREND, a, b, scale=windows[f.of[1]] / windows[f.of[0]])


def _shared(needs: Needs, f: Feature, _: Definition) -> None:
    assert f.of is not None
    first = len(needs.parts)
    weights = f.weights or (1.0,) * len(f.of)
    needs.parts += [(needs.at[name], weight) for name, weight in zip(f.of, weights, strict=True)]
    needs.read(f, READ_PROJECTION if f.aggregate == "projection" else READ_DIVERSITY, first, len(needs.parts))


_BY_AGGREGATE: dict[str, Callable[[Needs, Feature, Definition], None]] = {
    **dict.fromkeys(("count", "sum", "mean", "max", "min", "sessions", "time_on_site", "distinct"), _windowed),
    "distinct_days": _distinct_days,
    "decayed_sum": _decayed,
    "recency": _recency,
    "tenure": _tenure,
    "mean_gap": _mean_gap,
    "latest": _latest,
    "ratio": _derived,
    "trend": _derived,
    "projection": _shared,
    "diversity": _shared,
}
