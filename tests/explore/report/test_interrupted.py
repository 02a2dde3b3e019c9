"""Ctrl-C ends the command at once, whatever it is at, and leaves nothing half-written."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.explore.report.shop import events, written

# Whoever runs tests in the background has processes that ignore SIGINT, unless they say otherwise.
HEARD = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
PROGRAM = f"{HEARD}; from stream_seg.cli import main; main()"
PATIENCE = 120.0  # s; one that never ends is ended then


@pytest.mark.parametrize("when", ["reading", "computing features", "sections", "maps"])
def test_ctrl_c_as_a_terminal_sends_it(tmp_path: Path, when: str) -> None:
    work, said = tmp_path / "work", tmp_path / "said"
    work.mkdir()
    given = written(work, events(400))
    words = ["explore", str(given), "-c", str(work / "segmentation.yaml"), "--out", str(work / "run")]
    with said.open("w") as to:
        process = subprocess.Popen([sys.executable, "-c", PROGRAM, *words], stderr=to, start_new_session=True)
    try:
        while when not in said.read_text():
            assert process.poll() is None, said.read_text()
            time.sleep(0.02)
        time.sleep(0.5 if when == "maps" else 0.0)  # they are being drawn
        os.killpg(process.pid, signal.SIGINT)  # to the whole foreground group
        assert process.wait(PATIENCE) == 130
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert "Traceback" not in said.read_text()
    assert sorted(one.name for one in work.iterdir()) == ["events.ndjson", "segmentation.yaml"]
