"""docs/features.md: its features load, it names every aggregate, and its error table is that of the formula."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from stream_seg.config import load
from stream_seg.config.sections import AGGREGATES
from tests.docs.pages import ROOT, text_of

PAGE = text_of(ROOT / "docs/features.md")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: re.findall(r"name: (\S+)", block)[0])
def test_features_on_the_page_load_as_they_stand(block: str, tmp_path: Path) -> None:
    file = tmp_path / "segmentation.yaml"
    file.write_text(f"name: shop\n{block}")
    assert load(file, {}).definition.features


def test_every_aggregate_and_every_encoder_has_an_example() -> None:
    shown = set(re.findall(r"aggregate: (\w+)", PAGE))
    assert shown == set(AGGREGATES)
    assert set(re.findall(r"encode: (\w+)", PAGE)) == {"one_hot", "ordinal", "binary", "hashed"}


def test_the_error_of_distinct_is_that_of_the_formula() -> None:
    loads = {"¼": 0.25, "½": 0.5, "1": 1.0, "2": 2.0}
    rows = re.findall(r"^\| ([¼½12]) \| ([\d.]+) % \| ([\d.]+) % \| ([\d.]+) % \|$", PAGE, re.MULTILINE)
    assert [row[0] for row in rows] == list(loads)
    for load_, *told in rows:
        t = loads[load_]
        for registers, percent in zip((64, 256, 1024), told, strict=True):
            error = math.sqrt(math.exp(t) - t - 1) / (math.sqrt(registers) * t)
            assert float(percent) == pytest.approx(100 * error, abs=0.051)
    assert f"{64 * math.log(128):.0f} with 64 registers" in PAGE
