"""A changed feature set: another version, another layout, and old bytes that are only read as what they were."""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_seg.core.definition import DAY, HOUR, Definition, Feature, Words, feature_set_version
from stream_seg.core.engine import compile_engine, convert, shared_cells
from stream_seg.core.plan import CellKey, Plan
from stream_seg.core.record import HEADER, LAYOUT, pack_rows, tag_of, unpack_rows
from stream_seg.errors import Stop
from tests.core import drawing


def plan_of(definition: Definition) -> Plan:
    return compile_engine([drawing.activation(definition)]).plan


def definition(*features: Feature, utc_offset: int = 0) -> Definition:
    return Definition(name="shop", features=features, lateness=DAY, forget_after=97 * DAY, utc_offset=utc_offset)


def filled(plan: Plan, customers: int = 2) -> npt.NDArray[np.int64]:
    """Records in which every word tells where it stands."""
    return np.arange(1, customers * plan.width + 1).reshape(customers, plan.width)


def of_cell(rows: npt.NDArray[np.int64], plan: Plan, cell: CellKey) -> npt.NDArray[np.int64]:
    at, size = plan.cells[cell]
    return rows[:, at : at + size]


@settings(deadline=None)
@given(drawing.definitions(5), drawing.feature_sets(4), st.sampled_from([0, 330]), st.data())
def test_shared_cells_carry_over_and_all_others_begin_empty(
    before: Definition, others: tuple[Feature, ...], utc_offset: int, data: st.DataObject
) -> None:
    kept = [f for f in before.features if f.of is None and data.draw(st.booleans())]
    new_ones = [msgspec.structs.replace(f, name=f"new_{f.name}") for f in others if f.of is None]
    after = msgspec.structs.replace(before, features=(*new_ones, *kept), utc_offset=utc_offset)
    old, new = plan_of(before), plan_of(after)
    rows = filled(old)
    found = convert(rows, old, new, layout=9)
    assert np.array_equal(found[:, :LAYOUT], rows[:, :LAYOUT])
    assert np.array_equal(found[:, LAYOUT + 1 : HEADER], rows[:, LAYOUT + 1 : HEADER])
    assert (found[:, LAYOUT] == 9).all()
    shared = shared_cells(old, new)
    for cell in new.cells:
        expected = of_cell(rows, old, cell) if cell in shared else 0
        assert (of_cell(found, new, cell) == expected).all()
    for group, at in new.groups.items():
        head = rows[:, old.groups[group]] if group in old.groups else 0
        assert (found[:, at] == head).all()


def test_what_depends_on_the_calendar_does_not_survive_another_offset() -> None:
    weekend = Feature(name="weekend", aggregate="count", window=7 * DAY, tiles=7, where="weekday in [sat, sun]")
    days = Feature(name="days", aggregate="distinct_days", window=7 * DAY)
    visits = Feature(name="visits", aggregate="count", window=7 * DAY, tiles=7)
    old, new = plan_of(definition(weekend, days, visits)), plan_of(definition(weekend, days, visits, utc_offset=60))
    assert old.version != new.version
    assert len(shared_cells(old, new)) == 1
    assert len(shared_cells(old, old)) == 3


def test_a_mean_never_divides_an_old_sum_by_a_young_count() -> None:
    spend = Feature(name="spend", aggregate="sum", field="properties.price", window=7 * DAY, tiles=7)
    basket = msgspec.structs.replace(spend, name="basket", aggregate="mean")
    paid = msgspec.structs.replace(spend, name="paid", aggregate="count")
    old, new = plan_of(definition(spend)), plan_of(definition(spend, basket, paid))
    assert len(shared_cells(old, new)) == 1  # the sum itself; what the mean needs begins together
    old = plan_of(definition(spend, basket))
    assert len(shared_cells(old, plan_of(definition(basket)))) == 2


VISITS = Feature(name="visits", aggregate="count", window=8 * DAY)
CHANGES: list[dict[str, object]] = [
    {"window": 16 * DAY}, {"tiles": 4}, {"where": "hour > 3"}, {"aggregate": "sum", "field": "properties.price"},
    {"log1p": True}, {"clip": (0.0, 3.0)}, {"quantile_clip": (0.1, 0.9)}, {"role": "outcome"}, {"name": "calls"},
    {"empty": 1.0},
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_whatever_changes_a_meaning_gives_another_version(change: dict[str, object]) -> None:
    before, after = definition(VISITS), definition(msgspec.structs.replace(VISITS, **change))
    assert feature_set_version(before) != feature_set_version(after)


def test_what_changes_no_meaning_gives_the_same_version() -> None:
    before = definition(VISITS)
    said = definition(msgspec.structs.replace(VISITS, words=Words(high="come often", low="come rarely")))
    for after in (said, msgspec.structs.replace(before, margin=0.4, dwell=HOUR, lateness=HOUR, forget_after=9 * DAY)):
        assert feature_set_version(before) == feature_set_version(after)
    for change in ({"evaluate_every": HOUR}, {"utc_offset": 60}):
        assert feature_set_version(before) != feature_set_version(msgspec.structs.replace(before, **change))


@settings(deadline=None)
@given(drawing.definitions(3), drawing.definitions(3))
def test_the_bytes_of_one_layout_are_never_read_by_the_tag_of_another(a: Definition, b: Definition) -> None:
    old, new = plan_of(a), plan_of(b)
    buffer, ends = pack_rows(filled(old), np.arange(2), tag_of(4))
    with pytest.raises(Stop, match="another layout"):
        unpack_rows(buffer, ends, tag_of(5), new.width)
