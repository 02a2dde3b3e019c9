"""Defects put into a part of a real year are found, and the year as it is has (nearly) none."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.seeding import NOW, OUTCOME, false_findings, found, written
from benchmarks.seeds import SEEDS
from tests.explore.audit.asking import audited, told

pytestmark = pytest.mark.slow
ONE_IN = 16  # households: the same ones every time


def test_seeded_defects_are_found_and_the_clean_year_is_not_accused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clean = audited(capsys, *written(tmp_path / "clean", dirty=False, one_in=ONE_IN), "--outcome", OUTCOME, now=NOW)
    paths = written(tmp_path / "dirty", dirty=True, one_in=ONE_IN)
    dirty = audited(capsys, *paths, "--outcome", OUTCOME, now=NOW, code=3)
    missed = {seed.name for seed in SEEDS} - {seed.name for seed in found(dirty, clean)}
    assert len(SEEDS) >= 25
    assert missed == set()
    assert false_findings(clean) == []
    assert told(clean, "same_but_for_spelling", "package_size")  # what is wrong with the year itself is told, too
    assert told(clean, "missing_by_customer", "age")
    assert audited(capsys, *paths, "--outcome", OUTCOME, now=NOW) == dirty
