"""The result after an offset depends on the records up to it, on nothing else: one log, cut in any way."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_seg.core.definition import DAY
from stream_seg.pipeline import residents
from stream_seg.pipeline.label_settings import LabelSettings
from tests.core.drawing import START
from tests.pipeline.partition import Log, Partition, Snapshot, small
from tests.pipeline.plots import Plot, plots
from tests.pipeline.test_activations import activation

LEAST_EMISSIONS = 8  # room for one event and what silence did before it


@dataclasses.dataclass(frozen=True)
class Cut:
    """How a log is given: where it is cut, where another worker takes over, and how little room there is.

    most   customers written at a time, where there is little room: of four people two or all may be at hand
    """

    ends: frozenset[int]
    takeovers: frozenset[int]
    most: int | None

    def snapshots(self, plot: Plot) -> dict[int, Snapshot]:
        """What was decided after each cut, by offset."""
        with pytest.MonkeyPatch.context() as patch:
            if self.most:
                patch.setattr(residents, "CAPACITY_OF_EMISSIONS", LEAST_EMISSIONS)
            partition = Partition(small(self.most) if self.most else LabelSettings(origin="replay"))
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
    return plot, Cut(ends, draw(places) & ends, draw(st.sampled_from([None, 1, 2])))


def same_at_every_common_offset(plot: Plot, cut: Cut) -> None:
    one_by_one = Cut(frozenset(range(1, len(plot.log.records))), frozenset(), most=None).snapshots(plot)
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


def test_a_cache_keeps_its_bytes_and_whoever_has_no_room_in_it_changes_no_byte() -> None:
    customers, room = 300, 40_000
    log = Log()
    log.activate(activation(1, 1.0, 2.0, 3.0), START)
    for day in range(4):
        for number in range(customers):
            at = START + day * DAY
            log.event(f"customer-{number * (day + 7) % customers}", at, at, {"event": "Paid"})
    found = []
    for cache_bytes in (1_000_000, room):
        partition = Partition(LabelSettings(origin="replay", cache_bytes=cache_bytes, most_customers=10))
        for at in range(0, len(log.records), 50):
            partition.run(log.records[at : at + 50])
            at_hand = partition.labeller.customers.residents
            words, _same_memory, *beside = at_hand.people
            arrays = (words, *beside, at_hand.indexed, at_hand.used)
            assert sum(array.nbytes for array in arrays) <= cache_bytes
        found.append((len(partition.labeller.customers.residents.slots), partition.snapshot()))
    assert found[0][0] == customers
    assert found[1][0] < customers / 2
    assert found[0][1] == found[1][1]
