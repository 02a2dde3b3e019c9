"""LEARN and LABEL over a small shop in memory, and people's orders to them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec
import numpy as np

from stream_seg.adapters.memory.replay import Replay
from stream_seg.core.activation import Activation
from stream_seg.core.decision import nearest_segments
from stream_seg.core.definition import DAY, Definition, feature_set_version
from stream_seg.core.measures import read_columns
from stream_seg.core.model import ModelVersion
from stream_seg.core.record import ADOPTED, SEGMENT, TIME, unpack_rows
from stream_seg.core.state import scratch
from stream_seg.pipeline.history import in_order
from stream_seg.pipeline.label_state import Memory as LabelMemory
from stream_seg.pipeline.learn_state import Memory, Request, TierMemory
from stream_seg.pipeline.models import Registered
from stream_seg.ports import Message, Slot
from stream_seg.wire import control
from stream_seg.wire.activations import Activated, read_activated
from tests.queries.shop import BEGAN, Events

PARTITIONS = 2


class Standing(NamedTuple):
    """A customer as LABEL has stored it: its activation's number, its segment, and which is nearest by the newest."""

    customer: str
    adopted: int
    segment: int
    nearest: int


class Shop:
    """A replay that people give orders to. `daily(day, self)` is called when the day is over, counted from 1.

    given  events in order of time; or what gives them in parts, and may give orders between two of these
    """

    def __init__(
        self,
        definition: Definition,
        given: Events | Callable[[Shop], Iterator[Events]],
        daily: Callable[[int, Shop], None] = lambda *_: None,
    ) -> None:
        self.replay = Replay(PARTITIONS)
        self.history: list[Activated] = []
        self.models: dict[int, ModelVersion] = {}
        self.movements: list[dict[str, Any]] = []
        self.trainings: dict[bytes, bytes] = {}
        self._requests = 0
        version = feature_set_version(definition)
        first = Activation(number=1, definition=definition, feature_set_version=version, who="t", at=BEGAN, why="first")
        self.replay.start(first)

        def told(_: int, through: int) -> None:
            self.listen()
            daily((through - BEGAN) // DAY, self)

        self.replay.run([given] if isinstance(given, Events) else given(self), DAY, told)
        self.listen()

    def listen(self) -> None:
        """Takes in what was published."""
        self.history += [read_activated(record.value or b"") for record in self.replay.take("activations")]
        self.trainings |= {r.key: r.value for r in self.replay.take("trainings") if r.key and r.value}
        for record in self.replay.take("models"):
            model = msgspec.json.decode(record.value or b"", type=ModelVersion)
            self.models[model.version] = model
        self.movements += [json.loads(record.value or b"") for record in self.replay.take("segment-changes")]

    def order(self, kind: str, version: int | None = None, **more: Any) -> Request:
        """Sends an order and returns LEARN's answer."""
        self._requests += 1
        request = more.pop("request", f"r{self._requests}")
        model = more.pop("model", self.models.get(version or 0))
        usual = {"who": "ann", "at": BEGAN, "why": "because"}
        order = control.Order(request=request, kind=kind, partitions=PARTITIONS, model=model, **usual | more)  # type: ignore[arg-type]  # as named
        return self.send(control.control("samples", control.ORDER, order, 0), request)

    def send(self, message: Message, request: str) -> Request:
        self.replay._append(message)
        self.replay.pump()
        self.listen()
        return next(one for one in self.learn.state.requests if one.id == request)

    def training(self, version: int) -> list[bytes]:
        """The parts of what a version was made by."""
        return [value for key, value in self.trainings.items() if key.startswith(b"all:%d:" % version)]

    @property
    def learn(self) -> Memory:
        """What LEARN has stored."""
        return Memory(self.replay.slots.meta(Slot("learn", 0)), 0)

    @property
    def in_force(self) -> int | None:
        activation = self.learn.activation
        assert activation is not None
        return activation.model.version if activation.model else None

    @property
    def labelled(self) -> list[list[int | None]]:
        """The versions in use in each events partition, oldest first."""
        metas = [self.replay.slots.meta(Slot("label", p)) for p in range(PARTITIONS)]
        return [[a.model.version if a.model else None for a in LabelMemory(meta, 0).activations] for meta in metas]

    def standings(self) -> Iterator[Standing]:
        """Everybody who is known."""
        for labeller in self.replay.labels:
            engine, slots = labeller.customers.engine, self.replay.slots
            work = scratch(engine.plan.arrays, engine.models)
            slot = Slot("label", labeller.partition)
            for customer, _ in slots.ring(slot):
                value = slots.record(slot, customer) or b""
                row = unpack_rows(value, np.array([len(value)]), value[1], engine.plan.width)
                read_columns(engine.plan.arrays, row, row.view(np.float64), 0, int(row[0, TIME]), work)
                (nearest,) = nearest_segments(engine.models, len(engine.rows) - 1, work.x[None])
                yield Standing(customer.decode(), int(row[0, ADOPTED]), int(row[0, SEGMENT]) - 1, int(nearest))

    @property
    def tier(self) -> TierMemory:
        """What LEARN keeps of the one tier."""
        return self.learn.tiers["all"]

    def registered(self) -> Registered:
        """What the command line would read."""
        metas = [self.replay.slots.meta(Slot("label", p)) for p in range(PARTITIONS)]
        in_use = {a.number: a for meta in metas for a in LabelMemory(meta, 0).activations}
        return Registered(
            models=self.models,
            damaged={},
            history=in_order(self.history),
            in_use=[in_use[number] for number in sorted(in_use)],
            proposals=[self.tier.proposal] if self.tier.proposal else [],
            frozen=["all"] if self.tier.state.held else [],
        )
