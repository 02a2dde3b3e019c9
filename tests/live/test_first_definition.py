"""The first definition of a log, wherever it stands there."""

from __future__ import annotations

import json
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from stream_seg.bootstrap.commands import apply
from stream_seg.bootstrap.definition import begin
from stream_seg.config import load
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


def test_of_those_who_begin_at_the_same_moment_one_definition_is_in_force_and_the_others_are_told(
    stack_of: StackMaker,
) -> None:
    stack = stack_of(SECONDS, partitions=2)
    texts = [SECONDS.replace("margin: 0.05", f"margin: {margin}") for margin in (0.1, 0.2, 0.3)]
    configs = [load(stack.write(text, f"{n}.yaml"), {}) for n, text in enumerate(texts)]
    with ThreadPoolExecutor(len(configs)) as people:
        notes = list(people.map(lambda config: begin(config, who=config.path.stem, why="race"), configs))
    first, *others = [activation(record) for record in stack.read("events")]
    assert others == [first] * len(others)
    assert activation(stack.read("samples")[0]) == first
    assert [note is None for note in notes] == [config.definition == first.definition for config in configs]
    assert notes.count(None) == 1
    assert any(f"{first.who} put another first definition in force" in note for note in notes if note)
    label, learn = stack.start("label"), stack.start("learn")
    stack.settle("label", "learn")
    assert "ALARM" not in stack.said()
    assert label.stop() == learn.stop() == 0
