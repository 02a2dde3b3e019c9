"""One run of the command for all tests that only look at what it made."""

from pathlib import Path

import pytest

from tests.explore.report.shop import events, explore, written


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run over the shop."""
    folder = tmp_path_factory.mktemp("shop")
    written(folder, events())
    assert explore(folder) == 0
    return folder / "run"
