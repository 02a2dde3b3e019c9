"""Backfill: what a new feature would be if it had been there all along, from the log that is still there.

The log is folded a second time, under the new definition alone and into a slot of its own (`fill` beside `label`), by a
command beside the workers. The activation says that it was (`stream_seg.core.activation.Fill`). LABEL, when it comes to
that activation, takes the slot over, folds what is missing up to there, and gives every customer the cells that she did
not have. So the features do not depend on how far the command had come, or on whether it ran at all: they are a
function of the log, in a replay too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from stream_seg.core.activation import Activation
from stream_seg.core.definition import Definition, feature_set_version
from stream_seg.core.marks import Marks
from stream_seg.core.plan import Plan
from stream_seg.core.ring import RING
from stream_seg.pipeline.label_state import MARK, Memory, offset_in
from stream_seg.pipeline.owner import GUARD, SlotOwner
from stream_seg.ports import Again, Claim, Committed, Load, Loaded, LogRange, Message, Record, SlotState, Step
from stream_seg.wire import control

if TYPE_CHECKING:
    from stream_seg.pipeline.customers import Customers

BEGUN = "begun"
FIRST_LOOK = 20  # records; after so many the fold says from when on it knows anything


class Begun(msgspec.Struct, frozen=True, array_like=True):
    """Where a fold beside began, and the clock (ms) soon after; 0: not known yet. `first` -1: nothing is there."""

    first: int
    since: int = 0


class Unheard(SlotOwner):
    """Owns a slot by its claim alone: the last who claims it. Nothing of what it decides leaves it."""

    first = 0  # offset at which the log begins

    def open(self, offset_in: Any) -> Step[tuple[Mapping[str, bytes], int]]:
        """The meta fields, and the offset in them; where there are none, the log's first."""
        state: SlotState = yield Claim(self.slot)
        log: LogRange = yield Committed(self.topic, self.slot.partition)
        self.claim, self.rev, self.guard = state.claim, state.rev, log.guard
        self.first = log.first
        return state.meta, offset_in(state.meta) if state.meta else log.first

    def write(self, *, meta: Mapping[str, bytes], messages: Sequence[Message] = (), **change: Any) -> Step[None]:  # noqa: ARG002  # nobody hears of them
        yield from super().write(meta=meta, **change)

    def send_aside(self, messages: Sequence[Message], offsets: Sequence[int]) -> Step[None]:  # noqa: ARG002  # the same
        """They were sent when the log was labelled."""
        yield from ()


class Fold(Protocol):
    """LABEL's work, on a slot of an `Unheard`."""

    owner: SlotOwner
    memory: Memory
    customers: Customers

    def go_on(self, memory: Memory) -> Step[None]: ...
    def process(self, records: Sequence[Record]) -> Step[int]: ...


class Filler:
    """The fold of one partition under a definition that is not, or just comes, in force.

    definition  what to fold by
    first       offset to begin at, or where the log begins if that is later; None: wherever it began before
    """

    def __init__(self, fold: Fold, owner: Unheard, definition: Definition, first: int | None) -> None:
        self._fold = fold
        self._owner = owner
        self._first = first
        version = feature_set_version(definition)
        self._activation = Activation(
            number=1, definition=definition, feature_set_version=version, who="", at=0, why=""
        )
        self.begun = Begun(-1)
        self.offset = 0

    @property
    def plan(self) -> Plan:
        """How the records that it keeps are laid out."""
        return self._fold.customers.engine.plan

    def open(self, until: int | None = None) -> Step[None]:
        """Takes the slot over and goes on where it stands; begins anew where it holds anything else.

        `until`: what was folded from that offset on is too much, since LABEL counts it as well.
        """
        meta, offset = yield from self._owner.open(offset_in)
        if self._goes_on(meta, offset) and (until is None or offset <= until):
            self.begun, memory = _decode(meta[BEGUN]), Memory(meta, offset)
        else:
            if meta:
                yield from self._clear(key for key in meta if key.startswith(MARK))
            first = self._owner.first if self._first is None else self._first
            self.begun, memory = Begun(first), Memory({}, max(first, self._owner.first))
            memory.activate(self._activation)
            guard = self._owner.guard.encode()
            yield from self._owner.write(meta={GUARD: guard, BEGUN: _encode(self.begun), **memory.changed()})
        self.offset = memory.state.offset
        yield from self._fold.go_on(memory)

    def _goes_on(self, meta: Mapping[str, bytes], offset: int) -> bool:
        found = begun_by(meta, self._owner.guard, self._activation.definition)
        return found is not None and offset >= self._owner.first and self._first in (None, found.first)

    def fold(self, until: int) -> Step[int]:
        """Folds up to before offset `until`, or to where the log ends; returns the offset reached."""
        while self.offset < until:
            stop = until if self.begun.since else min(until, self.offset + FIRST_LOOK)
            records: Sequence[Record] = yield Again(self._owner.topic, self._owner.slot.partition, self.offset, stop)
            if not records:
                break
            # What was in force when these were labelled is of no interest here.
            heard = [record for record in records if not (record.headers and control.activates(record))]
            if heard:
                yield from self._fold.process(heard)
            self.offset = records[-1].offset + 1
            if not self.begun.since:
                yield from self._look()
        return self.offset

    def _look(self) -> Step[None]:
        state = self._fold.memory.state
        self.begun = Begun(self.begun.first, state.clock or state.latest)
        yield from self._owner.write(meta={BEGUN: _encode(self.begun)})

    def records(self, customers: Sequence[bytes]) -> Step[Sequence[bytes | None]]:
        """The stored records. Raises `Fenced` where somebody else may have begun anew meanwhile."""
        loaded: Loaded = yield Load(self._owner.slot, customers)
        yield from self._owner.confirm()
        return loaded.values

    def clear(self) -> Step[None]:
        """Forgets everybody, and that there was anything."""
        yield from self._clear(MARK + source for source in self._fold.memory.marks)

    def _clear(self, marks: Iterable[str]) -> Step[None]:
        none = Marks().dump()
        yield from self._owner.write(meta={BEGUN: _encode(Begun(-1)), **dict.fromkeys(marks, none)})
        limit = 2_500
        while True:
            loaded: Loaded = yield Load(self._owner.slot, ring=(-1, RING - 1), ring_limit=limit)
            if not loaded.ring:
                return
            yield from self._owner.write(meta={}, erased=[customer for customer, _ in loaded.ring])


def begun_by(meta: Mapping[str, bytes], guard: str, definition: Definition) -> Begun | None:
    """Where the fold that a slot holds began; None where it is not one of this log under this definition."""
    if not meta or meta[GUARD].decode() != guard:
        return None
    found = _decode(meta[BEGUN])
    same = found.first >= 0 and _folds_by(Memory(meta, 0).activations[-1].definition) == _folds_by(definition)
    return found if same else None


def _folds_by(definition: Definition) -> tuple[object, ...]:
    """Everything of a definition that a cell can depend on."""
    d = definition
    return feature_set_version(d), d.input, d.lateness, d.max_skew, d.forget_after, d.learn_every


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Begun).decode
