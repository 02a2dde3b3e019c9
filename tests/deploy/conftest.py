from __future__ import annotations

import time
from collections.abc import Callable

import pytest

PATIENCE = 180.0  # bounds a wait; nothing is asserted about how long things take


@pytest.fixture
def wait() -> Callable[..., None]:
    """``wait(done, said, name)``: until `done` is true; fails with what `said` tells of `name`."""

    def until(done: Callable[[], bool], said: Callable[[str], str], name: str) -> None:
        give_up = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < give_up, f"never: {name}; it said:\n{said(name)}"
            time.sleep(0.2)

    return until
