"""What docs/input.md says is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stream_seg.core.expression import ExpressionError, parse
from stream_seg.wire.customers import PLACEHOLDERS
from stream_seg.wire.rejections import REMEDIES

TEXT = (Path(__file__).parents[2] / "docs" / "input.md").read_text("utf-8")
(WHERES,) = re.findall(r"^```where\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def test_the_page_lists_every_code_with_its_remedy_and_no_other() -> None:
    listed = dict(re.findall(r"^\| `([a-z0-9_]+)` \| .+ \| (.+) \|$", TEXT, re.MULTILINE))
    assert listed == REMEDIES


@pytest.mark.parametrize("where", WHERES.splitlines())
def test_a_condition_on_the_page_can_be_used(where: str) -> None:
    parse(where)


@pytest.mark.parametrize("where", ["hour == 24", "event == Bought"])
def test_a_mistake_reads_as_on_the_page(where: str) -> None:
    with pytest.raises(ExpressionError) as error:
        parse(where)
    assert f"{error.value}\n" in TEXT


def test_the_page_names_every_placeholder() -> None:
    (words,) = re.findall(r"send for nobody: (.*?) \(small.*?`(?:\[object Object\])`", TEXT, re.DOTALL)
    named = {word.lower() for word in re.findall(r"`(.+?)`", words)} | {"[object object]"}
    assert {word.lower() for word in PLACEHOLDERS} == named
