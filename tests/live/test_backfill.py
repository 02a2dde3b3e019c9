"""A new feature out of the retained log, on real servers, while workers go on labelling."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from stream_seg.bootstrap.feeding import feed_live
from stream_seg.core.definition import DAY
from stream_seg.ports import Slot
from stream_seg.wire.control import activation, kind_of
from tests.live.conftest import StackMaker
from tests.live.oracle import check, check_learning
from tests.live.workload import SECONDS, START, WEEKS, Orders, given, weeks

pytestmark = [pytest.mark.servers, pytest.mark.slow]

DAYS = "- {name: days, aggregate: distinct_days, window: 3d}\ntime:"
MORE = "- {name: ever, aggregate: tenure}\n- {name: month, aggregate: count, window: 30d}\ntime:"
CHANGED_ON = 8  # days


def test_a_backfilled_feature_is_learned_without_waiting_for_its_window(stack_of: StackMaker) -> None:
    stack = stack_of(WEEKS)
    file = stack.write(WEEKS.replace("time:", DAYS), "changed.yaml")
    stack.activate()
    workers = [stack.start("label"), stack.start("learn")]
    answers: list[dict[str, Any]] = []

    def change(_: int, through: int) -> None:
        if (through - START) // DAY == CHANGED_ON:
            apply = ("apply", str(file), "--why", "days", "--backfilled")
            answers.append(stack.told(*apply, code=1))
            answers.append(stack.told("backfill", str(file)))
            answers.append(stack.told(*apply))
            workers[0].kill()  # perhaps in the middle of giving it to everybody
            workers[0] = stack.start("label")

    asyncio.run(feed_live(stack.config, weeks(3, customers=60, days=15), change, lambda: None))
    stack.settle("label", "learn", "label")
    assert [worker.stop() for worker in workers] == [0, 0]

    refused, folded, done = answers
    assert "was not backfilled for this file's features" in refused["error"]["message"]
    assert [one["behind"] for one in folded["partitions"]] == [0] * stack.partitions
    assert "feature days is new: it knows what the log holds, since 2023-11-1" in done["changes"][0]
    published = check(stack)["segment-changes"]
    check_learning(stack)
    # What somebody else makes of the log alone is the same; it has new features in it by now.
    out = stack.directory / "replayed"
    stack.told("replay", stack.topic("events"), "--format", "kafka", "--out", str(out), "--config", str(file))
    again = [json.loads(line) for line in (out / "movements.ndjson").read_text().splitlines()]
    bare = {m["id"]: {name: v for name, v in m.items() if name not in {"decided_at", "origin"}} for m in again}
    assert bare == {m["id"]: m for m in published.values()}
    in_force = [activation(r) for r in stack.read("events") if kind_of(r) == "activate" and r.partition == 0]
    after = next(a for a in in_force if a.model is not None and "days" in a.model.columns)
    assert after.at < START + (CHANGED_ON + 3) * DAY  # its window is three days
    for partition in range(stack.partitions):
        assert stack.look(lambda redis: redis.customers(Slot("fill", partition))) == 0  # noqa: B023 — in this round


def test_customers_go_on_meanwhile_and_have_what_the_log_remembers_afterwards(stack_of: StackMaker) -> None:
    stack = stack_of(SECONDS)
    file = stack.write(SECONDS.replace("time:", MORE), "changed.yaml")
    stack.activate(given(stack.config))
    label, learn, orders = stack.start("label"), stack.start("learn"), Orders()
    stack.produce(orders.some(400))
    stack.settle()
    command = stack.command("backfill", str(file))
    while command.process.poll() is None:
        stack.produce(orders.some(20))
    assert command.process.returncode == 0, command.output()
    stack.produce(orders.some(100))
    stack.told("apply", str(file), "--why", "more", "--backfilled")
    stack.produce(orders.some(100))
    stack.settle()
    assert [label.stop(), learn.stop()] == [0, 0]
    check(stack)
    one = next(key for key, _ in orders.some(1)).decode()
    features = stack.told("customer", one, "--config", str(file))["features"]
    sent = sum(r.key == one.encode() for r in stack.read("events"))
    assert next(f for f in features if f["name"] == "month")["value"] == sent
