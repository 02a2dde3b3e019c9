"""Event-time windows as tiles, compiled.

A window of length W with n tiles holds the events of the current tile and of the n - 1 before it. So its length is
between W - W/n and W: the stated error is one tile, and its value changes only on an event or when a tile that
holds something leaves. Tiles are shifted by a phase from the customer's hash, so that a population's windows do
not all move on in the same instant; only the tiles of `distinct_days` start at local midnight for everybody.

A tile that was never written is 0; a real 0 is written as -0.0, which is another word and the same number.
"""

from __future__ import annotations

import math

import numpy as np

from stream_seg.core.numerics import inlined, kernel, share
from stream_seg.core.plan import (
    CELL,
    END_CELL,
    FIRST_CELL,
    HEAD,
    MAX,
    MIN,
    OCCUPANCY_BITS,
    SHIFT,
    SKETCH,
    TILE,
    TILES,
    WIDTH,
    Float64,
    Int64,
    PlanArrays,
)
from stream_seg.core.record import HASH

NEVER = 1 << 62  # later than every instant


EVERYTHING = -1  # a set of groups that holds them all, and the grid
GRID = 1 << 61  # the grid, in a set of groups
MOST_GROUPS = 60


@inlined
def in_groups(changed: int, g: int) -> bool:
    """Whether a set of groups holds group g; groups beyond `MOST_GROUPS` are in every set that is not empty."""
    return changed != 0 if g >= MOST_GROUPS else (changed >> g) & 1 == 1


@inlined
def phase(plan: PlanArrays, words: Int64, s: int, g: int) -> int:
    """How far (ms) the tiles of group g start before a multiple of their width, for the customer in row s."""
    if plan.groups[g, SHIFT] >= 0:
        return plan.groups[g, SHIFT]
    return share(words[s, HASH] & 0xFFFFFFFF, plan.groups[g, WIDTH] >> 8) << 8


@inlined
def tile_of(plan: PlanArrays, words: Int64, s: int, g: int, t: int) -> int:
    """Number of the tile of group g that instant t falls into."""
    return (t + phase(plan, words, s, g)) // plan.groups[g, WIDTH]


@kernel
def move_on(plan: PlanArrays, words: Int64, s: int, g: int, tile: int) -> None:
    """Makes `tile` the newest tile of group g, clearing those that leave. Never goes back."""
    head_at = plan.groups[g, HEAD]
    head = words[s, head_at]
    if tile <= head:
        return
    tiles = plan.groups[g, TILES]
    bits = (tiles + OCCUPANCY_BITS - 1) // OCCUPANCY_BITS
    words[s, head_at] = tile
    gone = tile - head
    if gone >= tiles:
        for b in range(bits):
            words[s, head_at + 1 + b] = 0
        for c in range(plan.groups[g, FIRST_CELL], plan.groups[g, END_CELL]):
            if plan.cells[c, CELL] != SKETCH:  # its stamps say themselves when they leave
                for w in range(plan.cells[c, TILE], plan.cells[c, TILE] + tiles):
                    words[s, w] = 0
        return
    for i in range(head + 1, tile + 1):
        slot = i % tiles
        at = head_at + 1 + slot // OCCUPANCY_BITS
        bit = np.int64(1) << (slot % OCCUPANCY_BITS)
        if words[s, at] & bit:
            words[s, at] = words[s, at] ^ bit
            for c in range(plan.groups[g, FIRST_CELL], plan.groups[g, END_CELL]):
                if plan.cells[c, CELL] != SKETCH:
                    words[s, plan.cells[c, TILE] + slot] = 0


@inlined
def occupy(plan: PlanArrays, words: Int64, s: int, g: int, tile: int) -> None:
    """Notes that `tile` holds something, so that its leaving is an instant at which values change."""
    slot = tile % plan.groups[g, TILES]
    at = plan.groups[g, HEAD] + 1 + slot // OCCUPANCY_BITS
    words[s, at] = words[s, at] | (np.int64(1) << (slot % OCCUPANCY_BITS))


@inlined
def holds(plan: PlanArrays, words: Int64, s: int, g: int, slot: int) -> bool:
    """Whether the tile in `slot` of group g holds anything."""
    at = plan.groups[g, HEAD] + 1 + slot // OCCUPANCY_BITS
    return (words[s, at] >> (slot % OCCUPANCY_BITS)) & 1 == 1


@kernel
def next_leaving(plan: PlanArrays, words: Int64, s: int, g: int, after: int) -> int:
    """The first instant later than `after` at which a tile of group g that holds something leaves, or `NEVER`."""
    tiles = plan.groups[g, TILES]
    head = words[s, plan.groups[g, HEAD]]
    shift = phase(plan, words, s, g)
    width = plan.groups[g, WIDTH]
    oldest = max(head, (after + shift) // width) - tiles + 1
    slot = oldest % tiles
    for i in range(oldest, head + 1):
        if holds(plan, words, s, g, slot):
            return (i + tiles) * width - shift
        slot += 1
        if slot == tiles:
            slot = 0
    return NEVER


@kernel
def look_at(
    plan: PlanArrays, words: Int64, floats: Float64, s: int, t: int, changed: int, span: Int64, sums: Float64
) -> None:
    """What the windows of the groups in `changed` (`in_groups`) hold at instant t.

    span  (groups, 3) receives the oldest tile in the window, its slot, and how many tiles follow up to the newest
    sums  (cells,) receives the sum of each cell's tiles, oldest first (so the bits never depend on the cut)
    """
    for g in range(plan.groups.shape[0]):
        if not in_groups(changed, g):
            continue
        tiles = plan.groups[g, TILES]
        head = words[s, plan.groups[g, HEAD]]
        oldest = max(head, tile_of(plan, words, s, g, t)) - tiles + 1
        slot = oldest % tiles
        span[g, 0], span[g, 1], span[g, 2] = oldest, slot, max(head - oldest + 1, 0)
        for c in range(plan.groups[g, FIRST_CELL], plan.groups[g, END_CELL]):
            sums[c] = 0.0
        for _ in range(span[g, 2]):
            if holds(plan, words, s, g, slot):
                for c in range(plan.groups[g, FIRST_CELL], plan.groups[g, END_CELL]):
                    if plan.cells[c, CELL] != SKETCH:
                        sums[c] += floats[s, plan.cells[c, TILE] + slot]
            slot += 1
            if slot == tiles:
                slot = 0


@inlined
def windowed_extreme(
    words: Int64, floats: Float64, s: int, first: int, tiles: int, slot: int, count: int, largest: bool
) -> float:
    """Greatest or smallest value of `count` tiles from `slot` on; NaN where there is none."""
    best = math.nan
    for _ in range(count):
        if words[s, first + slot] != 0:
            value = floats[s, first + slot] + 0.0
            if not (best >= value if largest else best <= value):
                best = value
        slot += 1
        if slot == tiles:
            slot = 0
    return best


@inlined
def keep_extreme(words: Int64, floats: Float64, s: int, at: int, kind: int, value: float) -> None:
    """Keeps the greater (`MAX`) or smaller (`MIN`) of a tile and a value."""
    if words[s, at] == 0 or (kind == MAX and value > floats[s, at]) or (kind == MIN and value < floats[s, at]):
        floats[s, at] = value if value != 0.0 else -0.0
