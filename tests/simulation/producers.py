"""Who writes what does not depend on the pipeline: producers, or a feeder that waits for LEARN."""

from __future__ import annotations

from collections.abc import Callable

import orjson

from stream_seg.adapters.memory.log import MemoryLog
from stream_seg.pipeline.feed import feed
from stream_seg.ports import Effect, Message, Passed, Publish, Step
from stream_seg.wire import control
from tests.simulation.scenario import EVENTS, Scenario
from tests.simulation.shell import ALWAYS, Life, Until


def producer(shop: Scenario, append: Callable[[int, Message], None]) -> Life:
    """Producers' records one by one; `append` is given the time of each."""
    for at, message in shop.script:
        yield ALWAYS
        append(at, message)


def feeder(shop: Scenario, log: MemoryLog, append: Callable[[Message], None]) -> Life:
    """The feeder's step, one record at a time. It is one process and does not fail: it would be begun anew."""
    for p in range(shop.partitions):
        append(control.control(EVENTS, control.ACTIVATE, shop.first, p))
    step = feed(shop.feed, shop.partitions, shop.first.definition.learn_every)
    effect: Effect | None = next(step)
    while effect is not None:
        match effect:
            case Publish():
                for message in effect.messages:
                    yield ALWAYS
                    append(message)
            case Passed():
                yield _passed(log, effect.through)
        effect = _following(step)


def _following(step: Step[int]) -> Effect | None:
    return next(step, None)


def _passed(log: MemoryLog, through: int) -> Until:
    seen = 0

    def passed() -> bool:
        nonlocal seen
        for record in log.read("learn-progress", 0, seen):
            if orjson.loads(record.value or b"")["through"] >= through:
                return True
            seen = record.offset + 1
        return False

    return Until(passed)
