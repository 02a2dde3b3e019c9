"""The fold: records in, state and emissions out, one customer at a time, in log order. Compiled.

A customer is an automaton of its own. Its state changes only on its own accepted events, on the visits of the
daily walk, and at the instants at which silence moves it; everything in between (tiles that leave, grid points) is
a function of that state and the time. So nothing is written for a customer who merely ages, the result never
depends on where a batch ends, and `look_ahead` can say when silence will next move somebody.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from stream_seg.core.decision import MOVE, STAY, decide, distances
from stream_seg.core.measures import Scratch, add_event, grid_point, read_changed, read_columns, transformed
from stream_seg.core.model import Float64, Int64, ModelArrays
from stream_seg.core.numerics import inlined, kernel, share
from stream_seg.core.plan import FORGET_AFTER, LATENESS, LEARN_EVERY, SAMPLED_FOR, PlanArrays
from stream_seg.core.record import (
    ADOPTED,
    ALIVE,
    CANDIDATE,
    CANDIDATE_SINCE,
    EVENT_AT,
    FIRST_EVENT,
    HASH,
    INCARNATION,
    LAST_EVENT,
    LAYOUT,
    RECENT,
    RECENT_AT,
    RECENT_IDS,
    SAMPLES,
    SEGMENT,
    SEQUENCE,
    SINCE,
    TIME,
)
from stream_seg.core.windows import EVERYTHING, GRID, MOST_GROUPS, next_leaving

ACCEPTED, DUPLICATE, LATE = 0, 1, 2  # what became of a row
MOVED, VISIT, FORGOTTEN = 0, 1, 2  # kinds of emission
BY_EVENT, BY_TIME, BY_MODEL, BY_BACKFILL, BY_FORGETTING = 0, 1, 2, 3, 4  # causes
CAUSES = ("event", "time", "model", "backfill", "forgotten")
UNKNOWN = -1  # `due` of a customer whose future has not been looked at


class Rows(NamedTuple):
    """Accepted events of one run of the log, n rows. slot: row of the customer's state; clock: the partition's (ms)."""

    slot: Int64
    offset: Int64
    time: Int64
    clock: Int64
    mask: Int64
    message: Int64
    numbers: Float64
    codes: Int64
    hashes: Int64


class People(NamedTuple):
    """State of the customers at hand, one row each.

    words, floats  the records: the same memory twice, (customers, words)
    seen           the vector in real units at the customer's last change, (customers, columns)
    due            nothing about the customer changes before this instant without an event; or `UNKNOWN`
    changed        1 where the record must be written
    """

    words: Int64
    floats: Float64
    seen: Float64
    due: Int64
    changed: Int64


class Emissions(NamedTuple):
    """What was decided, in order. The fold pauses before `used[0]` could pass the capacity.

    ints     (capacity, 13): kind, slot, row (-1: no event), instant, previous, segment (of a visit: the current
             one), sequence, cause, incarnation, activation row, sample number, last event, in the segment since
    distance (capacity, 3): squared, to the new segment, to the runner-up, to the previous one (NaN: none)
    before, after  (capacity, columns) in real units
    """

    used: Int64
    ints: Int64
    distance: Float64
    before: Float64
    after: Float64


ROOM = 4  # the most emissions between two checks of the capacity


def emissions(capacity: int, columns: int) -> Emissions:
    """Empty room for `capacity` emissions."""
    return Emissions(
        np.zeros(1, np.int64),
        np.zeros((capacity, 13), np.int64),
        np.zeros((capacity, 3)),
        np.zeros((capacity, columns)),
        np.zeros((capacity, columns)),
    )


def scratch(plan: PlanArrays, models: ModelArrays) -> Scratch:
    """Working space for one fold."""
    columns = models.mean.shape[1]
    spans = np.zeros((plan.groups.shape[0], 3), np.int64)
    return Scratch(
        spans, np.zeros(plan.cells.shape[0]), np.zeros(columns), np.zeros(columns), np.zeros(models.centers.shape[2])
    )


@inlined
def activation_row(models: ModelArrays, number: int) -> int:
    """The row of the greatest activation not above `number`: the one a customer who adopted `number` is under."""
    row = 0
    for a in range(models.number.shape[0]):
        if models.number[a] <= number:
            row = a
    return row


@kernel
def next_visit(plan: PlanArrays, words: Int64, s: int, after: int) -> int:
    """The first visit of the daily walk later than `after`: a fixed time of the period, from the customer's hash."""
    period = plan.settings[LEARN_EVERY]
    phase = share((words[s, HASH] >> 32) & 0xFFFFFFFF, period)
    return ((after - phase) // period + 1) * period + phase


@kernel
def next_instant(plan: PlanArrays, models: ModelArrays, words: Int64, s: int, after: int) -> tuple[int, int]:
    """The first instant later than `after` at which a value of row s, or its candidate's dwell, changes in silence.

    Also the set of groups (and the grid) that change there.
    """
    _, nearest = grid_point(plan, words, s, after)
    changed = GRID
    for g in range(plan.groups.shape[0]):
        leaves = next_leaving(plan, words, s, g, after)
        bit = 1 << min(g, MOST_GROUPS)
        if leaves < nearest:
            nearest, changed = leaves, bit
        elif leaves == nearest:
            changed |= bit
    if words[s, CANDIDATE] != 0:
        ends = words[s, CANDIDATE_SINCE] + models.dwell[activation_row(models, words[s, ADOPTED])]
        if after < ends < nearest:
            nearest, changed = ends, 0
    return nearest, changed


@kernel
def _next_change(
    plan: PlanArrays, models: ModelArrays, people: People, s: int, until: int, budget: int, work: Scratch
) -> int:
    """The first instant <= `until` at which row s changes without an event, else a later one, or `NEVER`.

    With a budget, gives up after so many instants and answers the one it reached (early, never late).
    """
    words = people.words
    a = activation_row(models, words[s, ADOPTED])
    visit = next_visit(plan, words, s, words[s, TIME])
    if models.k[a] == 0:
        return visit
    after = max(words[s, TIME], people.due[s] - 1)  # nothing changes before `due`
    first = True
    while True:
        t, changed = next_instant(plan, models, words, s, after)
        t = min(t, visit)
        if t > until or t == visit or budget == 0:
            return t
        read_changed(plan, words, people.floats, s, t, EVERYTHING if first else changed, work)
        first = False
        best = distances(models, a, work.x, work.d)
        if decide(models, a, words, s, t, best, work.d) != STAY:
            return t
        budget -= 1
        after = t


@inlined
def _note(people: People, s: int, work: Scratch) -> None:
    """Keeps the vector in `work` as the one at the customer's last change."""
    for f in range(work.raw.shape[0]):
        people.seen[s, f] = work.raw[f]


@inlined
def _recall(people: People, s: int, work: Scratch) -> None:
    """Brings the vector at the customer's last change back into `work`."""
    for f in range(work.raw.shape[0]):
        work.raw[f] = people.seen[s, f]


@kernel
def _emit(
    people: People, out: Emissions, work: Scratch, kind: int, s: int, row: int, t: int, previous: int, segment: int,
    cause: int, a: int, second: int,
) -> None:  # fmt: skip
    words = people.words
    i = out.used[0]
    out.used[0] = i + 1
    ints = out.ints
    ints[i, 0], ints[i, 1], ints[i, 2], ints[i, 3] = kind, s, row, t
    ints[i, 4], ints[i, 5], ints[i, 6], ints[i, 7] = previous, segment, words[s, SEQUENCE], cause
    ints[i, 8], ints[i, 9], ints[i, 10], ints[i, 11] = (
        words[s, INCARNATION], a, words[s, SAMPLES], words[s, LAST_EVENT],
    )  # fmt: skip
    ints[i, 12] = words[s, SINCE]
    out.distance[i, 0] = work.d[segment] if segment >= 0 else math.nan
    out.distance[i, 1] = work.d[second] if second >= 0 else math.nan
    known = segment >= 0 and previous >= 0 and previous < work.d.shape[0]
    out.distance[i, 2] = work.d[previous] if known else math.nan
    for f in range(work.raw.shape[0]):
        out.before[i, f] = people.seen[s, f]
        out.after[i, f] = work.raw[f]


@kernel
def _judge(
    models: ModelArrays, people: People, s: int, t: int, row: int, cause: int, out: Emissions, work: Scratch
) -> None:
    """Decides for row s, whose vector at t is in `work`, and changes its segment or candidate."""
    words = people.words
    a = activation_row(models, words[s, ADOPTED])
    if models.k[a] == 0:
        return
    best = distances(models, a, work.x, work.d)
    verdict = decide(models, a, words, s, t, best, work.d)
    if verdict == STAY:
        return
    people.changed[s] = 1
    words[s, TIME] = max(words[s, TIME], t)
    if verdict != MOVE:
        current = words[s, SEGMENT] - 1
        wants = best != current and work.d[best] < (1.0 - models.margin[a]) * work.d[current]
        words[s, CANDIDATE] = best + 1 if wants else 0
        words[s, CANDIDATE_SINCE] = t if wants else 0
        return
    second = -1
    for j in range(models.k[a]):
        if j != best and (second < 0 or work.d[j] < work.d[second]):
            second = j
    previous = words[s, SEGMENT] - 1
    words[s, SEGMENT] = best + 1
    words[s, SINCE] = t
    words[s, CANDIDATE] = 0
    words[s, CANDIDATE_SINCE] = 0
    words[s, SEQUENCE] += 1
    _emit(people, out, work, MOVED, s, row, t, previous, best, cause, a, second)


@kernel
def _visit(
    plan: PlanArrays, models: ModelArrays, people: People, s: int, t: int, row: int, out: Emissions, work: Scratch
) -> None:
    """The daily walk comes by: forget, or settle the label, sample, and adopt the newest activation."""
    words = people.words
    people.changed[s] = 1
    words[s, TIME] = t
    silence = t - words[s, EVENT_AT]
    if silence >= plan.settings[FORGET_AFTER]:
        words[s, ALIVE] = 0
        previous = words[s, SEGMENT] - 1
        words[s, SEQUENCE] += 1
        _recall(people, s, work)
        a = activation_row(models, words[s, ADOPTED])
        _emit(people, out, work, FORGOTTEN, s, row, t, previous, -1, BY_FORGETTING, a, -1)
        return
    _judge(models, people, s, t, row, BY_TIME, out, work)
    _adopt(models, people, s, t, row, out, work)
    _note(people, s, work)
    if silence <= plan.settings[SAMPLED_FOR]:
        words[s, SAMPLES] += 1
        a = activation_row(models, words[s, ADOPTED])
        _emit(people, out, work, VISIT, s, row, t, -1, words[s, SEGMENT] - 1, BY_TIME, a, -1)


@kernel
def _adopt(models: ModelArrays, people: People, s: int, t: int, row: int, out: Emissions, work: Scratch) -> bool:
    """Puts the newest activation in force for row s and judges again under it. False: it was in force already."""
    words = people.words
    newest = models.number[models.number.shape[0] - 1]
    if words[s, ADOPTED] == newest:
        return False
    words[s, ADOPTED] = newest
    people.changed[s] = 1
    words[s, CANDIDATE] = 0
    words[s, CANDIDATE_SINCE] = 0
    cause = BY_MODEL if words[s, SEGMENT] != 0 else BY_BACKFILL
    _judge(models, people, s, t, row, cause, out, work)
    return True


@kernel
def _settle(
    plan: PlanArrays, models: ModelArrays, people: People, s: int, until: int, row: int, out: Emissions, work: Scratch
) -> bool:
    """Carries row s through every change that silence brings up to `until`. False: no room left, call again."""
    words = people.words
    while words[s, ALIVE] == 1:
        if people.due[s] > until:
            return True
        if out.used[0] + ROOM > out.ints.shape[0]:
            return False
        t = _next_change(plan, models, people, s, until, -1, work)
        if t > until:
            people.due[s] = t
            return True
        people.due[s] = UNKNOWN
        read_columns(plan, words, people.floats, s, t, work)
        if t == next_visit(plan, words, s, words[s, TIME]):
            _visit(plan, models, people, s, t, row, out, work)
        else:
            _judge(models, people, s, t, row, BY_TIME, out, work)
            _note(people, s, work)
    return True


@inlined
def _sent_before(words: Int64, s: int, message: int) -> bool:
    """Whether the customer's last message ids hold this one. 0 is no id."""
    if message != 0:
        for i in range(RECENT, RECENT + RECENT_IDS):
            if words[s, i] == message:
                return True
    return False


@inlined
def _remember(words: Int64, s: int, message: int) -> None:
    """Keeps a message id in the place of the oldest."""
    if message != 0:
        words[s, RECENT + words[s, RECENT_AT]] = message
        words[s, RECENT_AT] = (words[s, RECENT_AT] + 1) % RECENT_IDS


@kernel
def _create(people: People, models: ModelArrays, layout: int, s: int, offset: int, t: int) -> None:
    """A new incarnation in row s; only its hash is kept."""
    words = people.words
    hashed = words[s, HASH]
    for w in range(words.shape[1]):
        words[s, w] = 0
    words[s, HASH] = hashed
    words[s, ALIVE] = 1
    words[s, INCARNATION] = offset
    words[s, LAYOUT] = layout
    words[s, ADOPTED] = models.number[models.number.shape[0] - 1]
    words[s, TIME] = t
    words[s, FIRST_EVENT] = t
    for f in range(people.seen.shape[1]):
        people.seen[s, f] = math.nan


@kernel
def fold(
    plan: PlanArrays, models: ModelArrays, people: People, layout: int, rows: Rows, start: int, fate: Int64,
    out: Emissions, work: Scratch,
) -> int:  # fmt: skip
    """Applies rows from `start`; returns the next row: n when done, earlier when `out` is full (drain, call again).

    fate[r] becomes `ACCEPTED`, `DUPLICATE` or `LATE`. Rows must be in log order.
    """
    words = people.words
    for r in range(start, rows.slot.shape[0]):
        if out.used[0] + 2 * ROOM > out.ints.shape[0]:
            return r
        s = rows.slot[r]
        t = rows.time[r]
        alive = words[s, ALIVE] == 1
        now = max(words[s, TIME], rows.clock[r]) if alive else rows.clock[r]
        # What silence did up to now comes first: it may have ended the incarnation whose ids are asked below.
        if alive and not _settle(plan, models, people, s, now, r, out, work):
            return r
        alive = words[s, ALIVE] == 1
        if t < now - plan.settings[LATENESS]:
            fate[r] = LATE
            continue
        if alive and _sent_before(words, s, rows.message[r]):
            fate[r] = DUPLICATE
            continue
        now = max(now, t)
        if alive and not _settle(plan, models, people, s, now, r, out, work):
            return r
        if words[s, ALIVE] != 1:
            _create(people, models, layout, s, rows.offset[r], now)
        _remember(words, s, rows.message[r])
        fate[r] = ACCEPTED
        words[s, TIME] = now
        words[s, EVENT_AT] = now
        words[s, LAST_EVENT] = max(words[s, LAST_EVENT], t)
        people.changed[s] = 1
        people.due[s] = UNKNOWN
        add_event(plan, words, people.floats, s, now, t, rows.mask[r], rows.numbers, rows.codes, rows.hashes, r)
        read_columns(plan, words, people.floats, s, now, work)
        _judge(models, people, s, now, r, BY_EVENT, out, work)
        _note(people, s, work)
    return rows.slot.shape[0]


@kernel
def settle(
    plan: PlanArrays, models: ModelArrays, people: People, slots: Int64, until: int, restart: bool, adopt: bool,
    start: int, out: Emissions, work: Scratch,
) -> int:  # fmt: skip
    """Carries the rows `slots` to the instant `until`, from index `start`; returns the next index, as `fold` does.

    `restart`: nothing that this plan would have done before `until` is made up for; each is judged there and goes on.
    `adopt`: each then takes the newest activation at once instead of at its next visit.
    """
    for i in range(start, slots.shape[0]):
        s = slots[i]
        if restart and people.words[s, ALIVE] == 1 and people.words[s, TIME] < until:
            people.words[s, TIME] = until
            people.changed[s] = 1
            people.due[s] = UNKNOWN
            read_columns(plan, people.words, people.floats, s, until, work)
            _judge(models, people, s, until, -1, BY_MODEL, out, work)
            _note(people, s, work)
        if not _settle(plan, models, people, s, until, -1, out, work) or out.used[0] + ROOM > out.ints.shape[0]:
            return i
        if adopt and people.words[s, ALIVE] == 1:
            t = max(until, people.words[s, TIME])
            read_columns(plan, people.words, people.floats, s, t, work)
            if _adopt(models, people, s, t, -1, out, work):
                _note(people, s, work)
                people.due[s] = UNKNOWN
                people.words[s, TIME] = t
    return slots.shape[0]


@kernel
def look_ahead(
    plan: PlanArrays, models: ModelArrays, people: People, slots: Int64, budget: int, work: Scratch, index: Int64
) -> None:
    """Lowers each `index` to when silence next moves the row of `slots`, if that is earlier and before its next visit.

    Looks at `budget` instants at most; where that is not the whole way, the answer is the instant it reached.
    """
    for i in range(slots.shape[0]):
        s = slots[i]
        if people.words[s, ALIVE] == 1 and people.due[s] < index[i]:
            t = _next_change(plan, models, people, s, index[i], budget, work)
            people.due[s] = t
            if t < index[i] and t != next_visit(plan, people.words, s, people.words[s, TIME]):
                index[i] = t


@kernel
def refresh(plan: PlanArrays, people: People, slots: Int64, work: Scratch) -> None:
    """Fills what is derived from the records of rows `slots` that were just loaded."""
    for i in range(slots.shape[0]):
        s = slots[i]
        read_columns(plan, people.words, people.floats, s, people.words[s, TIME], work)
        _note(people, s, work)
        people.due[s] = UNKNOWN
        people.changed[s] = 0


@inlined
def _effect(plan: PlanArrays, models: ModelArrays, a: int, f: int, value: float, previous: int, segment: int) -> float:
    """How much column f, in real units, speaks for `segment` and against `previous`.

    Against the average where there is none before, or it is one of a model that had more segments.
    """
    inverse = models.inverse[a, f]
    if inverse == 0.0:
        return 0.0
    x = transformed(plan, f, value)
    z = (min(max(x, models.low[a, f]), models.high[a, f]) - models.mean[a, f]) * inverse
    there = z - models.centers[a, f, previous] if 0 <= previous < models.k[a] else z
    here = z - models.centers[a, f, segment]
    return there * there - here * here


@kernel
def explain(
    plan: PlanArrays, models: ModelArrays, a: int, raw: Float64, previous: int, segment: int, out: Float64
) -> None:
    """How much each column speaks for `segment` and against `previous` (-1: against the average), into `out`.

    The squared distance to the one minus the squared distance to the other; the columns add up to the whole lead.
    """
    for f in range(raw.shape[0]):
        out[f] = _effect(plan, models, a, f, raw[f], previous, segment)


@kernel
def top_reasons(plan: PlanArrays, models: ModelArrays, out: Emissions, columns: Int64, effects: Float64) -> None:
    """The columns that speak most for each movement in `out`, strongest first, and how much: (used, top) arrays.

    -1 where fewer columns speak for it, and where the emission is no movement.
    """
    for i in range(out.used[0]):
        for j in range(columns.shape[1]):
            columns[i, j] = -1
            effects[i, j] = 0.0
        if out.ints[i, 0] == MOVED:
            for f in range(out.after.shape[1]):
                effect = _effect(plan, models, out.ints[i, 9], f, out.after[i, f], out.ints[i, 4], out.ints[i, 5])
                j = columns.shape[1]
                while j > 0 and effect > effects[i, j - 1]:
                    j -= 1
                    if j + 1 < columns.shape[1]:
                        columns[i, j + 1], effects[i, j + 1] = columns[i, j], effects[i, j]
                if j < columns.shape[1]:
                    columns[i, j], effects[i, j] = f, effect


@kernel
def transform(plan: PlanArrays, raw: Float64, x: Float64) -> None:
    """Vectors in real units, (n, columns), after clip and log1p, into `x`."""
    for i in range(raw.shape[0]):
        for f in range(raw.shape[1]):
            x[i, f] = transformed(plan, f, raw[i, f])
