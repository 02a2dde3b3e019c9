"""The page of a choice in a real browser, as a desk and as a phone show it."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_seg.bootstrap.choosing import Choice, run_choose
from stream_seg.config import load
from tests.explore.browser import look
from tests.live.workload import WEEKS, weeks


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    (folder / "shop.yaml").write_text(f"name: shop\n{WEEKS}good: {{segments: [3, 4]}}\n")
    events = folder / "events.ndjson"
    events.write_bytes(b"\n".join(value for part in weeks(5, days=50) for value in part.values) + b"\n")
    run_choose(
        load(folder / "shop.yaml", {}), [str(events)], folder / "out", Choice(None, None, None, 5), lambda *_: None
    )
    return folder / "out" / "report.html"


@pytest.mark.parametrize("width", [1280, 390])
async def test_it_fits_asks_for_nothing_and_complains_of_nothing(page: Path, width: int) -> None:
    seen = await look(page, width)
    assert seen.requests == []
    assert seen.complaints == []
    assert seen.outside == []
    assert seen.content <= seen.window == width
