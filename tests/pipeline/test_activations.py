"""Rules that change in the middle of a log, one at a time."""

from __future__ import annotations

import msgspec
import pytest

from stream_seg.core.activation import Activation, Fill
from stream_seg.core.definition import DAY, HOUR, Definition, Feature, InputRules, feature_set_version
from stream_seg.core.hashing import customer_hash
from stream_seg.core.model import ModelVersion
from stream_seg.core.record import ADOPTED, RECENT_IDS, SAMPLES, TIME
from stream_seg.core.succession import succeed
from stream_seg.errors import Stop
from stream_seg.wire import control
from tests.core import drawing
from tests.core.drawing import START
from tests.pipeline.partition import EVENTS, Log, Partition
from tests.pipeline.plots import FAR

VISITS = Feature(name="visits", aggregate="count", window=8 * DAY)
SHOP = Definition(name="shop", features=(VISITS,), lateness=30 * DAY, forget_after=100 * DAY, margin=0.0)


def model(definition: Definition, version: int, *centers: float) -> ModelVersion:
    """Segments by number of visits."""
    return ModelVersion(
        version=version, tier="all", feature_set_version=feature_set_version(definition), learner="none",
        columns=("visits",), centers=tuple((center,) for center in centers), mean=(0.0,), scale=(1.0,),
        clip_low=(None,), clip_high=(None,), segments=tuple(f"about {c}" for c in centers), samples=2, trained_at=0,
    ).sealed()  # fmt: skip


def activation(number: int, *centers: float, definition: Definition = SHOP, **more: object) -> Activation:
    first = drawing.activation(definition, number, model(definition, number, *centers) if centers else None)
    return msgspec.structs.replace(first, **more)


def visit_after(customer: str, t: int, period: int = DAY) -> int:
    phase = (customer_hash(customer.encode()) >> 32) * period >> 32
    return (t - phase) // period * period + period + phase


def moves(partition: Partition) -> list[tuple[str, str | None, str | None, str]]:
    found = partition.snapshot().movements.values()
    return [(m["customer_id"], m["previous_segment"], m["segment"], m["cause"]) for m in found]


def test_the_first_model_labels_everybody_at_once_and_a_later_one_at_their_next_visit() -> None:
    log, partition = Log(), Partition()
    log.activate(activation(1), START)
    log.event("ann", START, START, {"event": "Paid"})
    log.activate(activation(2, 1.0, 9.0), START)
    partition.run(log.records)
    assert moves(partition) == [("ann", None, "0", "backfill")]
    later = visit_after("ann", START)
    n = len(log.records)
    log.activate(activation(3, 9.0, 1.0), START)
    log.control("tick", None, later - 1)
    partition.run(log.records[n:])
    assert moves(partition)[1:] == []
    partition.run([log.control("tick", None, later)])
    assert moves(partition)[1:] == [("ann", "0", "1", "model")]


@pytest.mark.parametrize("size", [1, 3, 100])
def test_the_first_activation_holds_for_everything_before_it_however_many_batches_that_is(size: int) -> None:
    log, partition = Log(), Partition()
    for n in range(10):
        log.event("ann", START + n, START + n, {"event": "Paid"})
    log.activate(activation(1, 1.0, 9.0), START + 10)
    for record in log.records:
        partition.log.append(EVENTS, record.key, record.value, record.headers, timestamp=record.timestamp)
    for at in range(0, len(log.records), size):
        partition.world.run(partition.labeller.process(log.records[at : at + size]))
    partition.world.run(partition.labeller.owner.relay())
    assert partition.labeller.memory.state.accepted == 10
    assert moves(partition) == [("ann", None, "0", "event"), ("ann", "0", "1", "event")]


def test_without_any_activation_a_partition_stops_and_says_what_to_do() -> None:
    log, partition = Log(), Partition()
    log.event("ann", START, START, {"event": "Paid"})
    with pytest.raises(Stop, match=r"from 0 on and no activation among them; .* `stream-seg apply`"):
        partition.run(log.records)


def test_with_a_ramp_of_now_nobody_waits_for_a_visit() -> None:
    log, partition = Log(), Partition()
    log.activate(activation(1, 1.0, 9.0), START)
    for name in ("ann", "bob", "cem", "dee", "eve"):
        log.event(name, START, START, {"event": "Paid"})
    log.activate(activation(2, 9.0, 1.0, ramp="now"), START)
    partition.run(log.records)
    assert sorted(moves(partition)[5:]) == [(n, "0", "1", "model") for n in ("ann", "bob", "cem", "dee", "eve")]


def test_a_lower_number_that_arrives_late_is_ignored_and_an_equal_one_that_differs_stops() -> None:
    log, partition = Log(), Partition()
    log.activate(activation(2, 1.0, 9.0), START)
    log.activate(activation(1, 9.0, 1.0), START)
    log.activate(activation(2, 1.0, 9.0), START)
    log.event("ann", START, START, {"event": "Paid"})
    partition.run(log.records)
    assert moves(partition) == [("ann", None, "0", "event")]
    with pytest.raises(Stop, match="number 2: something else than"):
        partition.run([log.activate(activation(2, 3.0, 4.0), START)])


def corrupted(value: bytes) -> dict[str, bytes]:
    return {"truncated": value[: len(value) // 2], "wrong checksum": value.replace(b'"mean":[0.0]', b'"mean":[0.5]')}


@pytest.mark.parametrize("damage", ["truncated", "wrong checksum"])
def test_a_damaged_activation_is_put_aside_and_what_was_in_force_stays(damage: str) -> None:
    log, partition = Log(), Partition()
    log.activate(activation(1, 1.0, 9.0), START)
    log.event("ann", START, START, {"event": "Paid"})
    partition.run(log.records)
    whole = log.activate(activation(2, 9.0, 1.0, ramp="now"), START)
    damaged = msgspec.structs.replace(whole, value=corrupted(whole.value or b"")[damage])
    partition.run([damaged, log.event("bob", START, START, {"event": "Paid"})])
    assert moves(partition) == [("ann", None, "0", "event"), ("bob", None, "0", "event")]
    (aside,) = partition.output("dead-letters")
    assert aside.value == damaged.value
    assert dict(aside.headers)["ss-error-code"] == b"damaged_activation"
    (alarm,) = partition.labeller.owner.alarms
    assert "what was in force stays" in alarm
    partition.run([log.activate(activation(3, 9.0, 1.0, ramp="now"), START)])
    assert sorted(moves(partition)[2:]) == [(name, "0", "1", "model") for name in ("ann", "bob")]


def test_a_backfilled_activation_that_forgets_this_partition_is_put_aside() -> None:
    log, partition = Log(), Partition()
    log.activate(activation(1, 1.0, 9.0), START)
    log.activate(msgspec.structs.replace(activation(2, 9.0, 1.0, ramp="now"), layout=2, fill=Fill((), START)), START)
    log.event("ann", START, START, {"event": "Paid"})
    partition.run(log.records)
    assert moves(partition) == [("ann", None, "0", "event")]
    (aside,) = partition.output("dead-letters")
    assert dict(aside.headers)["ss-error-code"] == b"damaged_activation"
    (alarm,) = partition.labeller.owner.alarms
    assert "does not say from where in this partition" in alarm


def test_an_activation_of_a_newer_version_of_this_package_stops_the_partition_and_is_not_passed_over() -> None:
    log, partition = Log(), Partition()
    first = log.activate(activation(1, 1.0, 9.0), START)
    partition.run([first])
    newer = (first.value or b"").replace(b'"number":1', b'"number":"one"')
    with pytest.raises(Stop, match="newer version"):
        partition.run([msgspec.structs.replace(first, value=newer, offset=1)])


def test_whoever_lives_ahead_of_the_clock_keeps_the_old_model_until_visited_also_under_another_worker() -> None:
    """A source that is days ahead of another: a walk by the clock has passed, but not by this customer's time."""
    definition = msgspec.structs.replace(SHOP, input=InputRules(clock="progress"))
    results = []
    for takeover in (False, True):
        log, partition = Log(), Partition()
        log.activate(activation(1, 1.0, 9.0, definition=definition), FAR)
        log.control(control.SOURCES, control.Sources(("a", "b")), FAR)
        for source in ("a", "b"):
            log.control(control.PROGRESS, control.Progress(source, START), FAR)
        ahead = START + 5 * DAY
        log.event("ann", ahead, FAR, {"event": "Paid"})
        log.activate(activation(2, 9.0, 1.0, definition=definition), FAR)
        for source in ("a", "b"):
            log.control(control.PROGRESS, control.Progress(source, START + 3 * DAY), FAR)
        partition.run(log.records)
        assert len(partition.labeller.memory.in_use) == 2
        if takeover:
            partition.open()
        partition.run([log.event("ann", ahead + 1, FAR, {"event": "Paid"})])
        assert partition.row(b"ann")[0, ADOPTED] == 1
        for source in ("a", "b"):
            last = log.control(control.PROGRESS, control.Progress(source, visit_after("ann", ahead)), FAR)
            partition.run([last])
        results.append(moves(partition))
    assert results[0] == results[1] == [("ann", None, "0", "event"), ("ann", "0", "1", "model")]


def test_activations_leave_when_a_walk_has_passed_and_somebody_else_takes_over_without_them() -> None:
    log, partition = Log(), Partition()
    log.activate(activation(1, 1.0, 9.0), START)
    log.event("ann", START, START, {"event": "Paid"})
    log.activate(activation(2, 9.0, 1.0), START)
    log.control("tick", None, START + DAY + 1)
    partition.run(log.records)
    assert [a.number for a in partition.labeller.memory.activations] == [2]
    partition.open()
    partition.run([log.event("ann", START + DAY + 2, START + DAY + 2, {"event": "Paid"})])
    assert moves(partition) == [("ann", None, "0", "event"), ("ann", "0", "1", "model")]


def test_a_shorter_walk_visits_from_here_on_and_makes_up_for_nothing() -> None:
    log, partition = Log(), Partition()
    log.activate(activation(1), START)
    log.event("ann", START, START, {"event": "Paid"})
    day_later = visit_after("ann", START) - 1
    log.control("tick", None, day_later)
    often = msgspec.structs.replace(SHOP, learn_every=HOUR)
    log.activate(succeed(activation(1), often, who="test", at=0, why="test"), day_later)
    partition.run(log.records)
    assert partition.snapshot().samples == {}
    row = partition.row(b"ann")[0]
    assert (row[TIME], row[SAMPLES]) == (day_later, 0)
    partition.run([log.control("tick", None, day_later + 3 * HOUR)])
    expected = visit_after("ann", day_later, HOUR)
    assert [s["as_of"] for s in partition.snapshot().samples.values()] == [expected + n * HOUR for n in range(3)]


@pytest.mark.parametrize("ahead", [0, 2 * HOUR])
def test_days_by_another_midnight_move_whoever_they_move_at_once(ahead: int) -> None:
    """Also whose time is the clock's, or later: no instant of its own may come before its next visit."""
    days = Feature(name="visits", aggregate="distinct_days", window=8 * DAY)
    before = msgspec.structs.replace(SHOP, features=(days,), input=InputRules(clock="progress"))
    after = msgspec.structs.replace(before, utc_offset=330)
    log, partition = Log(), Partition()
    first = activation(1, 0.0, 1.0, definition=before)
    log.activate(first, FAR)
    log.control(control.SOURCES, control.Sources(("a",)), FAR)
    log.control(control.PROGRESS, control.Progress("a", START), FAR)
    log.event("ann", START + ahead, FAR, {"event": "Paid"})
    log.activate(succeed(first, after, who="test", at=0, why="test"), FAR)
    partition.run(log.records)
    assert moves(partition) == [("ann", None, "1", "event"), ("ann", "1", "0", "model")]
    partition.run([log.event("ann", START + ahead, FAR, {"event": "Paid"})])
    assert moves(partition)[2:] == [("ann", "0", "1", "event")]


def test_a_finer_grid_moves_the_silent_at_its_own_instants_though_the_index_was_made_for_the_old_one() -> None:
    """Coarse at first: the due index holds an instant far away. The change must wake everybody."""
    quiet = Feature(name="visits", aggregate="recency")
    coarse = msgspec.structs.replace(SHOP, features=(quiet,), evaluate_every=20 * HOUR, learn_every=30 * DAY)
    names = [f"customer-{i}" for i in range(20)]
    seen = {}
    for finer in (False, True):
        log, partition = Log(), Partition()
        first = activation(1, 0.0, 8 * HOUR / 1000, definition=coarse)
        log.activate(first, START)
        for name in names:
            log.event(name, START, START, {"event": "Paid"})
        if finer:
            fine = msgspec.structs.replace(coarse, evaluate_every=HOUR)
            log.activate(succeed(first, fine, who="test", at=0, why="test"), START + 1)
        partition.run(log.records)
        last = log.control("tick", None, START + 7 * HOUR)  # the half way is at 4 hours, and a grid step is one
        partition.run([last])
        seen[finer] = sum(m["cause"] == "time" for m in partition.snapshot().movements.values())
    assert seen[True] == len(names)
    assert seen[False] < len(names)


def test_a_customer_remembers_its_last_message_ids_and_forgets_those_before() -> None:
    log, partition = Log(), Partition()
    log.activate(activation(1, 1.0, 9.0), START)
    for i in range(RECENT_IDS + 1):
        log.event("ann", START, START, {"event": "Paid"}, f"m{i}")
    partition.run(log.records)
    assert partition.snapshot().state["duplicates"] == 0
    partition.run([log.event("ann", START, START, {"event": "Paid"}, "m1")])
    assert partition.snapshot().state["duplicates"] == 1
    partition.run([log.event("ann", START, START, {"event": "Paid"}, "m0")])
    assert partition.snapshot().state["duplicates"] == 1


def test_a_record_whose_layout_nobody_knows_stops_the_partition() -> None:
    log, partition = Log(), Partition()
    log.activate(activation(1, 1.0, 9.0), START)
    log.event("ann", START, START, {"event": "Paid"})
    partition.run(log.records)
    data = partition.slots._slots[partition.labeller.owner.slot]
    data.records[b"ann"] = data.records[b"ann"][:1] + b"\x63" + data.records[b"ann"][2:]
    partition.open()
    with pytest.raises(Stop, match="layout"):
        partition.run([log.event("ann", START, START, {"event": "Paid"})])
