"""What LEARN keeps about one samples partition besides its table: its clock, and each tier's learner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from stream_seg.core.activation import Activation
from stream_seg.core.findings import Finding
from stream_seg.core.lineage import Change
from stream_seg.core.model import ModelVersion
from stream_seg.wire.definitions import Happened

STATE, ACTIVATION = "state", "activation"
LEARNER, PROPOSAL, DRIFT, FINDINGS = "learner", "proposal", "drift", "findings"  # of each tier
AUTHOR = "learn"  # who decides where no person does


class TierState(msgspec.Struct, array_like=True):
    """Where the learning of one tier stands. Times in ms.

    ready      the learner begins no sooner: until then new windows are filling
    began      the boundary at which the learner began, refitted: of its last refit
    given      the learner is to begin with the centres of the version in force, which came with the definition
    published  the boundary at which the last version was made
    held       a person decides what is in force: nothing is published by itself
    low, high  learned clips per column of the distance; empty: none
    history    segment -> what happened to it
    moved      (day, from, to, customers of the table) of the last 30 days
    """

    ready: int = 0
    began: int = 0
    refitted: int = 0
    published: int = 0
    held: bool = False
    low: list[float] = []
    high: list[float] = []
    history: dict[int, list[Happened]] = {}
    moved: list[tuple[int, int, int, int]] = []
    given: bool = False


class Request(msgspec.Struct, array_like=True, frozen=True):
    """What a person asked for, and what came of it in words; `refused`: nothing did.

    number  the activation that it brought; 0: none
    """

    id: str
    said: str
    refused: bool = False
    number: int = 0


class LearnState(msgspec.Struct, array_like=True):
    """Times in ms.

    offset     next record to read
    passed     events partition -> the day that it has passed; partitions: how many there are
    learned    every sample dated at or before this was learned
    layout     activation that brought today's features; samples of an earlier one are not used
    requests   what people asked for last, so that a request sent twice counts once
    tiers      how the learning of each tier stands
    versions   how many there were, of all tiers; free: the first number that no segment ever had
    """

    offset: int = 0
    passed: dict[int, int] = {}
    partitions: int = 0
    learned: int = 0
    layout: int = 0
    requests: list[Request] = []
    tiers: dict[str, TierState] = {}
    versions: int = 0
    free: int = 0


_encode_state = msgspec.msgpack.Encoder().encode
_decode_findings = msgspec.msgpack.Decoder(list[Finding]).decode
_decode_state = msgspec.msgpack.Decoder(LearnState).decode


def offset_in(meta: Mapping[str, bytes]) -> int:
    """The applied offset of a slot."""
    return _decode_state(meta[STATE]).offset


class Proposal(msgspec.Struct, frozen=True):
    """A version that is not in force yet.

    moves     share of the customers with a label whom it would move, of the table
    from_     it comes into force at the first boundary from here on; 0: a person decides
    why       it was made; lineage: what it makes of the segments that there are
    numbers   of each centre as the learner has them, its segment
    who       put it forward: `AUTHOR`, or a person
    labelled  customers of the table with a label; flows: (from, to, how many of them), the most first
    """

    model: ModelVersion
    moves: float
    why: str
    lineage: tuple[Change, ...]
    from_: int = 0
    numbers: tuple[int, ...] = ()
    who: str = AUTHOR
    labelled: int = 0
    flows: tuple[tuple[int, int, int], ...] = ()


class TierMemory:
    """What is kept of one tier. `state` is part of the slot's; findings: what the last watched day said of drift."""

    def __init__(self, state: TierState, meta: Mapping[str, bytes], tier: str) -> None:
        self.state = state
        self._keys = [f"{kind}:{tier}" for kind in (LEARNER, PROPOSAL, DRIFT, FINDINGS)]
        learner, proposal, drift, findings = (meta.get(key) or None for key in self._keys)
        self.learner: bytes | None = learner
        self.proposal = msgspec.json.decode(proposal, type=Proposal) if proposal else None
        self.drift: bytes | None = drift
        self.findings: Sequence[Finding] = _decode_findings(findings) if findings else ()
        self._written: tuple[object, ...] = (self.learner, self.proposal, self.drift, self.findings)

    def changed(self) -> dict[str, bytes]:
        """The meta fields to write."""
        now = (self.learner, self.proposal, self.drift, self.findings)
        proposal = msgspec.json.encode(self.proposal) if self.proposal else b""
        findings = msgspec.msgpack.encode(self.findings) if self.findings else b""
        encoded = (self.learner or b"", proposal, self.drift or b"", findings)
        values = zip(self._keys, encoded, now, self._written, strict=True)
        self._written = now
        return {key: value for key, value, new, old in values if new is not old and new != old}


class Memory:
    """The meta fields of one slot, decoded; `changed` gives those to write."""

    def __init__(self, meta: Mapping[str, bytes], offset: int) -> None:
        self.state = _decode_state(meta[STATE]) if STATE in meta else LearnState(offset=offset)
        self.activation = msgspec.json.decode(meta[ACTIVATION], type=Activation) if ACTIVATION in meta else None
        self.tiers = {tier: TierMemory(state, meta, tier) for tier, state in self.state.tiers.items()}
        self._activation = self.activation
        self._gone: list[TierMemory] = []

    def tier(self, name: str) -> TierMemory:
        """What is kept of a tier, from now on if it is a new one."""
        if name not in self.tiers:
            state = self.state.tiers[name] = TierState()
            self.tiers[name] = TierMemory(state, {}, name)
        return self.tiers[name]

    def keep(self, tiers: Sequence[str]) -> None:
        """Forgets every tier but these."""
        for name in self.tiers.keys() - set(tiers):
            gone = self.tiers.pop(name)
            gone.learner = gone.proposal = gone.drift = None
            gone.findings = ()
            self._gone.append(gone)
            del self.state.tiers[name]

    def changed(self) -> dict[str, bytes]:
        """The meta fields to write."""
        fields = {STATE: _encode_state(self.state)}
        if self.activation is not self._activation and self.activation is not None:
            fields[ACTIVATION] = msgspec.json.encode(self.activation)
        self._activation = self.activation
        for tier in (*self._gone, *self.tiers.values()):
            fields |= tier.changed()
        self._gone.clear()
        return fields
