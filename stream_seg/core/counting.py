"""What an event adds to the cells of its customer, compiled."""

from __future__ import annotations

import math

from stream_seg.core.numerics import halved, inlined, kernel
from stream_seg.core.plan import (
    CELL,
    DAYS,
    DECAY,
    END_CELL,
    FIRST,
    FIRST_CELL,
    GAPS,
    HEAD,
    INPUT,
    LAST,
    LATEST,
    LATEST_CODE,
    LOOSE,
    ON_SITE,
    SESSIONS,
    SIZE,
    SKETCH,
    SUM,
    TILE,
    TILES,
    WHERE,
    WORD,
    Float64,
    Int64,
    PlanArrays,
)
from stream_seg.core.windows import keep_extreme, move_on, occupy, tile_of


@kernel
def add_event(
    plan: PlanArrays, words: Int64, floats: Float64, s: int, now: int, t: int, mask: int,
    numbers: Float64, codes: Int64, hashes: Int64, r: int,
) -> None:  # fmt: skip
    """Adds row r (event time t, condition mask) to every cell that it matches; `now` >= t is the customer's time."""
    for c in range(plan.settings[LOOSE]):
        where = plan.cells[c, WHERE]
        if where < 0 or (mask >> where) & 1:
            _add_loose(plan, words, floats, s, c, t, numbers, codes, hashes, r)
    for g in range(plan.groups.shape[0]):
        move_on(plan, words, s, g, tile_of(plan, words, s, g, now))
        tile = tile_of(plan, words, s, g, t)
        fits = tile > words[s, plan.groups[g, HEAD]] - plan.groups[g, TILES]
        for c in range(plan.groups[g, FIRST_CELL], plan.groups[g, END_CELL]):
            where = plan.cells[c, WHERE]
            if (where < 0 or (mask >> where) & 1) and _add_tiled(
                plan, words, floats, s, c, g, tile, fits, t, numbers, hashes, r
            ):
                occupy(plan, words, s, g, tile)


@inlined
def _input(plan: PlanArrays, c: int, numbers: Float64, r: int) -> float:
    """What row r adds to cell c: a number, 1 for its presence, or NaN where the event does not have the field."""
    at = plan.cells[c, INPUT]
    if at == -1:
        return 1.0
    if at >= 0:
        return numbers[at, r]
    return 1.0 if numbers[-2 - at, r] == numbers[-2 - at, r] else math.nan


@inlined
def _add_tiled(
    plan: PlanArrays, words: Int64, floats: Float64, s: int, c: int, g: int, tile: int, fits: bool, t: int,
    numbers: Float64, hashes: Int64, r: int,
) -> bool:  # fmt: skip
    """Adds to a cell with tiles; says whether its tile now holds something."""
    kind = plan.cells[c, CELL]
    tiles = plan.groups[g, TILES]
    first = plan.cells[c, TILE]
    at = first + tile % tiles
    if kind in (SESSIONS, ON_SITE):
        last = words[s, first - 1]
        if t > last:
            words[s, first - 1] = t
        if t <= last or not fits:
            return False
        within = last != 0 and t - last <= plan.scales[c]
        if kind == SESSIONS:
            if within:
                return False
            floats[s, at] += 1.0
        else:
            if not within:
                return False
            floats[s, at] += (t - last) / 1000.0
        return True
    if not fits:
        return False
    if kind == SKETCH:
        value = hashes[plan.cells[c, INPUT], r]
        if value == 0:
            return False
        at = first + (value & 0x7FFFFFFFFFFFFFFF) % plan.cells[c, SIZE]
        words[s, at] = max(words[s, at], tile + 1)
        return True
    if kind == DAYS:
        floats[s, at] = 1.0
        return True
    x = _input(plan, c, numbers, r)
    if x != x:
        return False
    if kind == SUM:
        floats[s, at] += x
    else:
        keep_extreme(words, floats, s, at, kind, x)
    return True


@kernel
def _add_loose(
    plan: PlanArrays, words: Int64, floats: Float64, s: int, c: int, t: int,
    numbers: Float64, codes: Int64, hashes: Int64, r: int,
) -> None:  # fmt: skip
    """Adds to a cell without tiles."""
    kind = plan.cells[c, CELL]
    at = plan.cells[c, WORD]
    if kind == DECAY:
        x = _input(plan, c, numbers, r)
        if x == x:
            last = words[s, at + 1]
            if t >= last:
                floats[s, at] = floats[s, at] * halved((t - last) / plan.scales[c]) + x if last else x
                words[s, at + 1] = t
            else:
                floats[s, at] += x * halved((last - t) / plan.scales[c])
    elif kind == LAST:
        words[s, at] = max(words[s, at], t)
    elif kind == FIRST:
        words[s, at] = t if words[s, at] == 0 else min(words[s, at], t)
    elif kind == GAPS:
        words[s, at] = t if words[s, at] == 0 else min(words[s, at], t)
        words[s, at + 1] = max(words[s, at + 1], t)
        words[s, at + 2] += 1
    elif t >= words[s, at + 1]:
        if kind == LATEST:
            x = _input(plan, c, numbers, r)
            if x == x:
                floats[s, at] = x
                words[s, at + 1] = t
        elif kind == LATEST_CODE:
            code = codes[plan.cells[c, INPUT], r]
            if code >= 0:
                words[s, at] = plan.codes[plan.cells[c, SIZE] + code]
                words[s, at + 1] = t
        else:
            value = hashes[plan.cells[c, INPUT], r]
            if value != 0:
                words[s, at] = 1 + (value & 0x7FFFFFFFFFFFFFFF) % plan.cells[c, SIZE]
                words[s, at + 1] = t
