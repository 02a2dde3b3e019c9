"""`MemorySlots`: the slot effects of `stream_seg.ports` in this process, with the meaning they have in Redis."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, overload

from stream_seg.adapters.memory.scores import Scores
from stream_seg.errors import Fenced
from stream_seg.ports import Claim, Load, Loaded, OutboxEntry, ReadOutbox, Slot, SlotState, Trim, Write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SlotEffect = Claim | Load | Write | ReadOutbox | Trim


class MemorySlots:
    """Any number of slots. Effects are run at once, in the order they come, and only `Fenced` is ever raised.

    `snapshot` and `restore` turn the whole store back, as a Redis restarted on older files does. Claims are never
    given twice, whatever is restored.

    >>> slots = MemorySlots()
    >>> slot = Slot("label", 0)
    >>> slots.execute(Claim(slot))
    SlotState(claim=1, rev=0, meta={})
    >>> from stream_seg.ports import Packed
    >>> slots.execute(Write(slot, claim=1, rev=0, call=b"a", ids=[b"ann"], records=Packed.of([b"..."])))
    >>> slots.execute(Load(slot, [b"ann", b"bob"])).values
    [b'...', None]
    """

    def __init__(self) -> None:
        self._slots: dict[Slot, _SlotData] = {}
        self._claims: dict[Slot, int] = {}  # the greatest claim ever given

    @overload
    def execute(self, effect: Claim) -> SlotState: ...
    @overload
    def execute(self, effect: Load) -> Loaded: ...
    @overload
    def execute(self, effect: ReadOutbox) -> list[OutboxEntry]: ...
    @overload
    def execute(self, effect: Write | Trim) -> None: ...

    def execute(self, effect: SlotEffect) -> SlotState | Loaded | list[OutboxEntry] | None:
        """Runs one effect and gives its result. Raises `Fenced` where a claim or revision is not the slot's."""
        data = self._slots.get(effect.slot)
        if data is None:
            data = self._slots[effect.slot] = _SlotData()
        match effect:
            case Write():
                data.write(effect)
                return None
            case Load():
                return data.load(effect)
            case Claim():
                data.claim = self._claims[effect.slot] = self._claims.get(effect.slot, 0) + 1
                return data.state()
            case ReadOutbox():
                return list(data.outbox)
            case Trim():
                data.check_claim(effect.slot, effect.claim)
                data.outbox = [entry for entry in data.outbox if entry.id > effect.through]
                return None

    def snapshot(self) -> object:
        """The whole store as it is now, for `restore`; later effects do not change it."""
        return {slot: data.copied() for slot, data in self._slots.items()}

    def restore(self, snapshot: object) -> None:
        """Back to a `snapshot`, which may be used again."""
        if not isinstance(snapshot, dict):
            raise TypeError("not a snapshot of MemorySlots")
        self._slots = {slot: data.copied() for slot, data in snapshot.items()}

    # Read-only looks beside the claim, named as in adapters/redis/inspection.py.

    def slots(self) -> list[Slot]:
        """Every slot that was ever touched."""
        return sorted(self._slots)

    def state(self, slot: Slot) -> SlotState:
        return self._of(slot).state()

    def meta(self, slot: Slot) -> Mapping[str, bytes]:
        return self._of(slot).state().meta

    def record(self, slot: Slot, customer: bytes) -> bytes | None:
        return self._of(slot).records.get(customer)

    def records(self, slot: Slot, customers: Sequence[bytes]) -> list[bytes | None]:
        return list(map(self._of(slot).records.get, customers))

    def history(self, slot: Slot, customer: bytes) -> list[bytes]:
        """Newest first."""
        return list(self._of(slot).history.get(customer, ()))

    def histories(self, slot: Slot, customers: Sequence[bytes]) -> dict[bytes, list[bytes]]:
        return {customer: self.history(slot, customer) for customer in customers}

    def counts(self, slot: Slot) -> dict[bytes, int]:
        return dict(self._of(slot).counts)

    def customers(self, slot: Slot) -> int:
        """How many the ring holds."""
        return len(self._of(slot).ring)

    def outbox_length(self, slot: Slot) -> int:
        return len(self._of(slot).outbox)

    def ring(self, slot: Slot, after: int = -1, limit: int = 0) -> list[tuple[bytes, int]]:
        """A page of (customer, position) behind `after`; go on behind the last position. Empty: the end."""
        return self._of(slot).ring.between(after, 2**63, limit)

    def due(self, slot: Slot) -> list[tuple[bytes, int]]:
        """The whole due index, earliest first."""
        return self._of(slot).due.between(None, 2**63)

    def _of(self, slot: Slot) -> _SlotData:
        return self._slots.get(slot) or _SlotData()


class _SlotData:
    __slots__ = ("call", "claim", "counts", "due", "history", "meta", "outbox", "records", "rev", "ring")

    def __init__(self) -> None:
        self.claim = 0
        self.rev = 0
        self.call: bytes | None = None
        self.meta: dict[str, bytes] = {}
        self.records: dict[bytes, bytes] = {}
        self.history: dict[bytes, list[bytes]] = {}
        self.ring = Scores()
        self.due = Scores()
        self.counts: dict[bytes, int] = {}
        self.outbox: list[OutboxEntry] = []

    def copied(self) -> _SlotData:
        twin = copy(self)
        twin.meta, twin.records, twin.counts = dict(self.meta), dict(self.records), dict(self.counts)
        twin.history = {customer: list(entries) for customer, entries in self.history.items()}
        twin.ring, twin.due = Scores(self.ring.items()), Scores(self.due.items())
        twin.outbox = list(self.outbox)
        return twin

    def state(self) -> SlotState:
        return SlotState(self.claim, self.rev, dict(self.meta))

    def check_claim(self, slot: Slot, claim: int) -> None:
        if self.claim != claim or self.claim == 0:  # 0: nobody ever claimed it
            raise Fenced(f"slot {slot.stage}-{slot.partition}: claim is {self.claim or 'absent'}, not {claim}")

    def load(self, effect: Load) -> Loaded:
        values = list(map(self.records.get, effect.ids))
        due: Sequence[tuple[bytes, int]] = ()
        ring: Sequence[tuple[bytes, int]] = ()
        if effect.due_until is not None:
            due = self.due.between(None, effect.due_until, effect.due_limit)
        if effect.ring is not None:
            ring = self.ring.between(*effect.ring, effect.ring_limit)
        return Loaded(values, due, ring)

    def write(self, effect: Write) -> None:
        self.check_claim(effect.slot, effect.claim)
        if self.rev == effect.rev + 1 and self.call == effect.call:
            return  # this very call did it before: a retry after a lost reply
        if self.rev != effect.rev:
            stage, partition = effect.slot
            raise Fenced(f"slot {stage}-{partition}: revision is {self.rev}, not {effect.rev}")
        self.rev += 1
        self.call = effect.call
        if effect.outbox is not None:
            self.outbox.append(OutboxEntry(self.rev, effect.outbox))
        for field, change in effect.counts.items():
            count = self.counts.get(field, 0) + change
            if count:
                self.counts[field] = count
            else:
                self.counts.pop(field, None)
        for customer in effect.erased:
            self.records.pop(customer, None)
            self.history.pop(customer, None)
            self.ring.remove(customer)
            self.due.remove(customer)
        for customer in effect.undue:
            self.due.remove(customer)
        for customer, position in effect.ring:
            self.ring.put(customer, position)
        for customer, instant in effect.due:
            self.due.put(customer, instant)
        for customer, entry in effect.history:
            entries = self.history.setdefault(customer, [])
            entries.insert(0, entry)
            del entries[effect.history_keep :]
        self.records.update(zip(effect.ids, effect.records.split(), strict=True))
        self.meta.update(effect.meta)
