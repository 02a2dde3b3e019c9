"""The page of a comparison in a real browser: it fits a phone, and the writing in its pictures can be read there."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_seg.cli import call
from tests.explore.browser import look
from tests.explore.compare.test_command import ASKED, given, settings
from tests.queries.shop import events

LEGIBLE = 8.0  # px: what is smaller must be guessed


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    made = given(folder, [*events(days=12).values])
    assert call(["compare", made, "--config", settings(folder), "--out", str(folder / "run"), *ASKED]) == 0
    return folder / "run" / "report.html"


@pytest.mark.parametrize("width", [1280, 390])
async def test_it_fits_asks_for_nothing_and_its_pictures_can_be_read(page: Path, width: int) -> None:
    seen = await look(page, width)
    assert seen.requests == []
    assert seen.complaints == []
    assert seen.outside == []
    assert seen.content <= seen.window == width
    assert seen.smallest >= LEGIBLE
