"""A trial: one learner's real LEARN over daily samples, to see what it makes of them."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import Self

import msgspec

from stream_seg.adapters.memory.log import LogRecord, Member, MemoryLog
from stream_seg.adapters.memory.replay import EVENTS, GROUP, OUTPUTS, SAMPLES, YEAR_2100, Outputs
from stream_seg.adapters.memory.slots import MemorySlots
from stream_seg.adapters.memory.world import MemoryWorld
from stream_seg.core.activation import Activation
from stream_seg.core.definition import BASE, Learning
from stream_seg.core.keyed import Fitted
from stream_seg.core.model import ModelVersion
from stream_seg.pipeline.learn import Learn, LearnSettings
from stream_seg.wire import control


def unattended(learning: Learning) -> Learning:
    """The same learning, but a version comes into force when it is made: nobody is there to be asked or told."""
    return msgspec.structs.replace(learning, max_model_moves=1.0, notice=0)


class Trial:
    """LEARN with its own rules, on memory of its own. The samples are `Sampling`'s."""

    def __init__(self, log: MemoryLog, slots: MemorySlots, outputs: Outputs) -> None:
        self._log, self._slots, self._outputs = log, slots, outputs
        member = Member(GROUP)
        log.assign(member, SAMPLES, 0)
        self._world = MemoryWorld(log, member, slots)
        self._learn = Learn(SAMPLES, 0, LearnSettings())
        self._at = self._world.run(self._learn.open())

    @classmethod
    def begin(cls, activation: Activation, learning: Learning) -> Self:
        """One that has learned nothing, under the activation's features and these rules."""
        log = MemoryLog({EVENTS: 1, SAMPLES: 1, **dict.fromkeys(OUTPUTS, 1)}, clock=_now)
        definition = msgspec.structs.replace(activation.definition, learning=unattended(learning))
        first = msgspec.structs.replace(activation, definition=definition)
        message = control.control(SAMPLES, control.ACTIVATE, first, 0)
        log.append(SAMPLES, message.key, message.value, message.headers, partition=0)
        trial = cls(log, MemorySlots(), Outputs(log))
        trial._work()
        return trial

    @property
    def learning(self) -> Learning:
        """The rules that it learns by."""
        assert self._learn.memory.activation is not None
        return self._learn.memory.activation.definition.learning

    @property
    def model(self) -> ModelVersion | None:
        """The version in force; None before the first."""
        activation = self._learn.memory.activation
        return activation.model if activation else None

    @property
    def fitted(self) -> Fitted | None:
        """What the learner itself has come to, published or not."""
        learner = self._learn.registry.tiers[BASE].training.learner
        return learner.fitted() if learner else None

    def day(self, records: Iterable[LogRecord]) -> ModelVersion | None:
        """Learns one day: its samples, and the mark of its end. Gives the version in force after it."""
        for record in records:
            if not record.headers or control.kind_of(record) == control.PASSED_DAY:
                self._log.append(SAMPLES, record.key, record.value, record.headers, partition=0)
        self._work()
        return self.model

    def fork(self) -> Self:
        """Another trial that has learned the same, as a restarted worker would go on: from what is stored."""
        return type(self)(*deepcopy((self._log, self._slots, self._outputs)))

    def _work(self) -> None:
        records = self._log.read(SAMPLES, 0, self._at)
        self._at = self._world.run(self._learn.process(records))
        self._world.run(self._learn.owner.relay())
        self._log.expire(SAMPLES, 0, self._at)
        for topic in (EVENTS, *OUTPUTS):
            list(self._outputs.take(topic))


def _now() -> int:
    return YEAR_2100
