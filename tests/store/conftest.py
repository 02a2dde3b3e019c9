"""Both stores behind one face, so that one suite holds them to the same meaning."""

from __future__ import annotations

import inspect
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from stream_seg.adapters.memory.slots import MemorySlots
from stream_seg.adapters.redis.inspection import RedisInspection
from stream_seg.adapters.redis.slots import RedisSlots
from tests.servers.redis import RedisServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from stream_seg.adapters.memory.slots import SlotEffect


class Store:
    """A store under test. Effects and looks are awaited whether the store is asynchronous or not."""

    def __init__(self, slots: MemorySlots | RedisSlots, looks: MemorySlots | RedisInspection) -> None:
        self._slots = slots
        self._looks = looks

    async def execute(self, effect: SlotEffect) -> Any:
        return await _result(self._slots.execute(effect))

    async def look(self, name: str, *arguments: object) -> Any:
        return await _result(getattr(self._looks, name)(*arguments))


async def _result(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.servers)])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "memory":
        memory = MemorySlots()
        yield Store(memory, memory)
        return
    server: RedisServer = request.getfixturevalue("redis_server")
    name = f"t-{uuid.uuid4().hex}"
    slots, looks = RedisSlots(server.url, name, claim_step=lambda: 1), RedisInspection(server.url, name)
    yield Store(slots, looks)
    await slots.close()
    await looks.close()


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A server that this test alone may kill, pause and rewind."""
    with RedisServer() as server:
        yield server
