"""A live run on real servers and the replay of its log are the same computation."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from stream_seg.adapters.memory.replay import Replay
from stream_seg.bootstrap.feeding import feed_live
from stream_seg.core.definition import DAY
from stream_seg.errors import Stop
from stream_seg.wire.control import activation, kind_of
from tests.live.conftest import StackMaker
from tests.live.oracle import check, check_learning, compacted, told
from tests.live.stack import Stack
from tests.live.workload import SECONDS, START, WEEKS, Events, Orders, given, weeks

pytestmark = [pytest.mark.servers, pytest.mark.slow]


def feed(stack: Stack, events: list[Events], on_day: dict[int, Callable[[], None]]) -> int:
    """Feeds purchases; when day n has passed, `on_day[n]` happens before the next is fed."""

    def told_of(_: int, through: int) -> None:
        on_day.pop((through - START) // DAY, lambda: None)()

    def alive() -> None:
        if all(worker.code is not None for worker in stack.workers):
            raise Stop(stack.said())

    count = asyncio.run(feed_live(stack.config, events, told_of, alive))
    assert not on_day
    return count


def lived_through(stack: Stack, events: list[Events], *, second: int, killed: int, learn_killed: int) -> int:
    """Feeds a run on whose days a second worker joins and the first and LEARN are killed; how many events it had."""
    stack.activate()
    label, learn = stack.start("label"), stack.start("learn")

    def rebalance() -> None:
        joined = stack.start("label")
        stack.until(lambda: joined.says("partitions assigned", "events"), "the second worker has its share")

    def another_learn() -> None:
        learn.kill()
        stack.start("learn")

    count = feed(stack, events, {second: rebalance, killed: label.kill, learn_killed: another_learn})
    stack.settle("label", "learn", "label")
    assert [worker.stop() for worker in stack.workers if worker.code is None] == [0, 0]
    return count


def test_a_run_with_two_workers_a_rebalance_and_kills_equals_its_replay_and_an_undisturbed_one(
    stack_of: StackMaker,
) -> None:
    stack = stack_of(WEEKS)
    count = lived_through(stack, weeks(5), second=4, killed=9, learn_killed=11)
    assert count > 3_000

    published = check(stack)
    models = check_learning(stack)
    assert len(models) >= 3
    assert {"event", "time", "model", "backfill"} <= {m["cause"] for m in published["segment-changes"].values()}

    # The log is not even needed: the same input, fed in memory, gives the same versions, labels and movements.
    records = stack.read("events")
    undisturbed = Replay(stack.partitions)
    undisturbed.start(next(activation(r) for r in records if kind_of(r) == "activate"))
    assert undisturbed.run(weeks(5), DAY) == count
    assert told(undisturbed.log.read("models", 0, 0)) == told(stack.read("models"))
    assert told(undisturbed.log.read("segment-changes", 0, 0)) == published["segment-changes"]
    assert compacted(undisturbed.log.read("customer-segments", 0, 0)) == compacted(stack.read("customer-segments"))


def planned(parts: list[Events]) -> list[Events]:
    """The same events, each with the plan that its customer was on; every ninth shopper changes it half way."""

    def with_plan(value: bytes, *, late: bool) -> bytes:
        body = json.loads(value)
        number = int(body["userId"].partition("-")[2])
        business = number % 3 == 0 or (number % 9 == 1 and late)
        body["properties"]["plan"] = "business" if business else "private"
        return json.dumps(body).encode()

    return [
        Events([with_plan(value, late=late) for value in part.values], part.keys, part.times)
        for part, late in zip(parts, (False, True), strict=True)
    ]


def test_a_run_with_tiers_a_rebalance_and_kills_equals_its_replay(stack_of: StackMaker) -> None:
    tiers = "tiers: [{name: business, where: 'properties.plan == \"business\"', k: 2}]\n"
    stack = stack_of(WEEKS + tiers)
    lived_through(stack, planned(weeks(7, customers=150)), second=6, killed=11, learn_killed=9)

    moves = check(stack)["segment-changes"].values()
    models = check_learning(stack)
    assert {model["tier"] for model in models} == {"all", "business"}
    segments = {
        tier: {str(n) for m in models if m["tier"] == tier for n, center in enumerate(m["centers"]) if center}
        for tier in ("all", "business")
    }
    assert not segments["all"] & segments["business"]
    assert all(m["segment"] in {None, *segments[m["tier"]]} for m in moves)
    across = [m for m in moves if m["previous_segment"] and m["previous_segment"] not in segments[m["tier"]]]
    assert across
    assert {m["cause"] for m in across} == {"tier"}


def test_a_live_run_by_append_time_equals_its_replay(stack_of: StackMaker) -> None:
    stack = stack_of(SECONDS)
    stack.activate(given(stack.config))
    first = stack.start("label")
    orders = Orders()
    for _ in range(5):
        stack.produce(orders.some(200))
    stack.settle()
    stack.start("label")
    stack.produce(orders.some(200))
    first.kill()
    stack.produce(orders.some(200))
    stack.settle()

    def causes() -> set[str]:
        return {"time", "event"} & {m["cause"] for m in told(stack.read("segment-changes")).values()}

    stack.until(lambda: causes() == {"time", "event"}, "silence moved somebody")
    stack.until(lambda: any(kind_of(r) == "tick" for r in stack.read("events")), "a tick")
    stack.settle()
    assert stack.workers[-1].stop() == 0
    published = check(stack)
    assert sum(state.accepted for state in stack.states()) == orders.sent
    assert published["segment-changes"]

    # So says the command, over the log as far as the workers came.
    log = [f"{stack.topic('events')}:{p}:0-{applied}" for p, applied in enumerate(stack.applied())]
    out = stack.directory / "replayed"
    replay = stack.command("replay", *log, "--format", "kafka", "-c", str(stack.file), "--out", str(out))
    assert replay.process.wait(120) == 0, replay.output()
    replayed = [json.loads(line) for line in (out / "movements.ndjson").read_text().splitlines()]
    assert {one["origin"] for one in replayed} == {"replay"}
    aside = {"decided_at", "origin"}
    said = {one["id"]: {name: value for name, value in one.items() if name not in aside} for one in replayed}
    assert said == published["segment-changes"]
    labels = [json.loads(line) for line in (out / "labels.ndjson").read_text().splitlines()]
    found = {one["customer_id"].encode(): (one["incarnation"], one["sequence"], one["segment"]) for one in labels}
    assert found == compacted(stack.read("customer-segments"))
