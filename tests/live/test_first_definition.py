"""The first definition of a log, wherever it stands there."""

from __future__ import annotations

import json
import signal

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from stream_seg.bootstrap.commands import apply
from stream_seg.bootstrap.definition import begin
from stream_seg.errors import Stop
from stream_seg.wire.control import activation
from tests.live.conftest import StackMaker
from tests.live.oracle import check
from tests.live.workload import SECONDS, Orders

pytestmark = [pytest.mark.servers, pytest.mark.slow]


def test_events_that_came_long_before_the_first_run_count_like_all_others(stack_of: StackMaker) -> None:
    stack, orders = stack_of(SECONDS, partitions=1), Orders()
    stack.produce(orders.some(stack.config.run.max_batch + 500))
    system = stack.command("run", "--config", str(stack.file), "--stages", "label")
    stack.settle()
    system.signal(signal.SIGTERM)
    assert system.process.wait(30) == 0, system.output()
    check(stack)
    assert sum(state.accepted for state in stack.states()) == orders.sent

    # A replay of the log finds it there too.
    out = str(stack.directory / "replayed")
    replay = stack.command(
        "replay", stack.topic("events"), "--format", "kafka", "-c", str(stack.file), "--out", out, "--json"
    )
    assert replay.process.wait(120) == 0, replay.output()
    text = replay.output()
    assert json.loads(text[text.index("{") :])["accepted"] == orders.sent


def test_a_partition_that_forgot_the_first_definition_before_anybody_read_it_is_given_it_again(
    stack_of: StackMaker,
) -> None:
    stack = stack_of(SECONDS, partitions=2)
    stack.activate()
    forgotten = {TopicPartition(stack.topic("events"), 1): RecordsToDelete(before_offset=-1)}
    stack.administer(lambda admin: admin.delete_records(forgotten))
    note = begin(stack.config, who="test", why="run")
    assert note is not None
    assert "its logs have forgotten what was in force" in note
    done = apply(stack.config, why="again", who="test", dry_run=False, wait=0)
    assert done["changes"] == ["activation 1, which LEARN's log still holds, again in events partitions 1"]
    first, again = (activation(record) for record in stack.read("events"))
    assert first == again
    with pytest.raises(Stop, match="no worker has read it yet"):
        apply(stack.config, why="once more", who="test", dry_run=False, wait=0)
