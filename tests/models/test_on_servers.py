"""`stream-seg model` beside real workers on a real Kafka and a real Redis."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest

from stream_seg.bootstrap.feeding import feed_live
from stream_seg.core.model import ModelVersion
from stream_seg.pipeline.label_state import Memory
from stream_seg.ports import Slot
from stream_seg.wire.activations import read_activated
from tests.live.conftest import stack_of
from tests.live.oracle import check, check_learning
from tests.live.stack import Stack
from tests.live.workload import WEEKS, weeks

__all__ = ["stack_of"]
pytestmark = [pytest.mark.servers, pytest.mark.slow]


def asked(stack: Stack, *words: str, code: int = 0) -> dict[str, Any]:
    """What `stream-seg model` answers."""
    command = stack.command("model", *words, "-c", str(stack.file), "--json")
    assert command.process.wait(120) == code, command.output()
    text = command.output()
    answer: dict[str, Any] = json.loads(text[text.index("{\n") :])
    return answer


def refused(stack: Stack, *words: str, code: int = 1) -> str:
    said: str = asked(stack, *words, code=code)["error"]["message"]
    return said


def in_use(stack: Stack) -> list[int]:
    """The newest version that each events partition labels by."""

    async def ask(redis: Any) -> list[int]:
        metas = [await redis.meta(Slot("label", p)) for p in range(stack.partitions)]
        return [Memory(meta, 0).activations[-1].model.version for meta in metas]  # type: ignore[union-attr]  # models came

    found: list[int] = stack.look(ask)
    return found


def test_people_look_compare_take_back_and_put_in_force_while_the_workers_run(stack_of: Any) -> None:
    stack = stack_of(WEEKS)
    stack.activate()
    assert "LEARN has never run" in refused(stack, "freeze")
    label, learn = stack.start("label"), stack.start("learn")
    asyncio.run(feed_live(stack.config, weeks(3, customers=60, days=15), lambda *_: None, lambda: None))
    stack.settle("label", "learn", "label")

    listed = asked(stack, "list")
    newest = listed["in_force"]
    assert newest >= 3
    assert [one["version"] for one in listed["versions"]] == list(range(newest, 0, -1))
    assert [one["standing"] for one in listed["versions"]] == ["in force"] + ["earlier"] * (newest - 1)
    assert [one["kind"] for one in listed["activations"]] == ["model"] * newest + ["definition"]
    shown = asked(stack, "show", str(newest))
    assert [one["segment"] for one in shown["segments"]] == [s["segment"] for s in listed["versions"][0]["segments"]]
    assert set(shown["segments"][0]["centre"]) == {"orders", "spend", "silence", "habit"}

    again = asked(stack, "reproduce", str(newest))
    assert (again["same"], again["made_with"]) == (True, again["here"])

    before = stack.ends("samples"), stack.ends("events")
    diff = asked(stack, "diff", str(newest), str(newest - 1), "--sample", "3")
    assert diff["customers"] > 50
    assert diff["moves"] == sum(flow["customers"] for flow in diff["flows"])
    assert len(diff["sample"]) == min(3, diff["moves"])
    assert (stack.ends("samples"), stack.ends("events")) == before
    assert "there is nothing to compare" in refused(stack, "diff")

    assert "--why" in refused(stack, "rollback", "--yes", code=2)
    assert "--yes" in refused(stack, "rollback", "--why", "x", code=2)
    assert "there is no version 99" in refused(stack, "promote", "99", "--why", "x", "--yes")
    assert (stack.ends("samples"), stack.ends("events")) == before

    done = asked(stack, "rollback", "--why", "the new one is wrong", "--who", "ann", "--ramp", "0", "--yes")
    assert done["answer"].startswith(f"version {newest - 1} is in force with activation")
    stack.until(lambda: set(in_use(stack)) == {newest - 1})
    further = asked(stack, "rollback", "--why", "that one too", "--ramp", "now", "--yes")
    assert further["version"] == newest - 2
    assert asked(stack, "freeze")["answer"] == "learning goes on, no version is published by itself"
    assert asked(stack, "thaw")["answer"] == "versions are published by themselves"
    stack.settle("label", "learn", "label")
    after = asked(stack, "list")
    assert after["in_force"] == newest - 2
    assert [(one["kind"], one["model_version"]) for one in after["activations"]][:3] == [
        ("rollback", newest - 2), ("rollback", newest - 1), ("model", newest),
    ]  # fmt: skip
    assert after["activations"][1]["who"] == "ann"

    # LEARN is away between the order and its answer: the order waits in the log and is carried out once.
    learn.kill()
    words = ("promote", str(newest), "--why", "it was right", "--yes", "--wait", "0")
    assert "LEARN has not answered within 0 seconds. It is not lost" in refused(stack, *words)
    learn = stack.start("learn")
    stack.settle("learn", "label")
    assert asked(stack, "list")["in_force"] == newest
    numbers = [read_activated(record.value).number for record in stack.read("activations")]
    assert sorted(set(numbers)) == list(range(1, newest + 5))
    assert asked(stack, "retrain", "--why", "prices changed")["answer"].startswith(f"version {newest + 1} is")

    spoilt = msgspec.json.decode(stack.read("models")[0].value, type=ModelVersion)
    spoilt = msgspec.structs.replace(spoilt, samples=spoilt.samples + 1)
    before_spoiling = stack.ends("samples")
    stack.produce([(b"all:1", msgspec.json.encode(spoilt))], "models")
    stack.produce([(b"all:2", msgspec.json.encode(spoilt)[:200])], "models")
    standings = {one["version"]: (one["standing"], one["why"]) for one in asked(stack, "list")["versions"]}
    assert standings[1] == ("damaged", "its record does not match its checksum")
    assert standings[2][0] == "damaged"
    assert "version 1 cannot be used" in refused(stack, "promote", "1", "--why", "x", "--yes")
    assert "its record cannot be read" in refused(stack, "show", "2")
    assert stack.ends("samples") == before_spoiling

    stack.settle("label", "learn", "label")
    assert [label.stop(), learn.stop()] == [0, 0]
    published = check(stack)
    assert "model" in {movement["cause"] for movement in published["segment-changes"].values()}


def test_what_learn_made_of_orders_is_what_the_log_says(stack_of: Any) -> None:
    stack = stack_of(WEEKS)
    stack.activate()
    label, learn = stack.start("label"), stack.start("learn")
    asyncio.run(feed_live(stack.config, weeks(4, customers=60, days=12), lambda *_: None, lambda: None))
    stack.settle("label", "learn", "label")
    asked(stack, "rollback", "--why", "the new one is wrong", "--yes")
    asked(stack, "retrain")
    stack.settle("label", "learn", "label")
    assert [label.stop(), learn.stop()] == [0, 0]
    check(stack)
    assert len(check_learning(stack)) >= 3
