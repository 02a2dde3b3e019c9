"""docs/operating.md, sizing and upgrades: the arithmetic is right, and what is said of versions is so."""

from __future__ import annotations

import math
import re

import msgspec
import numpy as np
import pytest

from benchmarks.figures import measured
from stream_seg.adapters.memory.log import LogRecord
from stream_seg.bootstrap import snapshot
from stream_seg.core import activation, drift, record
from stream_seg.core.clustering import LEARNERS, learner
from stream_seg.core.definition import DAY, Definition, Feature, Learning
from stream_seg.core.succession import succeed
from stream_seg.errors import Stop
from stream_seg.pipeline.label_state import STATE, LabelState, Memory
from stream_seg.pipeline.learn_state import LearnState
from stream_seg.pipeline.table import Sample
from stream_seg.wire import control, trainings
from tests.core import drawing
from tests.docs.pages import ROOT, text_of

PAGE = text_of(ROOT / "docs/operating.md")
VISITS = Feature(name="visits", aggregate="count", window=DAY)
SHOP = Definition(name="shop", features=(VISITS,), lateness=DAY, forget_after=9 * DAY)


def numbers(of: str) -> list[float]:
    """Those in the last cell of a row of the sizing table."""
    (cell,) = re.findall(rf"^\| {of} \|.*\| ([^|]*) \|$", PAGE, re.MULTILINE)
    return [float(found.replace(",", "")) for found in re.findall(r"\d[\d,]*(?:\.\d+)?", cell)]


def test_the_example_of_sizing_is_calculated_right() -> None:
    found = measured()
    customers, peak, average, half = 2_000_000, 5_000, 1_000, 0.5
    assert f"{customers:,} customers, {peak:,} events/s at the peak and {average:,} on average" in PAGE
    worker = found["uniform"]["events_per_worker_cpu_s"]
    label = max(2, math.ceil(peak / (worker * half)))
    assert numbers("LABEL: workers") == [peak, worker, half, round(peak / worker / half, 2), label]
    assert numbers("LABEL: memory")[-1] == label * round(found["uniform"]["worker_peak_rss_mb"])
    assert numbers("LABEL: memory")[-1] == math.prod(numbers("LABEL: memory")[:2])
    ingest = 1e6 / found["hop"]["cpu_s"]["ingest"]
    assert numbers("INGEST: workers")[-1] == max(2, math.ceil(peak / (ingest * half)))
    assert numbers("INGEST: memory")[-1] == math.prod(numbers("INGEST: memory")[:2])
    a_sample = found["trainer"]["us_a_sample"]
    assert numbers("LEARN: one worker")[1:] == [customers, a_sample, round(customers * a_sample / 1e6, 1)]
    gigabytes = (
        customers * max(found[of]["redis_bytes_per_customer"] for of in ("long", "uniform", "many", "hop")) / 1e9
    )
    assert numbers("Redis: memory")[2:] == [round(gigabytes, 2), round(gigabytes, 2), 0.85, round(gigabytes / 0.85, 2)]
    cpu = found["uniform"]["cpu_s"]  # of a million events, so these are µs an event too
    assert numbers("Redis: CPU")[-1] == round(100 * peak * cpu["redis"] / 1e6)
    assert numbers("Kafka: CPU")[-1] == round(100 * peak * cpu["kafka"] / 1e6)
    assert numbers("events partitions")[-1] == math.ceil(10 * peak / (worker * half))
    disk = found["generator"]["bytes_per_event"] * average * 86_400 * 7 * 3 / 1e9
    assert numbers("Kafka: disk")[-1] == round(disk)
    backlog = 3_600 * peak
    assert numbers("an hour without LABEL")[-1] == round(
        backlog / (label * found["uniform"]["events_per_s"] - peak) / 60
    )


def test_the_formats_that_the_page_names_are_those_of_the_code() -> None:
    marked = dict(re.findall(r"^\| ([^|]*) \| (?:engine|format) (\d+)[^|]*\|", PAGE, re.MULTILINE))
    assert marked == {
        "what decides, in the logs": str(activation.ENGINE),
        "customers in Redis": str(record.FORMAT),
        "what LEARN's learner and drift keep": str(drift.FORMAT),
        "trainings": str(trainings.FORMAT),
        "snapshots": str(snapshot.FORMAT),
    }
    assert {of.FORMAT for of in LEARNERS.values() if hasattr(of, "FORMAT")} == {drift.FORMAT}


def test_a_definition_bears_the_engine_of_whoever_numbers_it_and_never_a_lower_one() -> None:
    first = drawing.activation(SHOP)
    for before, after in ((0, activation.ENGINE), (99, 99)):
        current = msgspec.structs.replace(first, engine=before)
        assert succeed(current, SHOP, who="test", at=0, why="test").engine == after


@pytest.mark.parametrize("kind", [control.PassedDay, control.Progress, control.Apply, control.Order])
def test_a_control_record_with_a_field_that_nobody_here_knows_stops_its_reader(kind: type[msgspec.Struct]) -> None:
    body = msgspec.json.encode({"added": 1})
    with pytest.raises(Stop, match=r"`added`.*was it written by a newer version\?"):
        control.read(LogRecord("shop.events.v1", 0, 0, None, body, (), 0), kind)


@pytest.mark.parametrize("state", [LabelState(offset=7), LearnState(offset=7)])
def test_a_state_with_more_fields_or_with_fewer_is_read(state: msgspec.Struct) -> None:
    fields = msgspec.msgpack.decode(msgspec.msgpack.encode(state))
    for other in ([*fields, "added"], fields[:2]):
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(other), type=type(state)) == state
    assert Memory({STATE: msgspec.msgpack.encode([7])}, 0).state.offset == 7


def test_a_sample_of_a_newer_label_is_a_sample() -> None:
    sample = Sample("ann", 1, 1, 1, 1, 1, 1, [1.0], 0)
    more = {**msgspec.to_builtins(sample), "added": 1}
    assert msgspec.json.decode(msgspec.json.encode(more), type=Sample) == sample


def test_a_customer_of_another_format_is_refused() -> None:
    rows = np.ones((1, record.HEADER), np.int64)
    out, ends = np.zeros(record.room(record.HEADER), np.uint8), np.zeros(1, np.int64)
    out = out[: record.pack(rows, np.arange(1), 1, out, ends)]
    assert record.unpack_rows(out.tobytes(), ends, 1, record.HEADER).tolist() == rows.tolist()
    out[0] = record.FORMAT + 1
    with pytest.raises(Stop, match="damaged or of another layout"):
        record.unpack_rows(out.tobytes(), ends, 1, record.HEADER)


def test_a_learner_of_another_format_is_not_begun_from_by_accident() -> None:
    one = learner(2, Learning(k=2))
    one.begin(np.random.default_rng(1).normal(size=(60, 2)))
    state = msgspec.json.decode(one.dump())
    with pytest.raises(Stop, match="has format 99"):
        learner(2, Learning(k=2)).load(msgspec.json.encode({**state, "format": 99}))
