"""The servers that tests share. Each starts once per run, and a run fails, never skips, where one cannot start."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.kafka import KafkaServer, kafka_from_environment

if Path(__file__).with_name("servers").joinpath("redis.py").exists():
    from tests.servers.redis import redis_server

    __all__ = ["redis_server"]


# A broker or a tool of Kafka's lives for minutes here: HotSpot's second compiler would take more than it gives.
os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with most slow tests first: none is left over for one process when the others have nothing more to do."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaServer]:
    """One broker for the whole run; tests keep apart by topic and group names. STREAM_SEG_KAFKA: use that one."""
    with kafka_from_environment() as server:
        yield server
