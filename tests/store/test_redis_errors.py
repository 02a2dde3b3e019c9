"""No redis-py exception leaves the adapter, whatever the server says; and what is said never shows a password."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from redis import exceptions as driver

from stream_seg.adapters.redis.errors import code_of, mapped, masked
from stream_seg.adapters.redis.inspection import RedisInspection
from stream_seg.adapters.redis.slots import RedisSlots
from stream_seg.errors import Stop, StreamSegError, Unavailable
from stream_seg.ports import Claim, Load, Packed, ReadOutbox, Slot, Trim, Write
from tests.store.listener import listening

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from stream_seg.adapters.redis.slots import SlotEffect

SLOT = Slot("label", 0)
EFFECTS: list[SlotEffect] = [
    Claim(SLOT),
    Load(SLOT, [b"ann"], due_until=1, ring=(0, 1)),
    Write(SLOT, 1, 0, b"a", ids=[b"ann"], records=Packed.of([b"1"])),
    ReadOutbox(SLOT),
    Trim(SLOT, 1, 1),
]


@asynccontextmanager
async def server_that_says(reply: bytes) -> AsyncIterator[str]:
    """A server that answers every piece of a request with the same bytes, and b"" by hanging up."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while reply and await reader.read(65536):
            writer.write(reply * 3)

    async with listening(answer) as port:
        yield f"redis://127.0.0.1:{port}/0"


def every_driver_error() -> Iterator[BaseException]:
    for name, kind in vars(driver).items():
        if isinstance(kind, type) and issubclass(kind, Exception):
            moved = issubclass(kind, driver.AskError)
            try:
                yield kind("1 127.0.0.1:7000" if moved else "said so")
            except TypeError:
                pytest.fail(f"{name} is made in a way that this test does not know")


def test_every_error_of_the_driver_becomes_one_of_ours() -> None:
    kinds = set()
    for error in every_driver_error():
        ours = mapped(error, "here")
        assert type(ours) in {Unavailable, Stop}, error
        kinds.add(type(error))
    assert len(kinds) > 25  # the walk found the driver's tree


@pytest.mark.parametrize(
    ("reply", "ours"),
    [
        (b"-LOADING Valkey is loading the dataset in memory\r\n", Unavailable),
        (b"-READONLY You can't write against a read only replica.\r\n", Unavailable),
        (b"-OOM command not allowed when used memory > 'maxmemory'.\r\n", Unavailable),
        (b"-CLUSTERDOWN The cluster is down\r\n", Unavailable),
        (b"-MASTERDOWN Link with MASTER is down\r\n", Unavailable),
        (b"-TRYAGAIN Multiple keys request during rehashing of slot\r\n", Unavailable),
        (b"-ASK 1 127.0.0.1:1\r\n", Unavailable),
        (b"-MISCONF Errors writing to the AOF file: No space left on device\r\n", Unavailable),
        (b"-BUSY Redis is busy running a script\r\n", Unavailable),
        (b"-NOREPLICAS Not enough good replicas to write.\r\n", Unavailable),
        (b"-ERR max number of clients reached\r\n", Unavailable),
        (b"-ERR Error running script (call to f_1): @user_script:9: -OOM command not allowed\r\n", Unavailable),
        (b"", Unavailable),
        (b"$100\r\ncut off", Unavailable),
        (b"-NOAUTH Authentication required.\r\n", Stop),
        (b"-WRONGPASS invalid username-password pair or user is disabled.\r\n", Stop),
        (b"-NOPERM User default has no permissions to run the 'evalsha' command\r\n", Stop),
        (b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n", Stop),
        (b"-CROSSSLOT Keys in request don't hash to the same slot\r\n", Stop),
        (b"-NOSCRIPT No matching script.\r\n", Stop),
        (b"-ERR Unexpected flag in script shebang: no-such-flag\r\n", Stop),
        (b"-ERR Error compiling script (new function): user_script:1: '=' expected\r\n", Stop),
        (b"-SOMETHING new in a later version\r\n", Stop),
        (b"HTTP/1.1 400 Bad Request\r\n", Stop),
    ],
)
async def test_whatever_a_server_says_every_effect_ends_in_one_of_our_errors(
    reply: bytes, ours: type[StreamSegError]
) -> None:
    async with server_that_says(reply) as url:
        for effect in EFFECTS:
            slots = RedisSlots(url, "shop", reply_seconds=0.5)
            with pytest.raises(ours):
                await slots.execute(effect)
            await slots.close()
        looks = RedisInspection(url, "shop", reply_seconds=0.5)
        with pytest.raises(ours):
            await looks.counts(SLOT)
        await looks.close()


async def test_nodes_that_send_us_round_in_circles_are_unavailable() -> None:
    async def to_itself(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            writer.write(b"-MOVED 1 127.0.0.1:%d\r\n" % writer.get_extra_info("sockname")[1])

    async with listening(to_itself) as port:
        slots = RedisSlots(f"redis://127.0.0.1:{port}", "shop")
        with pytest.raises(Unavailable, match="from one to another"):
            await slots.execute(Trim(SLOT, 1, 1))
        await slots.close()


def test_code_words_are_found_where_older_servers_hide_them() -> None:
    assert code_of(driver.ResponseError("Error running script: @user_script: 7: -READONLY You can't")) == "READONLY"
    assert code_of(driver.ResponseError("MISCONF Errors writing")) == "MISCONF"
    assert code_of(driver.ReadOnlyError("no", status_code="READONLY")) == "READONLY"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:secret@db:1/0", "redis://***@db:1/0"),
        ("rediss://ann:s%40cret@db:1", "rediss://***@db:1"),
        ("redis://db:1/0?password=secret&username=ann", "redis://db:1/0?password=***&username=***"),
        ("redis://db:1/0", "redis://db:1/0"),
        ("unix://:secret@/run/redis.sock", "unix://***@/run/redis.sock"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert masked(url) == shown
    assert "secret" not in repr(RedisSlots(url, "shop"))


@pytest.mark.parametrize(
    "url",
    ["http://:secret@db", "redis://:secret@db:port", "redis://:secret@db/0?nonsense=1", "redis://:secret@db?db=x"],
)
def test_a_url_that_makes_no_sense_stops_with_the_remedy(url: str) -> None:
    with pytest.raises(Stop, match="write it as redis://") as stopped:
        RedisSlots(url, "shop")
    assert "secret" not in str(stopped.value)
    with pytest.raises(Stop, match="no Redis URL"):
        RedisSlots([], "shop")
