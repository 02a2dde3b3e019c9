"""The data sets that learning is measured on: a grocery year, CDNOW, and a made-up clickstream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from benchmarks import clickstream
from stream_seg.adapters.files.demo import load as demo_set
from stream_seg.adapters.memory.log import LogRecord
from stream_seg.adapters.memory.sampling import Sampling, daily
from stream_seg.config import load
from stream_seg.core.activation import Activation
from stream_seg.core.definition import Definition
from stream_seg.pipeline.feed import TimedEvents

SETS = ("completejourney", "cdnow", "clickstream")


def days_of(name: str) -> tuple[Activation, Iterator[list[LogRecord]]]:
    """The samples of one of `SETS`, day by day, and the activation that they were made under."""
    definition, events = _source(name)
    activation = daily(definition)
    return activation, Sampling(activation).days(events)


def _source(name: str) -> tuple[Definition, Iterable[TimedEvents]]:
    if name == "clickstream":
        return load(clickstream.DEFINITION, {}).definition, clickstream.chunks()
    source = demo_set(name)
    return load(source.definition, {}).definition, source.batches()
