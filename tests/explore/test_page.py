"""The page: one file, no network, the same bytes again."""

import re
from itertools import combinations

import numpy as np
from matplotlib.figure import Figure

from stream_seg.core.model import Float64
from stream_seg.explore.page import COLOURS, MARKERS, Section, page, paragraph, picture, rows


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


def test_the_colours_are_told_apart_by_the_colour_blind() -> None:
    """As deuteranopes and protanopes see them (Machado and others, 2009), in steps of CIELAB; 2.3 is the least seen."""
    for seen in (DEUTERANOPIA, PROTANOPIA):
        lab = [_lab(seen @ _linear(colour)) for colour in COLOURS]
        assert min(float(np.linalg.norm(a - b)) for a, b in combinations(lab, 2)) > 9
    assert len(set(MARKERS)) == len(COLOURS)  # and each has a shape of its own


DEUTERANOPIA = np.array([
    [0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]
])  # fmt: skip
PROTANOPIA = np.array([
    [0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]
])  # fmt: skip
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def _linear(colour: str) -> Float64:
    part = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)


def _lab(linear: Float64) -> Float64:
    x, y, z = np.cbrt(np.clip(XYZ @ linear / XYZ.sum(axis=1), 0.008856, None))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_the_same_picture_is_the_same_bytes() -> None:
    assert drawn() == drawn()
    assert "<dc:date>" not in drawn()
