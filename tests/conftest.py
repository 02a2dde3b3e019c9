"""The servers that tests share. Each starts once per run, and a run fails, never skips, where one cannot start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.kafka import KafkaServer, kafka_from_environment

if Path(__file__).with_name("servers").joinpath("redis.py").exists():
    from tests.servers.redis import redis_server

    __all__ = ["redis_server"]


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaServer]:
    """One broker for the whole run; tests keep apart by topic and group names. STREAM_SEG_KAFKA: use that one."""
    with kafka_from_environment() as server:
        yield server
