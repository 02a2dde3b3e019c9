"""The simulation catches something: with one of its safeguards taken out, the same seeds do not equal the oracle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from stream_seg.adapters.memory.slots import MemorySlots
from stream_seg.pipeline.ingest import Ingest
from stream_seg.pipeline.owner import SlotOwner
from stream_seg.ports import Commit, Publish, Record, Step, Trim, Write
from tests.simulation.run import run
from tests.simulation.scenario import scenario
from tests.simulation.shell import Parts

pytestmark = pytest.mark.slow

SEEDS = 300  # one in two to ten shows most mutants; two of 300 the zombie that claims at the very moment of another


class Unfenced(MemorySlots):
    """Writes of anybody, also of who lost the slot; a repeated call is still told from a new one."""

    stages: tuple[str, ...] = ("label", "learn")

    def execute(self, effect: Any) -> Any:
        if isinstance(effect, Write | Trim) and effect.slot.stage in self.stages:
            now = self.state(effect.slot)
            effect = replace(effect, claim=now.claim)
            if isinstance(effect, Write) and not self._repeated(effect):
                effect = replace(effect, rev=now.rev)
        return super().execute(effect)

    def _repeated(self, effect: Write) -> bool:
        data = self._slots[effect.slot]
        return data.rev == effect.rev + 1 and data.call == effect.call


class LearnUnfenced(Unfenced):
    """The same for LEARN alone: one slot of many, and every version comes from it."""

    stages = ("learn",)


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


class CommitsFirst(Ingest):
    """Says that records are moved before they are."""

    def _move(self, records: Sequence[Record]) -> Step[None]:
        yield Commit(self.topic, self.partition, records[-1].offset + 1)
        yield from super()._move(records)


class Hasty(Ingest):
    """Says that it has read its source to the end without having looked."""

    def _tell(self, *, reads_on: bool) -> Step[None]:  # noqa: ARG002 — the signature of what it stands for
        self.through = self.told_at = next(self.now)
        yield Publish(self._progress())


def where_the_group_stands(applied: int, committed: int | None) -> int:
    """Goes on as consumers do, and not where Redis stands."""
    return applied if committed is None else committed


MUTANTS = {
    "no fence": Parts(slots=Unfenced),
    "no fence for LEARN alone": Parts(slots=LearnUnfenced),
    "no offset check": Parts(resume=where_the_group_stands),
    "trimmed before it is published": Parts(owner=TrimsFirst),
    "no question to Kafka after the claim": Parts(owner=Uninvited),
    "committed before it is published": Parts(ingest=CommitsFirst),
    "progress without a look": Parts(ingest=Hasty),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_without_a_safeguard_the_simulation_fails(mutant: str) -> None:
    parts = MUTANTS[mutant]
    for seed in range(SEEDS):
        if parts.ingest is not Ingest and not scenario(Random(seed)).products:
            continue  # without INGEST it is the same as it ever was
        if run(seed, parts).wrong is not None:
            assert run(seed).wrong is None, f"seed {seed} fails with all safeguards too"
            return
    pytest.fail(f"{mutant}: {SEEDS} seeds, and nothing was wrong")
