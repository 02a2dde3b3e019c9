from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.live.stack import Stack
from tests.servers.kafka import KafkaServer
from tests.servers.redis import RedisServer


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A server that this test alone may kill, empty and rewind."""
    with RedisServer(appendfsync="always") as server:
        yield server


StackMaker = Callable[..., Stack]


@pytest.fixture
def stack_of(kafka: KafkaServer, redis_server: RedisServer, tmp_path: Path) -> Iterator[StackMaker]:
    """Makes stacks on the shared servers (or on others, by ``bootstrap`` and ``redis_url``) that end with the test."""
    with ExitStack() as stacks:

        def make(text: str, **how: Any) -> Stack:
            bootstrap, url = how.pop("bootstrap", kafka.bootstrap), how.pop("redis_url", redis_server.url)
            return stacks.enter_context(Stack(bootstrap, url, tmp_path, text, **how))

        yield make
