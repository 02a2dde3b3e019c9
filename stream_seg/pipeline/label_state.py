"""What LABEL keeps about one partition besides its customers: where it stands, its clock, what is in force."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from stream_seg.core.activation import ENGINE, Activation
from stream_seg.core.marks import Marks
from stream_seg.errors import EngineTooOld, Stop
from stream_seg.pipeline.facts import Moves

STATE, ACTIVATIONS, MARK = "state", "activations", "mark:"


class InUse(msgspec.Struct, frozen=True):
    """An activation and the instant at which it came into force here: no customer's time was later."""

    activation: Activation
    since: int


class LabelState(msgspec.Struct, array_like=True):
    """The partition's own state; times in ms, 0: not yet.

    offset   next record to read
    clock    drives what happens without events; never goes back
    walked   the daily walk has visited everybody up to this instant
    passed   the last day boundary that LEARN was told of
    waits    sources whose progress makes the clock, and how far each has come
    adopting activation that customers are taking at once (`stream_seg.core.adoption`); 0: none
    ended    bounded input is over
    latest   greatest event time
    restarting everybody begins again at the clock: their features are read at other instants from here on
    filling  offset of the activation whose new features everybody is given now (`stream_seg.pipeline.filling`); 0: none
    """

    offset: int = 0
    clock: int = 0
    walked: int = 0
    passed: int = 0
    waits: dict[str, int] = {}
    adopting: int = 0
    ended: bool = False
    late: int = 0
    duplicates: int = 0
    accepted: int = 0
    rejected: int = 0
    latest: int = 0
    restarting: bool = False
    filling: int = 0


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(LabelState).decode
_encode_json = msgspec.json.Encoder().encode
_decode_uses = msgspec.json.Decoder(list[InUse]).decode


def offset_in(meta: Mapping[str, bytes]) -> int:
    """The applied offset of a slot."""
    return _decode(meta[STATE]).offset


def newest(metas: Iterable[Mapping[str, bytes]]) -> Activation | None:
    """The newest activation that any of several slots follows; None where no worker ever ran."""
    found = [activation for meta in metas if meta for activation in Memory(meta, 0).activations]
    return max(found, key=lambda activation: activation.number, default=None)


class Memory:
    """The meta fields of one slot, decoded; `changed` gives those to write."""

    def __init__(self, meta: Mapping[str, bytes], offset: int) -> None:
        self.state = _decode(meta[STATE]) if STATE in meta else LabelState(offset=offset)
        self.in_use = _decode_uses(meta[ACTIVATIONS]) if ACTIVATIONS in meta else []
        self.marks = {key[len(MARK) :]: Marks.load(value) for key, value in meta.items() if key.startswith(MARK)}
        self.touched: set[str] = set()
        self.moves: Moves = Counter()  # of this owner, for who watches
        self.returns: Counter[str] = Counter()
        self._activations_changed = False

    @property
    def activations(self) -> Sequence[Activation]:
        return [use.activation for use in self.in_use]

    def activate(self, activation: Activation) -> bool:
        """Puts an activation in force; False where it is an older one, or the same again."""
        if activation.engine > ENGINE:
            raise EngineTooOld(
                f"activation {activation.number} needs engine {activation.engine}, this worker has {ENGINE}; upgrade it"
            )
        if self.in_use:
            newest = self.in_use[-1].activation
            if activation.number < newest.number or activation == newest:
                return False
            if activation.number == newest.number:
                raise Stop(
                    f"two different activations bear the number {activation.number}: something else than `apply`, "
                    "`run` and LEARN wrote one; begin again under another name"
                )
        self.in_use.append(InUse(activation, max(self.state.clock, self.state.latest)))
        self._activations_changed = True
        return True

    def retire(self, walk: int) -> None:
        """Drops activations that nobody can be under any more: a newer one has been in force for a whole walk."""
        while len(self.in_use) > 1 and self.in_use[1].since + walk < self.state.walked and not self.state.adopting:
            self.in_use.pop(0)
            self._activations_changed = True

    def taken(self, source: str) -> bool:
        """Whether a record of a source (``topic id:partition:offset``) was taken before; remembers it."""
        name, _, offset = source.rpartition(":")
        self.touched.add(name)
        return self.marks.setdefault(name, Marks()).taken(int(offset))

    def progress(self, source: str, through: int) -> None:
        """A source has come so far; the clock is where the last of them stands."""
        waits = self.state.waits
        if source in waits:
            waits[source] = max(waits[source], through)
            self.state.clock = max(self.state.clock, min(waits.values()))

    def expect(self, sources: Sequence[str]) -> None:
        """The clock waits for exactly these sources from now on."""
        self.state.waits = {source: self.state.waits.get(source, 0) for source in sources}

    def changed(self) -> dict[str, bytes]:
        """The meta fields to write."""
        fields = {STATE: _encode(self.state)}
        if self._activations_changed:
            fields[ACTIVATIONS] = _encode_json(self.in_use)
            self._activations_changed = False
        for name in self.touched:
            fields[MARK + name] = self.marks[name].dump()
        self.touched.clear()
        return fields
