"""INGEST in memory: what it writes, what it puts aside, and that whatever fails between counts once in LABEL."""

from __future__ import annotations

from collections.abc import Callable
from itertools import repeat
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_seg.adapters.memory.log import LogRecord, Member, MemoryLog
from stream_seg.adapters.memory.slots import MemorySlots
from stream_seg.adapters.memory.world import MemoryWorld
from stream_seg.core.activation import Activation
from stream_seg.core.definition import DAY, Definition, Feature, InputRules, Mapping, feature_set_version
from stream_seg.core.hashing import partition_of
from stream_seg.core.marks import WINDOW, Marks
from stream_seg.errors import Fenced, StateLost, Stop, Unavailable, Undeliverable
from stream_seg.pipeline.ingest import PROGRESS_EVERY, Ingest, IngestSettings
from stream_seg.pipeline.label import Labeller
from stream_seg.pipeline.label_settings import LabelSettings
from stream_seg.ports import Effect, Publish, Record
from stream_seg.wire import control
from stream_seg.wire.timestamps import rfc3339

NOW = 1_717_149_600_000  # 2024-05-31T10:00:00Z
WEB = "web.tracks"
PARTITIONS = 3
GROUP = "shop-ingest"
DEFINITION = Definition(
    name="shop",
    features=(Feature(name="orders", aggregate="count", window=DAY),),
    input=InputRules(keyed_by_customer=False, clock="progress"),
    lateness=DAY,
    forget_after=97 * DAY,
)


class Source:
    """One source partition and the logs behind it; the clock is the test's."""

    def __init__(self, definition: Definition = DEFINITION) -> None:
        self.now = NOW
        self.definition = definition
        topics = {WEB: 1, "events": PARTITIONS, "samples": 1, **dict.fromkeys(("dead-letters", "late-events"), 1)}
        self.log = MemoryLog({**topics, "segment-changes": 1, "customer-segments": 1}, clock=lambda: self.now)
        self.slots = MemorySlots()
        self.open()

    def open(self) -> int:
        """Another worker takes the source: nothing of the one before is left but its commits."""
        member = Member(GROUP)
        self.log.assign(member, WEB, 0)
        self.world = World(self.log, member, self.slots)
        self.ingest = Ingest(WEB, 0, IngestSettings(group=GROUP), iter(lambda: self.now, None))
        self.ingest.follow(self.definition, PARTITIONS)
        self.at = self.world.run(self.ingest.open())
        return self.at

    def send(self, value: bytes | dict[str, Any] | None, key: bytes | None = None, **record: Any) -> LogRecord:
        value = msgspec.json.encode(value) if isinstance(value, dict) else value
        return self.log.append(WEB, key, value, record.pop("headers", ()), partition=0, **record)

    def work(self, limit: int = 0) -> None:
        records = self.log.read(WEB, 0, self.at, limit)
        self.at = self.world.run(self.ingest.process(records))

    def idle(self) -> None:
        self.world.run(self.ingest.idle())

    def written(self) -> list[LogRecord]:
        """What is in the events log, without control records."""
        records = [record for p in range(PARTITIONS) for record in self.log.read("events", p, 0)]
        return [record for record in records if control.kind_of(record) is None]

    def progress(self) -> list[list[int]]:
        """The instants that each events partition was told."""
        return [
            [
                control.read(record, control.Progress).through
                for record in self.log.read("events", p, 0)
                if control.kind_of(record) == control.PROGRESS
            ]
            for p in range(PARTITIONS)
        ]

    def committed(self) -> int | None:
        return self.log._committed.get((GROUP, WEB, 0))


class World(MemoryWorld):
    """A world in which the next publish may go wrong."""

    fault: Callable[[Publish], None] | None = None

    def execute(self, effect: Effect) -> Any:
        if isinstance(effect, Publish) and self.fault is not None:
            fault, self.fault = self.fault, None
            fault(effect)
        return super().execute(effect)


def order(customer: str, number: int = 0, **changes: Any) -> dict[str, Any]:
    usual = {"type": "track", "userId": customer, "event": "Bought", "timestamp": rfc3339(NOW - 1000 + number)}
    return {name: value for name, value in (usual | changes).items() if value is not None}


def label(source: Source) -> list[Labeller]:
    """LABEL over everything in the events log, anew."""
    activation = Activation(
        number=1,
        definition=source.definition,
        feature_set_version=feature_set_version(source.definition),
        who="test",
        at=NOW,
        why="test",
    )
    done = []
    slots = MemorySlots()
    for partition in range(PARTITIONS):
        member = Member("shop-label")
        source.log.assign(member, "events", partition)
        source.log._committed.pop(("shop-label", "events", partition), None)
        message = control.control("events", control.ACTIVATE, activation, partition)
        source.log.append("events", None, message.value, message.headers, partition=partition)
        labeller = Labeller("events", partition, LabelSettings(), repeat(NOW))
        world = MemoryWorld(source.log, member, slots)
        at = world.run(labeller.open())
        while records := source.log.read("events", partition, at):
            at = world.run(labeller.process(records))
        done.append(labeller)
    return done


def accepted(source: Source) -> int:
    return sum(labeller.memory.state.accepted for labeller in label(source))


# --- what goes through


def test_records_of_every_form_and_key_are_written_by_customer_as_segment_calls() -> None:
    source = Source()
    source.send(order("ann"), key=b"any")
    source.send(order("bob"), key=None)
    data = msgspec.json.encode({"price": 3})
    ce = {"ce_specversion": "1.0", "ce_id": "1", "ce_source": "/s", "ce_type": "Bought", "ce_subject": "cid"}
    binary = {**ce, "ce_time": rfc3339(NOW), "content-type": "application/json"}
    source.send(data, headers=tuple((name, text.encode()) for name, text in binary.items()))
    structured = {name[3:]: text for name, text in ce.items()} | {"time": rfc3339(NOW), "subject": "dan", "data": {}}
    source.send(structured)
    source.work()
    written = {record.key: record for record in source.written()}
    assert written.keys() == {b"ann", b"bob", b"cid", b"dan"}
    for key, record in written.items():
        assert key is not None
        assert record.partition == partition_of(key, PARTITIONS)
        assert msgspec.json.decode(record.value or b"")["userId"].encode() == key
        assert [name for name, _ in record.headers] == [control.SOURCE]
    assert dict(written[b"bob"].headers)[control.SOURCE] == b"web.tracks:0:1"
    assert accepted(source) == 4


def test_records_in_a_form_of_their_own_are_written_by_the_mapping_in_force() -> None:
    mapping = Mapping(customer="who", time="at", time_format="epoch_ms", event="=Bought", properties={"price": "p"})
    rules = replace_input(DEFINITION, mapping)
    source = Source(rules)
    source.send({"who": "ann", "at": NOW, "p": 5})
    source.work()
    (record,) = source.written()
    assert record.key == b"ann"
    assert msgspec.json.decode(record.value or b"")["properties"] == {"price": 5}
    assert accepted(source) == 1


def replace_input(definition: Definition, mapping: Mapping) -> Definition:
    return msgspec.structs.replace(definition, input=msgspec.structs.replace(definition.input, mapping=mapping))


def test_a_changed_mapping_holds_from_the_next_batch_on() -> None:
    mapping = Mapping(customer="who", time="at", time_format="epoch_ms")
    source = Source(replace_input(DEFINITION, mapping))
    source.send({"who": "ann", "whom": "bob", "at": NOW})
    source.work()
    source.ingest.follow(replace_input(DEFINITION, msgspec.structs.replace(mapping, customer="whom")), PARTITIONS)
    source.send({"who": "ann", "whom": "bob", "at": NOW})
    source.work()
    assert sorted(record.key or b"" for record in source.written()) == [b"ann", b"bob"]


def test_nothing_in_a_product_record_can_steer_the_log() -> None:
    source = Source()
    source.send(order("ann"), headers=((control.HEADER, b"end"), (control.SOURCE, b"x:0:5"), ("trace", b"1")))
    source.work()
    (record,) = source.written()
    assert record.headers == ((control.SOURCE, b"web.tracks:0:0"),)


records = st.lists(
    st.one_of(
        st.integers(0, 5).map(lambda n: msgspec.json.encode(order(f"c{n}"))),
        st.sampled_from([b"", b"[]", b"{", b'{"type":"track"}', b"\xff", b'{"type":"track","userId":"null"}']),
    ),
    min_size=1,
    max_size=12,
)


@given(records, st.integers(1, 12), st.integers(0, 2))
def test_what_becomes_of_a_record_depends_on_nothing_but_the_record(values: list[bytes], limit: int, keys: int) -> None:
    def outcome(limit: int, key: bytes | None) -> tuple[list[Any], list[Any]]:
        source = Source()
        for value in values:
            source.send(value, key=key)
        while source.at < source.log.next_offset(WEB, 0):
            source.work(limit)
        events = [(r.partition, r.key, r.value, r.headers) for r in source.written()]
        dead = [
            (r.value, [h for h in r.headers if h[0] == "ss-error-id"]) for r in source.log.read("dead-letters", 0, 0)
        ]
        return events, dead

    assert outcome(limit, [None, b"k", b"c1"][keys]) == outcome(0, None)


def test_an_event_without_a_time_keeps_that_of_its_own_record() -> None:
    source = Source()
    source.send(order("ann", timestamp=None), timestamp=NOW - 7000)
    source.work()
    (record,) = source.written()
    assert msgspec.json.decode(record.value or b"")["timestamp"] == rfc3339(NOW - 7000)


# --- what goes aside


def test_what_cannot_be_used_is_put_aside_untouched_before_the_commit() -> None:
    source = Source()
    source.send(b"{broken", key=b"k", headers=(("trace", b"1"),))
    source.send(order("ann"))
    source.work()
    (letter,) = source.log.read("dead-letters", 0, 0)
    headers = dict(letter.headers)
    assert (letter.key, letter.value, headers["trace"]) == (b"k", b"{broken", b"1")
    assert headers["ss-error-code"] == b"invalid_json"
    assert headers["ss-error-id"] == b"web.tracks:0:0"
    assert headers["ss-error-group"] == GROUP.encode()
    assert (headers["__streams.errors.topic"], headers["__streams.errors.offset"]) == (WEB.encode(), b"0")
    assert len(source.written()) == 1
    assert source.committed() == 2


def test_a_dead_letter_that_does_not_arrive_holds_up_the_commit() -> None:
    source = Source()
    source.send(b"{broken")

    def away(_: Publish) -> None:
        raise Unavailable("away")

    source.world.fault = away
    with pytest.raises(Unavailable):
        source.work()
    assert source.committed() is None
    source.open()
    source.work()
    assert [r.value for r in source.log.read("dead-letters", 0, 0)] == [b"{broken"]
    assert source.committed() == 1


def test_an_event_from_the_future_of_its_own_record_is_a_dead_letter_however_late_it_is_read() -> None:
    source = Source()
    ahead = NOW + DEFINITION.max_skew
    source.send(order("ann", timestamp=rfc3339(ahead)))
    source.send(order("bob", timestamp=rfc3339(ahead + 1)))
    source.now = NOW + DAY  # ingest was away for a day: the events log would have let it pass
    source.work()
    assert [r.key for r in source.written()] == [b"ann"]
    (letter,) = source.log.read("dead-letters", 0, 0)
    assert dict(letter.headers)["ss-error-code"] == b"timestamp_in_future"


def test_a_time_that_the_producer_set_itself_judges_no_event() -> None:
    source = Source()
    source.send(order("ann"), timestamp=0, timestamp_type=0)
    source.work()
    assert [r.key for r in source.written()] == [b"ann"]


# --- what fails between


def test_a_batch_that_arrived_in_part_before_a_failure_counts_once() -> None:
    source = Source()
    for number in range(10):
        source.send(order("ann", number))

    def half(effect: Publish) -> None:
        source.world.execute(Publish(effect.messages[:6]))
        raise Unavailable("the connection broke")

    source.world.fault = half
    with pytest.raises(Unavailable):
        source.work()
    assert len(source.written()) == 6
    assert source.open() == 0  # from the last commit, which there is none of
    source.work()
    assert len(source.written()) == 16
    assert accepted(source) == 10


def test_a_crash_between_publish_and_commit_counts_once() -> None:
    source = Source()
    for number in range(10):
        source.send(order("ann", number))
    source.work(4)
    step = source.ingest.process(source.log.read(WEB, 0, 4))
    source.world.execute(next(step))  # published, and then nothing more
    assert source.open() == 4
    source.work()
    assert len(source.written()) == 16
    assert accepted(source) == 10


def test_an_assignment_that_ended_stops_before_anything_more_is_published() -> None:
    source = Source()
    for number in range(3):
        source.send(order("ann", number))
    zombie, world = source.ingest, source.world
    source.open()
    with pytest.raises(Fenced):
        world.run(zombie.process(source.log.read(WEB, 0, 0)))
    source.work()
    assert accepted(source) == 3


def test_no_two_records_in_hand_are_further_apart_than_label_remembers() -> None:
    source = Source()
    offsets = [0, 1, WINDOW - 1, WINDOW, WINDOW + 5, 4 * WINDOW, 9 * WINDOW]
    value = msgspec.json.encode(order("ann"))
    compacted: list[Record] = [LogRecord(WEB, 0, offset, None, value, (), NOW) for offset in offsets]
    in_hand: list[list[int]] = []

    def sent(effect: Publish) -> None:
        marks = [dict(message.headers).get(control.SOURCE) for message in effect.messages]
        in_hand.append([int(mark.rpartition(b":")[2]) for mark in marks if mark is not None])
        source.world.fault = sent

    source.world.fault = sent
    source.world.run(source.ingest.process(compacted))
    assert [piece for piece in in_hand if piece] == [offsets[:3], offsets[3:5], offsets[5:6], offsets[6:]]
    for piece in in_hand:  # sent again from its beginning, each of it is known
        marks = Marks()
        assert not any(marks.taken(offset) for offset in piece)
        assert all(marks.taken(offset) for offset in piece)


@pytest.mark.parametrize(("value", "offset"), [(order("bob"), 2), (b"{broken", 0)])
def test_a_record_that_kafka_refuses_stops_the_source_and_names_its_place_and_remedy(
    value: dict[str, Any] | bytes, offset: int
) -> None:
    source = Source()
    source.send(b"{broken")
    source.send(order("ann"))
    source.send(order("bob"))
    refused = msgspec.json.encode(value) if isinstance(value, dict) else value

    def refuse(effect: Publish) -> None:
        raise Undeliverable("too large", [m.value for m in effect.messages].index(refused))

    source.world.fault = refuse
    with pytest.raises(Stop, match=rf"web\.tracks partition 0 offset {offset}: too large.*--to-offset {offset + 1} "):
        source.work()
    assert source.committed() is None


def test_it_begins_with_the_oldest_record_and_goes_on_from_its_commit() -> None:
    source = Source()
    for number in range(6):
        source.send(order("ann", number))
    source.log.expire(WEB, 0, 2)
    assert source.open() == 2
    source.work(3)
    assert source.open() == 5


def test_records_that_were_lost_before_they_were_read_stop_the_source() -> None:
    source = Source()
    for number in range(6):
        source.send(order("ann", number))
    source.work(2)
    source.log.expire(WEB, 0, 4)
    with pytest.raises(StateLost, match=r"read up to 2, but the log holds 4 to 6.*--to-offset 4 "):
        source.open()


# --- progress


def test_a_source_read_to_its_end_says_so_to_every_partition_every_few_seconds() -> None:
    source = Source()
    source.idle()
    for _ in range(3):
        source.now += PROGRESS_EVERY - 1
        source.idle()
        source.now += 1
        source.idle()
    assert source.progress() == [[NOW + n * PROGRESS_EVERY for n in range(4)]] * PARTITIONS


def test_a_source_that_is_behind_says_how_old_its_last_record_was_after_each_batch() -> None:
    source = Source()
    for minute in range(4):
        source.send(order("ann", minute), timestamp=NOW + minute * 60_000)
    source.now = NOW + DAY
    for _ in range(3):
        source.work(1)
    assert source.progress() == [[NOW, NOW + 60_000, NOW + 120_000]] * PARTITIONS
    source.idle()  # told a moment ago
    source.now += PROGRESS_EVERY
    source.idle()  # records are waiting: it is not at the end, however idle it was
    assert source.progress() == [[NOW, NOW + 60_000, NOW + 120_000, NOW + 120_000]] * PARTITIONS
    source.work()
    source.now += PROGRESS_EVERY
    source.idle()
    assert source.progress()[0][-1] == source.now


def test_progress_stands_behind_the_events_that_it_speaks_of() -> None:
    source = Source()
    source.send(order("ann"), timestamp=NOW)
    source.now = NOW + DAY
    source.work()
    log = source.log.read("events", partition_of(b"ann", PARTITIONS), 0)
    assert [control.kind_of(record) for record in log[:2]] == [None, control.PROGRESS]


def test_a_record_from_the_future_does_not_carry_the_clock_with_it() -> None:
    source = Source()
    source.send(order("ann"), timestamp=NOW + DAY, timestamp_type=0)
    source.send(order("bob"), timestamp=NOW + DAY, timestamp_type=0)
    source.work(1)
    assert {through for told in source.progress() for through in told} <= {NOW}


def test_the_markers_of_transactions_behind_the_last_record_do_not_hold_up_progress() -> None:
    source = Source()
    source.send(order("ann"))
    source.work()
    source.send(b"stands for a marker: it is never given to anybody")
    source.log._committed[GROUP, WEB, 0] = 2  # the consumer's position, committed in the background
    source.now += PROGRESS_EVERY
    source.idle()
    assert source.progress()[0][-1] == source.now


def test_a_wall_clock_that_is_set_back_takes_nothing_back() -> None:
    source = Source()
    source.idle()
    source.now -= DAY
    source.idle()
    assert source.progress() == [[NOW, NOW]] * PARTITIONS


def test_the_clock_of_label_stands_where_the_last_of_its_sources_is() -> None:
    source = Source()
    sources = control.Sources(("web.tracks:0", "app:0"))
    for partition in range(PARTITIONS):
        message = control.control("events", control.SOURCES, sources, partition)
        source.log.append("events", None, message.value, message.headers, partition=partition)
    source.idle()
    assert {labeller.memory.state.clock for labeller in label(source)} == {0}
    for partition in range(PARTITIONS):
        message = control.control("events", control.PROGRESS, control.Progress("app:0", NOW - 60_000), partition)
        source.log.append("events", None, message.value, message.headers, partition=partition)
    assert {labeller.memory.state.clock for labeller in label(source)} == {NOW - 60_000}


def test_an_ingest_whose_clock_runs_ahead_does_not_carry_label_with_it() -> None:
    source = Source()
    for partition in range(PARTITIONS):
        message = control.control("events", control.SOURCES, control.Sources((source.ingest.source,)), partition)
        source.log.append("events", None, message.value, message.headers, partition=partition)
        message = control.control("events", control.PROGRESS, control.Progress("web.tracks:0", NOW + DAY), partition)
        source.log.append("events", None, message.value, message.headers, partition=partition)
    assert {labeller.memory.state.clock for labeller in label(source)} == {NOW}
