"""What a stage's process loads before it does anything: time at every start, and memory for ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live.stack import Stack
from tests.live.workload import WEEKS

NOBODY = "127.0.0.1:1"


@pytest.mark.parametrize(("stage", "needed"), [("label", False), ("learn", True)])
def test_only_learn_loads_scipy(tmp_path: Path, stage: str, *, needed: bool) -> None:
    with Stack(NOBODY, f"redis://{NOBODY}/0", tmp_path, WEEKS, topics=False) as stack:
        worker = stack.start(stage)
        stack.until(lambda: worker.says("trying again"), "it has begun, and waits for servers")
        mapped = Path(f"/proc/{worker.pid}/maps").read_text()
    assert ("site-packages/scipy/" in mapped) is needed
