"""The page: one file, no network, the same bytes again."""

import re

from matplotlib.figure import Figure

from stream_seg.explore.page import Section, page, paragraph, picture, rows


def drawn() -> str:
    figure = Figure(figsize=(3, 2))
    axes = figure.subplots()
    axes.plot([1, 2, 3], [3, 1, 2])
    axes.set_xlabel("orders a month")
    return picture(figure, 'Who orders "often" & who does not.')


def test_a_page_is_one_file_that_needs_no_network() -> None:
    made = page("Shop", [paragraph("66 customers")], [Section("Orders", "orders", [drawn(), rows(["a"], [["<b>"]])])])
    assert "&lt;b&gt;" in made
    assert not re.findall(r'(?:src|href)="(?!#)[^"]*"', made)
    assert "<script" not in made
    assert "@import" not in made
    assert 'href="#orders"' in made


def test_a_picture_says_what_it_shows_and_keeps_its_text_as_text() -> None:
    shown = drawn()
    assert 'aria-label="Who orders &quot;often&quot; &amp; who does not."' in shown
    assert ">orders a month</text>" in shown
    assert not re.search(r"<svg[^>]* (width|height)=", shown)


def test_the_same_picture_is_the_same_bytes() -> None:
    assert drawn() == drawn()
    assert "<dc:date>" not in drawn()
