"""``snapshot`` and ``restore`` on real servers: what goes on from a restored file is what would have gone on."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from stream_seg.adapters.redis.inspection import RedisInspection
from stream_seg.adapters.redis.snapshots import SlotFiles
from stream_seg.bootstrap.snapshot import read_snapshot
from stream_seg.errors import Stop, StreamSegError
from stream_seg.ports import Slot
from tests.live.conftest import StackMaker
from tests.live.oracle import check
from tests.live.stack import Stack, Worker
from tests.live.workload import SECONDS, Orders, given
from tests.servers.redis import RedisServer

pytestmark = [pytest.mark.servers, pytest.mark.slow]

QUIET = SECONDS.replace("clock: append", "clock: event")  # no ticks: a partition without events rests


def ended(stack: Stack, *words: str) -> Worker:
    command = stack.command(*words, "--config", str(stack.file))
    command.process.wait(120)
    return command


def labelled(stack: Stack, orders: Orders) -> None:
    """A worker that labels some orders, and stops."""
    worker = stack.start("label")
    stack.produce(orders.some(300))
    stack.settle()
    assert worker.stop() == 0


def test_from_a_restored_snapshot_it_goes_on_as_if_nothing_had_happened(
    stack_of: StackMaker, own_redis: RedisServer
) -> None:
    stack = stack_of(SECONDS, redis_url=own_redis.url)
    stack.activate(given(stack.config))
    orders, file = Orders(), stack.directory / "shop.snapshot"
    labelled(stack, orders)
    taken = ended(stack, "snapshot", str(file), "--json")
    assert taken.process.returncode == 0, taken.output()
    told = json.loads(taken.output()[taken.output().index("{") :])
    assert told["customers"] == stack.look(lambda redis: customers(redis, stack.partitions)) > 0

    labelled(stack, orders)  # after it: the log has it, the file does not
    own_redis.command("FLUSHALL")
    restored = ended(stack, "restore", str(file))
    assert restored.process.returncode == 0, restored.output()
    labelled(stack, orders)
    check(stack)
    assert sum(state.accepted for state in stack.states()) == orders.sent


def test_what_must_not_be_written_over_is_refused(stack_of: StackMaker, tmp_path: Path) -> None:
    stack = stack_of(QUIET)
    stack.activate(given(stack.config))
    empty = ended(stack, "snapshot", str(tmp_path / "none"))
    assert empty.process.returncode == 1
    assert "holds nothing of" in empty.output()
    orders, file = Orders(), tmp_path / "shop.snapshot"
    labelled(stack, orders)
    assert ended(stack, "snapshot", str(file)).process.returncode == 0
    assert [path.name for path in tmp_path.glob("shop*")] == ["shop.snapshot"]

    before = stack.states()
    again = ended(stack, "restore", str(file))
    assert again.process.returncode == 1
    assert "has state already" in again.output()
    assert "--force" in again.output()

    whole = file.read_bytes()
    for damaged, why in (
        (whole[:-40], "cut off|checksum"),
        (whole[:200] + b"x" + whole[201:], "cut off|checksum|damaged"),
        (b"something else", "is no snapshot"),
    ):
        file.write_bytes(damaged)
        with pytest.raises(StreamSegError, match=why):
            read_snapshot(stack.config, file, force=True)
    assert stack.states() == before

    other = stack_of(QUIET)
    file.write_bytes(whole.replace(stack.name.encode(), other.name.encode()))
    with pytest.raises(StreamSegError):
        read_snapshot(other.config, file, force=False)
    file.write_bytes(whole)
    with pytest.raises(Stop, match=f"is of '{stack.name}'"):
        read_snapshot(other.config, file, force=False)

    read_snapshot(stack.config, file, force=True)
    assert stack.states() == before
    worker = stack.start("label")
    stack.produce(orders.some(300))
    stack.settle()
    with pytest.raises(Stop, match=r"workers of label run \(1\)"):
        read_snapshot(stack.config, file, force=True)
    assert worker.stop() == 0
    check(stack)


def test_a_snapshot_of_a_topic_that_was_made_anew_is_refused(stack_of: StackMaker, tmp_path: Path) -> None:
    stack = stack_of(QUIET)
    stack.activate(given(stack.config))
    labelled(stack, Orders())
    file = tmp_path / "shop.snapshot"
    assert ended(stack, "snapshot", str(file)).process.returncode == 0
    stack.administer(lambda admin: admin.delete_topics([stack.topic("events")]))
    stack.until(lambda: not stack.ends("events"), "the topic is gone")
    stack.create_topics()
    refused = ended(stack, "restore", str(file), "--force")
    assert refused.process.returncode == 1
    assert "was built from" in refused.output()


def test_a_partition_that_is_written_to_meanwhile_is_told(stack_of: StackMaker, own_redis: RedisServer) -> None:
    """The revision is compared: what a worker wrote between two pages would not fit together."""
    stack = stack_of(SECONDS, redis_url=own_redis.url)
    stack.activate(given(stack.config))
    labelled(stack, Orders())

    async def read() -> None:
        files = SlotFiles(own_redis.url, stack.name)
        try:
            async for _ in files.read(Slot("label", 0)):
                own_redis.command("HINCRBY", f"{stack.name}:{{label-0}}:meta", ".rev", "1")
        finally:
            await files.close()

    with pytest.raises(Stop, match="was written to while it was read"):
        asyncio.run(read())


async def customers(redis: RedisInspection, partitions: int) -> int:
    return sum([await redis.customers(Slot("label", partition)) for partition in range(partitions)])
