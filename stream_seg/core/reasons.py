"""What speaks for a movement: how much each column draws a customer to one segment and away from another. Compiled."""

from __future__ import annotations

from stream_seg.core.emission import MOVED, Emissions
from stream_seg.core.measures import transformed
from stream_seg.core.model import Float64, Int64, ModelArrays
from stream_seg.core.numerics import inlined, kernel
from stream_seg.core.plan import PlanArrays


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
