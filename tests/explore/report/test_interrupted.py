"""Ctrl-C ends the command at once, whatever it is at, and leaves nothing half-written."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.explore.report.shop import events, written

# Whoever runs tests in the background has processes that ignore SIGINT, unless they say otherwise.
PROGRAM = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from stream_seg.cli import main; main()"
)
PATIENCE = 120.0  # s; a process that waits for its children for ever is ended then


@pytest.mark.parametrize("when", ["reading", "computing features", "sections", "maps"])
def test_ctrl_c_as_a_terminal_sends_it(tmp_path: Path, when: str) -> None:
    given = written(tmp_path, events())
    words = ["explore", str(given), "-c", str(tmp_path / "segmentation.yaml"), "--out", str(tmp_path / "run")]
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words], stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stderr is not None
        assert any(line.startswith(when) for line in process.stderr)
        os.killpg(process.pid, signal.SIGINT)  # to the whole foreground group
        try:
            _, rest = process.communicate(timeout=PATIENCE)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130
    assert "Traceback" not in rest
    assert sorted(one.name for one in tmp_path.iterdir()) == ["events.ndjson", "segmentation.yaml"]
