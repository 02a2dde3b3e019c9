"""docs/metrics.md is what the code says."""

from pathlib import Path

from stream_seg.adapters.prometheus.catalogue import CATALOGUE
from stream_seg.adapters.prometheus.reference import page

ROOT = Path(__file__).parents[2]


def test_the_page_of_metrics_is_made_from_the_catalogue() -> None:
    written = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    assert written == page(), "run: python -m stream_seg.adapters.prometheus.reference > docs/metrics.md"


def test_no_two_metrics_have_one_name_and_each_says_what_it_is() -> None:
    names = [one.full_name for one in CATALOGUE]
    assert len(set(names)) == len(names)
    assert all(len(one.text) > 5 for one in CATALOGUE)
