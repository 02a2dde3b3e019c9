"""No worker loads what exploring needs: a run learns and labels where none of it can be imported."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stream_seg.bootstrap.feeding import feed_live
from stream_seg.errors import Stop
from tests.live.conftest import StackMaker
from tests.live.oracle import check
from tests.live.workload import WEEKS, weeks

pytestmark = [pytest.mark.servers, pytest.mark.slow]

# Python imports a `sitecustomize` in every process that it starts: `run`, and the workers of `run`.
BLOCKING = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"duckdb", "hdbscan", "matplotlib", "openTSNE", "sklearn", "pyarrow"} or (
            name + "."
        ).startswith("stream_seg.explore."):
            print("NOT HERE", name, file=sys.stderr, flush=True)
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Blocked())
"""


def test_a_run_needs_nothing_of_the_extra(
    stack_of: StackMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(BLOCKING)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep))
    stack = stack_of(f"{WEEKS}run: {{metrics_port: 0}}\n")
    for name in ("stream_seg.explore.table", "duckdb"):
        assert (
            subprocess.run([sys.executable, "-c", f"import {name}"], capture_output=True, check=False).returncode == 1
        )

    run = stack.command("run", "--config", str(stack.file))

    def alive() -> None:
        if run.code is not None:
            raise Stop(stack.said())

    asyncio.run(feed_live(stack.config, weeks(5), lambda *_: None, alive))
    stack.settle("label", "learn", "label")
    published = check(stack)
    assert {move["model_version"] for move in published["segment-changes"].values()} >= {1}
    assert [line for line in run.output().splitlines() if "NOT HERE" in line] == []
    assert run.stop() == 0
