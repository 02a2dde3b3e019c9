"""What long work shows of itself: a bar where somebody watches, a line elsewhere."""

from __future__ import annotations

import io
import re
import sys

import pytest

from stream_seg.cli.output import Output


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_long_work_is_a_bar_for_each_phase_and_nothing_of_it_is_a_result(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Output(json=True).progress() as tell:
        tell("reading", 913, None)
        for done in (10, 40):
            tell("replaying", done, 40)
        tell("feeding", 50, 49)  # a broker that knew too little
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.getvalue())
    last = {words[0]: line for line in shown.splitlines() if (words := line.split())}
    assert re.match(r"reading\s+━+\s+913/\?\s", last["reading"])
    assert re.match(r"replaying\s+━+\s+40/40\s", last["replaying"])
    assert re.match(r"feeding\s+━+\s+50/50\s", last["feeding"])
    assert capsys.readouterr().out == ""


def test_elsewhere_each_phase_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with Output(json=False).progress() as tell:
        for done in (1, 2, 3):
            tell("reading", done, None)
            tell("replaying", done, 1_234)
    assert capsys.readouterr().err == "reading\nreplaying (1,234)\n"
