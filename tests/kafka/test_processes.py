"""Workers as processes: killed, paused, asked to leave, with the broker going away under them."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stream_seg.adapters.kafka.admin import Admin
from stream_seg.adapters.kafka.connection import Broker
from stream_seg.adapters.kafka.stage import GOODBYE_SECONDS, StageSettings
from tests.kafka.recording import Recorder, fresh, numbered, running, send, settings
from tests.servers.kafka import KafkaServer

pytestmark = [pytest.mark.servers, pytest.mark.slow]
PATIENCE = 90.0


class Workers:
    """Worker processes of one group over one directory, and what they wrote down."""

    def __init__(self, kafka: KafkaServer, directory: Path, topic: str) -> None:
        self.kafka, self.directory, self.topic, self.group = kafka, directory, topic, fresh("group")
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, **more: object) -> subprocess.Popen[bytes]:
        given = {
            "bootstrap": self.kafka.bootstrap,
            "topic": self.topic,
            "group": self.group,
            "directory": str(self.directory),
            "session_seconds": 6.0,
            "heartbeat_seconds": 1.0,
            **more,
        }
        output = (self.directory / f"output-{len(self.processes)}").open("wb")
        with output:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.kafka.worker", json.dumps(given)], stdout=output, stderr=output
            )
        self.processes.append(process)
        return process

    def lines(self, what: str, worker: subprocess.Popen[bytes] | None = None) -> list[dict[str, Any]]:
        log = self.directory / "log"
        lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        return [x for x in lines if x["what"] == what and (worker is None or x["worker"] == worker.pid)]

    def output(self, number: int = 0) -> str:
        return (self.directory / f"output-{number}").read_text()

    def until(self, done: Callable[[], bool]) -> None:
        give_up = time.monotonic() + PATIENCE
        while not done():
            if time.monotonic() > give_up:
                lines = [line for n in range(len(self.processes)) for line in self.output(n).splitlines()]
                said = "\n".join([line for line in lines if " INFO " not in line][-40:] + lines[-40:])
                raise TimeoutError(f"workers never came there; they said:\n{said}")
            time.sleep(0.05)

    def next(self, partition: int) -> int:
        file = self.directory / f"next-{partition}"
        return int(file.read_text()) if file.exists() else 0

    async def committed(self, partition: int = 0) -> int | None:
        async with Admin(Broker(self.kafka.bootstrap)) as admin:
            return (await admin.log_range(self.topic, partition, self.group)).committed

    def end(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()


@pytest.fixture
def workers(kafka: KafkaServer, tmp_path: Path) -> Iterator[Workers]:
    them = Workers(kafka, tmp_path, kafka.create_topic(fresh("events"), 2))
    yield them
    them.end()


def send_now(kafka: KafkaServer, topic: str, count: int, first: int = 0) -> None:
    for partition in (0, 1):
        asyncio.run(send(kafka, topic, numbered(count, first), partition=partition))


def test_when_a_worker_is_killed_the_other_takes_over_and_nothing_is_lost(workers: Workers) -> None:
    first, second = workers.start(), workers.start()
    workers.until(lambda: all(workers.lines("open", w) for w in (first, second)))
    send_now(workers.kafka, workers.topic, 100)
    workers.until(lambda: workers.next(0) == workers.next(1) == 100)
    first.kill()
    send_now(workers.kafka, workers.topic, 100, first=100)
    workers.until(lambda: workers.next(0) == workers.next(1) == 200)
    for partition in (0, 1):
        at = 0
        for line in (x for x in workers.lines("applied") if x["partition"] == partition):
            assert line["first"] == at  # no hole, and nothing twice: the killed worker had applied what it took
            at = line["last"] + 1


def test_a_commit_of_an_assignment_that_ended_is_refused_for_ever(workers: Workers) -> None:
    zombie = workers.start(keep_committing=True)
    workers.until(lambda: len(workers.lines("commit", zombie)) > 4)
    assert all(line["commit"] for line in workers.lines("commit", zombie))
    zombie.send_signal(signal.SIGSTOP)
    before = len(workers.lines("commit", zombie))
    other = workers.start()
    workers.until(lambda: len(workers.lines("open", other)) == 2)
    assert all(line["commit"] for line in workers.lines("open", other))
    zombie.send_signal(signal.SIGCONT)
    workers.until(lambda: len(workers.lines("open", zombie)) >= 3)
    # Now that it owns a partition again, Kafka would take a commit: it is the old claims that must not get one.
    again = len(workers.lines("commit", zombie))
    old = {1, 2}
    for lease in old:
        workers.until(lambda: sum(x["lease"] == lease for x in workers.lines("commit", zombie)[again:]) > 5)  # noqa: B023 — awaited in this round
    late = [
        x for x in workers.lines("commit", zombie)[before + len(old) :] if x["lease"] in old
    ]  # some were on their way
    assert not any(line["commit"] for line in late)


def test_sigterm_finishes_the_batch_in_flight_commits_it_and_exits_0(workers: Workers) -> None:
    worker = workers.start(seconds=1.0, commit_seconds=1000.0)
    workers.until(lambda: len(workers.lines("open")) == 2)
    asyncio.run(send(workers.kafka, workers.topic, numbered(10)))
    workers.until(lambda: bool(workers.lines("begin")))
    worker.terminate()
    assert worker.wait(PATIENCE) == 0
    applied = workers.lines("applied")[-1]["last"] + 1
    assert asyncio.run(workers.committed()) == applied == workers.next(0)
    assert len(workers.lines("close")) == 2


def test_leaving_is_bounded_below_ten_seconds() -> None:
    settings = StageSettings("group", ("topic",), Broker("nowhere:1"))
    assert 2 * settings.finish_seconds + GOODBYE_SECONDS < 10


def test_a_second_ctrl_c_ends_the_process_at_once(workers: Workers) -> None:
    worker = workers.start(seconds=1000.0, finish_seconds=1000.0)
    workers.until(lambda: len(workers.lines("open")) == 2)
    asyncio.run(send(workers.kafka, workers.topic, numbered(10)))
    workers.until(lambda: bool(workers.lines("begin")))
    worker.send_signal(signal.SIGINT)
    workers.until(lambda: "finishing partitions" in workers.output())
    assert worker.poll() is None
    worker.send_signal(signal.SIGINT)
    assert worker.wait(PATIENCE) == 130
    assert workers.next(0) == 0


async def test_a_rebalance_commits_what_was_applied_before_the_partitions_go(kafka: KafkaServer) -> None:
    topic, group = kafka.create_topic(fresh("events"), 2), fresh("group")
    for partition in (0, 1):
        await send(kafka, topic, numbered(10), partition=partition)
    first, seen = Recorder(), []

    class Second(Recorder):
        def partition(self, topic: str, partition: int) -> Any:
            handler = super().partition(topic, partition)
            opened = handler.open

            async def look_first(commit: Any) -> int:
                async with Admin(Broker(kafka.bootstrap)) as admin:
                    seen.append((await admin.log_range(topic, partition, group)).committed)
                return await opened(commit)

            handler.open = look_first  # type: ignore[method-assign]  # looks before it opens
            return handler

    second = Second(start={0: 10, 1: 10})
    async with running(settings(kafka, topic, group, commit_seconds=1000.0), first):
        await first.until(lambda: len(first.values()) == 20)
        async with running(settings(kafka, topic, group), second):
            await second.until_called("open")
            await first.until_called("open", times=3)
    assert seen == [10]


def test_a_worker_waits_for_a_broker_and_a_topic_that_are_not_there_yet(tmp_path: Path) -> None:
    kafka = KafkaServer()
    with kafka:
        kafka.stop()
        workers = Workers(kafka, tmp_path, fresh("events"))
        try:
            worker = workers.start()
            workers.until(lambda: "trying again" in workers.output())
            kafka.start()
            workers.until(lambda: "has no topic" in workers.output())
            kafka.create_topic(workers.topic, 2)
            workers.until(lambda: len(workers.lines("open", worker)) == 2)
            # … and goes on when the broker goes away in the middle, in order or not, or does not answer.
            at = 0
            for away in (kafka.stop, kafka.kill):
                send_now(kafka, workers.topic, 50, first=at)
                at += 50
                workers.until(lambda: workers.next(0) == workers.next(1) == at)  # noqa: B023 — awaited in this round
                away()
                time.sleep(2)
                kafka.start()
            send_now(kafka, workers.topic, 50, first=at)
            at += 50
            workers.until(lambda: workers.next(0) == workers.next(1) == at)
            kafka.pause()
            time.sleep(8)  # longer than the session
            kafka.resume()
            send_now(kafka, workers.topic, 50, first=at)
            at += 50
            workers.until(lambda: workers.next(0) == workers.next(1) == at)
            assert worker.poll() is None
            for partition in (0, 1):
                offsets = [
                    o
                    for line in workers.lines("applied", worker)
                    if line["partition"] == partition
                    for o in range(line["first"], line["last"] + 1)
                ]
                assert offsets == list(range(at))
            # … and leaves in order although nobody is there to say goodbye to.
            kafka.kill()
            worker.terminate()
            assert worker.wait(PATIENCE) == 0
        finally:
            workers.end()
