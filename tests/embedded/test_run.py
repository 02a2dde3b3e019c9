"""`run --embedded`, and the commands that people give beside it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.stack import Worker

pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-c", "from stream_seg.cli import main; main()"]
SHOP = """
name: shop
input: {clock: event}
features:
- {name: orders, aggregate: count, window: 7d, tiles: 7}
- {name: silence, aggregate: recency}
segments: {margin: 0.1}
redis: {memory: 64mb}
"""
PATIENCE = 240.0  # the kernels may have to be compiled first; nothing is asserted about how long it takes


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[Worker, Path]]:
    """`run --embedded`, and its file."""
    file = tmp_path / "segmentation.yaml"
    file.write_text(SHOP)
    worker = Worker([*COMMAND, "run", "--embedded", "-c", str(file)], tmp_path / "output")
    try:
        yield worker, file
    finally:
        worker.end()


def until(found: Callable[[], Any], worker: Worker) -> Any:
    give_up = time.monotonic() + PATIENCE
    while not (value := found()):
        assert time.monotonic() < give_up, worker.output()
        assert worker.code is None, worker.output()
        time.sleep(0.1)
    return value


def asked(where: re.Match[str], *words: str) -> tuple[int, dict[str, Any]]:
    """What a command answers that is pointed at these servers."""
    servers = {"STREAM_SEG_KAFKA__BOOTSTRAP": where[1], "STREAM_SEG_REDIS__URL": where[2]}
    done = subprocess.run(
        [*COMMAND, *words, "--json"], capture_output=True, text=True, env={**os.environ, **servers}, check=False
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, answer


def test_doctor_and_apply_work_beside_servers_that_run_brought_itself(running: tuple[Worker, Path]) -> None:
    worker, file = running
    where = until(lambda: re.search(r"Kafka (\S+), Redis (\S+)", worker.output()), worker)
    until(lambda: worker.says("label", "partitions assigned"), worker)
    until(lambda: worker.says("learn", "partitions assigned"), worker)

    _, examined = asked(where, "doctor", "-c", str(file))
    found = {one["check"]: one["status"] for one in examined["findings"]}
    assert [check for check, status in found.items() if status != "ok"] == ["redis persistence"]  # it keeps nothing
    assert {"kafka", "topics", "redis memory"} <= found.keys()

    file.write_text(SHOP.replace("margin: 0.1", "margin: 0.2"))
    words = ("apply", str(file), "--why", "narrower", "--who", "ann")
    until(lambda: asked(where, *words, "--dry-run")[0] == 0, worker)  # a worker has read the first definition
    code, done = asked(where, *words)
    assert (code, done.get("activation")) == (0, 2), done
    until(lambda: asked(where, *words)[1].get("changes") == [], worker)  # it is in force
    code, answer = asked(where, "model", "freeze", "-c", str(file))
    assert (code, answer["answer"]) == (0, "learning goes on, no version is published by itself")
    worker.signal(signal.SIGTERM)
    assert worker.process.wait(60) == 0, worker.output()
