"""``stream-seg apply``: a changed definition goes into force in the log, while the old model labels on."""

from __future__ import annotations

import asyncio
import signal

import pytest

from stream_seg.bootstrap.feeding import feed_live
from stream_seg.core.definition import DAY
from stream_seg.wire.control import activation, kind_of
from tests.live.conftest import StackMaker
from tests.live.oracle import check, check_learning
from tests.live.workload import START, WEEKS, weeks

pytestmark = [pytest.mark.servers, pytest.mark.slow]

CHANGED = (
    WEEKS.replace("margin: 0.05", "margin: 0.2")
    .replace("window: 4d, tiles: 4}", "window: 2d, tiles: 4}")
    .replace("time:", "- {name: days, aggregate: distinct_days, window: 3d}\ntime:")
)
CHANGED_ON = 8  # days


def test_a_changed_definition_is_announced_adopted_in_the_log_and_learned_anew(stack_of: StackMaker) -> None:
    stack = stack_of(WEEKS)
    file = stack.write(CHANGED, "changed.yaml")
    stack.activate()
    label, learn = stack.start("label"), stack.start("learn")
    answers = []

    def change(_: int, through: int) -> None:
        if (through - START) // DAY == CHANGED_ON:
            words = ("apply", str(file), "--why", "a narrower window", "--who", "ann")
            before = stack.ends("samples")
            answers.append(stack.told(*words, "--dry-run"))
            assert stack.ends("samples") == before
            answers.append(stack.told(*words))

    asyncio.run(feed_live(stack.config, weeks(3, customers=60, days=15), change, lambda: None))
    stack.settle("label", "learn", "label")
    assert [label.stop(), learn.stop()] == [0, 0]

    dry, done = answers
    assert dry == {**done, "dry_run": True}
    said = "\n".join(done["changes"])
    assert "feature orders changes: the old one works until a model is learned on the new one" in said
    assert "feature days is new" in said
    assert "margin 0.05 -> 0.2: customers adopt it at their next daily visit" in said
    assert done["customers"] > 50

    published = check(stack)
    check_learning(stack)
    in_force = [activation(r) for r in stack.read("events") if kind_of(r) == "activate" and r.partition == 0]
    (at,) = [i for i, a in enumerate(in_force) if a.why == "a narrower window"]
    before, changed, after = in_force[at - 1], in_force[at], in_force[at + 1]
    assert (changed.number, changed.feature_set_version) == (done["activation"], done["feature_set_version"])
    assert changed.who == "ann"
    assert changed.definition.margin == 0.2
    assert changed.model == before.model is not None
    assert changed.feature_set_version != before.feature_set_version
    assert after.model is not None
    assert after.model.feature_set_version == changed.feature_set_version
    assert "days" in after.model.columns
    # Warm-up: no model before the longest window has filled.
    assert after.at >= START + (CHANGED_ON + 4) * DAY
    # Labels went on meanwhile, from the old model, under the definition that was in force.
    versions = {(m["model_version"], m["feature_set_version"]) for m in published["segment-changes"].values()}
    assert (before.model.version, changed.feature_set_version) in versions
    assert (after.model.version, changed.feature_set_version) in versions

    # Whoever starts with the old file is told, and follows the log.
    system = stack.command("run", "--config", str(stack.file), "--stages", "label")
    stack.until(lambda: system.says("differs from what is in force", "margin 0.2 -> 0.05", "the log decides"))
    stack.until(lambda: system.says("partitions assigned"))
    system.signal(signal.SIGTERM)
    assert system.process.wait(30) == 0
    again = stack.command("apply", str(file), "--why", "once more")
    assert again.process.wait(120) == 0
    assert "Nothing changes." in again.output()

    # Nothing comes into force while LEARN is away, and nobody is told that it did. It does once LEARN is back.
    further = stack.write(CHANGED.replace("margin: 0.2", "margin: 0.3"), "further.yaml")
    alone = stack.command("apply", str(further), "--why", "wider", "--wait", "0")
    assert alone.process.wait(120) == 1
    assert "LEARN has not answered within 0 seconds. It is not lost" in alone.output()
    label, learn = stack.start("label"), stack.start("learn")
    stack.settle("learn", "label")
    again = stack.command("apply", str(further), "--why", "once more")
    assert again.process.wait(120) == 0
    assert "Nothing changes." in again.output()
    last = stack.told("apply", str(file), "--why", "narrower after all")
    stack.settle("learn", "label")
    assert [label.stop(), learn.stop()] == [0, 0]
    since = [activation(r) for r in stack.read("events") if kind_of(r) == "activate" and r.partition == 0]
    numbers = {a.number: a.why for a in since}
    assert [numbers[last["activation"] - 1], numbers[last["activation"]]] == ["wider", "narrower after all"]
