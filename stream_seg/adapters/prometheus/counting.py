"""`PrometheusTelemetry`: counts what a process tells of itself."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from importlib.metadata import version
from itertools import product

from stream_seg.adapters.prometheus import catalogue as metric
from stream_seg.adapters.prometheus.meters import Meters
from stream_seg.core.emission import CAUSES
from stream_seg.core.findings import Finding
from stream_seg.errors import Fenced, Stop, StreamSegError
from stream_seg.pipeline.facts import InForceFacts, LabelFacts, LearnFacts, Moves, TierFacts
from stream_seg.ports import Message
from stream_seg.telemetry import Delivery, PartitionTelemetry, Server, Telemetry
from stream_seg.wire.dead_letters import DEAD_LETTERS
from stream_seg.wire.rejections import REMEDIES

MOST_SEGMENTS = 64  # labels of segments in one process: numbers are never given twice, so in years they would pile up
OTHER, NONE = "other", "none"
SEVERITY = {"none": 0, "warn": 1, "act": 2}
OF_LEARN = (
    metric.LEARNED_FROM,
    metric.PUBLISHED_AT,
    metric.REFITTED_AT,
    metric.HELD,
    metric.WAITING,
    metric.WAITING_MOVES,
)
OF_DRIFT = (metric.DRIFT, metric.DRIFT_BASELINE, metric.DRIFT_THRESHOLD, metric.DRIFT_SEVERITY)
EVENTS = ("accepted", "duplicates", "late", "rejected")
RESULTS = ("accepted", "duplicate", "late", "rejected")


class PrometheusTelemetry(Telemetry):
    """Counts into `meters`, and knows what health asks: who is assigned, who works, when anything last turned."""

    def __init__(self, stage: str) -> None:
        self.meters = Meters(stage)
        self.meters[metric.BUILD_INFO].at(version("stream_seg")).set(1)
        self.assigned: dict[tuple[str, int], CountedPartition] = {}
        self.joined = False
        self._labels: dict[int, str] = {}
        self.named: list[tuple[str, str, str]] = []  # (tier, label, name) of the segments in force
        self.turned_at = time.monotonic()
        for one in (metric.PARTITIONS, metric.PARTITIONS_OPEN, metric.PARTITIONS_STOPPED):
            self.meters[one].at().set(0)
        for one in (metric.REBALANCES, metric.ALARMS):
            self.meters[one].at()
        for server in ("kafka", "redis"):
            self.meters[metric.RETRIES].at(server)
        for reason in ("fenced", "unavailable"):
            self.meters[metric.REOPENED].at(reason)
        for delivery in ("sent", "refused", "dropped"):
            self.meters[metric.TRACE_SPANS].at(delivery)
        if stage != "learn":  # at 0 from the start: the first of a kind is an increase, however many come at once
            self.meters[metric.PUBLISHED].at(DEAD_LETTERS)
            for reason in REMEDIES:
                self.meters[metric.DEAD_LETTERS].at(reason)

    def partition(self, topic: str, partition: int) -> CountedPartition:
        key = topic, partition
        if key not in self.assigned:
            self.assigned[key] = CountedPartition(self, topic, partition)
        return self.assigned[key]

    def rebalanced(self) -> None:
        self.joined = True
        self.meters[metric.REBALANCES].at().inc()
        self.counted()

    def turned(self) -> None:
        self.turned_at = time.monotonic()

    def asked(self, what: str, seconds: float) -> None:
        self.meters[metric.REDIS_SECONDS].at(what).observe(seconds)

    def retried(self, server: Server) -> None:
        self.meters[metric.RETRIES].at(server).inc()

    def published(self, messages: Sequence[Message]) -> None:
        by_topic = Counter([message.topic for message in messages])
        for topic, count in by_topic.items():
            self.meters[metric.PUBLISHED].at(topic).inc(count)
        if DEAD_LETTERS in by_topic:
            for reason, count in Counter(_reason(m) for m in messages if m.topic == DEAD_LETTERS).items():
                self.meters[metric.DEAD_LETTERS].at(reason).inc(count)

    def alarmed(self) -> None:
        self.meters[metric.ALARMS].at().inc()

    def traced(self, delivery: Delivery, spans: int) -> None:
        self.meters[metric.TRACE_SPANS].at(delivery).inc(spans)

    def counted(self) -> None:
        """Says anew how many partitions there are, how many are open, and how many stopped."""
        parts = self.assigned.values()
        self.meters[metric.PARTITIONS].at().set(len(parts))
        self.meters[metric.PARTITIONS_OPEN].at().set(sum(part.open for part in parts))
        self.meters[metric.PARTITIONS_STOPPED].at().set(sum(part.halted for part in parts))

    def models_in_force(self) -> None:
        """Says anew what is in force, as the partition that is furthest in its log knows it: others come there too."""
        known = sorted((m for part in self.assigned.values() for m in part.in_force), key=lambda model: model.number)
        named = {(m.tier, self.segment(number)): name for m in known for number, name in m.names.items()}
        self.named = [(*segment, name) for segment, name in named.items()]
        self.meters[metric.SEGMENT_INFO].keep(self.named)
        for labels in self.named:
            self.meters[metric.SEGMENT_INFO].at(*labels).set(1)
        for model in known:
            self.meters[metric.MODEL_VERSION].at(model.tier).set(model.version)
            self.meters[metric.MODEL_TRAINED].at(model.tier).set(model.trained / 1000)
        self._keep_tiers((metric.MODEL_VERSION, metric.MODEL_TRAINED), {model.tier for model in known})

    def tiers_learned(self) -> None:
        """Forgets the tiers that nobody here learns any more."""
        self._keep_tiers(OF_LEARN + OF_DRIFT, {tier for part in self.assigned.values() for tier in part.tiers})

    def _keep_tiers(self, metrics: Iterable[metric.Metric], tiers: Collection[str]) -> None:
        for one in metrics:
            self.meters[one].drop(lambda key: key[0] not in tiers)

    def sizes(self, sizes: Mapping[str, int]) -> None:
        """How many customers each segment has, by its label; those in force have a series also while they have none."""
        tiers = {segment: tier for tier, segment, _ in self.named}
        kept = {(tiers.get(segment, NONE), segment) for segment in {*sizes, *tiers}}
        self.meters[metric.CUSTOMERS].keep(kept)
        for tier, segment in kept:
            self.meters[metric.CUSTOMERS].at(tier, segment).set(sizes.get(segment, 0))

    def segment(self, number: int | None) -> str:
        """The label of a segment; those beyond the first `MOST_SEGMENTS` that this process met share one."""
        if number is None:
            return NONE
        if number not in self._labels and len(self._labels) < MOST_SEGMENTS:
            self._labels[number] = str(number)
        return self._labels.get(number, OTHER)


class CountedPartition(PartitionTelemetry):
    def __init__(self, process: PrometheusTelemetry, topic: str, partition: int) -> None:
        self._process = process
        self._meters = process.meters
        self.topic, self.number = topic, partition
        self.open = self.halted = False
        self.clock = 0  # ms; 0: not known
        self.bounded = False
        self._newest = 0  # ms
        self._waits_since: float | None = None  # monotonic
        self._seen: LabelFacts | None = None
        self._findings: dict[str, Sequence[Finding]] = {}
        self.in_force: Sequence[InForceFacts] = ()
        self.tiers: Sequence[str] = ()  # that it learns

    # --- its life

    def opened(self) -> None:
        self.open, self.halted = True, False
        self._process.counted()

    def reopening(self, why: StreamSegError) -> None:
        self.open = False
        self._seen = None
        self._meters[metric.REOPENED].at("fenced" if isinstance(why, Fenced) else "unavailable").inc()
        self._process.counted()

    def stopped(self, why: Stop) -> None:  # noqa: ARG002  # the log says why
        self.open, self.halted = False, True
        self._meters[metric.ALARMS].at().inc()
        self._process.counted()

    def closed(self) -> None:
        self._process.assigned.pop((self.topic, self.number), None)
        mine = str(self.number)
        for one in (metric.LAG, metric.LAG_SECONDS):
            self._meters[one].drop(lambda key: key == (self.topic, mine))
        for one in (
            metric.CLOCK_LAG,
            metric.OVERDUE,
            metric.AT_HAND,
            metric.OUTBOX,
            metric.OUTBOX_AGE,
            metric.LEARNED,
        ):
            self._meters[one].drop(lambda key: key == (mine,))
        self._process.counted()
        self._process.models_in_force()
        self._process.tiers_learned()

    # --- its batches

    def waited(self, seconds: float) -> None:
        self._meters[metric.PHASE_SECONDS].at("fetch").inc(seconds)

    def applied(self, records: int, seconds: float, oldest: int, newest: int) -> None:
        meters = self._meters
        self._newest = newest
        meters[metric.RECORDS].at(self.topic).inc(records)
        meters[metric.BATCH_RECORDS].at().observe(records)
        meters[metric.BATCH_SECONDS].at().observe(seconds)
        meters[metric.EVENT_AGE].at().observe(max(0.0, time.time() - oldest / 1000))

    def stands(self, position: int, end: int | None) -> None:
        lag = max(0, end - position) if end is not None else 0
        if lag and not self._newest:  # nothing was applied here yet: they wait from now on at least
            self._newest = time.time_ns() // 1_000_000
        behind = max(0.0, time.time() - self._newest / 1000) if lag else 0.0
        self._meters[metric.LAG].at(self.topic, self.number).set(lag)
        self._meters[metric.LAG_SECONDS].at(self.topic, self.number).set(behind)
        self._age()

    def _age(self) -> None:
        """What grows by itself while nothing is done: a partition that is stuck must not look as it did before."""
        if self._waits_since is not None:
            self._meters[metric.OUTBOX_AGE].at(self.number).set(time.monotonic() - self._waits_since)
        if self.clock:
            behind = 0.0 if self.bounded else max(0.0, time.time() - self.clock / 1000)
            self._meters[metric.CLOCK_LAG].at(self.number).set(behind)

    def spent(self, phases: Mapping[str, float]) -> None:
        for phase, seconds in phases.items():
            self._meters[metric.PHASE_SECONDS].at(phase).inc(seconds)

    def outbox(self, messages: int, since: float | None) -> None:
        self._meters[metric.OUTBOX].at(self.number).set(messages)
        self._waits_since = since
        self._meters[metric.OUTBOX_AGE].at(self.number).set(0.0 if since is None else time.monotonic() - since)

    # --- what it says of itself

    def facts(self, facts: LabelFacts | LearnFacts) -> None:
        if isinstance(facts, LearnFacts):
            self._meters[metric.LEARNED].at(self.number).set(facts.learned / 1000)
            if facts.every:
                self._meters[metric.LEARN_EVERY].at().set(facts.every / 1000)
            for tier in facts.tiers:
                self._tier(tier)
            self.tiers = [tier.tier for tier in facts.tiers]
            self._process.tiers_learned()
        else:
            self._label(facts)

    def _label(self, facts: LabelFacts) -> None:
        """Adds what is new since the last look. What was done before this owner's first look was another's to count."""
        meters = self._meters
        before = self._seen or facts._replace(moves=Moves(), returns=Counter(), found=0, missed=0)
        for name, result in zip(EVENTS, RESULTS, strict=True):
            meters[metric.EVENTS].at(result).inc(max(0, getattr(facts, name) - getattr(before, name)))
        meters[metric.CACHE].at("hit").inc(max(0, facts.found - before.found))
        meters[metric.CACHE].at("miss").inc(max(0, facts.missed - before.missed))
        meters[metric.AT_HAND].at(self.number).set(facts.at_hand)
        self.clock, self.bounded = facts.clock, facts.bounded
        self._age()
        for within in ("1d", "7d"):
            meters[metric.RETURNS].at(within).inc(max(0, facts.returns[within] - before.returns[within]))
        if facts.in_force != self.in_force:
            self.in_force = facts.in_force
            self._process.models_in_force()
            for tier, cause in product((model.tier for model in facts.in_force), CAUSES):  # at 0, as dead letters are
                meters[metric.MOVEMENTS].at(tier, cause)
        self._moved(facts.moves, before.moves)
        self._seen = facts._replace(moves=facts.moves.copy(), returns=facts.returns.copy())

    def _moved(self, now: Moves, before: Moves) -> None:
        if now.total() == before.total():
            return
        segment = self._process.segment
        for (tier, old, new, cause), times in now.items():
            more = times - before[tier, old, new, cause]
            if more > 0:
                self._meters[metric.CHANGES].at(tier, segment(old), segment(new)).inc(more)
                self._meters[metric.MOVEMENTS].at(tier, cause).inc(more)

    def _tier(self, tier: TierFacts) -> None:
        meters, name = self._meters, tier.tier
        meters[metric.LEARNED_FROM].at(name).set(tier.customers)
        meters[metric.PUBLISHED_AT].at(name).set(tier.published / 1000)
        meters[metric.REFITTED_AT].at(name).set(tier.refitted / 1000)
        meters[metric.HELD].at(name).set(tier.held)
        meters[metric.WAITING].at(name).set(tier.waiting is not None)
        meters[metric.WAITING_MOVES].at(name).set(tier.waiting or 0.0)
        if tier.findings is not self._findings.get(name):
            self._found(name, tier.findings, again=name not in self._findings)
            self._findings[name] = tier.findings

    def _found(self, tier: str, findings: Sequence[Finding], *, again: bool) -> None:
        """What a day said of drift. `again`: it was found, and counted, before this process began."""
        kept = [(tier, finding.subject, finding.metric) for finding in findings]
        for one in OF_DRIFT:
            self._meters[one].drop(lambda key: key[0] == tier and key not in kept)
        for labels, finding in zip(kept, findings, strict=True):
            self._meters[metric.DRIFT].at(*labels).set(finding.value)
            self._meters[metric.DRIFT_SEVERITY].at(*labels).set(SEVERITY[finding.severity])
            if finding.mean is not None:
                self._meters[metric.DRIFT_BASELINE].at(*labels).set(finding.mean)
            if finding.threshold is not None:
                self._meters[metric.DRIFT_THRESHOLD].at(*labels).set(finding.threshold)
            if finding.threshold is not None or finding.severity != "none":
                for severity in ("warn", "act"):  # at 0 from the start: the first alarm is an increase
                    alarms = self._meters[metric.DRIFT_ALARMS].at(tier, finding.metric, severity)
                    alarms.inc(severity == finding.severity and finding.new and not again)


def _reason(letter: Message) -> str:
    """The code that a dead letter bears."""
    return next(value.decode() for name, value in reversed(letter.headers) if name == "ss-error-code")
