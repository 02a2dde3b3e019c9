"""`MemoryWorld`: everything a pipeline step may ask for, in memory, and the loop that drives a step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from stream_seg.adapters.memory.slots import MemorySlots
from stream_seg.errors import StreamSegError
from stream_seg.ports import Again, Ahead, Claim, Commit, Committed, Load, Publish, ReadOutbox, Trim, Write

if TYPE_CHECKING:
    from stream_seg.adapters.memory.log import Member, MemoryLog
    from stream_seg.ports import Effect, Step

T = TypeVar("T")


class MemoryWorld:
    """The world as one worker sees it: shared slots, a shared log, and its own membership of a group.

    >>> from stream_seg.adapters.memory.log import MemoryLog, Member
    >>> from stream_seg.ports import Slot, Step
    >>> def step() -> Step[int]:
    ...     state = yield Claim(Slot("label", 0))
    ...     return state.claim
    >>> world = MemoryWorld(MemoryLog({"events": 1}, clock=lambda: 0), Member("shop-label"))
    >>> world.run(step()), world.run(step())
    (1, 2)
    """

    def __init__(self, log: MemoryLog, member: Member, slots: MemorySlots | None = None) -> None:
        self.log = log
        self.member = member
        self.slots = MemorySlots() if slots is None else slots

    def execute(self, effect: Effect) -> Any:
        """Runs one effect and gives its result; raises what the effect raises."""
        match effect:
            case Claim() | Load() | Write() | ReadOutbox() | Trim():
                return self.slots.execute(effect)
            case Publish() | Commit() | Committed() | Ahead() | Again():
                return self.log.execute(effect, self.member)

    def run(self, step: Step[T]) -> T:
        """Drives a step to its end and gives what it returns.

        An error of an effect is thrown into the step where it waits; one that the step lets through is raised here.
        """
        try:
            effect = next(step)
            while True:
                try:
                    result = self.execute(effect)
                except StreamSegError as error:
                    effect = step.throw(error)
                else:
                    effect = step.send(result)
        except StopIteration as end:
            value: T = end.value
            return value
