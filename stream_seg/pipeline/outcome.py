"""What a fold decided, as things to write and to publish."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec
import numpy as np

from stream_seg.core.definition import DAY
from stream_seg.core.emission import BY_EVENT, CAUSES, FORGOTTEN, VISIT, Emissions
from stream_seg.core.engine import Engine
from stream_seg.core.model import Float64
from stream_seg.core.reasons import top_reasons
from stream_seg.core.record import HASH
from stream_seg.pipeline.facts import Moves
from stream_seg.pipeline.residents import Residents
from stream_seg.ports import Message
from stream_seg.wire.output import (
    Movement,
    Reason,
    label_message,
    movement_messages,
    no_label_message,
    sample_message,
)
from stream_seg.wire.timestamps import rfc3339

TOP = 3  # features that a movement names
RETURNS = (("1d", DAY), ("7d", 7 * DAY))  # who moves back so soon need not have moved
DECIMALS = 6  # plenty for people and half the bytes

_encode = msgspec.msgpack.Encoder().encode


class Remembered(msgspec.Struct, frozen=True, array_like=True):
    """One movement in a customer's stored history."""

    sequence: int
    previous: int | None
    segment: int | None
    cause: str
    at: int
    model_version: int | None


remembered = msgspec.msgpack.Decoder(Remembered).decode


class Outcome:
    """Collects the emissions of one batch in order.

    messages  for the outbox; histories: customer -> entries, oldest first
    moves     how often (tier, previous segment, segment, cause); returns: to the segment before, by how soon
    contexts  the traces that rows of the fold belong to: row -> context; the movement that one causes belongs to it too
    forgotten rows to erase: with everything stored before, also where the customer came back in the same batch
    """

    def __init__(self, engine: Engine, partition: int, now: int, origin: str) -> None:
        self.engine = engine
        self.names = [column.name for column in engine.plan.columns]
        self.partition = partition
        self.decided_at = rfc3339(now)
        self.origin = origin
        self.messages: list[Message] = []
        self.moves: Moves = Counter()
        self.returns: Counter[str] = Counter()
        self.histories: dict[bytes, list[bytes]] = {}
        self.forgotten: set[int] = set()
        self.contexts: Mapping[int, bytes] = {}

    def take(self, residents: Residents) -> None:
        """Takes what the fold left in ``residents.out`` and makes room there."""
        out = residents.out
        used = int(out.used[0])
        if used == 0:
            return
        rows = out.ints[:used].tolist()
        reasons = self._reasons(out, used)
        confidences, margins = _how_clear(out.distance[:used])
        for i, row in enumerate(rows):
            if row[0] == VISIT:
                self._visited(residents, row, out.after[i])
            else:
                self._moved(residents, row, confidences[i], margins[i], reasons[i])
        out.used[0] = 0

    def _moved(
        self, residents: Residents, row: list[int], confidence: float, margin: float, reasons: list[Reason]
    ) -> None:
        kind, slot, fold_row, at, previous, segment, sequence, cause, incarnation, a, *_, away = row
        customer = residents.ids[slot]
        old, new = (None if previous < 0 else previous), (None if segment < 0 else segment)
        if kind == FORGOTTEN:
            self.forgotten.add(slot)
            new = None
        known = new is not None and confidence == confidence
        activation = self.engine.rows[a]
        if old is not None or new is not None:
            movement = Movement(
                customer, incarnation, sequence, old, new, cause, at,
                confidence if known else None, margin if known else None, reasons,
            )  # fmt: skip
            # Silence may have moved her before the event that is applied: then it is not the cause.
            context = self.contexts.get(fold_row) if cause == BY_EVENT else None
            self.messages += movement_messages(movement, activation, self.decided_at, self.origin, context)
        self.moves[activation.definition.tier, old, new, CAUSES[cause]] += 1
        if away >= 0:
            self.returns.update(name for name, within in RETURNS if away <= within)
        if kind == FORGOTTEN:  # the history goes with the record: a customer who comes back begins another
            self.histories.pop(customer, None)
            return
        version = activation.model.version if activation.model else None
        entry = _encode(Remembered(sequence, old, new, CAUSES[cause], at, version))
        self.histories.setdefault(customer, []).append(entry)

    def counts(self) -> dict[bytes, int]:
        """What to add to the counts of the partition: customers by segment, movements by cause, returns by how soon."""
        change: Counter[bytes] = Counter({b"r:" + name.encode(): times for name, times in self.returns.items()})
        for (_, old, new, cause), times in self.moves.items():
            if old is not None:
                change[b"s:%d" % old] -= times
            if new is not None:
                change[b"s:%d" % new] += times
            change[b"c:" + cause.encode()] += times
        return {field: by for field, by in change.items() if by}

    def _reasons(self, out: Emissions, used: int) -> list[list[Reason]]:
        """What each movement names as its reasons."""
        columns, effects = np.empty((used, TOP), np.int64), np.empty((used, TOP))
        top_reasons(self.engine.plan.arrays, self.engine.models, out, columns, effects)
        effects = np.round(effects, DECIMALS)
        every = np.arange(used)[:, None]
        befores, afters = out.before[every, columns].tolist(), out.after[every, columns].tolist()
        return [
            [
                Reason(self.names[f], None if before != before else before, after, effect)
                for f, before, after, effect in zip(*of_one, strict=True)
                if f >= 0
            ]
            for of_one in zip(columns.tolist(), befores, afters, effects.tolist(), strict=True)
        ]

    def _visited(self, residents: Residents, row: list[int], vector: Float64) -> None:
        """The daily walk came by: the sample, and the current label once more.

        The label heals what a zombie may have published late, and so does its end where a tier took it. A feeder's log
        has no such worker, and a bounded past has many days: there it is left out.
        """
        _, slot, _, at, previous, segment, sequence, _, incarnation, a, number, last_event, since, _ = row
        words = residents.people.words
        customer = residents.ids[slot]
        tier = self.engine.rows[a].definition.tier
        self.messages.append(
            sample_message(
                customer, incarnation, number, at, last_event, int(words[slot, HASH]), vector.tolist(),
                self.engine.activation.layout, self.partition, tier, segment, since,
            )
        )  # fmt: skip
        if self.engine.activation.definition.input.clock == "event":
            return
        if segment >= 0:
            self.messages.append(
                label_message(customer, incarnation, sequence, segment, since, at, self.engine.rows[a])
            )
        elif previous >= 0:
            self.messages.append(no_label_message(customer))


def _how_clear(distance: Float64) -> tuple[list[float], list[float]]:
    """Confidence and margin of each emission, from its squared distances; NaN where there is no runner-up."""
    nearest, second = distance[:, 0], distance[:, 1]
    both = nearest + second
    with np.errstate(divide="ignore", invalid="ignore"):
        confidence = np.where(both == 0, 0.5, second / both)
        margin = np.where(second == 0, 0.0, 1.0 - nearest / second)
    return np.round(confidence, DECIMALS).tolist(), np.round(margin, DECIMALS).tolist()
