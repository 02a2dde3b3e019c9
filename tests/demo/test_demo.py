"""The demo itself: servers of its own, real workers, one document."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

KEYS = {
    "events", "accepted", "dead_letters", "late", "duplicates", "customers", "segments", "movements",
    "movements_by_cause", "model_versions", "seconds",
}  # fmt: skip


def test_the_demo_streams_purchases_through_real_workers_and_tells_one_document() -> None:
    code = "from stream_seg.cli import main; main()"
    words = ["demo", "--data", "cdnow", "--days", "45", "--json"]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told.keys() >= KEYS
    assert told["events"] == told["accepted"] > 5_000
    assert (told["dead_letters"], told["late"], told["duplicates"]) == (0, 0, 0)
    assert told["model_versions"] >= 1
    assert told["movements"] == sum(told["movements_by_cause"].values()) > 0
    assert sum(segment["customers"] for segment in told["segments"]) == told["customers"] > 1_000
    assert "purchases" in done.stderr  # how far it is
