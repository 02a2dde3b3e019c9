"""Rules outside, learning inside: which tier an event puts its customer into, and what becomes of its label. Compiled.

Nobody compares customers of two tiers: each has its own model, and numbers of segments are never used twice. So a
customer who comes into another tier is of a segment that is none there, and takes the nearest that is.
"""

from __future__ import annotations

from stream_seg.core.decision import activation_row
from stream_seg.core.emission import BY_TIER, MOVED, Emissions, emit
from stream_seg.core.model import ModelArrays
from stream_seg.core.numerics import inlined, kernel
from stream_seg.core.plan import PlanArrays
from stream_seg.core.record import (
    ADOPTED,
    CANDIDATE,
    CANDIDATE_SINCE,
    PREVIOUS,
    SEGMENT,
    SEQUENCE,
    SINCE,
    TIER,
    TIER_AT,
)
from stream_seg.core.state import People, Scratch

OPEN = -1  # an event says nothing about its customer's tier


@inlined
def _tier_of(plan: PlanArrays, mask: int) -> int:
    """The tier that an event puts its customer into: that of the first rule that holds, 0 (``all``) where none does.

    A rule that reads what the event does not have leaves everything `OPEN`.
    """
    for i in range(plan.tiers.shape[0]):
        there = plan.tiers[i, 1]
        if there >= 0 and not (mask >> there) & 1:
            return OPEN
        if (mask >> plan.tiers[i, 0]) & 1:
            return plan.tiers[i, 2]
    return 0


@kernel
def change_tier(
    plan: PlanArrays, models: ModelArrays, people: People, s: int, now: int, t: int, row: int, mask: int,
    out: Emissions, work: Scratch,
) -> bool:  # fmt: skip
    """Takes what an event of time t says of the tier of row s; of several the newest counts. Whether it changed.

    Whoever changes it adopts the newest activation with it: an older one may not know the tier.
    """
    words = people.words
    tier = _tier_of(plan, mask)
    if tier == OPEN or t < words[s, TIER_AT]:
        return False
    words[s, TIER_AT] = t
    if tier == words[s, TIER]:
        return False
    words[s, ADOPTED] = models.number[models.number.shape[0] - 1]
    enter_tier(models, people, s, tier, now, row, out, work)
    return True


@kernel
def enter_tier(
    models: ModelArrays, people: People, s: int, tier: int, t: int, row: int, out: Emissions, work: Scratch
) -> None:
    """Puts row s into a tier at the instant t. Into one without a model it takes no segment along."""
    words = people.words
    words[s, TIER] = tier
    words[s, CANDIDATE] = 0
    words[s, CANDIDATE_SINCE] = 0
    a = activation_row(models, words[s, ADOPTED], tier)
    previous = words[s, SEGMENT] - 1
    if models.k[a] == 0 and previous >= 0:
        words[s, PREVIOUS] = words[s, SEGMENT]
        words[s, SEGMENT] = 0
        words[s, SINCE] = t
        words[s, SEQUENCE] += 1
        emit(people, out, work, MOVED, s, row, t, previous, -1, BY_TIER, a, -1, -1)
