"""The ids of a customer's last messages: which of them was sent twice. Compiled."""

from __future__ import annotations

from stream_seg.core.model import Int64
from stream_seg.core.numerics import inlined
from stream_seg.core.record import RECENT, RECENT_AT, RECENT_IDS


@inlined
def sent_before(words: Int64, s: int, message: int) -> bool:
    """Whether the customer's last message ids hold this one. 0 is no id."""
    if message != 0:
        for i in range(RECENT, RECENT + RECENT_IDS):
            if words[s, i] == message:
                return True
    return False


@inlined
def remember(words: Int64, s: int, message: int) -> None:
    """Keeps a message id in the place of the oldest."""
    if message != 0:
        words[s, RECENT + words[s, RECENT_AT]] = message
        words[s, RECENT_AT] = (words[s, RECENT_AT] + 1) % RECENT_IDS
