"""What is in force in a partition, compiled so that its records can be read. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stream_seg.core.activation import ENGINE, Activation
from stream_seg.core.engine import Engine, compile_engine
from stream_seg.core.plan import Plan
from stream_seg.core.record import tag_of
from stream_seg.errors import EngineTooOld
from stream_seg.pipeline.residents import Residents


@dataclass(frozen=True)
class Rules:
    """Activations in use, oldest first, and what they compile to. `layouts`: tag of an older layout -> its plan."""

    activations: Sequence[Activation]
    engine: Engine
    layouts: Mapping[int, Plan]


def rules_of(activations: Sequence[Activation]) -> Rules:
    """Compiles them. Raises `EngineTooOld` for a log that a newer version decided."""
    needed = max(activation.engine for activation in activations)
    if needed > ENGINE:
        raise EngineTooOld(f"the log was decided by engine {needed}, this command has {ENGINE}; upgrade it")
    newest = activations[-1].layout
    layouts = {tag_of(a.layout): compile_engine([a]).plan for a in activations if a.layout != newest}
    return Rules(activations, compile_engine(activations), layouts)


def brought_in(customers: Sequence[bytes], records: Sequence[bytes], rules: Rules) -> Residents:
    """These customers alone, one row each in their order, in today's layout whatever the records'."""
    residents = Residents(rules.engine, dict(rules.layouts), capacity=len(customers))
    residents.begin(customers)
    residents.admit(customers, records)
    return residents
