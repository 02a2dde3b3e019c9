"""The first definition of a log, wherever it stands there."""

from __future__ import annotations

import json
import signal

import pytest

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
