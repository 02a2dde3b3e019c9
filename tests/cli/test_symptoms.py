"""What `doctor` makes of how the work goes; where there is an alert for it, both agree on when and how grave."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from stream_seg.adapters.prometheus.counting import SEVERITY
from stream_seg.adapters.prometheus.serving import HALTED, NO_REDIS, TURNED_NOT
from stream_seg.bootstrap.examining import page_finding
from stream_seg.core import findings as drift
from stream_seg.core.activation import Activation
from stream_seg.core.definition import DAY, MINUTE, SECOND, Definition, Feature
from stream_seg.core.model import ModelVersion
from stream_seg.pipeline import label_state, learn_state
from stream_seg.pipeline.diagnosis import Finding, redis_findings
from stream_seg.pipeline.owner import GUARD
from stream_seg.pipeline.status import StoredPartition
from stream_seg.pipeline.symptoms import (
    LETTERS_OVER,
    STALE,
    Seen,
    StageFacts,
    activation_finding,
    learning_findings,
    letters_finding,
    outbox_finding,
    silence_findings,
    stage_findings,
)
from stream_seg.ports import LogRange
from tests.cli.test_diagnosis import GOOD
from tests.dashboards.named import rules

ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}
GRAVITY = {"page": "fail", "ticket": "warn"}
GUARDED = "an-id:2:murmur2"
NOW = 1_800_000_000_000


def threshold(alert: str) -> float:
    """The number that its expression compares with at its end; days where it counts by how often LEARN learns."""
    by_days = re.search(r"> (\d+) \* max\(stream_seg_learn_every_seconds", ALERTS[alert]["expr"])
    if by_days is not None:
        return float(by_days[1]) * DAY / SECOND
    (number,) = re.findall(r"[>=]=? ([\d.]+(?: \* \d+)?)\s*$", ALERTS[alert]["expr"])
    first, _, second = number.partition(" * ")
    return float(first) * float(second or 1)


def part(stage: str = "label", number: int = 0, log: LogRange | None = None, **state: int) -> StoredPartition:
    """A partition whose worker has applied up to `offset`."""
    memory = label_state.Memory({}, 0) if stage == "label" else learn_state.Memory({}, 0)
    for name, value in state.items():
        setattr(memory.state, name, value)
    meta = {**memory.changed(), GUARD: GUARDED.encode()}
    return StoredPartition(stage, f"shop.{stage}", number, log or LogRange(0, 0, 0, GUARDED), meta)


def facts(*partitions: StoredPartition, workers: int = 1, recent: int = 0) -> StageFacts:
    stage = partitions[0].stage
    return StageFacts(stage, f"shop-{stage}", workers, partitions, [recent] * len(partitions))


def named(check: str, found: list[Finding]) -> Finding:
    return next((one for one in found if one.check == check), Finding(check, "ok", "not among them"))


def lag(seconds: float) -> Finding:
    """Records 5 to 9 wait; what is younger than the bound begins behind the first of them, or with it."""
    waiting = part(log=LogRange(5, 0, 10, GUARDED), offset=5)
    return named("label lag", stage_findings(facts(waiting, recent=6 if seconds * SECOND > STALE else 5)))


def clocks(seconds: float) -> Finding:
    found = silence_findings(facts(part(clock=NOW - int(seconds * SECOND))), [], NOW, bounded=False)
    return named("clocks", found)


def overdue(customers: float) -> Finding:
    return silence_findings(facts(part()), [Seen(part(), overdue=int(customers))], NOW, bounded=False)[0]


def letters(share: float) -> Finding:
    return letters_finding(round(share * 10_000), 10_000, "shop.dead-letters.v1")


def memory_used(share: float) -> Finding:
    return named("redis memory", redis_findings(replace(GOOD, used_memory=int(share * GOOD.max_memory)), None))


def trainer(seconds: float) -> Finding:
    return named("trainer", learning_findings([part("learn", learned=NOW - int(seconds * SECOND))], NOW, bounded=False))


def learning(check: str, meta: dict[str, bytes]) -> Finding:
    learn = StoredPartition("learn", "shop.samples.v1", 0, LogRange(0, 0, 0, GUARDED), meta)
    return named(check, learning_findings([learn], NOW, bounded=False))


def drifted(severity: float) -> Finding:
    word = next(word for word, grave in SEVERITY.items() if grave == int(severity))
    memory = learn_state.Memory({}, 0)
    memory.tier("all").findings = [drift.Finding(metric="psi", subject="spend", value=1.0, severity=word)]  # type: ignore[arg-type]  # its keys are those words
    return learning("drift", memory.changed())


def activation(number: int, model: ModelVersion | None = None) -> Activation:
    features = (Feature(name="orders", aggregate="count", window=DAY), Feature(name="silence", aggregate="recency"))
    definition = Definition(name="shop", features=features, lateness=DAY, forget_after=9 * DAY)
    return Activation(
        number=number, definition=definition, feature_set_version="", model=model, who="ann", at=NOW, why="first"
    )


def model(version: int) -> ModelVersion:
    return ModelVersion(
        version=version, tier="all", feature_set_version="", learner="keyed", columns=("orders",), centers=((0.0,),),
        mean=(0.0,), scale=(1.0,), clip_low=(None,), clip_high=(None,), segments=("one",), samples=1, trained_at=NOW,
    )  # fmt: skip


def proposed(*, waits: bool) -> Finding:
    """A version that a person has to decide about, or one that comes into force by itself."""
    memory = learn_state.Memory({}, 0)
    memory.activation = activation(1)
    memory.tier("all").proposal = learn_state.Proposal(model(2), 0.7, "better", (), from_=0 if waits else NOW + DAY)
    return learning("model", memory.changed())


def agreed(alert: str, told: Finding) -> None:
    assert told.status == GRAVITY[ALERTS[alert]["labels"]["severity"]]
    # The alert's is a link for whoever is woken (deploy/docs.url), this one a file of the project: the same page.
    assert Path(told.runbook).name == Path(ALERTS[alert]["annotations"]["runbook_url"]).name


BY_NUMBER: list[tuple[str, Callable[[float], Finding], float]] = [
    ("StreamSegLabelsStale", lag, 1),
    ("StreamSegClockStands", clocks, 1),
    ("StreamSegOverdueCustomers", overdue, 1),
    ("StreamSegDeadLetters", letters, 0.0001),
    ("StreamSegRedisNearFull", memory_used, 0.01),
    ("StreamSegTrainerSilent", trainer, 1),
]


@pytest.mark.parametrize(("alert", "finding", "step"), BY_NUMBER)
def test_it_is_told_beyond_the_number_of_its_alert_as_gravely_and_with_its_page(
    alert: str, finding: Callable[[float], Finding], step: float
) -> None:
    at = threshold(alert)
    assert finding(at).status == "ok"
    told = finding(at + step)
    agreed(alert, told)
    assert told.remedy
    assert told.place or alert == "StreamSegRedisNearFull"  # which server, who asks it knows


BY_KIND = [
    ("StreamSegMovementsNotPublished", outbox_finding(facts(part()), [Seen(part(), messages=9, stood=True)], 10)),
    ("StreamSegStageMissing", named("label workers", stage_findings(facts(part(), workers=0)))),
    ("StreamSegStageMissing", named("learn workers", stage_findings(facts(part("learn"), workers=0)))),
    ("StreamSegProcessDown", page_finding("a:1", None)),
    ("StreamSegProcessDown", page_finding("a:1", (503, f"{TURNED_NOT} 61 s\n"))),
    ("StreamSegRedisDown", page_finding("a:1", (503, f"{NO_REDIS}: no\n"))),
    ("StreamSegPartitionStopped", page_finding("a:1", (503, f"events partition 0 {HALTED}\n"))),
    ("StreamSegNotReady", page_finding("a:1", (503, "events partition 0 reads its state\n"))),
    ("StreamSegDriftAct", drifted(threshold("StreamSegDriftAct"))),
    ("StreamSegCandidateWaiting", proposed(waits=True)),
]


@pytest.mark.parametrize(("alert", "told"), BY_KIND)
def test_what_has_no_number_is_as_grave_as_its_alert_and_has_its_page(alert: str, told: Finding) -> None:
    agreed(alert, told)


def test_what_is_well_is_no_finding() -> None:
    moves = outbox_finding(facts(part()), [Seen(part(), messages=9)], 10)
    warned = drifted(threshold("StreamSegDriftAct") - 1)
    for one in (moves, warned, page_finding("a:1", (200, "ok\n")), proposed(waits=False)):
        assert (one.status, one.remedy) == ("ok", "")


def test_dead_letters_are_counted_over_as_long_as_the_alert_does() -> None:
    (ratio,) = [rule["expr"] for rule in rules() if rule.get("record") == "stream_seg:dead_letters:ratio5m"]
    assert set(re.findall(r"\[(\w+)\]", ratio)) == {f"{LETTERS_OVER // MINUTE}m"}


def test_of_the_alerts_only_that_labels_flap_has_no_finding() -> None:
    """It shows over hours; `doctor` looks once."""
    assert ALERTS.keys() - {alert for alert, *_ in (*BY_NUMBER, *BY_KIND)} == {"StreamSegFlapping"}


def test_a_partition_that_read_its_log_and_knows_only_an_older_activation_is_named_with_the_way_out() -> None:
    def knows(number: int, *numbers: int, waits: int = 0, version: int | None = None) -> StoredPartition:
        memory = label_state.Memory({}, 5)
        for one in numbers:
            memory.activate(activation(one, model(version) if version else None))
        log = LogRange(5, 0, 5 + waits, GUARDED)
        return StoredPartition("label", "shop.events.v1", number, log, {**memory.changed(), GUARD: GUARDED.encode()})

    both = knows(0, 1, 2)
    assert activation_finding([both, knows(1, 1, waits=1), knows(2, 1, 2)]).status == "ok"  # it has yet to read it
    left = activation_finding([both, knows(1, 1), knows(2, 2), knows(3, 1)])
    assert (left.status, left.place) == ("warn", "shop.events.v1 partitions 1, 3")
    assert "by activation 1, others by 2" in left.detail
    assert "stream-seg apply" in left.remedy
    assert "model promote 7 --ramp now" in activation_finding([knows(0, 1, 2, version=7), knows(1, 1)]).remedy
    assert activation_finding([]).status == "ok"


def test_a_past_has_a_time_of_its_own() -> None:
    old = facts(part(clock=NOW - 400 * DAY))
    assert [one.status for one in silence_findings(old, [], NOW, bounded=True)] == ["ok", "ok"]
    past = [part("learn", learned=NOW - 400 * DAY)]
    assert [one.status for one in learning_findings(past, NOW, bounded=True)] == ["ok"]


def test_nobody_at_work_is_no_fault_before_anything_ran() -> None:
    log = LogRange(None, 0, 0, GUARDED)
    new = StoredPartition("label", "shop.events.v1", 0, log)
    assert {one.status for one in stage_findings(facts(new, workers=0))} == {"ok"}
    produced = replace(new, log=replace(log, next=3))
    found = named("label workers", stage_findings(facts(produced, workers=0)))
    assert (found.status, found.remedy) == ("fail", "stream-seg run --stages label")


def test_a_slot_that_no_worker_may_open_is_told_in_the_words_of_the_worker() -> None:
    log = LogRange(5, 2, 10, GUARDED)
    for stored, words in (
        (StoredPartition("label", "shop.events.v1", 1, log), "Redis holds no state for it"),
        (part(log=log, offset=1), "the log begins at 2"),
        (part(log=replace(log, guard="another:2:murmur2"), offset=5), "was built from an-id:2:murmur2"),
    ):
        found = named("label state", stage_findings(facts(stored)))
        assert found.status == "fail"
        assert words in found.detail
    # Beyond the end that was told: somebody works, or the broker is an embedded one.
    assert named("label state", stage_findings(facts(part(log=log, offset=11)))).status == "ok"


def test_an_outbox_that_is_full_and_moves_warns() -> None:
    found = outbox_finding(facts(part()), [Seen(part(), messages=11), Seen(part(number=1))], 10)
    assert (found.status, found.place) == ("warn", "shop.label partition 0")


def test_another_service_at_the_port_is_no_worker() -> None:
    assert page_finding("127.0.0.1:9464", (404, "not found")).remedy == "correct run.metrics_port"
