"""People who give LEARN orders while everything goes on: good ones, the same twice, some to be refused."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Literal, TypeAlias

import msgspec

from stream_seg.adapters.memory.log import MemoryLog
from stream_seg.core.model import ModelVersion
from stream_seg.ports import Message
from stream_seg.wire import control
from tests.simulation.scenario import SAMPLES, START
from tests.simulation.shell import ALWAYS, Life, Until

Kind: TypeAlias = Literal["promote", "rollback", "freeze", "thaw", "retrain"]
KINDS: list[Kind] = ["promote", "rollback", "freeze", "thaw", "retrain"]


def people(random: Random, log: MemoryLog, partitions: int, append: Callable[[Message], None]) -> Life:
    """Some orders of versions that are out, each at a moment of its own."""
    for number in range(random.choice([0, 2, 5])):
        known = len(log.read("models", 0, 0)) + random.choice([0, 1])
        yield Until(partial(_published, log, known))
        for _ in range(random.choice([0, 3, 30])):
            yield ALWAYS
        message = _order(random, log, partitions, number)
        append(message)
        if random.random() < 0.3:
            yield ALWAYS
            append(message)


def _published(log: MemoryLog, count: int) -> bool:
    return len(log.read("models", 0, 0)) >= count


def _order(random: Random, log: MemoryLog, partitions: int, number: int) -> Message:
    kind = random.choices(KINDS, [4, 4, 1, 2, 2])[0]
    order = control.Order(
        f"r{number}", kind, partitions, "ann", START + number, "because",
        model=_version(random, log) if kind in {"promote", "rollback"} else None,
        ramp="now" if random.random() < 0.3 else "walk",
    )  # fmt: skip
    return control.control(SAMPLES, control.ORDER, order, 0)


def _version(random: Random, log: MemoryLog) -> ModelVersion | None:
    """One of those that were published; sometimes one with a byte of it changed."""
    published = log.read("models", 0, 0)
    if not published:
        return None
    model = msgspec.json.decode(random.choice(published).value or b"", type=ModelVersion)
    return msgspec.structs.replace(model, samples=model.samples + 1) if random.random() < 0.15 else model
