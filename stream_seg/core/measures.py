"""State to numbers, compiled: what the columns say at an instant.

Silence measures (`recency`, `tenure`, `mean_gap`, `decayed_sum`) would change every millisecond. They are *defined*
on a grid instead: read at the customer's last event, then at steps that grow with the silence (a sixteenth of it,
at least ``evaluate_every``), the first one shifted by a phase from the customer's hash. So between events every
column changes at instants that are known beforehand.
"""

from __future__ import annotations

from stream_seg.core.numerics import halved, inlined, kernel, log, log1p, share
from stream_seg.core.plan import (
    CELL,
    COLUMN,
    EMPTY,
    EVALUATE_EVERY,
    FROM_GRID,
    FROM_NOTHING,
    GROUP,
    HIGH,
    LOG,
    LOW,
    MAX,
    NUMBER,
    READ,
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
    SCALE,
    SIZE,
    SOURCE,
    TILE,
    TILES,
    USES_GRID,
    WEIGHT,
    WORD,
    A,
    B,
    Float64,
    Int64,
    PlanArrays,
)
from stream_seg.core.record import EVENT_AT, FIRST_EVENT, HASH
from stream_seg.core.state import Scratch
from stream_seg.core.windows import EVERYTHING, GRID, NEVER, in_groups, look_at, windowed_extreme

MOST = 1e300  # of a quotient: what has almost decayed is almost nothing to divide by


@kernel
def grid_point(plan: PlanArrays, words: Int64, s: int, t: int) -> tuple[int, int]:
    """The last grid point at or before t (t is not before the customer's last event), and the next one."""
    if plan.settings[USES_GRID] == 0:
        return words[s, EVENT_AT], NEVER
    every = plan.settings[EVALUATE_EVERY]
    origin = words[s, EVENT_AT]
    offset = 0
    following = 1 + share(words[s, HASH] & 0xFFFFFFFF, every)
    while origin + following <= t:
        offset = following
        following = offset + max(every, offset >> 4)
    return origin + offset, origin + following


@inlined
def transformed(plan: PlanArrays, f: int, value: float) -> float:
    """Column f after clip and log1p (of a negative value: minus the log1p of its size)."""
    value = min(max(value, plan.tuning[f, LOW]), plan.tuning[f, HIGH])
    if plan.reads[f, LOG] and value != 0.0:
        value = log1p(value) if value > 0.0 else -log1p(-value)
    return value


@kernel
def transform(plan: PlanArrays, raw: Float64, x: Float64) -> None:
    """Vectors in real units, (n, columns), after clip and log1p, into `x`."""
    for i in range(raw.shape[0]):
        for f in range(raw.shape[1]):
            x[i, f] = transformed(plan, f, raw[i, f])


@kernel
def read_columns(plan: PlanArrays, words: Int64, floats: Float64, s: int, t: int, work: Scratch) -> None:
    """The vector of row s at instant t, into ``work.raw`` (real units) and ``work.x`` (after clip and log1p)."""
    read_changed(plan, words, floats, s, t, EVERYTHING, work)


@kernel
def read_changed(plan: PlanArrays, words: Int64, floats: Float64, s: int, t: int, changed: int, work: Scratch) -> None:
    """As `read_columns`, where `work` holds the vector of the instant before and only `changed` changed since."""
    if changed != GRID:
        look_at(plan, words, floats, s, t, changed, work.span, work.sums)
    grid, _ = grid_point(plan, words, s, t)
    for f in range(plan.reads.shape[0]):
        source = plan.reads[f, SOURCE]
        if source >= 0:
            if not in_groups(changed, source):
                continue
        elif (source == FROM_GRID and changed & GRID == 0) or (source == FROM_NOTHING and changed != EVERYTHING):
            continue
        if plan.reads[f, READ] == READ_SUM:
            value = work.sums[plan.reads[f, A]]
        else:
            value = _read(plan, words, floats, s, f, grid, work)
        work.raw[f] = value
        work.x[f] = transformed(plan, f, value)


@kernel
def _read(plan: PlanArrays, words: Int64, floats: Float64, s: int, f: int, grid: int, work: Scratch) -> float:
    """One column in real units; derived columns read the earlier ones from ``work.raw``."""
    raw, span = work.raw, work.span
    kind = plan.reads[f, READ]
    a = plan.reads[f, A]
    b = plan.reads[f, B]
    empty = plan.tuning[f, EMPTY]
    if kind == READ_RATIO or kind == READ_TREND:
        if raw[b] == 0.0:
            return empty
        value = raw[a] / raw[b] if kind == READ_RATIO else raw[a] * plan.tuning[f, SCALE] / raw[b]
        return min(max(value, -MOST), MOST)
    if kind == READ_PROJECTION or kind == READ_DIVERSITY:
        return _over_shares(plan, f, work.raw)
    if kind == READ_MEAN:
        return work.sums[a] / work.sums[b] if work.sums[b] > 0.0 else empty
    if kind == READ_EXTREME:
        g = plan.cells[a, GROUP]
        value = windowed_extreme(
            words, floats, s, plan.cells[a, TILE], plan.groups[g, TILES], span[g, 1], span[g, 2],
            plan.cells[a, CELL] == MAX,
        )  # fmt: skip
        return value if value == value else empty
    if kind == READ_SKETCH:
        return _distinct(words, s, plan.cells[a, WORD], plan.cells[a, SIZE], span[plan.cells[a, GROUP], 0])
    at = plan.cells[a, WORD]
    if kind == READ_DECAY:
        if words[s, at + 1] == 0:
            return 0.0
        return floats[s, at] * halved(max(grid - words[s, at + 1], 0) / plan.scales[a])
    if kind == READ_RECENCY:
        since = words[s, at] if words[s, at] else words[s, FIRST_EVENT]
        return max(grid - since, 0) / 1000.0
    if kind == READ_TENURE:
        return max(grid - words[s, at], 0) / 1000.0 if words[s, at] else empty
    if kind == READ_GAP:
        events = words[s, at + 2]
        if events > 1:
            return (words[s, at + 1] - words[s, at]) / 1000.0 / (events - 1)
        return max(grid - words[s, FIRST_EVENT], 0) / 1000.0
    if kind == READ_LATEST:
        return floats[s, at] if words[s, at + 1] else empty
    if kind == READ_ORDINAL:
        return float(words[s, at])
    if kind == READ_ONE_HOT:
        return 1.0 if words[s, at] == plan.reads[f, NUMBER] else 0.0
    return float((words[s, at] >> plan.reads[f, NUMBER]) & 1)  # READ_BIT


@kernel
def _over_shares(plan: PlanArrays, f: int, raw: Float64) -> float:
    """What column f says of the shares that its parts have in their sum; what is below 0 has none.

    A projection is the mean of the weights, each counted by its share. Diversity is the number of equal parts that
    would be as mixed: 1 / sum of squared shares (Hill's number of order 2).
    """
    first, end = plan.reads[f, A], plan.reads[f, B]
    total = 0.0
    for p in range(first, end):
        total += min(max(raw[int(plan.parts[p, COLUMN])], 0.0), MOST)
    if total == 0.0:
        return plan.tuning[f, EMPTY]
    mean = squares = 0.0
    for p in range(first, end):
        part = min(max(raw[int(plan.parts[p, COLUMN])], 0.0), MOST) / total
        mean += plan.parts[p, WEIGHT] * part
        squares += part * part
    return mean if plan.reads[f, READ] == READ_PROJECTION else 1.0 / squares


@kernel
def _distinct(words: Int64, s: int, first: int, size: int, oldest: int) -> float:
    """Linear counting (Whang et al., 1990) over the registers that were hit in tile `oldest` or later."""
    hit = 0
    for w in range(first, first + size):
        if words[s, w] > oldest:
            hit += 1
    if hit == 0:
        return 0.0
    free = size - hit if hit < size else 0.5
    return -size * log(free / size)
