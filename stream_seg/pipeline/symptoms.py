"""Does the work go on? What stages, Kafka and Redis hold in, findings with a remedy out. Asks nobody itself.

Where an alert in ``deploy/prometheus/rules/alerts.yml`` is about the same thing, number and gravity are the alert's. An
alert waits for some minutes until it believes it; whoever asks here wants to know how it is now.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from stream_seg.core.activation import Activation
from stream_seg.core.definition import DAY, MINUTE, SECOND
from stream_seg.errors import Stop
from stream_seg.pipeline import label_state, learn_state
from stream_seg.pipeline.diagnosis import Finding, runbook
from stream_seg.pipeline.label_state import newest
from stream_seg.pipeline.owner import start_of
from stream_seg.pipeline.status import OFFSET_IN, StoredPartition, drift_status, model_status

STALE = 300 * SECOND  # StreamSegLabelsStale
STANDS = 900 * SECOND  # StreamSegClockStands
SILENT = 2  # times time.learn_every: StreamSegTrainerSilent
LETTERS = 0.01  # StreamSegDeadLetters, over as long as the alert's rate
LETTERS_OVER = 5 * MINUTE


@dataclass(frozen=True)
class StageFacts:
    """One stage. workers: in its group now; recent: of each partition, the first offset younger than `STALE`."""

    stage: str
    group: str
    workers: int
    partitions: Sequence[StoredPartition]
    recent: Sequence[int]

    @property
    def behind(self) -> int:
        return sum(part.behind for part in self.partitions)

    @property
    def start(self) -> str:
        """The remedy for whatever stands because nobody works; empty where somebody does."""
        return "" if self.workers else f"stream-seg run --stages {self.stage}"


@dataclass(frozen=True)
class Seen:
    """What two looks at a partition, a few seconds apart, saw in Redis.

    messages  decided, and not acknowledged by Kafka
    stood     the oldest entry was the same in both. It bears no time, so how old it is, the alert alone knows (120 s)
    overdue   customers whom silence should have moved by the clock of the first look, and had not in the second
    """

    part: StoredPartition
    messages: int = 0
    stood: bool = False
    overdue: int = 0


def stage_findings(facts: StageFacts) -> list[Finding]:
    """Whether a stage can work, whether somebody does, and how much waits."""
    return [*_lost(facts), _workers(facts), _lag(facts)]


def _lost(facts: StageFacts) -> list[Finding]:
    """What a worker would stop at when it opens the partition."""
    said, stopped = [], []
    for part in facts.partitions:
        if part.stage not in OFFSET_IN:
            continue
        # A worker at work may be beyond the end that was asked for before, and an embedded broker tells it too low.
        log = replace(part.log, next=sys.maxsize)
        try:
            start_of(places([part]), part.meta, log, OFFSET_IN[part.stage])
        except Stop as error:
            said.append(str(error))
            stopped.append(part)
    if not stopped:
        return []
    remedy = "find the message in docs/operating.md, and do what it says there"
    return [Finding(f"{facts.stage} state", "fail", said[0], remedy, places(stopped), runbook("partition-stopped"))]


def _workers(facts: StageFacts) -> Finding:
    check = f"{facts.stage} workers"
    if facts.workers:
        return Finding(check, "ok", f"{facts.workers} in the group", place=facts.group)
    if not facts.behind and not any(part.meta or part.log.committed is not None for part in facts.partitions):
        return Finding(check, "ok", "none yet, and nothing to do", place=facts.group)
    return Finding(check, "fail", "nobody is in the group", facts.start, facts.group, runbook("stage-missing"))


def _lag(facts: StageFacts) -> Finding:
    check = f"{facts.stage} lag"
    old = [p for p, recent in zip(facts.partitions, facts.recent, strict=True) if p.behind and p.position < recent]
    detail = f"{facts.behind:,} records wait" if facts.behind else "nothing waits"
    if not old:
        return Finding(check, "ok", detail, place=facts.group)
    detail += f", {sum(part.behind for part in old):,} of them where the first has for more than {STALE // SECOND} s"
    if facts.stage == "learn":  # no alert until it has learned nothing for days
        return Finding(
            check, "warn", detail, facts.start or "see whether it works", places(old), runbook("trainer-silent")
        )
    remedy = facts.start or "see which partition stands, or start more workers"
    return Finding(check, "fail", detail, remedy, places(old), runbook("labels-stale"))


def outbox_finding(facts: StageFacts, seen: Sequence[Seen], limit: int) -> Finding:
    """Whether what was decided is published. `limit`: messages of a partition above which nothing more is applied."""
    check = f"{facts.stage} outbox"
    detail = f"{sum(one.messages for one in seen):,} messages wait for Kafka"
    stood = [one.part for one in seen if one.stood]
    if stood:
        remedy = facts.start or "see whether Kafka takes them: the log of the worker says why not"
        return Finding(
            check, "fail", f"{detail}, and the first does not move", remedy, places(stood), runbook("outbox-stuck")
        )
    full = [one.part for one in seen if one.messages > limit]
    if full:
        detail += f", more than run.outbox_limit ({limit:,}): nothing is applied until Kafka has taken some"
        return Finding(
            check, "warn", detail, "look again; if it stays so, Kafka is slow", places(full), runbook("outbox-stuck")
        )
    waits = any(one.messages for one in seen)
    return Finding(check, "ok", f"{detail}, and move" if waits else "nothing waits for Kafka", place=facts.group)


def silence_findings(facts: StageFacts, seen: Sequence[Seen], now: int, *, bounded: bool) -> list[Finding]:
    """Whether LABEL's clocks run and everybody has moved whom silence moves. `bounded`: a past, with its own time."""
    overdue = [one for one in seen if one.overdue]
    if overdue:
        detail = f"{sum(one.overdue for one in overdue):,} customers should have moved by silence"
        where = places([one.part for one in overdue])
        found = [Finding("overdue", "warn", detail, facts.start or "look again", where, runbook("overdue-customers"))]
    else:
        found = [Finding("overdue", "ok", "nobody whom silence should have moved", place=facts.group)]
    clocks = [(part, label_state.Memory(part.meta, 0).state.clock) for part in facts.partitions if part.meta]
    stand = [(part, clock) for part, clock in clocks if clock and now - clock > STANDS and not bounded]
    if not stand:
        detail = "time is that of the events" if bounded else "no clock stands"
        found.append(Finding("clocks", "ok", detail, place=facts.group))
    else:
        seconds = (now - min(clock for _, clock in stand)) // SECOND
        detail = f"{seconds:,} s behind: nobody moves by silence there"
        remedy = facts.start or "see which source makes no progress"
        where = places([part for part, _ in stand])
        found.append(Finding("clocks", "warn", detail, remedy, where, runbook("clock-stands")))
    return found


def definition_finding(current: Activation | None, changes: Sequence[str], file: str) -> Finding:
    """Whether what labels is what the file says. `changes`: how they differ, in words."""
    if current is None:
        detail = "Redis holds none; where the logs hold none either, the first `stream-seg run` begins with this file"
        return Finding("definition", "ok", detail, place=file)
    if changes:
        detail = f"the file differs from activation {current.number}, which decides: {'; '.join(changes)}"
        return Finding("definition", "warn", detail, f'stream-seg apply {file} --why "…"', file)
    return Finding("definition", "ok", f"activation {current.number} is what the file says", place=file)


def activation_finding(partitions: Sequence[StoredPartition]) -> Finding:
    """Whether all of LABEL's partitions decide by the newest activation, as far as they have read their logs.

    One that has nothing left to read and knows only an older one was given it damaged, or not at all.
    """
    held = [(part, newest([part.meta])) for part in partitions if part.meta]
    known = [(part, one) for part, one in held if one is not None]
    last = max((one for _, one in known), key=lambda one: one.number, default=None)
    older = [(part, one) for part, one in known if last and one.number < last.number and not part.behind]
    if last is None or not older:
        return Finding("activation", "ok", "no partition is left on an older one")
    numbers = ", ".join(str(number) for number in sorted({one.number for _, one in older}))
    detail = f"still decides by activation {numbers}, others by {last.number}: the log had it damaged, or not at all"
    again = "change something in the file, and `stream-seg apply` it"
    if last.model:
        again = f'stream-seg model promote {last.model.version} --ramp now --why "…"'
    where = places([part for part, _ in older])
    return Finding("activation", "warn", detail, f"look again; if it stays so: {again}", where)


def letters_finding(letters: int, records: int, topic: str) -> Finding:
    """Dead letters beside the records of the events log, both of the last `LETTERS_OVER`.

    With INGEST the letters are not among those records; what that changes of a share of one in a hundred is no matter.
    """
    share = letters / max(records, letters, 1)
    detail = f"{letters:,} in the last {LETTERS_OVER // MINUTE} minutes, beside {records:,} records"
    if share <= LETTERS:
        return Finding("dead letters", "ok", detail, place=topic)
    remedy = "read one: its headers say what is wrong and what its producer has to do"
    return Finding("dead letters", "warn", f"{detail}: {share:.1%}", remedy, topic, runbook("dead-letters"))


def learning_findings(partitions: Sequence[StoredPartition], now: int, *, bounded: bool) -> list[Finding]:
    """What LEARN has to say: versions that wait, drift, and whether it learns at all. `bounded`: a past."""
    found = []
    for part in partitions:
        memory = learn_state.Memory(part.meta, 0)
        for one in model_status(memory):
            version = "no model yet" if one["version"] is None else f"version {one['version']} is in force"
            frozen = "; publishing is frozen" if one["frozen"] else ""
            if one["waiting"] is None:
                found.append(Finding("model", "ok", version + frozen, place=f"tier {one['tier']}"))
                continue
            detail = f"{version}, one waits that would move {one['waiting']:.1%}{frozen}"
            place = f"tier {one['tier']}"
            found.append(Finding("model", "warn", detail, "stream-seg model diff", place, runbook("candidate-waiting")))
        acts = [one for one in drift_status(memory) if one["severity"] == "act"]
        found += [
            Finding("drift", "warn", one["words"], "stream-seg model list", f"tier {one['tier']}", runbook("drift-act"))
            for one in acts
        ]
        if not acts:
            found.append(Finding("drift", "ok", "nothing to act on", place=part.topic))
        learned = memory.state.learned
        period = memory.activation.definition.learn_every if memory.activation else DAY
        if learned and now - learned > SILENT * period and not bounded:
            detail = f"nothing was learned for {(now - learned) / DAY:.1f} days"
            remedy = "see whether LEARN works, and every events partition"
            found.append(Finding("trainer", "warn", detail, remedy, part.topic, runbook("trainer-silent")))
    return found


def places(partitions: Sequence[StoredPartition]) -> str:
    """Partitions as people read them, by topic.

    >>> from stream_seg.ports import LogRange
    >>> log = LogRange(None, 0, 0, "")
    >>> places([StoredPartition("label", "shop.events.v1", number, log) for number in (0, 2)])
    'shop.events.v1 partitions 0, 2'
    """
    topics: dict[str, list[str]] = {}
    for part in partitions:
        topics.setdefault(part.topic, []).append(str(part.number))
    return "; ".join(
        f"{topic} partition{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}" for topic, numbers in topics.items()
    )
