"""A log that exists is followed as it is: its control records, its offsets, wherever batches are cut."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from stream_seg.adapters.files.results import Results
from stream_seg.adapters.kafka.ranges import Asked, Range
from stream_seg.adapters.memory.log import LogRecord, MemoryLog
from stream_seg.adapters.memory.replay import EVENTS, Following
from stream_seg.bootstrap.offline import _followed
from stream_seg.core.definition import DAY
from stream_seg.errors import Stop
from stream_seg.ports import LogRange, Record, Slot
from stream_seg.wire import control
from tests.queries.shop import Shop, definition, events

GUARD = "7f1e:2:murmur2"


class Recorded(Shop):
    """A replay that keeps its events log."""

    def __init__(self, folder: Path) -> None:
        kept: list[LogRecord] = []
        append = MemoryLog.append

        def keeping(log: MemoryLog, topic: str, *arguments: Any, **options: Any) -> LogRecord:
            record = append(log, topic, *arguments, **options)
            if topic == EVENTS:
                kept.append(record)
            return record

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(MemoryLog, "append", keeping)
            super().__init__(definition(folder), events())
        self.events = [[r for r in kept if r.partition == p] for p in range(2)]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return Recorded(tmp_path_factory.mktemp("shop"))


def in_batches(records: Sequence[Record], seed: int) -> Iterator[Sequence[Record]]:
    draw, at = random.Random(seed), 0
    while at < len(records):
        size = draw.choice([1, 2, 30, 500])
        yield records[at : at + size]
        at += size


@pytest.mark.parametrize("seed", range(3))
def test_following_a_log_comes_to_every_byte_that_was_decided(recorded: Recorded, seed: int) -> None:
    following = Following([LogRange(None, 0, 1_000_000, GUARD)] * 2)
    for p in (1, 0):
        for batch in in_batches(recorded.events[p], seed):
            following.process(p, batch)
    was = recorded.replay.slots
    for slot in recorded.slots():
        ring = was.ring(slot)
        assert following.slots.ring(slot) == ring
        for customer, _ in ring:
            assert following.slots.record(slot, customer) == was.record(slot, customer)
            assert following.slots.history(slot, customer) == was.history(slot, customer)
        assert following.slots.counts(slot) == was.counts(slot)
    said = [json.loads(record.value or b"") for record in following.take("segment-changes")]
    by_id = {body["id"]: body for body in said}
    assert by_id == {body["id"]: body for body in recorded.movements}


def written(recorded: Recorded, out: Path, *, parts: Sequence[int] = (0, 1), **how: Any) -> dict[str, Any]:
    asked = [Range("shop.events.v1", p, 0, 1_000_000, GUARD, 2) for p in parts]
    with Results(out) as results:
        start, end = how.get("start"), how.get("end")
        read = how.get("read", lambda part: in_batches(recorded.events[part.partition], 9))
        return _followed(asked, read, results, start, end, lambda *_: None)


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_what_is_written_are_the_labels_movements_and_models_of_the_log(recorded: Recorded, tmp_path: Path) -> None:
    done = written(recorded, tmp_path)
    assert {body["customer_id"]: body for body in lines(tmp_path / "labels.ndjson")} == recorded.labels
    moved = {body["id"]: body | {"decided_at": ""} for body in lines(tmp_path / "movements.ndjson")}
    assert moved == {body["id"]: body | {"decided_at": ""} for body in recorded.movements}
    models = {int(path.stem): json.loads(path.read_bytes()) for path in (tmp_path / "models").iterdir()}
    assert models == recorded.models
    assert (done["events"], done["accepted"], done["customers"]) == (len(events().values),) * 2 + (60,)
    assert done["model_version"] == max(recorded.models)


def test_one_partition_alone_has_its_own_customers(recorded: Recorded, tmp_path: Path) -> None:
    done = written(recorded, tmp_path, parts=[1])
    assert done["customers"] == recorded.replay.slots.customers(Slot("label", 1))
    assert 0 < done["customers"] < 60


def stamped(recorded: Recorded, began: int) -> Any:
    """The log as if it had been written from `began` on, a record a second."""

    def read(part: Range) -> Iterator[Sequence[Record]]:
        for record in recorded.events[part.partition]:
            yield [
                LogRecord(
                    EVENTS, part.partition, record.offset, record.key, record.value, record.headers,
                    began + 1_000 * record.offset,
                )
            ]  # fmt: skip

    return read


def test_with_a_start_and_an_end_only_those_events_count_and_what_was_in_force_still_is(
    recorded: Recorded, tmp_path: Path
) -> None:
    began = 1_800_000_000_000
    read = stamped(recorded, began)
    done = written(recorded, tmp_path, read=read, start=began + 100_000, end=began + 200_000)
    assert 0 < done["events"] <= 200
    expected = [
        record
        for partition in recorded.events
        for record in partition
        if 100 <= record.offset < 200 and control.kind_of(record) is None
    ]
    assert done["events"] == done["accepted"] == len(expected)
    assert done["feature_set_version"] is not None


def test_the_first_activation_holds_also_for_what_arrived_before_it(recorded: Recorded, tmp_path: Path) -> None:
    first, *rest = recorded.events[0]
    late = [
        LogRecord(EVENTS, 0, offset, record.key, record.value, record.headers, record.timestamp)
        for offset, record in enumerate([*rest[:20], first, *rest[20:]])
    ]
    done = written(recorded, tmp_path, parts=[0], read=lambda _: ([record] for record in late))
    assert done["accepted"] == sum(control.kind_of(record) is None for record in late)


def test_a_log_without_an_activation_cannot_be_followed(recorded: Recorded, tmp_path: Path) -> None:
    bare = [record for record in recorded.events[0] if control.kind_of(record) is None]
    with pytest.raises(Stop, match="no activation among them"):
        written(recorded, tmp_path, parts=[0], read=lambda _: iter([bare]))
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


def test_ranges_are_written_as_topic_partition_and_offsets() -> None:
    assert Asked.read("web.tracks") == Asked("web.tracks")
    assert Asked.read("a.b.v1:3") == Asked("a.b.v1", 3)
    assert Asked.read("a.b.v1:3:17-90") == Asked("a.b.v1", 3, 17, 90)
    assert Asked.read("a.b.v1:3:-90") == Asked("a.b.v1", 3, None, 90)
    for wrong in ("a b", "a:b", "a:1:2", "a:-1", "", "a:1:2-3-4"):
        with pytest.raises(Stop, match="no range of a topic"):
            Asked.read(wrong)


def test_a_followed_day_ends_where_the_log_says(recorded: Recorded) -> None:
    """The clock of a followed log is that of its progress records, so silence is settled up to the last day."""
    following = Following([LogRange(None, 0, 1_000_000, GUARD)] * 2)
    following.process(0, recorded.events[0])
    assert following.labels[0].memory.state.clock % DAY == 0
    assert following.labels[0].memory.state.ended
