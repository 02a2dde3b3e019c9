"""The report in a real browser, at the width of a desk and of a phone."""

from pathlib import Path

import pytest

from tests.explore.browser import look


@pytest.mark.parametrize("width", [1280, 390])
async def test_the_page_asks_for_nothing_complains_of_nothing_and_fits(made: Path, width: int) -> None:
    seen = await look(made / "report.html", width)
    assert seen.requests == []
    assert seen.complaints == []
    assert seen.window == width
    assert seen.content <= width
    assert seen.outside == []


async def test_what_a_page_must_not_do_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text(
        '<meta name="viewport" content="width=device-width"><img src="http://127.0.0.1:9/x.png">'
        '<p style="width:900px">wide</p><script>console.error("no"); nowhere()</script>'
    )
    seen = await look(page, 390)
    assert seen.requests == ["http://127.0.0.1:9/x.png"]
    assert any("nowhere" in one for one in seen.complaints)
    assert seen.content > 390


def test_the_report_is_small_enough_to_be_sent(made: Path) -> None:
    assert (made / "report.html").stat().st_size < 5_000_000
