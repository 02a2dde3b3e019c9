"""LEARN's table: who is a member of which tier, against a list of everything, and after a takeover."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from stream_seg.pipeline.table import Sample, Table


def present(table: Table) -> dict[str, list[tuple[int, bytes]]]:
    return {tier: members for tier, members in table.members.items() if members}


def test_what_a_customer_did_in_another_tier_is_no_movement_and_no_yesterday_here() -> None:
    table = Table(9, 10)
    for day, tier, segment in ((0, "gold", 5), (1, "all", 0)):
        table.add(Sample("ann", 1, day + 1, day * 10 + 5, day * 10 + 4, 1, 7, [], 0, segment, 0, tier), day * 10)
        table.close(day * 10 + 10)
    here = table.of("all")
    assert [sample.tier for sample in here.latest(20)] == ["all"]
    assert here.moves(10, 20) == {}
    assert [before for before, _ in here.active(10, 20)] == [None]
    assert table.of("gold").latest(20) == []


TIERS = ("all", "gold", "red")
ADDS = st.tuples(st.integers(0, 11), st.sampled_from(TIERS), st.integers(0, 2))  # customer, tier, days ahead


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(ADDS, max_size=25), min_size=1, max_size=5), st.data())
def test_the_table_keeps_the_smallest_hashes_of_each_tier_also_after_a_takeover(
    days: list[list[tuple[int, str, int]]], data: st.DataObject
) -> None:
    """Of those who were sampled for the boundary: a tier with room again takes others in as their samples come."""
    limit = 3
    tables = {"steady": Table(limit, 10), "shaken": Table(limit, 10)}
    everything: list[Sample] = []
    learned = number = 0
    for added in days:
        for customer, tier, ahead in added:
            number += 1
            at = learned + 10 * ahead + 5
            sample = Sample(f"c{customer}", 1, number, at, at, 1, customer * 7 % 12, [], 0, tier=tier)
            if any(one.customer_id == sample.customer_id and one.as_of >= at for one in everything):
                continue  # the walk visits once a day and never goes back
            everything.append(sample)
            for table in tables.values():
                table.add(sample, learned)
        if data.draw(st.booleans()):
            tables["shaken"] = taken_over(tables["shaken"], learned)
        learned += 10
        for table in tables.values():
            table.close(learned)
            for tier in TIERS:
                table.of(tier).prune(learned, 0)
        kept = present(tables["steady"])
        assert present(tables["shaken"]) == kept
        assert tables["shaken"].entries == tables["steady"].entries
        everybody, few = by_tier(everything, learned, 99), by_tier(everything, learned, limit)
        sampled = {one.customer_id.encode() for one in everything if learned - 10 < one.as_of <= learned}
        for tier in TIERS:
            here = kept.get(tier, [])
            assert len(here) <= limit
            assert here == sorted(set(here) & set(everybody.get(tier, [])))
            assert {rank for rank in few.get(tier, []) if rank[1] in sampled} <= set(here)


def taken_over(table: Table, learned: int) -> Table:
    again = Table(table.limit, table.period)
    again.load([(customer, table.dump(customer)) for customer in sorted(table.entries)], learned)
    return again


def by_tier(everything: list[Sample], learned: int, limit: int) -> dict[str, list[tuple[int, bytes]]]:
    """Of each tier the customers with the smallest hashes, by each one's newest sample."""
    newest = {one.customer_id: one for one in everything if one.as_of <= learned}
    found: dict[str, list[tuple[int, bytes]]] = {}
    for one in sorted(newest.values(), key=lambda one: one.hash):
        found.setdefault(one.tier, []).append((one.hash, one.customer_id.encode()))
    return {tier: members[:limit] for tier, members in found.items()}
