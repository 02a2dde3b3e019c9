"""The names of a slot's keys in Redis, and the slot's own fields in its meta hash."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stream_seg.ports import Slot

# The store's own fields of the meta hash begin with a dot; those of the stages must not.
OWN_FIELDS = (".claim", ".rev", ".call")


class SlotKeys:
    """Every key of one slot. They share the hash tag ``{stage-partition}``, so they live on one cluster node.

    >>> from stream_seg.ports import Slot
    >>> keys = SlotKeys("shop", Slot("label", 3))
    >>> keys.meta, keys.record + b"ann"
    (b'shop:{label-3}:meta', b'shop:{label-3}:c:ann')
    """

    __slots__ = ("counts", "due", "history", "meta", "outbox", "record", "ring")

    def __init__(self, name: str, slot: Slot) -> None:
        prefix = f"{name}:{{{slot.stage}-{slot.partition}}}:".encode()
        self.meta = prefix + b"meta"
        self.ring = prefix + b"ring"
        self.due = prefix + b"due"
        self.counts = prefix + b"counts"
        self.outbox = prefix + b"outbox"
        self.record = prefix + b"c:"  # followed by the customer id
        self.history = prefix + b"h:"  # followed by the customer id
