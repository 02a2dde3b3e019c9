"""A stage as a process of its own, for tests that kill and pause it: ``python -m tests.kafka.worker <settings JSON>``.

It keeps its store in a directory that all workers of a test share: one file per partition with the next offset,
replaced as a whole, and one log of what was applied, by whom.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from stream_seg.adapters.kafka.connection import Broker
from stream_seg.adapters.kafka.partitions import Commit
from stream_seg.adapters.kafka.stage import StageApp, StageSettings, run_and_exit
from stream_seg.ports import Record


class FilePartition:
    def __init__(self, stage: FileStage, partition: int) -> None:
        self.stage = stage
        self.partition = partition
        self.offset = stage.directory / f"next-{partition}"

    async def open(self, commit: Commit) -> int:
        start = int(self.offset.read_text()) if self.offset.exists() else 0
        self.stage.say("open", self.partition, commit=await commit(start))
        if self.stage.keep_committing:
            number = self.stage.lease = self.stage.lease + 1
            self.stage.tasks.add(asyncio.create_task(self.go_on(commit, start, number)))
        return start

    async def go_on(self, commit: Commit, offset: int, number: int) -> None:
        """What a zombie would do: commits by an old claim, for ever."""
        while True:
            await asyncio.sleep(0.2)
            self.stage.say("commit", self.partition, lease=number, commit=await commit(offset))

    async def process(self, records: Sequence[Record]) -> int:
        self.stage.say("begin", self.partition)
        await asyncio.sleep(self.stage.seconds)
        self.stage.say("applied", self.partition, first=records[0].offset, last=records[-1].offset)
        fresh = self.offset.with_suffix(f".{os.getpid()}")
        fresh.write_text(str(records[-1].offset + 1))
        fresh.replace(self.offset)
        return records[-1].offset + 1

    async def idle(self) -> None: ...

    async def close(self) -> None:
        self.stage.say("close", self.partition)


class FileStage:
    def __init__(self, directory: Path, seconds: float, *, keep_committing: bool) -> None:
        self.directory = directory
        self.seconds = seconds
        self.keep_committing = keep_committing
        self.lease = 0
        self.tasks: set[asyncio.Task[None]] = set()

    def partition(self, topic: str, partition: int) -> FilePartition:  # noqa: ARG002 — StageHandler's signature
        return FilePartition(self, partition)

    def say(self, what: str, partition: int, **more: object) -> None:
        line = json.dumps({"worker": os.getpid(), "what": what, "partition": partition, **more})
        with (self.directory / "log").open("a") as log:  # appending one line is atomic
            log.write(line + "\n")


async def main(given: dict[str, object]) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    directory, seconds = Path(str(given.pop("directory"))), float(str(given.pop("seconds", 0)))
    stage = FileStage(directory, seconds, keep_committing=bool(given.pop("keep_committing", False)))
    broker, topic = Broker(str(given.pop("bootstrap"))), str(given.pop("topic"))
    settings = StageSettings(str(given.pop("group")), (topic,), broker, **given)  # type: ignore[arg-type]  # numbers
    await run_and_exit(StageApp(settings, stage))


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
