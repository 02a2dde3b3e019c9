"""Fault schedules in memory, held to the oracle. More of them: ``make simulate SEEDS=100000``."""

from __future__ import annotations

import pytest

from tests.simulation.many import run_many

pytestmark = pytest.mark.slow

SEEDS = 1_000


def test_whatever_goes_wrong_when_the_end_is_that_of_a_run_without_faults() -> None:
    report = run_many(range(SEEDS))
    assert report.seeds == SEEDS
    assert len(report.struck) > 5, "hardly any fault struck"
    assert not report.failed, report.told()
