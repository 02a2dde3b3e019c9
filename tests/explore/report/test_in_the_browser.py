"""The report in a real browser, at the width of a desk and of a phone."""

from pathlib import Path

import pytest

from tests.explore.browser import chromium, look

CENTIMETRE = 96 / 2.54  # CSS pixels


@pytest.mark.parametrize("width", [1280, 390])
async def test_the_page_asks_for_nothing_complains_of_nothing_and_fits(made: Path, width: int) -> None:
    seen = await look(made / "report.html", width)
    assert seen.requests == []
    assert seen.complaints == []
    assert seen.window == width
    assert seen.content <= width
    assert seen.outside == []


async def test_printed_nothing_is_cut_and_no_picture_runs_over_two_pages(made: Path) -> None:
    """17 cm are an A4 page between its margins, 24 cm its height."""
    async with chromium() as browser:
        await browser.open(made / "report.html", round(17 * CENTIMETRE))
        await browser.call("Emulation.setEmulatedMedia", media="print")
        assert await browser.value("document.documentElement.scrollWidth") <= 17 * CENTIMETRE + 1
        over = "[...document.querySelectorAll('svg, table')].filter(e => e.getBoundingClientRect().right > innerWidth)"
        assert await browser.value(f"{over}.length") == 0
        highest = "Math.max(...[...document.querySelectorAll('figure')].map(e => e.getBoundingClientRect().height))"
        assert await browser.value(highest) < 24 * CENTIMETRE
        style = "getComputedStyle(document.querySelector('{}')).{}"
        assert await browser.value(style.format("figure", "breakInside")) == "avoid"
        assert await browser.value(style.format("h2", "breakAfter")) == "avoid"
        assert await browser.value(style.format("table", "breakInside")) == "auto"  # a long one goes on


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
