"""Every picture of the report: units on its axes, and no colour but those that all can tell apart."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from stream_seg.explore.page import COLOURS
from stream_seg.explore.report.drawing import LINE, SOFT

SVG = "{http://www.w3.org/2000/svg}"
COLOUR = re.compile(r"(?:fill|stroke)(?:: ?|=\")(#[0-9a-fA-F]{6})")


@pytest.fixture(scope="module")
def pictures(made: Path) -> list[ET.Element]:
    return drawn((made / "report.html").read_text())


def drawn(page: str) -> list[ET.Element]:
    return [ET.fromstring(one) for one in re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)]


def test_every_axis_with_numbers_says_what_they_count(pictures: list[ET.Element]) -> None:
    assert len(pictures) > 15
    for picture in pictures:
        beside = set()  # the picture on the right of two shares the axis on the left
        for axis, numbers, said in axes(picture):
            name = axis.partition(" ")[2]
            beside |= {name} if said else set()
            assert not numbers or said or (name == "y" and name in beside), (axis, picture.get("aria-label"))


def test_a_map_says_that_its_axes_have_no_unit(made: Path) -> None:
    maps = drawn((made / "report.html").read_text().partition('<section id="maps">')[2])
    assert len(maps) == 5  # the large one, the grid, and three that are coloured by features
    for one in maps:
        assert "no unit" in "".join(one.itertext()) + one.get("aria-label", ""), one.get("aria-label")


def test_no_colour_but_those_of_the_palette_and_greys(pictures: list[ET.Element]) -> None:
    allowed = {one.lower() for one in (*COLOURS, SOFT, LINE)}
    for picture in pictures:
        used = {one.lower() for one in COLOUR.findall(ET.tostring(picture, encoding="unicode"))}
        assert {one for one in used if len({one[1:3], one[3:5], one[5:7]}) > 1} <= allowed, picture.get("aria-label")


def axes(picture: ET.Element) -> Iterator[tuple[str, bool, str]]:
    """Of each axis: which one, whether its ticks are numbers, what stands beside it."""
    for group in named(picture.iter(SVG + "g"), "axes_"):
        for name, axis in zip("xy", named(group, "matplotlib.axis_"), strict=True):
            ticks = ["".join(one.itertext()).strip() for one in axis if "tick_" in one.get("id", "")]
            said = "".join("".join(one.itertext()).strip() for one in named(axis, "text"))
            shown = [one for one in ticks if one]
            yield f"{group.get('id')} {name}", bool(shown) and all(map(is_number, shown)), said


def named(elements: Iterable[ET.Element], start: str) -> Iterator[ET.Element]:
    return (one for one in elements if one.get("id", "").startswith(start))


def is_number(text: str) -> bool:
    return re.fullmatch(r"[−+-]?[\d.,]+", text) is not None
