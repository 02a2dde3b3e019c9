"""LABEL against the brute-force reference: any definition, any log."""

from __future__ import annotations

import math
from bisect import bisect_right
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_seg.core import record
from stream_seg.core.definition import DAY, HOUR, MINUTE, tier_key
from stream_seg.core.measures import read_columns
from stream_seg.core.state import scratch
from stream_seg.pipeline.outcome import DECIMALS, TOP
from stream_seg.wire.timestamps import rfc3339
from tests.core.drawing import FIRST
from tests.core.reference import Customer, Move
from tests.pipeline.partition import Partition
from tests.pipeline.plots import Oracle, Plot, plots

EFFECT = 10.0**-DECIMALS  # to which an effect is rounded


def movement(name: str, move: Move) -> dict[str, Any]:
    return {
        "id": f"{name}:{move.incarnation}:{move.sequence}",
        "previous_segment": None if move.previous is None else str(move.previous),
        "segment": None if move.segment is None else str(move.segment),
        "cause": move.cause,
        "event_time": rfc3339(move.at),
    }


def movements(oracle: Oracle) -> dict[str, dict[str, Any]]:
    """All movements so far. Who never had a segment leaves without a word."""
    moves = [(name, move) for name, customer in oracle.customers.items() for move in customer.moves]
    said = [movement(name, move) for name, move in moves if (move.previous, move.segment) != (None, None)]
    return {m["id"]: m for m in said}


def published(partition: Partition) -> dict[str, dict[str, Any]]:
    told = [orjson.loads(record.value or b"") for record in partition.output("segment-changes")]
    return {
        m["id"]: {key: m[key] for key in ("id", "previous_segment", "segment", "cause", "event_time")} for m in told
    }


def same_reasons(partition: Partition, oracle: Oracle) -> None:
    """Each movement names the three columns that speak most for it, strongest first, as they were and as they are."""
    moves = {
        (name, m.incarnation, m.sequence): m for name, customer in oracle.customers.items() for m in customer.moves
    }
    for entry in partition.output("segment-changes"):
        told = orjson.loads(entry.value or b"")
        reasons = moves[told["customer_id"], told["incarnation"], told["sequence"]].reasons
        named = [one["feature"] for one in told["top_features"]]
        for one in told["top_features"]:
            expected = reasons[one["feature"]]
            for found, value in ((one["before"], expected.before), (one["after"], expected.after)):
                assert (found is None) == (value is None), (told, expected)
                assert math.isclose(found or 0.0, value or 0.0, rel_tol=1e-9, abs_tol=1e-12), (told, expected)
            assert math.isclose(one["effect"], expected.effect, rel_tol=1e-9, abs_tol=EFFECT), (told, expected)
        effects = [reasons[name].effect for name in named]
        others = [reason.effect for name, reason in reasons.items() if name not in named]
        assert all(a >= b - EFFECT for a, b in pairwise(effects)), (told, reasons)
        assert max(others, default=0.0) <= (effects[-1] if len(effects) == TOP else 0.0) + EFFECT, (told, reasons)


def same_header(customer: Customer, row: npt.NDArray[np.int64]) -> None:
    zero_if_none = {"segment": customer.segment, "candidate": customer.candidate}
    plus_one = {name: 0 if value is None else value + 1 for name, value in zero_if_none.items()}
    expected = {
        "incarnation": customer.incarnation,
        "adopted": customer.adopted,
        "time": customer.time,
        "event_at": customer.event_at,
        "last_event": max(e.time for e in customer.events),
        "first_event": customer.first_event,
        "candidate_since": customer.candidate_since,
        "sequence": customer.sequence,
        "since": customer.since,
        "samples": customer.sampled,
        "tier": tier_key(customer.tier),
        "tier_at": customer.tier_at,
        **plus_one,
    }
    assert {name: int(row[getattr(record, name.upper())]) for name in expected} == expected
    recent = row[record.RECENT : record.HEADER].tolist()
    assert sorted(m for m in recent if m) == sorted(customer.messages[-16:])


def columns(partition: Partition, row: npt.NDArray[np.int64], t: int) -> dict[str, float]:
    engine = partition.labeller.customers.engine
    work = scratch(engine.plan.arrays, engine.models)
    words = row.reshape(1, -1).copy()
    read_columns(engine.plan.arrays, words, words.view(np.float64), 0, t, work)
    return dict(zip(engine.plan.names, work.raw.tolist(), strict=True))


def close(a: dict[str, float], b: dict[str, float]) -> None:
    assert list(a) == list(b)
    for name, value in a.items():
        assert math.isclose(value, b[name], rel_tol=1e-9, abs_tol=1e-12), (name, value, b[name])


def nobody_crosses_without_cause(partition: Partition) -> None:
    """A segment is of the tier that its number is of; who goes from one tier's to another's does so by its tier."""
    first = sorted(FIRST.values())
    tier_of = {i: next(t for t, n in FIRST.items() if n == first[bisect_right(first, i) - 1]) for i in range(20)}
    for entry in partition.output("segment-changes"):
        told = orjson.loads(entry.value or b"")
        before, after = (told[key] and tier_of[int(told[key])] for key in ("previous_segment", "segment"))
        assert after in (None, told["tier"]), told
        assert None in (before, after) or before == after or told["cause"] == "tier", told
        assert after is not None or told["cause"] in ("tier", "forgotten"), told
    for entry in partition.output("customer-segments"):
        label = orjson.loads(entry.value) if entry.value else None
        assert label is None or tier_of[int(label["segment"])] == label["tier"], label


LATER = st.lists(st.sampled_from([0, 1, MINUTE, 7 * HOUR, 3 * DAY, 50 * DAY]), min_size=2, max_size=3)


@settings(max_examples=120, deadline=None)
@given(plots(), LATER)
def test_every_customer_is_as_its_full_list_of_events_says(plot: Plot, later: list[int]) -> None:
    same_as_the_reference(plot, later)


@settings(max_examples=120, deadline=None)
@given(plots(most_features=4, most_records=20, changes=True), LATER)
def test_so_it_is_after_the_features_have_changed(plot: Plot, later: list[int]) -> None:
    same_as_the_reference(plot, later)


def same_as_the_reference(plot: Plot, later: list[int]) -> None:
    oracle, partition = Oracle(), Partition()
    for entry, step in zip(plot.log.records, plot.steps, strict=True):
        partition.run([entry])
        step(oracle)
        assert published(partition) == movements(oracle), f"after offset {entry.offset} of\n{plot}"
    nobody_crosses_without_cause(partition)
    same_reasons(partition, oracle)
    snapshot = partition.snapshot()
    fates = [fate for customer in oracle.customers.values() for fate in customer.fates.values()]
    for state, fate in (("late", "late"), ("duplicates", "duplicate"), ("accepted", "accepted")):
        assert snapshot.state[state] == fates.count(fate)
    alive = {name: customer for name, customer in oracle.customers.items() if customer.alive}
    assert set(snapshot.records) == {name.encode() for name in alive}
    for name, customer in alive.items():
        row = partition.row(name.encode())[0]
        same_header(customer, row)
        t = customer.time
        for silence in later:
            t += silence
            close(customer.vector(t), columns(partition, row, t))
    for name, customer in oracle.customers.items():
        mine = [s for (who, _, _), s in snapshot.samples.items() if who == name]
        assert [(s["number"], s["as_of"]) for s in mine] == [(s.number, s.at) for s in customer.samples]
        for mine_, theirs in zip(mine, customer.samples, strict=True):
            assert mine_["vector"] == pytest.approx(list(theirs.vector.values()), rel=1e-9, abs=1e-12)
