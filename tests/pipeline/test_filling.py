"""A backfill: after it, everybody's features are what they would be if the definition had been there all along."""

from __future__ import annotations

from itertools import repeat
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_seg.adapters.memory.log import LogRecord
from stream_seg.core.activation import Activation, Fill
from stream_seg.core.definition import DAY, HOUR, Definition, Feature
from stream_seg.core.engine import compile_engine
from stream_seg.core.record import HEADER
from stream_seg.core.succession import succeed
from stream_seg.errors import Fenced
from stream_seg.pipeline.filling import Filler, Unheard
from stream_seg.pipeline.label import Labeller
from stream_seg.ports import Slot
from tests.core import drawing
from tests.core.drawing import START
from tests.pipeline.partition import EVENTS, SLOT, Log, Partition, small
from tests.pipeline.plots import Plot, plots
from tests.pipeline.test_activations import SHOP

BESIDE = Slot("fill", 0)


def beside(partition: Partition, definition: Definition, first: int | None = None) -> Filler:
    """The fold that a command does beside the worker."""
    owner = Unheard(BESIDE, EVENTS)
    return Filler(Labeller(EVENTS, 0, partition.settings, repeat(0), owner), owner, definition, first)


def cells(partition: Partition, customer: bytes, definition: Definition) -> dict[Any, list[int]]:
    """The words of everything that a definition measures, whatever else the record holds."""
    row, plan = partition.row(customer)[0], partition.labeller.customers.engine.plan
    wanted = compile_engine([drawing.activation(definition)]).plan
    found: dict[Any, list[int]] = {
        c: row[at : at + n].tolist() for c, (at, n) in plan.cells.items() if c in wanted.cells
    }
    return found | {"header": [*row[:2].tolist(), *row[4:8].tolist(), *row[HEADER - 16 : HEADER].tolist()]}


def samples(partition: Partition, definition: Definition, layout: int) -> dict[tuple[str, int], list[Any]]:
    """(customer, instant) -> the values of a definition's own features at her daily visit."""
    width = len(compile_engine([drawing.activation(definition)]).plan.columns)
    found = partition.snapshot().samples.values()
    return {(s["customer_id"], s["as_of"]): s["vector"][:width] for s in found if s["layout"] == layout}


def moved(record: LogRecord, by: int) -> LogRecord:
    return msgspec.structs.replace(record, offset=record.offset + by)


@st.composite
def changed(draw: st.DrawFn) -> tuple[Plot, Definition, int, int]:
    """A story, another definition, at which record it comes into force, and how far a command had come by then."""
    plot = draw(plots(models=False, most_records=25))
    others = {f.name: f for f in draw(drawing.feature_sets(4))}
    kept = {f.name: f for f in plot.definition.features if f.of is None and draw(st.booleans())}
    definition = msgspec.structs.replace(plot.definition, features=tuple((others | kept).values()))
    begun = next(i for i, r in enumerate(plot.log.records) if not r.headers or i == len(plot.log.records) - 1)
    at = draw(st.integers(min(2, begun), len(plot.log.records)))
    return plot, definition, at, draw(st.integers(-1, at))


def told(plot: Plot, at: int, activation: Activation) -> list[LogRecord]:
    """The story with the activation in front of record `at`."""
    before, after = plot.log.records[:at], [moved(record, 1) for record in plot.log.records[at:]]
    log = Log()
    log.records = list(before)
    log.activate(activation, before[-1].timestamp)
    return [*log.records, *after]


@settings(max_examples=120, deadline=None)
@given(changed(), st.integers(0, 40), st.sampled_from([None, "stolen"]), st.sampled_from([1, 3, 100]))
def test_everybody_has_what_she_would_have_if_the_definition_had_been_there_all_along(
    drawn: tuple[Plot, Definition, int, int], interrupted: int, stolen: str | None, most: int
) -> None:
    plot, definition, at, ahead = drawn
    first = drawing.activation(plot.definition)
    following = succeed(first, definition, who="test", at=0, why="test", fill=Fill((0,), 0))
    filled = Partition(small(most))
    records = told(plot, at, following)
    filled.run(records[:at])
    if ahead >= 0:
        command = beside(filled, definition)
        filled.world.run(command.open())
        filled.world.run(command.fold(ahead))
    break_off(filled, records[at], interrupted, beside(filled, definition) if stolen else None)
    filled.run(records[at : at + 1], known=True)
    for record in records[at + 1 :]:
        filled.run([record])

    whole = Partition(small(most))
    same = drawing.activation(definition)
    for record in told(plot, at, same):
        whole.run([Log().activate(same, record.timestamp) if record.offset == 0 else record])
    for customer in whole.slots._slots[SLOT].records:
        assert cells(filled, customer, definition) == cells(whole, customer, definition)
    assert filled.slots._slots[SLOT].records.keys() == whole.slots._slots[SLOT].records.keys()
    here, there = samples(filled, definition, following.layout), samples(whole, definition, 1)
    assert here == {place: there[place] for place in here}
    if following.layout == 2:
        assert not filled.slots._slots[BESIDE].records


def break_off(partition: Partition, record: LogRecord, after: int, thief: Filler | None) -> None:
    """The worker that comes to a record dies after some effects, and another one opens the partition.

    With a `thief` it does not die: the fold beside is taken from it there, and then it must let go by itself.
    """
    partition.log.append(EVENTS, record.key, record.value, record.headers, partition=0, timestamp=record.timestamp)
    step = partition.labeller.process([record])
    try:
        effect = next(step)
        for _ in range(after):
            effect = step.send(partition.world.execute(effect))
        if thief is not None:
            partition.world.run(thief.open())
            while True:
                effect = step.send(partition.world.execute(effect))
    except (StopIteration, Fenced):
        pass
    partition.open()


def test_of_what_the_log_has_forgotten_a_new_feature_knows_nothing_and_an_old_one_everything() -> None:
    log, partition = Log(), Partition()
    log.activate(drawing.activation(SHOP), START)
    for hour in range(6):
        log.event("ann", START + hour * HOUR, START + hour * HOUR, {"event": "Paid"})
    partition.run(log.records)
    partition.log.expire(EVENTS, 0, 4)  # three of her six events are left
    days = Feature(name="events", aggregate="count", window=30 * DAY)
    both = msgspec.structs.replace(SHOP, features=(*SHOP.features, days))
    following = succeed(drawing.activation(SHOP), both, who="test", at=0, why="test", fill=Fill((4,), START))
    partition.run([log.activate(following, START + 6 * HOUR)])
    partition.run([log.control("tick", None, START + 2 * DAY)])
    assert next(iter(samples(partition, both, 2).values())) == [6.0, 3.0]


def test_a_command_whose_fold_was_taken_over_is_told() -> None:
    log, partition = Log(), Partition()
    log.activate(drawing.activation(SHOP), START)
    log.event("ann", START, START, {"event": "Paid"})
    partition.run(log.records)
    one, other = beside(partition, SHOP), beside(partition, SHOP)
    partition.world.run(one.open())
    partition.world.run(other.open())
    with pytest.raises(Fenced):
        partition.world.run(one.fold(2))
    partition.world.run(other.fold(2))
    assert other.offset == 2


def test_what_was_folded_by_something_else_is_forgotten() -> None:
    log, partition = Log(), Partition()
    log.activate(drawing.activation(SHOP), START)
    log.event("ann", START, START, {"event": "Paid"})
    partition.run(log.records)
    wider = msgspec.structs.replace(SHOP, features=(msgspec.structs.replace(SHOP.features[0], window=DAY),))
    for definition, first in ((SHOP, None), (wider, None), (wider, 1)):
        command = beside(partition, definition, first)
        partition.world.run(command.open())
        assert command.offset == (first or 0)
        assert not partition.slots._slots[BESIDE].records
        partition.world.run(command.fold(2))
        assert partition.slots._slots[BESIDE].records
    same = beside(partition, wider, None)
    partition.world.run(same.open())
    assert same.offset == 2


def test_a_command_that_has_read_beyond_the_activation_counts_nothing_twice() -> None:
    log, partition = Log(), Partition()
    log.activate(drawing.activation(SHOP), START)
    log.event("ann", START, START, {"event": "Paid"})
    partition.run(log.records)
    days = Feature(name="events", aggregate="count", window=30 * DAY)
    both = msgspec.structs.replace(SHOP, features=(*SHOP.features, days))
    following = succeed(drawing.activation(SHOP), both, who="test", at=0, why="test", fill=Fill((0,), START))
    rest = [log.activate(following, START), log.event("ann", START + HOUR, START + HOUR, {"event": "Paid"})]
    for r in rest:  # both are in the log before LABEL comes to the first
        partition.log.append(EVENTS, r.key, r.value, r.headers, partition=0, timestamp=r.timestamp)
    command = beside(partition, both)
    partition.world.run(command.open())
    assert partition.world.run(command.fold(4)) == 4
    partition.run(rest, known=True)
    partition.run([log.control("tick", None, START + 2 * DAY)])
    assert next(iter(samples(partition, both, 2).values())) == [2.0, 2.0]
