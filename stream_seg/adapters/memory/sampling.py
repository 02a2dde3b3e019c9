"""LABEL alone over bounded input: the samples that LEARN would get, day by day.

Samples do not depend on the model. So one pass over the input feeds any number of learners, each a `Trial`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Any

import msgspec

from stream_seg.adapters.memory.log import LogRecord, Member, MemoryLog
from stream_seg.adapters.memory.replay import BATCH, EVENTS, GROUP, OUTPUTS, SAMPLES, YEAR_2100, Outputs
from stream_seg.adapters.memory.world import MemoryWorld
from stream_seg.core.activation import Activation
from stream_seg.core.definition import DAY, Definition, InputRules, feature_set_version
from stream_seg.pipeline.census import Census, census
from stream_seg.pipeline.feed import TimedEvents, feed
from stream_seg.pipeline.label import Labeller
from stream_seg.pipeline.label_settings import LabelSettings
from stream_seg.pipeline.label_state import LabelState
from stream_seg.pipeline.rules import rules_of
from stream_seg.ports import Effect, Passed, Publish
from stream_seg.wire import control


def daily(definition: Definition, every: int = DAY) -> Activation:
    """The first activation of a definition over stored events, with a sample of each customer a day (or `every` ms).

    Its tiers are left out: one learner learns from everybody.
    """
    definition = msgspec.structs.replace(definition, input=InputRules(clock="event"), learn_every=every, tiers=())
    return Activation(
        number=1, definition=definition, feature_set_version=feature_set_version(definition), who="quality", at=0,
        why="the daily samples",
    )  # fmt: skip


class Sampling:
    """One pass over bounded input, under an activation without a model."""

    def __init__(self, activation: Activation) -> None:
        self._log = MemoryLog({EVENTS: 1, SAMPLES: 1, **dict.fromkeys(OUTPUTS, 1)}, clock=lambda: YEAR_2100)
        self._outputs = Outputs(self._log)
        member = Member(GROUP)
        self._log.assign(member, EVENTS, 0)
        self._world = MemoryWorld(self._log, member)
        self._labeller = Labeller(EVENTS, 0, LabelSettings(origin=GROUP, group=GROUP), repeat(YEAR_2100))
        self._at = self._world.run(self._labeller.open())
        self._append(control.control(EVENTS, control.ACTIVATE, activation, 0))
        self._rules = rules_of([activation])

    @property
    def state(self) -> LabelState:
        """How many events were accepted, and what became of the others."""
        return self._labeller.memory.state

    def census(self, instant: int, most: int = 0) -> Census:
        """The customers of the events so far as they are at `instant`: all, or those with so many smallest hashes."""
        slot, slots = self._labeller.owner.slot, self._world.slots
        ids = [customer for customer, _ in slots.ring(slot, limit=most)]
        return census(ids, slots.records(slot, ids), self._rules, instant)

    def days(self, batches: Iterable[TimedEvents]) -> Iterator[list[LogRecord]]:
        """What LABEL sends on each day, its end included; nothing is kept of the days before."""
        for _ in self.boundaries(batches):
            yield self._taken()

    def boundaries(self, batches: Iterable[TimedEvents]) -> Iterator[int]:
        """The end of each day, ms, when LABEL has come so far."""
        step = feed(batches, 1, DAY)
        try:
            effect: Effect = next(step)
            while True:
                match effect:
                    case Publish():
                        for message in effect.messages:
                            self._append(message)
                        self._label()
                    case Passed():
                        yield effect.through
                        self._taken()
                    case _:
                        raise AssertionError(effect)
                effect = step.send(None)
        except StopIteration:
            return

    def _append(self, message: Any) -> None:
        self._log.append(message.topic, message.key, message.value, message.headers, partition=message.partition)

    def _label(self) -> None:
        while records := self._log.read(EVENTS, 0, self._at, BATCH):
            self._at = self._world.run(self._labeller.process(records))
            self._world.run(self._labeller.owner.relay())
            self._log.expire(EVENTS, 0, self._at)

    def _taken(self) -> list[LogRecord]:
        for topic in OUTPUTS:
            list(self._outputs.take(topic))
        return list(self._outputs.take(SAMPLES))
