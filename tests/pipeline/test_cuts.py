"""The result after an offset depends on the records up to it, on nothing else: one log, cut in any way."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_seg.pipeline import residents
from stream_seg.pipeline.label_settings import LabelSettings
from tests.pipeline.partition import SMALL, Partition, Snapshot
from tests.pipeline.plots import Plot, plots

LEAST_EMISSIONS = 8  # room for one event and what silence did before it


@dataclasses.dataclass(frozen=True)
class Cut:
    """How a log is given: where it is cut, where another worker takes over, and how little room there is."""

    ends: frozenset[int]
    takeovers: frozenset[int]
    small: bool

    def snapshots(self, plot: Plot) -> dict[int, Snapshot]:
        """What was decided after each cut, by offset."""
        with pytest.MonkeyPatch.context() as patch:
            if self.small:
                patch.setattr(residents, "CAPACITY_OF_EMISSIONS", LEAST_EMISSIONS)
            partition = Partition(SMALL if self.small else LabelSettings(origin="replay"))
            found, start = {}, 0
            for end in sorted(self.ends | {len(plot.log.records)}):
                partition.run(plot.log.records[start:end])
                found[end] = partition.snapshot()
                start = end
                if end in self.takeovers:
                    partition.open()
        return found


@st.composite
def told_twice(draw: st.DrawFn, /, **kind: Any) -> tuple[Plot, Cut]:
    plot = draw(plots(**kind))
    places = st.frozensets(st.integers(1, len(plot.log.records)))
    ends = draw(places)
    return plot, Cut(ends, draw(places) & ends, draw(st.booleans()))


def same_at_every_common_offset(plot: Plot, cut: Cut) -> None:
    one_by_one = Cut(frozenset(range(1, len(plot.log.records))), frozenset(), small=False).snapshots(plot)
    for offset, found in cut.snapshots(plot).items():
        expected = one_by_one[offset]
        for field in dataclasses.fields(Snapshot):
            assert getattr(found, field.name) == getattr(expected, field.name), (field.name, offset)


@settings(max_examples=120, deadline=None)
@given(told_twice(most_features=3))
def test_any_cut_gives_the_same_bytes_after_every_offset(told: tuple[Plot, Cut]) -> None:
    same_at_every_common_offset(*told)


@settings(max_examples=60, deadline=None)
@given(told_twice(most_features=3, most_records=60, owner=True))
def test_so_does_a_cut_where_one_customer_has_nine_tenths_of_the_log(told: tuple[Plot, Cut]) -> None:
    same_at_every_common_offset(*told)


@settings(max_examples=120, deadline=None)
@given(told_twice(most_features=3, most_records=20, changes=True))
def test_so_does_a_cut_of_a_log_in_which_the_features_change(told: tuple[Plot, Cut]) -> None:
    same_at_every_common_offset(*told)
