"""Activations compiled: the plan, the conditions and the model arrays that the fold runs with.

Also the one place where a record changes its layout: `convert` carries every cell that both definitions share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from stream_seg.core.activation import Activation
from stream_seg.core.definition import Definition, tier_key
from stream_seg.core.event import Fields
from stream_seg.core.expression import Conditions, collect, compile_conditions
from stream_seg.core.model import InForce, Int64, ModelArrays, model_arrays
from stream_seg.core.plan import CellKey, Plan, occupancy_words
from stream_seg.core.planning import compile_plan
from stream_seg.core.record import HEADER, LAYOUT
from stream_seg.core.succession import columns_in


@dataclass(frozen=True)
class Engine:
    """What the newest activation and the models still in use compile to.

    rows     the activations in use, each as its tiers have it: the rows of `models`
    cut_off  the newest features leave out what an older model needs, so nobody can go on under it
    """

    activation: Activation
    rows: tuple[Activation, ...]
    fields: Fields
    conditions: Conditions
    plan: Plan
    models: ModelArrays
    cut_off: bool = False


def whole(activation: Activation) -> Definition:
    """The definition with the retained features: what records hold."""
    return msgspec.structs.replace(activation.definition, features=activation.features)


def compile_engine(activations: Sequence[Activation]) -> Engine:
    """Compiles activations in use, oldest first; the last one's features lay out the records."""
    newest = activations[-1]
    definition = whole(newest)
    fields = collect(definition)
    conditions = compile_conditions(definition, fields)
    plan = compile_plan(definition, fields, conditions.index_of)
    rows = tuple(row for activation in activations for row in activation.each)
    in_force = [_in_force(row, newest) for row in rows]
    cut_off = any(a.model is not None and x.model is None for a, x in zip(rows, in_force, strict=True))
    return Engine(newest, rows, fields, conditions, plan, model_arrays(in_force, plan.names), cut_off)


def _in_force(activation: Activation, newest: Activation) -> InForce:
    """What a tier of an activation has, the columns named as the newest plan does; no model where one is missing."""
    model, definition = activation.model, activation.definition
    if model is not None:
        names = columns_in(newest, activation)
        if names is not None:
            model = msgspec.structs.replace(model, columns=tuple(names.values()))
        elif activation.number != newest.number:  # the newest must have its columns: `model_arrays` says which it lacks
            model = None
    return InForce(activation.number, model, definition.margin, definition.dwell, tier_key(definition.tier))


def convert(rows: Int64, old: Plan, new: Plan, layout: int) -> Int64:
    """Records of the old plan, (customers, words), as records of the new: shared cells carry over, others are empty.

    Cells are the same when everything that gives their bytes a meaning is the same (`CellKey`), whatever the
    features that read them are called.
    """
    out = np.zeros((len(rows), new.width), np.int64)
    out[:, :HEADER] = rows[:, :HEADER]
    out[:, LAYOUT] = layout
    for group, at in new.groups.items():
        if group in old.groups:
            size = 1 + occupancy_words(group[1])
            out[:, at : at + size] = rows[:, old.groups[group] : old.groups[group] + size]
    for cell, (at, size) in new.cells.items():
        if cell in old.cells:
            start = old.cells[cell][0]
            out[:, at : at + size] = rows[:, start : start + size]
    return out


def shared_cells(old: Plan, new: Plan) -> set[CellKey]:
    """Cells whose state survives a change of the feature set; the features that need others start warming."""
    return old.cells.keys() & new.cells.keys()
