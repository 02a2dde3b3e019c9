"""From stored events to what is explored: the table of all customers, and their days and months before it.

One pass of the live feature code over the input; nothing depends on a clock, the same input gives the same study.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stream_seg.adapters.files import Batch, Form, in_order, read
from stream_seg.adapters.memory.sampling import Sampling, daily
from stream_seg.config import Config
from stream_seg.core.activation import Activation
from stream_seg.core.definition import DAY
from stream_seg.errors import Stop
from stream_seg.explore.table import CustomerTable
from stream_seg.pipeline.daily import Day, Space
from stream_seg.pipeline.training import KEPT_FOR
from stream_seg.progress import Tell

READING, FOLDING = "reading", "computing features"
MONTH = 30  # days
LATELY = 4 * MONTH  # days before the end that are kept one by one
NONE = 2**62  # ms, later than anything: no event yet
NEVER = 36_500 * DAY  # samples are not needed: everybody is looked at directly
MEMBERS = 5_000  # customers whose days are kept: those with the smallest hashes, as a learner's table


class Counts(NamedTuple):
    """events: read, accepted: counted in features; the others are dead letters, late or duplicates."""

    events: int
    accepted: int
    rejected: int
    late: int
    duplicates: int
    first: int  # ms, of the earliest event
    last: int  # ms, of the latest


class Study(NamedTuple):
    """What there is to explore.

    table   everybody at the end
    days    the ends of the last 120 days and that before them, oldest first, of `MEMBERS` customers
    months  every 30th day, oldest first, the last one included, of the same customers
    """

    table: CustomerTable
    days: Sequence[Day]
    months: Sequence[Day]
    activation: Activation
    counts: Counts


def study(
    config: Config, inputs: Sequence[str], *, form: Form | None, end: int | None, tell: Tell,
    watch: Callable[[Batch], None] | None = None, history: bool = True,
) -> Study:  # fmt: skip
    """Folds stored events up to `end` (ms, not included; None: all) into a study.

    `watch` sees every batch of usable events on its way. Without `history` days and months are left empty, which takes
    less time. Tiers are left out: everybody is looked at together. Raises `Stop` where nobody is left to look at, or
    a file was written meanwhile.
    """
    activation = daily(config.definition, every=NEVER)
    sampling = Sampling(activation)
    files = [Path(name) for name in inputs]
    sizes = [file.stat().st_size for file in files]
    source = _Usable(read(files, config.definition.input.mapping, form=form), end, tell, watch)
    days, months = list[Day](), list[Day]()
    through = 0
    for boundary in sampling.boundaries(in_order(source.batches())):
        through = boundary
        left = source.last // DAY + 1 - boundary // DAY  # all is read before anything is in order
        if history and (left <= LATELY or left % MONTH == 0):
            day = _day(sampling, boundary)
            if left <= LATELY:
                days.append(day)
            if left % MONTH == 0:
                months.append(day)
        tell(FOLDING, boundary // DAY - source.first // DAY, source.last // DAY - source.first // DAY + 1)
    if grown := [str(file) for file, size in zip(files, sizes, strict=True) if file.stat().st_size != size]:
        raise Stop(f"{', '.join(grown)}: it was written while it was read; look at it again when it is whole")
    if not through and not source.read:
        raise Stop(f"{', '.join(inputs)}: there is no row in it, add the rows")
    if not through:
        early = end is not None and source.earliest < NONE
        which = f" before {_said(end)}; the first is of {_said(source.earliest)}" if end is not None and early else ""
        raise Stop(f"{', '.join(inputs)}: no usable event{which}{source.first_rejected or ''}")
    instant = through if end is None else max(end, source.last + 1)
    everybody = sampling.census(instant)
    state = sampling.state
    if not state.accepted:
        raise Stop(
            f"{', '.join(inputs)}: none of {source.read:,} events counts; `stream-seg replay` writes each with its "
            "reason"
        )
    # Nobody comes by to forget on the way, as a worker does every few days.
    there = np.flatnonzero(everybody.silence < config.definition.forget_after)
    if not len(there):
        raise Stop(
            f"{', '.join(inputs)}: nobody is left at {_said(instant)}: the last event is of {_said(source.last)}, and "
            f"a customer is forgotten after `time.forget_after`, {config.definition.forget_after // DAY} days"
        )
    order = there[np.argsort(np.array(everybody.customers)[there])]
    table = CustomerTable(
        instant, tuple(everybody.customers[i].decode() for i in order.tolist()), everybody.raw[order],
        everybody.silence[order], Space(activation),
    )  # fmt: skip
    counts = Counts(
        source.read, state.accepted, source.rejected + state.rejected, state.late, state.duplicates, source.first,
        source.last,
    )  # fmt: skip
    return Study(table, days, months, activation, counts)


def _day(sampling: Sampling, boundary: int) -> Day:
    """The members at the end of a day, without those who were silent for so long that no learner looks at them."""
    here = sampling.census(boundary, MEMBERS)
    order = np.argsort(here.hashes, kind="stable")
    order = order[here.silence[order] < KEPT_FOR]
    return Day(boundary, here.hashes[order], here.silence[order], here.raw[order], order)


def _said(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


class _Usable:
    """Batches without what is no event or is not wanted, and how many there were of either."""

    def __init__(
        self, given: Iterator[Batch], end: int | None, tell: Tell, watch: Callable[[Batch], None] | None
    ) -> None:
        self._given = given
        self._watch = watch
        self._end = end
        self._tell = tell
        self.read = self.rejected = 0
        self.first, self.last = NONE, 0
        self.earliest = NONE  # of all usable ones, wanted or not
        self.first_rejected: str | None = None

    def batches(self) -> Iterator[Batch]:
        for batch in self._given:
            self.read += len(batch)
            self.rejected += len(batch.rejected)
            if batch.rejected and self.first_rejected is None:
                index = min(batch.rejected)
                self.first_rejected = f"; the first that is none, {batch.place(index)}: {batch.rejected[index]}"
            self._tell(READING, self.read, None)
            wanted = np.ones(len(batch), np.bool_)
            wanted[list(batch.rejected)] = False
            if wanted.any():
                self.earliest = min(self.earliest, int(batch.times[wanted].min()))
            if self._end is not None:
                wanted &= batch.times < self._end
            if wanted.any():
                usable = batch if wanted.all() else batch.take(np.flatnonzero(wanted).astype(np.int64))
                self.first = min(self.first, int(usable.times.min()))
                self.last = max(self.last, int(usable.times.max()))
                if self._watch is not None:
                    self._watch(usable)
                yield usable
