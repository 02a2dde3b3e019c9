"""What the logs hold of what is in force: asked where Redis holds nothing, be it new or emptied."""

from __future__ import annotations

from contextlib import aclosing
from typing import NamedTuple

from stream_seg.bootstrap.reading import whole_topic
from stream_seg.config import Config
from stream_seg.core.activation import Activation
from stream_seg.wire.activations import ACTIVATIONS, read_activated
from stream_seg.wire.control import activates, activation

EVENTS, SAMPLES = "events", "samples"


class Recorded(NamedTuple):
    """What is there without Redis.

    first    the activation that LEARN's log begins with; None: it holds none, or none any more
    lacking  where there is a first one: the events partitions that hold no activation
    newest   where there is none: the last number of the history; 0: nothing was ever in force
    """

    first: Activation | None
    lacking: list[int]
    newest: int

    @property
    def nothing(self) -> bool:
        """Whether nothing was ever in force."""
        return self.first is None and not self.newest

    @property
    def whole(self) -> bool:
        """Whether workers find in their logs what they need."""
        return self.first is not None and not self.lacking


async def recorded(config: Config, partitions: int) -> Recorded:
    """Looks into the logs. `partitions`: of the events log."""
    first = await first_written(config)
    if first is None:
        numbers = [read_activated(r.value).number async for r in whole_topic(config, ACTIVATIONS) if r.value]
        return Recorded(None, [], max(numbers, default=0))
    return Recorded(first, await _lacking(config, partitions), 0)


async def first_written(config: Config) -> Activation | None:
    """The activation that LEARN's log begins with: it is written there before anywhere else."""
    async with aclosing(whole_topic(config, SAMPLES)) as records:
        async for record in records:
            if activates(record):
                return activation(record)
    return None


async def _lacking(config: Config, partitions: int) -> list[int]:
    lacking = set(range(partitions))
    async with aclosing(whole_topic(config, EVENTS)) as records:
        async for record in records:
            if record.partition in lacking and activates(record):
                lacking.discard(record.partition)
                if not lacking:
                    break
    return sorted(lacking)
