"""The subscribers in examples/ tell every movement of a real run once, and say which one did not reach them."""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stream_seg.adapters.kafka.admin import Admin
from stream_seg.bootstrap.connect import broker_of
from stream_seg.bootstrap.feeding import feed_live
from stream_seg.core.definition import DAY
from tests.live.oracle import check
from tests.live.stack import PATIENCE, Stack, Worker, wait_for
from tests.live.workload import START, WEEKS, weeks
from tests.servers.kafka import KafkaServer
from tests.servers.redis import RedisServer

pytestmark = [pytest.mark.servers, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples/subscriber"
PYTHON = [sys.executable, str(EXAMPLES / "python/subscriber.py")]
LANGUAGES = ["python", "java"]
AGAIN = 40  # movements that are published twice


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """How each is started; Java's is built as its page says, in a copy."""
    for tool, package in {"java": "default-jre-headless", "javac": "default-jdk-headless", "mvn": "maven"}.items():
        assert shutil.which(tool), f"{tool} is not installed (Debian: apt-get install {package})"
    place = tmp_path_factory.mktemp("java") / "subscriber"
    shutil.copytree(EXAMPLES / "java", place, ignore=shutil.ignore_patterns("target"))
    built = subprocess.run(["mvn", "-q", "-B", "package"], cwd=place, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return {"python": PYTHON, "java": ["java", "-Xmx128m", "-jar", str(place / "target/subscriber.jar")]}


class Subscriber:
    """One program in a group of its own, ended and started again as it pleases the test."""

    def __init__(self, stack: Stack, program: list[str], language: str, topic: str) -> None:
        self.stack, self.topic, self.group = stack, topic, f"{topic}-{language}"
        places = str(stack.directory / f"{self.group}.db")
        self._command = [*program, stack.bootstrap, topic, self.group, places]
        self._runs: list[Worker] = []
        self.start()

    def start(self) -> None:
        self._runs.append(self.stack._launch(self._command))

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """In order: exit code 0, and everything that it acted on is committed."""
        self._runs[-1].signal(number)
        assert self._runs[-1].process.wait(PATIENCE) == 0, self.said()

    def catch_up(self) -> None:
        self.stack.until(lambda: committed(self.stack, self.topic, self.group), f"{self.group} has read all")

    def said(self) -> str:
        return "".join(run.output() for run in self._runs)

    def lines(self, word: str) -> list[str]:
        return sorted(line for line in self.said().splitlines() if line.startswith(word))

    def total(self, what: str) -> int:
        return sum(int(count) for count in re.findall(rf"(\d+) {what}", self.said()))


def committed(stack: Stack, topic: str, group: str) -> bool:
    """Whether a group has given back the whole topic as done."""

    async def ask() -> bool:
        async with Admin(broker_of(stack.config.kafka)) as admin:
            ranges = [await admin.log_range(topic, partition, group) for partition in range(stack.partitions)]
            return all((one.committed or 0) >= one.next for one in ranges)

    return wait_for(ask())


class Shop:
    """Weeks of a real run, followed live by both subscribers, which are stopped and started again on the way."""

    def __init__(self, stack: Stack, programs: dict[str, list[str]]) -> None:
        self.stack, self.programs = stack, programs
        stack.activate()
        stack.start("label")
        stack.start("learn")
        self.following = self.followed(stack.topic("segment-changes"))
        asyncio.run(feed_live(stack.config, weeks(5), self._on, lambda: None))
        stack.settle("label", "learn", "label")
        self.movements: dict[str, dict[str, Any]] = check(stack)["segment-changes"]
        self.records = stack.read("segment-changes")
        for record in self.records[:: len(self.records) // AGAIN][:AGAIN]:
            stack.produce([(record.key, record.value)], "segment-changes", headers=list(record.headers))

    def followed(self, topic: str) -> dict[str, Subscriber]:
        return {language: Subscriber(self.stack, self.programs[language], language, topic) for language in LANGUAGES}

    def _on(self, _: int, through: int) -> None:
        if (through - START) // DAY == 12:
            for subscriber in self.following.values():
                subscriber.stop()
                subscriber.start()


@pytest.fixture(scope="module")
def shop(
    kafka: KafkaServer,
    redis_server: RedisServer,
    programs: dict[str, list[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Shop]:
    with Stack(kafka.bootstrap, redis_server.url, tmp_path_factory.mktemp("shop"), WEEKS) as stack:
        yield Shop(stack, programs)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_movement_is_acted_on_once_and_nothing_is_missing(shop: Shop, language: str) -> None:
    subscriber = shop.following[language]
    subscriber.catch_up()
    subscriber.stop(signal.SIGINT)
    assert subscriber.lines("moved") == sorted(map(line_of, shop.movements.values()))
    assert len(shop.movements) > 200
    assert subscriber.total("acted on") == len(shop.movements)
    assert subscriber.total("repeated") >= AGAIN
    assert subscriber.lines("hole") == []


def test_a_movement_that_does_not_come_is_a_hole_and_the_next_is_acted_on(shop: Shop, kafka: KafkaServer) -> None:
    lost = next(m for m in shop.movements.values() if m["sequence"] == 2 and followed_up(m, shop.movements))
    name = f"{lost['customer_id']}:{lost['incarnation']}"
    topic = kafka.create_topic(f"{shop.stack.name}.cut", shop.stack.partitions)
    shop.stack.produce([(r.key, r.value) for r in shop.records if f'"{lost["id"]}"'.encode() not in r.value], topic)
    left = [m for m in shop.movements.values() if m["id"] != lost["id"]]
    for subscriber in shop.followed(topic).values():
        subscriber.catch_up()
        subscriber.stop()
        assert subscriber.lines("moved") == sorted(map(line_of, left))
        who, _, incarnation = name.rpartition(":")
        assert subscriber.lines("hole") == [f"hole {who} incarnation {incarnation}: 2 to 2 did not come"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_no_movement_stops_it_with_its_place(shop: Shop, kafka: KafkaServer, language: str) -> None:
    topic = kafka.create_topic(f"{shop.stack.name}.{language}", shop.stack.partitions)
    movement = shop.records[0]
    shop.stack.produce([(movement.key, movement.value)], topic, partition=1)
    subscriber = Subscriber(shop.stack, shop.programs[language], language, topic)
    subscriber.catch_up()
    shop.stack.produce([(b"ann", b'{"customer_id": "ann"}')], topic, partition=1)
    run = subscriber._runs[-1]
    assert run.process.wait(PATIENCE) == 1
    assert f"{topic}, partition 1, offset 1 is no movement (fields are missing)" in run.output()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_word_too_few_is_a_mistake_in_use(programs: dict[str, list[str]], language: str) -> None:
    done = subprocess.run([*programs[language], "127.0.0.1:9092"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "BOOTSTRAP TOPIC GROUP PLACES" in done.stderr


def test_what_python_needs_is_pinned_as_here() -> None:
    pins = (EXAMPLES / "python/requirements.txt").read_text("utf-8").split("\n", 1)[1]
    assert pins.startswith("confluent-kafka==")
    assert pins in (ROOT / "constraints.txt").read_text("utf-8")


def line_of(movement: dict[str, Any]) -> str:
    before, now = movement["previous_segment"] or "none", movement["segment"] or "none"
    return f"moved {movement['id']} from {before} to {now} by {movement['cause']}"


def followed_up(movement: dict[str, Any], movements: dict[str, Any]) -> bool:
    return f"{movement['customer_id']}:{movement['incarnation']}:{movement['sequence'] + 1}" in movements
