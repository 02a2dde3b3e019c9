"""When something about a customer next changes without an event: by silence, or as the daily walk comes by. Compiled.

Between its events a customer changes at instants that are known beforehand: a tile leaves, a grid point comes, a
dwell ends. So nobody is looked at before it matters.
"""

from __future__ import annotations

from stream_seg.core.decision import STAY, activation_row, decide, distances
from stream_seg.core.measures import grid_point, read_changed
from stream_seg.core.model import Int64, ModelArrays
from stream_seg.core.numerics import kernel, share
from stream_seg.core.plan import LEARN_EVERY, PlanArrays
from stream_seg.core.record import ADOPTED, ALIVE, CANDIDATE, CANDIDATE_SINCE, HASH, TIER, TIME
from stream_seg.core.state import People, Scratch
from stream_seg.core.windows import EVERYTHING, GRID, MOST_GROUPS, next_leaving


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
        ends = words[s, CANDIDATE_SINCE] + models.dwell[activation_row(models, words[s, ADOPTED], words[s, TIER])]
        if after < ends < nearest:
            nearest, changed = ends, 0
    return nearest, changed


@kernel
def next_change(
    plan: PlanArrays, models: ModelArrays, people: People, s: int, until: int, budget: int, work: Scratch
) -> int:
    """The first instant <= `until` at which row s changes without an event, else a later one, or `NEVER`.

    With a budget, gives up after so many instants and answers the one it reached (early, never late).
    """
    words = people.words
    a = activation_row(models, words[s, ADOPTED], words[s, TIER])
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
            t = next_change(plan, models, people, s, index[i], budget, work)
            people.due[s] = t
            if t < index[i] and t != next_visit(plan, people.words, s, people.words[s, TIME]):
                index[i] = t
