"""The simulation catches something: with one of its safeguards taken out, the same seeds do not equal the oracle."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stream_seg.adapters.memory.slots import MemorySlots
from stream_seg.pipeline.owner import SlotOwner
from stream_seg.ports import Commit, Publish, Step, Trim, Write
from tests.simulation.run import run
from tests.simulation.shell import Parts

SEEDS = 300  # one in two to ten shows most mutants; two of 300 the zombie that claims at the very moment of another


class Unfenced(MemorySlots):
    """Writes of anybody, also of who lost the slot; a repeated call is still told from a new one."""

    def execute(self, effect: Any) -> Any:
        if isinstance(effect, Write | Trim):
            now = self.state(effect.slot)
            effect = replace(effect, claim=now.claim)
            if isinstance(effect, Write) and not self._repeated(effect):
                effect = replace(effect, rev=now.rev)
        return super().execute(effect)

    def _repeated(self, effect: Write) -> bool:
        data = self._slots[effect.slot]
        return data.rev == effect.rev + 1 and data.call == effect.call


class TrimsFirst(SlotOwner):
    """Forgets what is pending before Kafka has it."""

    def relay(self) -> Step[None]:
        while self.pending:
            entries = list(self.pending)
            yield Trim(self.slot, self.claim, entries[-1][0])
            yield Publish([message for _, messages in entries for message in messages])
            for _ in entries:
                self.waiting -= len(self.pending.popleft()[1])


class Uninvited(SlotOwner):
    """Goes on although Kafka says that the partition is another worker's."""

    def _commit(self, offset: int) -> Step[None]:
        yield Commit(self.topic, self.slot.partition, offset)


def where_the_group_stands(applied: int, committed: int | None) -> int:
    """Goes on as consumers do, and not where Redis stands."""
    return applied if committed is None else committed


MUTANTS = {
    "no fence": Parts(slots=Unfenced),
    "no offset check": Parts(resume=where_the_group_stands),
    "trimmed before it is published": Parts(owner=TrimsFirst),
    "no question to Kafka after the claim": Parts(owner=Uninvited),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_without_a_safeguard_the_simulation_fails(mutant: str) -> None:
    for seed in range(SEEDS):
        if run(seed, MUTANTS[mutant]).wrong is not None:
            assert run(seed).wrong is None, f"seed {seed} fails with all safeguards too"
            return
    pytest.fail(f"{mutant}: {SEEDS} seeds, and nothing was wrong")
