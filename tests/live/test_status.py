"""``status`` and ``drain`` on real servers: what they say is how it stands, with and without workers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import subprocess
import sys
import termios
from typing import Any, Self

import pytest

from stream_seg.bootstrap.feeding import feed_live
from tests.live.conftest import StackMaker
from tests.live.stack import Stack
from tests.live.workload import WEEKS, event, weeks

pytestmark = [pytest.mark.servers, pytest.mark.slow]


def asked(stack: Stack, *words: str, code: int = 0) -> dict[str, Any]:
    command = stack.command(*words, "--config", str(stack.file), "--json")
    assert command.process.wait(120) == code, command.output()
    document: dict[str, Any] = json.loads(command.output()[command.output().index("{") :])
    return document


class Terminal:
    """``stream-seg <words>`` on a terminal of its own; what it wrote there is kept."""

    def __init__(self, *words: str) -> None:
        self._ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (60, 120))
        begin = "import os; os.login_tty(0); from stream_seg.cli import main; main()"
        self.process = subprocess.Popen([sys.executable, "-c", begin, *words], stdin=theirs, stdout=theirs)
        os.close(theirs)
        os.set_blocking(self._ours, False)
        self.shown = ""

    def read(self) -> str:
        """Everything so far."""
        with contextlib.suppress(OSError):  # nothing new, or the program has gone
            while data := os.read(self._ours, 65_536):
                self.shown += data.decode()
        return self.shown

    def press(self, key: bytes) -> None:
        os.write(self._ours, key)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)


ALTERNATE, BACK = "\x1b[?1049h", "\x1b[?1049l"  # the screen that leaves what was there before untouched


def watched_on_a_terminal(stack: Stack) -> None:
    """Looks again and again in place; the last look stays when Ctrl-C ends it."""
    before = sum(state.accepted for state in stack.states())
    with Terminal("status", "--every", "0.5", "--config", str(stack.file)) as terminal:
        stack.until(lambda: "Ctrl-C ends it" in terminal.read(), "a look")
        assert ALTERNATE in terminal.shown
        assert f"{before:,} accepted" in terminal.shown
        now = max(state.latest for state in stack.states())
        stack.produce([(b"shopper-1", event("shopper-1", now + n)) for n in range(1, 8)])
        stack.until(lambda: f"{before + 7:,} accepted" in terminal.read(), "a later look")
        terminal.press(b"\x03")
        assert terminal.process.wait(60) == 0
        screen, _, after = terminal.read().partition(BACK)
    assert screen.count("Ctrl-C ends it") >= 2
    assert f"{before + 7:,} accepted" in after
    assert "Ctrl-C ends it" not in after
    assert "Traceback" not in after


def test_what_is_behind_is_told_and_drain_waits_for_it(stack_of: StackMaker) -> None:
    stack = stack_of(WEEKS)
    stack.activate()
    label, learn = stack.start("label"), stack.start("learn")
    parts = weeks(5)
    asyncio.run(feed_live(stack.config, parts, lambda *_: None, lambda: None))
    drained = asked(stack, "drain")
    assert drained["drained"]
    assert {one["stage"] for one in drained["stages"]} == {"label", "learn"}

    status = asked(stack, "status")
    assert status["events"]["accepted"] == sum(state.accepted for state in stack.states())
    assert status["drained"]
    assert status["clock_behind_seconds"] > 0
    counted = asked(stack, "segments")
    assert [one["customers"] for one in status["segments"]["segments"]] == [
        one["customers"] for one in counted["segments"]
    ]
    assert status["segments"]["movements_by_cause"] == counted["movements_by_cause"]
    (model,) = status["models"]
    assert model["version"] == counted["model_version"]
    assert not model["frozen"]

    assert label.stop() == 0
    assert learn.stop() == 0
    at = int(parts[-1].times[-1])
    stack.produce([(b"shopper-1", event("shopper-1", at + n)) for n in range(20)])
    behind = asked(stack, "status", "--once")
    assert {one["stage"]: one["behind"] for one in behind["stages"]} == {"label": 20, "learn": 0}
    assert behind["events_per_s"] is None
    left = asked(stack, "drain", "--timeout", "1", code=3)
    assert not left["drained"]
    shown = stack.command("status", "--once", "--config", str(stack.file))
    assert shown.process.wait(60) == 0
    assert "label" in shown.output()
    assert "model of all: version" in shown.output()

    stack.start("label")
    stack.start("learn")
    assert asked(stack, "drain")["drained"]
    assert stack.applied() == stack.ends("events")
    watched_on_a_terminal(stack)


def test_where_nothing_ran_yet_it_says_what_to_do(stack_of: StackMaker) -> None:
    stack = stack_of(WEEKS, topics=False)
    command = stack.command("status", "--config", str(stack.file))
    assert command.process.wait(60) == 1
    assert "stream-seg topics create" in command.output()
    stack.create_topics()
    empty = asked(stack, "status", "--once")
    assert empty["segments"]["segments"] == []
    assert empty["models"] == []
    assert empty["clock_behind_seconds"] is None
