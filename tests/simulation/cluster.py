"""Workers, their partitions, a store and a log, advanced one effect at a time while things go wrong."""

from __future__ import annotations

from itertools import count
from random import Random

from stream_seg.adapters.memory.log import Member, MemoryLog
from stream_seg.adapters.memory.replay import OUTPUTS
from stream_seg.adapters.memory.world import MemoryWorld
from stream_seg.core.hashing import partition_of
from stream_seg.errors import Fenced, StreamSegError, Unavailable
from stream_seg.pipeline.ingest import Ingest, IngestSettings
from stream_seg.pipeline.label import Labeller
from stream_seg.pipeline.label_settings import LabelSettings
from stream_seg.pipeline.learn import Learn, LearnSettings
from stream_seg.ports import Effect, Message, Publish, Slot
from stream_seg.wire import control
from tests.simulation import faults as fault
from tests.simulation.faults import Faults, Story
from tests.simulation.hop import Source, Sourcing, sources
from tests.simulation.people import people
from tests.simulation.producers import feeder, producer
from tests.simulation.scenario import EVENTS, SAMPLES, START, Scenario
from tests.simulation.shell import Actor, Life, Parts, Tenure, Until, Work

MOST_STEPS = 60_000
YEAR_2100 = 4_102_444_800_000


Place = Slot | Source  # what a worker can hold


class Stuck(Exception):
    """Nobody can go on, and not everything is done; or it never ends."""


class Worker:
    """A process: one member in each group, and what it holds."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.members = {stage: Member(f"shop-{stage}") for stage in ("ingest", "label", "learn")}
        self.holds: dict[Place, tuple[Tenure | Sourcing, Actor]] = {}


class Cluster:
    """One run of one seed. `run` returns when everything is applied and published."""

    def __init__(self, shop: Scenario, random: Random, faults: Faults, story: Story, parts: Parts) -> None:
        self.shop, self.random, self.faults, self.story, self.parts = shop, random, faults, story, parts
        self.now = START if shop.loop != "event" else YEAR_2100
        topics = {EVENTS: shop.partitions, SAMPLES: 1, **dict.fromkeys(OUTPUTS, 1), **shop.products}
        self.log = MemoryLog(topics, clock=lambda: self.now)
        self.slots = parts.slots()
        self.world = MemoryWorld(self.log, Member("nobody"), self.slots)
        self.at = 0
        self.actors: list[Actor] = []
        self.workers: list[Worker] = []
        self.holders: dict[Place, Worker] = {}
        self.snapshots: list[object] = []
        self._names = (f"worker-{n}" for n in count(1))
        self._clock = count(START)
        self._begin()

    def _begin(self) -> None:
        for _ in range(self.random.choice([2, 2, 3])):
            self.workers.append(Worker(next(self._names)))
        slots: list[Place] = [Slot("label", p) for p in range(self.shop.partitions)]
        slots += sources(self.shop.products)
        if self.shop.loop != "fixed":
            slots.append(Slot("learn", 0))
            self._append(control.control(SAMPLES, control.ACTIVATE, self.shop.first, 0))
            orders = people(self.random, self.log, self.shop.partitions, self._append)
            self.actors.append(Actor("people", orders, Member("nobody"), 1.0))
        for slot in slots:
            self._assign(slot, self.random.choice(self.workers))
        if self.shop.loop == "event":
            producers = feeder(self.shop, self.log, self._append)
        else:
            producers = producer(self.shop, self._appended_at)
        self.actors.append(Actor("producers", producers, Member("nobody"), self._speed()))

    # --- actors

    def _appended_at(self, at: int, message: Message) -> None:
        self.now = max(self.now, at)
        self._append(message)

    def _append(self, message: Message) -> None:
        record = self.log.append(
            message.topic, message.key, message.value, message.headers, partition=message.partition
        )
        if message.topic == EVENTS:
            self.story.note(self.at, "log", f"events {record.partition} offset {record.offset} appended")

    def _assign(self, place: Place, worker: Worker) -> None:
        """Gives a partition to a worker. Whoever held it is not asked: it may go on until it is refused."""
        if place in worker.holds:
            self._let_go(worker, place)
        topic = place.topic if isinstance(place, Source) else EVENTS if place.stage == "label" else SAMPLES
        member = worker.members[place.stage]
        self.log.assign(member, topic, place.partition)
        self.holders[place] = worker
        name = f"{worker.name} {_named(place)}"
        tenure: Tenure | Sourcing
        if isinstance(place, Source):
            tenure = self._sourcing(place, member)
        else:
            tenure = self._tenure(place, topic, name, member)
        actor = Actor(name, tenure.life(), member, self._speed())
        worker.holds[place] = tenure, actor
        self.actors.append(actor)

    def _tenure(self, slot: Slot, topic: str, name: str, member: Member) -> Tenure:
        limits = self.random.choice([1, 20, 10_000]), lambda: self.random.choice([1, 2, 5, 50])
        settings = self._settings(limits[0])

        def work() -> Work:
            made: Work
            if slot.stage == "label":
                made = Labeller(topic, slot.partition, settings, self._clock)
            else:
                made = Learn(topic, slot.partition, LearnSettings(limits[0]))
            made.owner = self.parts.owner(slot, topic)
            return made

        return Tenure(name, slot, topic, self.log, member, work, limits, self._relay, self._drop, self.parts)

    def _sourcing(self, source: Source, member: Member) -> Sourcing:
        def work() -> Ingest:
            wall = iter(lambda: self.now, None)
            return self.parts.ingest(source.topic, source.partition, IngestSettings(), wall)

        first = self.shop.first.definition, self.shop.partitions
        return Sourcing(source, self.log, member, work, first, lambda: self.now, lambda: self.random.choice([1, 2, 5]))

    def _settings(self, outbox_limit: int) -> LabelSettings:
        cache, most = self.random.choice([1, 64_000_000]), self.random.choice([1, 3, 1_000])
        return LabelSettings(cache_bytes=cache, most_customers=most, outbox_limit=outbox_limit)

    def _relay(self, tenure: Tenure, life: Life) -> Actor:
        relay = Actor(f"{tenure.name} relay", life, tenure.member, self._speed())
        self.actors.append(relay)
        return relay

    def _speed(self) -> float:
        return self.random.choice([0.2, 1.0, 1.0, 4.0])

    # --- letting go

    def _let_go(self, worker: Worker, slot: Place) -> None:
        tenure, actor = worker.holds.pop(slot)
        if tenure.relaying is not None:
            self._drop(tenure.relaying)
        self._drop(actor)

    def _drop(self, actor: Actor) -> None:
        """It is gone, but what it asked for may be on its way and arrive at any time later."""
        asks = actor.asks
        actor.stop()
        if asks is not None and not isinstance(asks, Until) and self.random.random() < 0.5:
            late = Actor(f"late from {actor.name}", _once(asks), actor.member, 1.0)
            late.frail = False
            late.sleeps_until = self.at + self.random.choice([1, 10, 100])
            self.actors.append(late)

    def _crash(self) -> None:
        worker = self.random.choice(self.workers)
        self.story.note(self.at, worker.name, "CRASHES")
        lost = [slot for slot, holder in self.holders.items() if holder is worker]
        for slot in list(worker.holds):
            self._let_go(worker, slot)
        self.workers.remove(worker)
        self.workers.append(Worker(next(self._names)))
        for slot in lost:
            self._hand_over(slot)

    def _hand_over(self, slot: Place) -> None:
        heir = self.random.choice(self.workers)
        before = self.holders[slot]
        self.story.note(self.at, heir.name, f"is given {_named(slot)}")
        if before is not heir and slot in before.holds and self.random.random() < 0.5:
            _, actor = before.holds[slot]
            actor.sleeps_until = self.at + self.random.choice([20, 100, 400])  # a zombie, and when it wakes up
        self._assign(slot, heir)

    def _rewind(self) -> None:
        if self.snapshots:
            self.story.note(self.at, "Redis", "IS REWOUND")
            self.slots.restore(self.random.choice(self.snapshots[-3:]))

    # --- the loop

    def run(self) -> None:
        """Runs until everything is done. Then a record more for everybody, who may not know yet that Redis rewound."""
        self._exhaust()
        self.faults.over = True
        for _ in range(2):
            self._exhaust()
            for p in range(self.shop.partitions):
                self._append(control.control(EVENTS, control.TICK, None, p))
            self._exhaust()
            self._append(control.control(SAMPLES, control.TICK, None, 0))
        self._exhaust()
        for slot, worker in self.holders.items():
            tenure, _ = worker.holds[slot]
            if not tenure.finished():  # an entry that Redis has again after it was trimmed waits for the next trim
                raise Stuck(f"{_named(slot)} is not finished, and nobody can go on")

    def _exhaust(self) -> None:
        while True:
            self.at += 1
            if self.at > MOST_STEPS:
                raise Stuck(f"not done after {MOST_STEPS} steps")
            self._strike()
            ready = [actor for actor in self.actors if actor.ready()]
            awake = [actor for actor in ready if actor.sleeps_until <= self.at]
            if awake:
                actor = self.random.choices(awake, [actor.speed for actor in awake])[0]
                self._advance(actor)
                if actor.asks is None:
                    self.actors = [other for other in self.actors if other.asks is not None]
            elif ready:
                self.at = min(actor.sleeps_until for actor in ready) - 1
            else:
                return

    def _strike(self) -> None:
        if self.faults.strikes(fault.SNAPSHOT) and all(self.slots.meta(p) for p in self.holders if isinstance(p, Slot)):
            self.snapshots.append(self.slots.snapshot())
            self.story.note(self.at, "Redis", f"snapshot {len(self.snapshots)}")
        if self.faults.strikes(fault.CRASH):
            self._crash()
        if self.faults.strikes(fault.REBALANCE):
            self._hand_over(self.random.choice(list(self.holders)))
        if self.faults.strikes(fault.REWIND):
            self._rewind()

    def _advance(self, actor: Actor) -> None:
        asks = actor.asks
        if asks is None or isinstance(asks, Until):
            actor.go_on()
            return
        fate = self.faults.fate(asks) if actor.frail else fault.DONE
        if self.faults.strikes(fault.NAP):
            actor.sleeps_until = self.at + self.random.choice([10, 60])
        self.world.member = actor.member
        result, error = None, None
        try:
            if fate == fault.PARTLY and isinstance(asks, Publish):
                self.world.execute(Publish(self.faults.arrived(list(asks.messages), self._partition)))
            elif fate == fault.REFUSED:
                result = False
            elif fate != fault.NOT_ARRIVED and (fate != fault.UNAVAILABLE or self.random.random() < 0.5):
                result = self.world.execute(asks)
        except Fenced as fenced:
            error = fenced
        self.story.note(self.at, actor.name, asks, str(error) if error else "" if fate == fault.DONE else fate)
        if fate in {fault.DONE, fault.REFUSED}:
            actor.go_on(result, error)
        elif fate == fault.UNAVAILABLE:
            actor.go_on(error=Unavailable("no answer"))

    def _partition(self, message: Message) -> int:
        count_ = self.log.partitions(message.topic)
        if message.partition >= 0:
            return message.partition
        return 0 if message.key is None else partition_of(message.key, count_)


def _named(place: Place) -> str:
    return f"ingest-{place}" if isinstance(place, Source) else f"{place.stage}-{place.partition}"


def _once(effect: Effect) -> Life:
    try:
        yield effect
    except StreamSegError:
        return
