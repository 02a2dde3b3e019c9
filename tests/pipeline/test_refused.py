"""Records that Kafka refuses for good: the partition stops where it is, says where and why, and goes on from there."""

from __future__ import annotations

from typing import Any

import pytest

from stream_seg.adapters.memory.world import MemoryWorld
from stream_seg.core.definition import DAY, SECOND
from stream_seg.errors import Undeliverable
from stream_seg.ports import Effect, Publish
from tests.core.drawing import START
from tests.pipeline.partition import Log, Partition
from tests.pipeline.test_activations import activation


class Refusing(MemoryWorld):
    """Takes no record of one topic, until `topic` is empty."""

    topic = ""

    def execute(self, effect: Effect) -> Any:
        if isinstance(effect, Publish):
            topics = [message.topic for message in effect.messages]
            if self.topic in topics:
                raise Undeliverable(
                    f"shop.{self.topic}.v1: Kafka refuses a record: too large", topics.index(self.topic)
                )
        return super().execute(effect)


@pytest.mark.parametrize(
    ("topic", "place", "key"),
    [("dead-letters", " offset 2", "bob"), ("late-events", " offset 4", "ann"), ("segment-changes", "", "ann")],
)
def test_what_kafka_refuses_is_told_with_its_place_and_nothing_of_it_is_left_out(
    topic: str, place: str, key: str
) -> None:
    log, partition, undisturbed = Log(), Partition(), Partition()
    log.activate(activation(1, 1.0, 9.0), START)
    log.event("ann", START, START, {"event": "Paid"})
    log.append(b"bob", b"{broken", (), START)
    log.event("ann", START + 40 * DAY, START + 40 * DAY, {"event": "Paid"})
    log.event("ann", START + SECOND, START + 40 * DAY, {"event": "Paid"})
    undisturbed.run(log.records)

    world = partition.world = Refusing(partition.log, partition.world.member, partition.slots)
    world.topic = topic
    with pytest.raises(Undeliverable) as caught:
        partition.run(log.records)
    said = str(caught.value)
    assert said.startswith(
        f"events partition 0{place}: shop.{topic}.v1: Kafka refuses a record: too large (key '{key}', "
    )
    assert "Raise max.message.bytes of that topic and start the worker again" in said

    world.topic = ""
    partition.open()
    rest = log.records[partition.labeller.memory.state.offset :]
    if rest:
        partition.world.run(partition.labeller.process(rest))
    partition.world.run(partition.labeller.owner.relay())
    again, expected = partition.snapshot(), undisturbed.snapshot()
    assert (again.records, again.movements) == (expected.records, expected.movements)
    assert set(again.side) == set(expected.side)  # one may be there twice, under one id
