"""LEARN's keyed table: the newest vectors of a fixed share of the customers, tier by tier."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from stream_seg.core.definition import BASE


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
    tier: str = BASE


_encode_samples = msgspec.msgpack.Encoder().encode
_decode_samples = msgspec.msgpack.Decoder(list[Sample]).decode
Rank = tuple[int, bytes]  # (hash as unsigned, customer)


class Table:
    """The samples of a fixed share of all customers: those with the smallest hashes among all known up to a day.

    Each tier has such a share of its own; a customer belongs to the tier of its newest sample. An entry holds a
    customer's newest learned sample, if the customer is a member, and whatever waits for a later boundary, oldest
    first. Who is a member is settled at a boundary, from the samples dated at or before it alone: one that came early,
    because its partition is further on, puts nobody out.

    limit   most members of a tier, and most customers whose samples wait for one boundary there
    period  ms between boundaries
    """

    def __init__(self, limit: int, period: int) -> None:
        self.limit = limit
        self.period = period
        self.entries: dict[bytes, list[Sample]] = {}
        self.members: dict[str, list[Rank]] = {}  # tier -> in order
        self.waiting: dict[tuple[int, str], list[Rank]] = {}  # those with a sample for a boundary and tier, in order
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
        if self._queue(sample):
            self.entries[customer] = [*entry, sample]
            self._changed(customer)

    def _boundary(self, sample: Sample) -> int:
        return -(-sample.as_of // self.period) * self.period

    def _queue(self, sample: Sample) -> bool:
        """Lets a customer wait for a boundary; False: behind all of those that can become members there."""
        rank, place = _rank(sample), (self._boundary(sample), sample.tier)
        ranks = self.waiting.setdefault(place, [])
        at = bisect_left(ranks, rank)
        if at < len(ranks) and ranks[at] == rank:
            return True
        if at >= self.limit and not self._elsewhere(rank[1], sample.tier):
            return False
        ranks.insert(at, rank)
        for i in range(len(ranks) - 1, self.limit - 1, -1):
            last = ranks[i][1]
            if i != at and not self._elsewhere(last, sample.tier):
                ranks.pop(i)
                self.keep(last, [one for one in self.entries[last] if (self._boundary(one), one.tier) != place])
                break
        return True

    def _elsewhere(self, customer: bytes, tier: str) -> bool:
        """Whether a customer is known in another tier, which it can only leave by a sample that is not refused."""
        return any(sample.tier != tier for sample in self.entries.get(customer, ()))

    def keep(self, customer: bytes, entry: list[Sample]) -> None:
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
        ranks = {rank for members in self.members.values() for rank in members}
        for place in [place for place in self.waiting if place[0] <= day]:
            ranks.update(self.waiting.pop(place))
        tiers: dict[str, list[Rank]] = {}
        for rank in sorted(ranks):
            tiers.setdefault(newest(self.entries[rank[1]], day).tier, []).append(rank)
        self.members = {tier: in_order[: self.limit] for tier, in_order in tiers.items()}
        for in_order in tiers.values():
            for _, customer in in_order[self.limit :]:
                self.keep(customer, [sample for sample in self.entries[customer] if sample.as_of > day])

    def of(self, tier: str) -> Share:
        """One tier's part of it."""
        return Share(self, tier)

    def clear(self) -> None:
        """Forgets everybody: the features changed."""
        for customer in list(self.entries):
            self.keep(customer, [])
        self.members, self.waiting = {}, {}

    def only(self, tiers: Sequence[str]) -> None:
        """Forgets what was sampled in any other tier."""
        for customer, entry in list(self.entries.items()):
            if any(sample.tier not in tiers for sample in entry):
                self.keep(customer, [sample for sample in entry if sample.tier in tiers])

    def load(self, entries: Iterable[tuple[bytes, bytes]], learned: int) -> None:
        """Brings stored entries back: (customer, as `dump` gave it)."""
        self.entries |= {customer: _decode_samples(value) for customer, value in entries}
        self.arrange(learned)

    def arrange(self, learned: int) -> None:
        """Finds anew who is a member and who waits for what: everybody whom an entry says so of."""
        members, waiting = dict[str, set[Rank]](), dict[tuple[int, str], set[Rank]]()
        for entry in self.entries.values():
            if entry[0].as_of <= learned:
                members.setdefault(newest(entry, learned).tier, set()).add(_rank(entry[0]))
            for sample in entry:
                if sample.as_of > learned:
                    waiting.setdefault((self._boundary(sample), sample.tier), set()).add(_rank(sample))
        self.members = {tier: sorted(ranks) for tier, ranks in members.items()}
        self.waiting = {place: sorted(ranks) for place, ranks in waiting.items()}

    def dump(self, customer: bytes) -> bytes:
        """A customer's entry as bytes."""
        return _encode_samples(self.entries[customer])


class Share:
    """The members of one tier, and their samples of this tier."""

    def __init__(self, table: Table, tier: str) -> None:
        self._table = table
        self.tier = tier

    @property
    def members(self) -> list[Rank]:
        return self._table.members.get(self.tier, [])

    def _entries(self, until: int) -> Iterator[list[Sample]]:
        """Each member's samples dated at or before `until`, oldest first, in order of the hash; none is empty."""
        for _, customer in self.members:
            yield [s for s in self._table.entries[customer] if s.as_of <= until and s.tier == self.tier]

    def between(self, after: int, until: int) -> list[Sample]:
        """Members' samples dated in (after, until], in the one order in which they are learned."""
        found = [sample for entry in self._entries(until) for sample in entry if sample.as_of > after]
        return sorted(found, key=lambda s: (s.as_of, s.hash, s.customer_id))

    def latest(self, until: int) -> list[Sample]:
        """Each member's newest sample dated at or before `until`, in order of the hash."""
        return [entry[-1] for entry in self._entries(until)]

    def active(self, after: int, until: int) -> list[tuple[Sample | None, Sample]]:
        """Members who did something in (after, until]: their sample before that, if there is one, and their newest."""
        return [
            (_before(entry, after), entry[-1])
            for entry in self._entries(until)
            if entry[-1].as_of > after and entry[-1].last_event > entry[-1].as_of - self._table.period
        ]

    def moves(self, after: int, until: int) -> Counter[tuple[int, int]]:
        """How many members were in one segment up to `after` and in another at `until`."""
        found = Counter[tuple[int, int]]()
        for entry in self._entries(until):
            was = _before(entry, after)
            if was is not None and was.segment >= 0 and was.segment != entry[-1].segment >= 0:
                found[was.segment, entry[-1].segment] += 1
        return found

    def prune(self, until: int, last_event_before: int) -> None:
        """Drops samples that a newer learned one replaces, and members silent for too long."""
        stay = []
        for rank in self.members:
            entry = self._table.entries[rank[1]]
            last = sum(sample.as_of <= until for sample in entry) - 1
            silent = entry[last].last_event < last_event_before
            if silent or last:
                self._table.keep(rank[1], entry[last + silent :])
            if not silent:
                stay.append(rank)
        self._table.members[self.tier] = stay


def newest(entry: Sequence[Sample], until: int) -> Sample:
    """The newest sample dated at or before `until`; there must be one."""
    return next(sample for sample in reversed(entry) if sample.as_of <= until)


def _before(entry: Sequence[Sample], after: int) -> Sample | None:
    return next((sample for sample in reversed(entry) if sample.as_of <= after), None)


def _rank(sample: Sample) -> Rank:
    return sample.hash & 0xFFFFFFFFFFFFFFFF, sample.customer_id.encode()
