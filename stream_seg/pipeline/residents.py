"""The customers of one partition that a worker has at hand: a bounded cache, Redis written through.

One owner per partition makes a cache safe. It is dropped whole on a refused write, on revoke and when the layout
of records changes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stream_seg.core.emission import Emissions, emissions
from stream_seg.core.engine import Engine, convert
from stream_seg.core.filling import fill
from stream_seg.core.fold import refresh
from stream_seg.core.hashing import customer_hash
from stream_seg.core.model import Int64
from stream_seg.core.plan import Plan
from stream_seg.core.record import HASH, tag_of, unpack_into, unpack_rows
from stream_seg.core.state import UNKNOWN, People, scratch
from stream_seg.core.windows import NEVER
from stream_seg.errors import Stop

START = 1_024  # rows to begin with; half as many more at a time, up to the capacity
CAPACITY_OF_EMISSIONS = 2_048
NOT_INDEXED = NEVER  # `indexed` of a customer who is not in the due index
UNSEEN = np.int64(-1)  # `indexed` of a customer just loaded: nobody knows here


class Residents:
    """Rows of customers, found by id. Rows stay valid until the next `admit`.

    capacity   most customers at hand; a batch may not touch more
    indexed    (rows,) the instant under which Redis's due index has the customer, as far as known
    """

    def __init__(self, engine: Engine, layouts: dict[int, Plan], capacity: int, source: Plan | None = None) -> None:
        self.engine = engine
        self.layouts = layouts  # tag -> plan, for records not touched since the layout changed
        self.source = source  # plan of the records that such a one is filled from
        self.tag = tag_of(engine.activation.layout)
        self.capacity = capacity
        self.slots: dict[bytes, int] = {}
        self.ids: list[bytes] = []
        self.work = scratch(engine.plan.arrays, engine.models)
        self.out: Emissions = emissions(CAPACITY_OF_EMISSIONS, len(engine.plan.columns))
        self.batch = 0
        self.asked = self.missed = 0  # how often somebody was looked for, and was not at hand
        rows = min(START, capacity)
        self.people: People = self._people(rows)
        self.indexed: Int64 = np.full(rows, UNSEEN, np.int64)
        self.used: Int64 = np.zeros(rows, np.int64)

    def _people(self, rows: int) -> People:
        words = np.zeros((rows, self.engine.plan.width), np.int64)
        columns = len(self.engine.plan.columns)
        return People(
            words,
            words.view(np.float64),
            np.full((rows, columns), np.nan),
            np.full(rows, UNKNOWN, np.int64),
            np.zeros(rows, np.int64),
        )

    def _grow(self, rows: int) -> None:
        """More rows; those in use stay where they are."""
        n, old = len(self.ids), self.people
        self.people = self._people(rows)
        for array, before in zip(self.people, old, strict=True):
            array[:n] = before[:n]
        more = rows - len(self.used)
        self.indexed = np.concatenate([self.indexed, np.full(more, UNSEEN, np.int64)])
        self.used = np.concatenate([self.used, np.zeros(more, np.int64)])

    def begin(self, ids: Sequence[bytes]) -> list[bytes]:
        """A new batch begins: nobody of `ids` is put out until the next one. Who of them is not at hand, each once."""
        self.batch += 1
        found = list(map(self.slots.get, ids))
        self.asked += len(ids)
        self.used[[slot for slot in found if slot is not None]] = self.batch
        if None not in found:
            return []
        self.missed += found.count(None)
        return list(dict.fromkeys(customer for customer, slot in zip(ids, found, strict=True) if slot is None))

    def admit(self, ids: Sequence[bytes], values: Sequence[bytes | None], filled: Sequence[bytes | None] = ()) -> Int64:
        """Brings loaded records in (None: nobody knows this customer yet); returns the rows of those that are new.

        `filled`: of each, the record of the fold beside; only where there is a `source`.
        """
        slots = self._rooms(len(ids))
        for slot, customer in zip(slots.tolist(), ids, strict=True):
            self.slots[customer] = slot
            if slot == len(self.ids):
                self.ids.append(customer)
            else:
                self.ids[slot] = customer
        self.people.words[slots] = 0
        self.people.seen[slots] = np.nan
        self.people.due[slots] = UNKNOWN
        self.people.changed[slots] = 0
        known = np.array([value is not None for value in values], np.bool_)
        beside = [record for record, value in zip(filled, values, strict=True) if value is not None] if filled else []
        older = self._unpack(slots[known], [value for value in values if value is not None], beside)
        refresh(self.engine.plan.arrays, self.people, slots[known], self.work)
        if self.source is not None:  # everybody's record is to have the new cells
            self.people.changed[slots[known][older]] = 1
        new = slots[~known]
        hashes = [customer_hash(customer) for customer, value in zip(ids, values, strict=True) if value is None]
        self.people.words[new, HASH] = np.array(hashes, np.uint64).view(np.int64)
        self.indexed[slots[known]] = UNSEEN
        self.indexed[new] = NOT_INDEXED
        return new

    def rows(self, ids: Sequence[bytes]) -> Int64:
        """The rows of customers who are all at hand."""
        found = np.array(list(map(self.slots.__getitem__, ids)), np.int64)
        self.used[found] = self.batch
        return found

    def _rooms(self, count: int) -> Int64:
        """Rows for `count` more customers: free ones, then more memory, then those unused for longest."""
        free = len(self.people.words) - len(self.ids)
        while free < count and len(self.people.words) < self.capacity:
            self._grow(min(len(self.people.words) * 3 // 2 + 1, self.capacity))
            free = len(self.people.words) - len(self.ids)
        fresh = np.arange(len(self.ids), len(self.ids) + min(free, count))
        if count <= free:
            return fresh
        wanted = count - len(fresh)
        idle = np.flatnonzero(self.used[: len(self.ids)] < self.batch)
        if len(idle) < wanted:
            raise Stop(f"a batch touches more customers than run.cache_mb can hold ({self.capacity}); raise it")
        oldest = idle[np.argpartition(self.used[idle], wanted - 1)[:wanted]]
        for slot in oldest.tolist():
            self.slots.pop(self.ids[slot], None)
        return np.concatenate([fresh, oldest])

    def forget(self, slot: int) -> None:
        """Drops a customer whose record is erased."""
        self.slots.pop(self.ids[slot], None)
        self.ids[slot] = b""
        self.used[slot] = 0

    def _unpack(self, slots: Int64, values: list[bytes], filled: list[bytes | None]) -> npt.NDArray[np.bool_]:
        """Reads records, and says which of them were of an older layout."""
        tags = np.array([value[1] for value in values], np.int64)
        mine: npt.NDArray[np.bool_] = tags == self.tag
        same = [value for value in values if value[1] == self.tag]
        unpack_into(_join(same), _ends(same), slots[mine], self.tag, self.people.words)
        for tag in np.unique(tags[~mine]).tolist():
            old = self.layouts.get(tag)
            if old is None:
                raise Stop("a customer record bears a layout that no activation in use has; rebuild this partition")
            of = np.flatnonzero(tags == tag)
            found = [values[i] for i in of]
            rows = unpack_rows(_join(found), _ends(found), tag, old.width)
            rows = convert(rows, old, self.engine.plan, self.engine.activation.layout)
            if self.source is not None:
                fill(rows, self._beside(self.source, [filled[i] for i in of]), old, self.engine.plan, self.source)
            self.people.words[slots[of]] = rows
        return ~mine

    def _beside(self, source: Plan, filled: list[bytes | None]) -> Int64:
        rows = np.zeros((len(filled), source.width), np.int64)
        known = [value for value in filled if value is not None]
        where = np.array([i for i, value in enumerate(filled) if value is not None], np.int64)
        if known:
            unpack_into(_join(known), _ends(known), where, known[0][1], rows)
        return rows


def _join(values: list[bytes]) -> bytes:
    return b"".join(values)


def _ends(values: list[bytes]) -> Int64:
    return np.cumsum([len(value) for value in values], dtype=np.int64)
