"""What LEARN keeps about one samples partition: its keyed table, its clock, its learner."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from stream_seg.core.activation import Activation
from stream_seg.core.lineage import Change
from stream_seg.core.model import ModelVersion
from stream_seg.wire.definitions import Happened

STATE, ACTIVATION, LEARNER, PROPOSAL, DRIFT = "state", "activation", "learner", "proposal", "drift"


class Sample(msgspec.Struct, frozen=True):
    """One customer's raw vector on one day, as LABEL sent it; its segment then (-1: none) and since when (ms)."""

    customer_id: str
    incarnation: int
    number: int
    as_of: int
    last_event: int
    layout: int
    hash: int
    vector: list[float]
    partition: int
    segment: int = -1
    since: int = 0


class TierState(msgspec.Struct, array_like=True):
    """Where the learning of one tier stands. Times in ms.

    ready      the learner begins no sooner: until then new windows are filling
    began      the boundary at which the learner began, refitted: of its last refit
    published  the boundary at which the last version was made
    versions   how many there were; free: the first number that no segment ever had
    held       a person decides what is in force: nothing is published by itself
    low, high  learned clips per column of the distance; empty: none
    history    segment -> what happened to it
    moved      (day, from, to, customers of the table) of the last 30 days
    """

    ready: int = 0
    began: int = 0
    refitted: int = 0
    published: int = 0
    versions: int = 0
    free: int = 0
    held: bool = False
    low: list[float] = []
    high: list[float] = []
    history: dict[int, list[Happened]] = {}
    moved: list[tuple[int, int, int, int]] = []


class Request(msgspec.Struct, array_like=True, frozen=True):
    """What a person asked for, and what came of it in words; `refused`: nothing did."""

    id: str
    said: str
    refused: bool = False


class LearnState(msgspec.Struct, array_like=True):
    """Times in ms.

    offset     next record to read
    passed     events partition -> the day that it has passed; partitions: how many there are
    learned    every sample dated at or before this was learned
    layout     activation that brought today's features; samples of an earlier one are not used
    requests   what people asked for last, so that a request sent twice counts once
    tier       of the one tier that there is
    """

    offset: int = 0
    passed: dict[int, int] = {}
    partitions: int = 0
    learned: int = 0
    layout: int = 0
    requests: list[Request] = []
    tier: TierState = msgspec.field(default_factory=TierState)


_encode_state = msgspec.msgpack.Encoder().encode
_decode_state = msgspec.msgpack.Decoder(LearnState).decode
_encode_samples = msgspec.msgpack.Encoder().encode
_decode_samples = msgspec.msgpack.Decoder(list[Sample]).decode


def offset_in(meta: Mapping[str, bytes]) -> int:
    """The applied offset of a slot."""
    return _decode_state(meta[STATE]).offset


Rank = tuple[int, bytes]  # (hash as unsigned, customer)


class Table:
    """The samples of a fixed share of all customers: those with the smallest hashes among all known up to a day.

    An entry holds a customer's newest learned sample, if the customer is a member, and whatever waits for a later
    boundary, oldest first. Who is a member is settled at a boundary, from the samples dated at or before it alone:
    one that came early, because its partition is further on, puts nobody out.

    limit   most members, and most customers whose samples wait for one boundary; period: ms between boundaries
    """

    def __init__(self, limit: int, period: int) -> None:
        self.limit = limit
        self.period = period
        self.entries: dict[bytes, list[Sample]] = {}
        self.members: list[Rank] = []
        self.waiting: dict[int, list[Rank]] = {}  # boundary -> those with a sample for it, in order
        self.touched: set[bytes] = set()
        self.dropped: set[bytes] = set()

    def add(self, sample: Sample, learned: int) -> None:
        """Takes a sample, unless it was there before or too many of smaller hash are dated the same day.

        `learned`: what is dated at or before it was learned already, so such a sample was sent twice.
        """
        customer = sample.customer_id.encode()
        entry = self.entries.get(customer, [])
        known = entry and (sample.incarnation, sample.number) <= (entry[-1].incarnation, entry[-1].number)
        if sample.as_of <= learned or known:
            return
        if self._queue(_rank(sample), self._boundary(sample)):
            self.entries[customer] = [*entry, sample]
            self._changed(customer)

    def _boundary(self, sample: Sample) -> int:
        return -(-sample.as_of // self.period) * self.period

    def _queue(self, rank: Rank, boundary: int) -> bool:
        """Lets a customer wait for a boundary; False: behind all of those that can become members there."""
        ranks = self.waiting.setdefault(boundary, [])
        at = bisect_left(ranks, rank)
        if at < len(ranks) and ranks[at] == rank:
            return True
        if at >= self.limit:
            return False
        ranks.insert(at, rank)
        if len(ranks) > self.limit:
            _, last = ranks.pop()
            self._keep(last, [sample for sample in self.entries[last] if self._boundary(sample) != boundary])
        return True

    def _keep(self, customer: bytes, entry: list[Sample]) -> None:
        """Leaves these samples of a customer; with none of them the customer is forgotten."""
        if entry:
            self.entries[customer] = entry
            self._changed(customer)
            return
        del self.entries[customer]
        self.touched.discard(customer)
        self.dropped.add(customer)

    def _changed(self, customer: bytes) -> None:
        self.touched.add(customer)
        self.dropped.discard(customer)

    def close(self, day: int) -> None:
        """Settles who is a member at a boundary. The others' samples up to then go."""
        ranks = set(self.members)
        for boundary in [boundary for boundary in self.waiting if boundary <= day]:
            ranks.update(self.waiting.pop(boundary))
        in_order = sorted(ranks)
        self.members = in_order[: self.limit]
        for _, customer in in_order[self.limit :]:
            self._keep(customer, [sample for sample in self.entries[customer] if sample.as_of > day])

    def between(self, after: int, until: int) -> list[Sample]:
        """Members' samples dated in (after, until], in the one order in which they are learned."""
        found = [s for _, customer in self.members for s in self.entries[customer] if after < s.as_of <= until]
        return sorted(found, key=lambda s: (s.as_of, s.hash, s.customer_id))

    def latest(self, until: int) -> list[Sample]:
        """Each member's newest sample dated at or before `until`, in order of the hash."""
        return [[s for s in self.entries[customer] if s.as_of <= until][-1] for _, customer in self.members]

    def active(self, after: int, until: int) -> list[tuple[Sample | None, Sample]]:
        """Members who did something in (after, until]: their sample before that, if there is one, and their newest."""
        found: list[tuple[Sample | None, Sample]] = []
        for _, customer in self.members:
            entry = [sample for sample in self.entries[customer] if sample.as_of <= until]
            if entry[-1].as_of > after and entry[-1].last_event > entry[-1].as_of - self.period:
                found.append((next((s for s in reversed(entry) if s.as_of <= after), None), entry[-1]))
        return found

    def moves(self, after: int, until: int) -> Counter[tuple[int, int]]:
        """How many members were in one segment up to `after` and in another at `until`."""
        found = Counter[tuple[int, int]]()
        for _, customer in self.members:
            entry = [sample for sample in self.entries[customer] if sample.as_of <= until]
            was = next((sample for sample in reversed(entry) if sample.as_of <= after), None)
            if was is not None and was.segment >= 0 and was.segment != entry[-1].segment >= 0:
                found[was.segment, entry[-1].segment] += 1
        return found

    def prune(self, until: int, last_event_before: int) -> None:
        """Drops samples that a newer learned one replaces, and members silent for too long."""
        stay = []
        for rank in self.members:
            entry = self.entries[rank[1]]
            newest = sum(sample.as_of <= until for sample in entry) - 1
            silent = entry[newest].last_event < last_event_before
            if silent or newest:
                self._keep(rank[1], entry[newest + silent :])
            if not silent:
                stay.append(rank)
        self.members = stay

    def clear(self) -> None:
        """Forgets everybody: the features changed."""
        for customer in list(self.entries):
            self._keep(customer, [])
        self.members, self.waiting = [], {}

    def load(self, entries: Iterable[tuple[bytes, bytes]], learned: int) -> None:
        """Brings stored entries back: (customer, as `dump` gave it)."""
        self.entries |= {customer: _decode_samples(value) for customer, value in entries}
        self.arrange(learned)

    def arrange(self, learned: int) -> None:
        """Finds anew who is a member and who waits for what."""
        self.members, self.waiting = [], {}
        for entry in list(self.entries.values()):
            rank = _rank(entry[0])
            if entry[0].as_of <= learned:
                insort(self.members, rank)
            for sample in entry:
                if sample.as_of > learned:
                    self._queue(rank, self._boundary(sample))

    def dump(self, customer: bytes) -> bytes:
        """A customer's entry as bytes."""
        return _encode_samples(self.entries[customer])


def _rank(sample: Sample) -> Rank:
    return sample.hash & 0xFFFFFFFFFFFFFFFF, sample.customer_id.encode()


class Proposal(msgspec.Struct, frozen=True):
    """A version that is made and not in force yet.

    moves     share of the customers with a label whom it would move, of the table
    from_     it comes into force at the first boundary from here on; 0: a person decides
    why       it was made; lineage: what it makes of the segments that there are
    numbers   of each centre as the learner has them, its segment
    """

    model: ModelVersion
    moves: float
    why: str
    lineage: tuple[Change, ...]
    from_: int = 0
    numbers: tuple[int, ...] = ()


class Memory:
    """The meta fields of one slot, decoded; `changed` gives those to write."""

    def __init__(self, meta: Mapping[str, bytes], offset: int) -> None:
        self.state = _decode_state(meta[STATE]) if STATE in meta else LearnState(offset=offset)
        self.activation = msgspec.json.decode(meta[ACTIVATION], type=Activation) if ACTIVATION in meta else None
        self.proposal = msgspec.json.decode(meta[PROPOSAL], type=Proposal) if meta.get(PROPOSAL) else None
        self.learner: bytes | None = meta.get(LEARNER) or None
        self.drift: bytes | None = meta.get(DRIFT) or None
        self._written = (self.activation, self.learner, self.proposal, self.drift)

    def changed(self) -> dict[str, bytes]:
        """The meta fields to write."""
        fields = {STATE: _encode_state(self.state)}
        activation, learner, proposal, drift = self._written
        if self.activation is not activation and self.activation is not None:
            fields[ACTIVATION] = msgspec.json.encode(self.activation)
        if self.learner != learner:
            fields[LEARNER] = self.learner or b""
        if self.proposal is not proposal:
            fields[PROPOSAL] = msgspec.json.encode(self.proposal) if self.proposal else b""
        if self.drift != drift:
            fields[DRIFT] = self.drift or b""
        self._written = (self.activation, self.learner, self.proposal, self.drift)
        return fields
