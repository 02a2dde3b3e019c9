"""What goes wrong: which faults a seed knows, when they strike, and the story of what happened."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

from stream_seg.ports import (
    Claim,
    Commit,
    Committed,
    Effect,
    Load,
    Message,
    Passed,
    Publish,
    ReadOutbox,
    Trim,
    Write,
)

# What may become of one effect
DONE, REPLY_LOST, NOT_ARRIVED, UNAVAILABLE, PARTLY, REFUSED = (
    "done", "reply lost", "not arrived", "gives up", "published in part", "refused",
)  # fmt: skip
# What may happen between two effects
CRASH, REBALANCE, SNAPSHOT, REWIND, NAP = "crash", "rebalance", "snapshot", "Redis rewound", "nap"

RATES = {
    REPLY_LOST: 0.04, NOT_ARRIVED: 0.03, UNAVAILABLE: 0.01, PARTLY: 0.10, REFUSED: 0.05,
    CRASH: 0.006, REBALANCE: 0.010, SNAPSHOT: 0.015, REWIND: 0.006, NAP: 0.02,
}  # fmt: skip
MOST = {CRASH: 4, REBALANCE: 6, REWIND: 3}  # a run must end


@dataclass
class Faults:
    """One seed's choice of faults, and the chances it draws.

    rates  fault -> chance at each opportunity; `struck` counts those that came true
    """

    random: Random
    rates: dict[str, float] = field(default_factory=dict)
    struck: Counter[str] = field(default_factory=Counter)
    over: bool = False

    def __post_init__(self) -> None:
        busy = self.random.choice([0.5, 1.0, 1.0, 3.0])
        self.rates = {fault: rate * busy for fault, rate in RATES.items() if self.random.random() < 0.6}
        if REWIND in self.rates:
            self.rates[SNAPSHOT] = RATES[SNAPSHOT] * busy

    def strikes(self, fault: str) -> bool:
        """Whether this fault happens now."""
        rate = self.rates.get(fault, 0.0)
        if self.over or rate == 0.0 or self.random.random() >= rate:
            return False
        if fault in MOST and self.struck[fault] >= MOST[fault]:
            return False
        self.struck[fault] += 1
        return True

    def fate(self, effect: Effect) -> str:
        """What becomes of an effect that is carried out now."""
        if isinstance(effect, Publish) and self.strikes(PARTLY):
            return PARTLY
        if isinstance(effect, Commit) and self.strikes(REFUSED):
            return REFUSED
        for fault in (REPLY_LOST, NOT_ARRIVED, UNAVAILABLE):
            if self.strikes(fault):
                return fault
        return DONE

    def arrived(self, messages: list[Message], partition_of: Any) -> list[Message]:
        """The messages of a publish that reached the log before it failed.

        In each partition the first ones (a producer keeps the order there), and nothing behind a barrier unless
        everything before it did.
        """
        reach: dict[tuple[str, int], bool] = {}
        found: list[Message] = []
        for message in messages:
            if message.barrier and len(found) < messages.index(message):
                break
            place = (message.topic, partition_of(message))
            if reach.setdefault(place, True) and self.random.random() < 0.25:
                reach[place] = False
            if reach[place]:
                found.append(message)
        return found


class Story:
    """What happened, step by step. Told in words only when a seed fails."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, str, object, str]] = []

    def note(self, at: int, who: str, what: object, became: str = "") -> None:
        self.steps.append((at, who, what, became))

    def told(self) -> str:
        lines = []
        for at, who, what, became in self.steps:
            lines.append(f"{at:6d}  {who:<16} {_in_words(what)}{f'  -> {became}' if became else ''}")
        return "\n".join(lines)


def _in_words(what: object) -> str:
    match what:
        case Write():
            wrote = [f"{len(what.ids)} records"]
            wrote += [f"erased {b' '.join(what.erased).decode()}"] if what.erased else []
            wrote += ["outbox"] if what.outbox is not None else []
            return f"Write claim {what.claim} rev {what.rev} -> {what.rev + 1}: {', '.join(wrote)}"
        case Trim():
            return f"Trim claim {what.claim} through {what.through}"
        case Publish():
            topics = Counter(message.topic for message in what.messages)
            return "Publish " + ", ".join(f"{count} {topic}" for topic, count in topics.items())
        case Commit():
            return f"Commit {what.offset}"
        case Load():
            return f"Load {len(what.ids)} records, due until {what.due_until}, ring {what.ring}"
        case Claim() | Committed() | ReadOutbox() | Passed():
            return type(what).__name__
        case _:
            return str(what)
