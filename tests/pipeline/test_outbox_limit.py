"""Above its limit of messages that wait for Kafka, a step applies nothing before it has published them."""

from __future__ import annotations

from typing import Any

import pytest

from stream_seg.adapters.memory.world import MemoryWorld
from stream_seg.pipeline.label_settings import LabelSettings
from stream_seg.pipeline.learn import LearnSettings
from stream_seg.ports import Effect, Message, Publish, Step, Trim, Write
from stream_seg.wire import control
from tests.core.drawing import START
from tests.pipeline.partition import Log, Partition
from tests.pipeline.test_activations import activation
from tests.pipeline.test_learning import Trainer

LIMIT = 3


def changes(world: MemoryWorld, step: Step[Any]) -> list[type[Effect]]:
    """The kinds of effects of a step that change something, in order."""
    found: list[type[Effect]] = []

    def noted() -> Step[None]:
        result: Any = None
        while True:
            try:
                effect = step.send(result)
            except StopIteration:
                return
            if isinstance(effect, (Publish, Trim, Write)):
                found.append(type(effect))
            result = yield effect

    world.run(noted())
    return found


@pytest.mark.parametrize("above", [True, False])
@pytest.mark.parametrize("stage", ["label", "learn"])
def test_what_waits_above_the_limit_is_published_before_more_is_applied(stage: str, *, above: bool) -> None:
    log = Log()
    log.activate(activation(1, 1.0, 9.0), START)
    work: Any
    if stage == "label":
        partition = Partition(LabelSettings(outbox_limit=LIMIT))
        partition.run(log.records)
        world, work = partition.world, partition.labeller
        more = log.event("ann", START, START, {"event": "Paid"})
    else:
        trainer = Trainer()
        world, work = trainer.world, trainer.learn
        work.settings = LearnSettings(outbox_limit=LIMIT)
        message = control.control("samples", control.PASSED_DAY, control.PassedDay(0, 1, 0), 0)
        trainer.log.append("samples", message.key, message.value, message.headers, partition=0)
        (more,) = trainer.log.read("samples", 0, trainer.at, 10)
    world.run(work.owner.write(meta={}, messages=[Message("segment-changes", b"bob", b"moved")] * (LIMIT + above)))
    effects = changes(world, work.process([more]))
    published_first = [Publish, Trim, Write]
    assert effects[:3] == published_first if above else Publish not in effects
    assert Write in effects
