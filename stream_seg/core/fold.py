"""The fold: records in, state and emissions out, one customer at a time, in log order. Compiled.

A customer is an automaton of its own. Its state changes only on its own accepted events, on the visits of the
daily walk, and at the instants at which silence moves it; everything in between (tiles that leave, grid points) is
a function of that state and the time. So nothing is written for a customer who merely ages, the result never
depends on where a batch ends, and `stream_seg.core.instants` can say when silence will next move somebody.
"""

from __future__ import annotations

import math

from stream_seg.core.adoption import Bools
from stream_seg.core.counting import add_event
from stream_seg.core.decision import MOVE, STAY, activation_row, decide, distances
from stream_seg.core.emission import (
    BY_BACKFILL,
    BY_EVENT,
    BY_FORGETTING,
    BY_MODEL,
    BY_TIER,
    BY_TIME,
    FORGOTTEN,
    MOVED,
    ROOM,
    VISIT,
    Emissions,
    emit,
)
from stream_seg.core.instants import next_change, next_visit
from stream_seg.core.measures import read_columns
from stream_seg.core.model import Int64, ModelArrays
from stream_seg.core.numerics import inlined, kernel
from stream_seg.core.plan import FORGET_AFTER, LATENESS, SAMPLED_FOR, PlanArrays
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
    PREVIOUS,
    SAMPLES,
    SEGMENT,
    SEQUENCE,
    SINCE,
    TIER,
    TIME,
)
from stream_seg.core.sent import remember, sent_before
from stream_seg.core.state import ACCEPTED, DUPLICATE, LATE, UNKNOWN, People, Rows, Scratch
from stream_seg.core.tiers import change_tier, enter_tier


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
def _judge(
    models: ModelArrays, people: People, s: int, t: int, row: int, cause: int, out: Emissions, work: Scratch
) -> None:
    """Decides for row s, whose vector at t is in `work`, and changes its segment or candidate."""
    words = people.words
    a = activation_row(models, words[s, ADOPTED], words[s, TIER])
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
    for j in range(models.first[a], models.k[a]):
        if j != best and models.absent[a, j] == 0.0 and (second < 0 or work.d[j] < work.d[second]):
            second = j
    previous = words[s, SEGMENT] - 1
    if 0 <= previous < work.d.shape[0] and not models.first[a] <= previous < models.k[a]:
        work.d[previous] = math.inf  # a segment of another tier
    away = t - words[s, SINCE] if words[s, PREVIOUS] == best + 1 else -1
    words[s, PREVIOUS] = words[s, SEGMENT]
    words[s, SEGMENT] = best + 1
    words[s, SINCE] = t
    words[s, CANDIDATE] = 0
    words[s, CANDIDATE_SINCE] = 0
    words[s, SEQUENCE] += 1
    emit(people, out, work, MOVED, s, row, t, previous, best, cause, a, second, away)


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
        a = activation_row(models, words[s, ADOPTED], words[s, TIER])
        emit(people, out, work, FORGOTTEN, s, row, t, previous, -1, BY_FORGETTING, a, -1, -1)
        return
    _judge(models, people, s, t, row, BY_TIME, out, work)
    _adopt(models, people, s, t, row, out, work)
    _note(people, s, work)
    if silence <= plan.settings[SAMPLED_FOR]:
        words[s, SAMPLES] += 1
        a = activation_row(models, words[s, ADOPTED], words[s, TIER])
        emit(people, out, work, VISIT, s, row, t, words[s, PREVIOUS] - 1, words[s, SEGMENT] - 1, BY_TIME, a, -1, -1)


@kernel
def _adopt(models: ModelArrays, people: People, s: int, t: int, row: int, out: Emissions, work: Scratch) -> bool:
    """Puts the newest activation in force for row s and judges again under it. False: it was in force already."""
    words = people.words
    newest = models.number[models.number.shape[0] - 1]
    if words[s, ADOPTED] == newest:
        return False
    before = activation_row(models, words[s, ADOPTED], words[s, TIER])
    words[s, ADOPTED] = newest
    people.changed[s] = 1
    cause = BY_MODEL if words[s, SEGMENT] != 0 else BY_BACKFILL
    a = activation_row(models, newest, words[s, TIER])
    tier = models.tier[a]
    # What decides here may be the same as before: then another tier's version ends nobody's wait.
    if (
        models.version[a] != models.version[before]
        or models.dwell[a] != models.dwell[before]
        or models.margin[a] != models.margin[before]
    ):
        words[s, CANDIDATE] = 0
        words[s, CANDIDATE_SINCE] = 0
    # There is no such tier any more; or it is one from here on, and nothing was learned there yet.
    if words[s, TIER] != tier or (models.k[a] == 0 and words[s, SEGMENT] != 0):
        enter_tier(models, people, s, tier, t, row, out, work)
        cause = BY_TIER
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
        t = next_change(plan, models, people, s, until, -1, work)
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
        if alive and sent_before(words, s, rows.message[r]):
            fate[r] = DUPLICATE
            continue
        now = max(now, t)
        if alive and not _settle(plan, models, people, s, now, r, out, work):
            return r
        known = words[s, ALIVE] == 1
        if not known:
            _create(people, models, layout, s, rows.offset[r], now)
        remember(words, s, rows.message[r])
        fate[r] = ACCEPTED
        words[s, TIME] = now
        words[s, EVENT_AT] = now
        words[s, LAST_EVENT] = max(words[s, LAST_EVENT], t)
        people.changed[s] = 1
        people.due[s] = UNKNOWN
        add_event(plan, words, people.floats, s, now, t, rows.mask[r], rows.numbers, rows.codes, rows.hashes, r)
        read_columns(plan, words, people.floats, s, now, work)
        cause = BY_EVENT
        if plan.tiers.shape[0] and change_tier(plan, models, people, s, now, t, r, rows.mask[r], out, work) and known:
            cause = BY_TIER
        _judge(models, people, s, now, r, cause, out, work)
        _note(people, s, work)
    return rows.slot.shape[0]


@kernel
def settle(
    plan: PlanArrays, models: ModelArrays, people: People, slots: Int64, until: int, restart: bool, adopt: Bools,
    start: int, out: Emissions, work: Scratch,
) -> int:  # fmt: skip
    """Carries the rows `slots` to the instant `until`, from index `start`; returns the next index, as `fold` does.

    `restart`: nothing that this plan would have done before `until` is made up for; each is judged there and goes on.
    `adopt`, per row of `models`: who is under it in the newest activation takes that at once, not at the next visit.
    """
    newest = models.number[models.number.shape[0] - 1]
    for i in range(start, slots.shape[0]):
        s = slots[i]
        if restart and people.words[s, ALIVE] == 1:
            # Also whose time is there already: what other instants say of its past may differ, and no instant may come.
            t = max(until, people.words[s, TIME])
            people.words[s, TIME] = t
            people.changed[s] = 1
            people.due[s] = UNKNOWN
            read_columns(plan, people.words, people.floats, s, t, work)
            _judge(models, people, s, t, -1, BY_MODEL, out, work)
            _note(people, s, work)
        if not _settle(plan, models, people, s, until, -1, out, work) or out.used[0] + ROOM > out.ints.shape[0]:
            return i
        if people.words[s, ALIVE] == 1 and adopt[activation_row(models, newest, people.words[s, TIER])]:
            t = max(until, people.words[s, TIME])
            read_columns(plan, people.words, people.floats, s, t, work)
            if _adopt(models, people, s, t, -1, out, work):
                _note(people, s, work)
                people.due[s] = UNKNOWN
                people.words[s, TIME] = t
    return slots.shape[0]


@kernel
def refresh(plan: PlanArrays, people: People, slots: Int64, work: Scratch) -> None:
    """Fills what is derived from the records of rows `slots` that were just loaded."""
    for i in range(slots.shape[0]):
        s = slots[i]
        read_columns(plan, people.words, people.floats, s, people.words[s, TIME], work)
        _note(people, s, work)
        people.due[s] = UNKNOWN
        people.changed[s] = 0
