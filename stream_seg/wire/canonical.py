"""INGEST's half of decoding: the same judgement, and each usable record as LABEL will read it from `events`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stream_seg.core.definition import Mapping
from stream_seg.core.event import Fields, Int64
from stream_seg.errors import BadEvent
from stream_seg.ports import Record
from stream_seg.wire.decode import Decoder
from stream_seg.wire.forms import with_timestamp
from stream_seg.wire.timestamps import rfc3339


@dataclass(frozen=True, slots=True)
class Canonical:
    """The usable events of a batch in its order, n of them, and what was wrong with the others.

    rows       (n,) index in the batch
    customers  n customer ids: the keys under which `values` go into the log
    values     n Segment-spec events; a record that was one already keeps its bytes
    times      (n,) event time, ms since 1970
    rejected   (index in the batch, why)
    """

    rows: Int64
    customers: list[bytes]
    values: list[bytes]
    times: Int64
    rejected: list[tuple[int, BadEvent]]


class Canonicalizer:
    """Rewrites batches of any input form; `mapping` is for records that are in none of the known ones."""

    def __init__(self, mapping: Mapping | None = None) -> None:
        self._decoder = Decoder(Fields(), mapping, keyed=False)

    def canonical(self, records: Sequence[Record]) -> Canonical:
        """The batch as Segment-spec events. Never raises for what is in a record."""
        usable = self._decoder.judge(records)
        for p in usable.stamped:  # the next log has another append time: keep the one that counted
            usable.values[p] = with_timestamp(usable.values[p], rfc3339(int(usable.times[p])))
        return Canonical(usable.rows, usable.customers, usable.values, usable.times, usable.rejected)


def canonical(record: Record, mapping: Mapping | None = None) -> tuple[bytes, bytes]:
    """(customer id, Segment-spec event) of one record. Raises `BadEvent`. Batches are much faster."""
    one = Canonicalizer(mapping).canonical([record])
    for _, error in one.rejected:
        raise error
    return one.customers[0], one.values[0]
