"""Everybody at one instant: the features of a partition's customers, read from their records. Nothing is decided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from stream_seg.core.measures import read_columns
from stream_seg.core.model import Float64, Int64
from stream_seg.core.record import ALIVE, HASH, LAST_EVENT, TIME
from stream_seg.pipeline.rules import Rules, brought_in


class Census(NamedTuple):
    """customers: ids, as given, and hashes; raw: (n, columns) in real units; silence: ms since the last event."""

    customers: list[bytes]
    hashes: Int64
    raw: Float64
    silence: Int64


def census(customers: Sequence[bytes], records: Sequence[bytes | None], rules: Rules, instant: int) -> Census:
    """The features of these customers at `instant`, or at their own time where that is later.

    records: as stored; who has none, or was forgotten, is left out.
    """
    here = [(customer, record) for customer, record in zip(customers, records, strict=True) if record is not None]
    columns = len(rules.engine.plan.columns)
    if not here:
        return Census([], np.empty(0, np.int64), np.empty((0, columns)), np.empty(0, np.int64))
    page = brought_in([customer for customer, _ in here], [record for _, record in here], rules)
    words, work = page.people.words, page.work
    alive = np.flatnonzero(words[: len(here), ALIVE] == 1)
    raw, silence = np.empty((len(alive), columns)), np.empty(len(alive), np.int64)
    for row, i in enumerate(alive.tolist()):
        as_of = max(int(words[i, TIME]), instant)
        read_columns(rules.engine.plan.arrays, words, page.people.floats, i, as_of, work)
        raw[row], silence[row] = work.raw, as_of - int(words[i, LAST_EVENT])
    return Census([here[i][0] for i in alive.tolist()], words[alive, HASH], raw, silence)
