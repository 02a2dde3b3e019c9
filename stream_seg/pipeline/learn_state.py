"""What LEARN keeps about one samples partition: its keyed table, its clock, its learner."""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping

import msgspec

from stream_seg.core.activation import Activation
from stream_seg.wire.definitions import Happened

STATE, ACTIVATION, LEARNER = "state", "activation", "learner"


class Sample(msgspec.Struct, frozen=True):
    """One customer's raw vector on one day, as LABEL sent it."""

    customer_id: str
    incarnation: int
    number: int
    as_of: int
    last_event: int
    layout: int
    hash: int
    vector: list[float]
    partition: int


class LearnState(msgspec.Struct, array_like=True):
    """Times in ms.

    offset     next record to read
    passed     events partition -> the day that it has passed; partitions: how many there are
    learned    every sample dated at or before this was learned
    layout     activation that brought today's features; samples of an earlier one are not used
    ready      the learner begins no sooner: until then new windows are filling
    published  the boundary at which the last version was published
    requests   what was applied last, so that a request sent twice counts once
    low, high  learned clips per column of the distance; empty: none
    history    segment -> what happened to it
    """

    offset: int = 0
    passed: dict[int, int] = {}
    partitions: int = 0
    learned: int = 0
    layout: int = 0
    ready: int = 0
    published: int = 0
    versions: int = 0
    requests: list[str] = []
    low: list[float] = []
    high: list[float] = []
    history: dict[int, list[Happened]] = {}


_encode_state = msgspec.msgpack.Encoder().encode
_decode_state = msgspec.msgpack.Decoder(LearnState).decode
_encode_samples = msgspec.msgpack.Encoder().encode
_decode_samples = msgspec.msgpack.Decoder(list[Sample]).decode


def offset_in(meta: Mapping[str, bytes]) -> int:
    """The applied offset of a slot."""
    return _decode_state(meta[STATE]).offset


class Table:
    """The samples of a fixed share of all customers: those with the smallest hashes.

    A customer's entry holds its newest learned sample and whatever is dated later, oldest first.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.entries: dict[bytes, list[Sample]] = {}
        self.order: list[tuple[int, bytes]] = []  # (hash as unsigned, customer)
        self.touched: set[bytes] = set()
        self.dropped: set[bytes] = set()

    def add(self, sample: Sample) -> None:
        """Takes a sample unless it is an old one, or its customer's hash is beyond those kept."""
        customer = sample.customer_id.encode()
        entry = self.entries.get(customer)
        if entry is None:
            rank = (sample.hash & 0xFFFFFFFFFFFFFFFF, customer)
            if len(self.order) >= self.limit and rank > self.order[-1]:
                return
            insort(self.order, rank)
            self.entries[customer] = [sample]
            if len(self.order) > self.limit:
                self.drop(self.order[-1][1])
        elif (sample.incarnation, sample.number) > (entry[-1].incarnation, entry[-1].number):
            entry.append(sample)
        else:
            return
        self.touched.add(customer)
        self.dropped.discard(customer)

    def drop(self, customer: bytes) -> None:
        """Forgets a customer."""
        rank = (self.entries.pop(customer)[0].hash & 0xFFFFFFFFFFFFFFFF, customer)
        self.order.remove(rank)
        self.touched.discard(customer)
        self.dropped.add(customer)

    def between(self, after: int, until: int) -> list[Sample]:
        """Samples dated in (after, until], in the one order in which they are learned."""
        found = [s for entry in self.entries.values() for s in entry if after < s.as_of <= until]
        return sorted(found, key=lambda s: (s.as_of, s.hash, s.customer_id))

    def latest(self, until: int) -> list[Sample]:
        """Each customer's newest sample dated at or before `until`, in order of the hash."""
        found = []
        for _, customer in self.order:
            dated = [s for s in self.entries[customer] if s.as_of <= until]
            if dated:
                found.append(dated[-1])
        return found

    def prune(self, until: int, last_event_before: int) -> None:
        """Drops samples that a newer learned one replaces, and customers silent for too long."""
        for customer, entry in list(self.entries.items()):
            while len(entry) > 1 and entry[1].as_of <= until:
                entry.pop(0)
                self.touched.add(customer)
            if entry[-1].last_event < last_event_before:
                self.drop(customer)

    def clear(self) -> None:
        """Forgets everybody: the features changed."""
        for customer in list(self.entries):
            self.drop(customer)

    def load(self, customer: bytes, value: bytes) -> None:
        """Brings a stored entry back."""
        entry = _decode_samples(value)
        self.entries[customer] = entry
        insort(self.order, (entry[0].hash & 0xFFFFFFFFFFFFFFFF, customer))

    def dump(self, customer: bytes) -> bytes:
        """A customer's entry as bytes."""
        return _encode_samples(self.entries[customer])


class Memory:
    """The meta fields of one slot, decoded; `changed` gives those to write."""

    def __init__(self, meta: Mapping[str, bytes], offset: int) -> None:
        self.state = _decode_state(meta[STATE]) if STATE in meta else LearnState(offset=offset)
        self.activation = msgspec.json.decode(meta[ACTIVATION], type=Activation) if ACTIVATION in meta else None
        self.learner: bytes | None = meta.get(LEARNER) or None
        self._written: tuple[Activation | None, bytes | None] = (self.activation, self.learner)

    def changed(self) -> dict[str, bytes]:
        """The meta fields to write."""
        fields = {STATE: _encode_state(self.state)}
        if self.activation is not self._written[0] and self.activation is not None:
            fields[ACTIVATION] = msgspec.json.encode(self.activation)
        if self.learner is not self._written[1]:
            fields[LEARNER] = self.learner or b""
        self._written = (self.activation, self.learner)
        return fields
