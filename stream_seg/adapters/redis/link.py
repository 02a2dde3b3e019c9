"""One connection to the Redis node that holds one slot, one request at a time, every error mapped."""

from __future__ import annotations

import asyncio
import hashlib
from importlib import resources
from typing import TYPE_CHECKING, Any

from redis import exceptions as driver
from redis.asyncio.connection import AbstractConnection, Connection, parse_url

from stream_seg.adapters.redis.errors import mapped, masked
from stream_seg.adapters.redis.resp import command
from stream_seg.errors import Stop

if TYPE_CHECKING:
    from collections.abc import Sequence

CONNECT_SECONDS = 2.0
REPLY_SECONDS = 5.0
MAX_REDIRECTS = 3

Reply = Any  # bytes, int, None or a list of replies, as the command has it
_UNKNOWN: list[Reply] = []  # the server does not know a script's hash: it was restarted, or is new


class Script:
    """A Lua script of this package, called by its hash.

    >>> len(Script("write").sha)
    40
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.text = resources.files(__package__).joinpath(f"{name}.lua").read_bytes()
        self.sha = hashlib.sha1(self.text, usedforsecurity=False).hexdigest().encode()  # Redis names scripts so


class Servers:
    """Where Redis is: one server, or some nodes of one cluster to ask first. The passwords stay inside.

    >>> Servers("redis://:secret@127.0.0.1:6379/0")
    Servers(redis://***@127.0.0.1:6379/0)
    """

    def __init__(
        self,
        urls: str | Sequence[str],
        *,
        connect_seconds: float = CONNECT_SECONDS,
        reply_seconds: float = REPLY_SECONDS,
    ) -> None:
        self._urls = [urls] if isinstance(urls, str) else list(urls)
        self._bounds = {"socket_connect_timeout": connect_seconds, "socket_timeout": reply_seconds}
        self._settings: list[dict[str, Any]] = []
        if not self._urls:
            raise Stop("no Redis URL is given; write it as redis://host:6379/0")
        try:
            self._settings += [dict(parse_url(url)) for url in self._urls]
            for turn in range(len(self._urls)):
                self.connection(turn, None)  # opens nothing; an unknown query argument shows here
        except (ValueError, TypeError, driver.RedisError) as error:
            raise Stop(f"{self}: {error}; write it as redis://host:6379/0") from None

    def __repr__(self) -> str:
        return f"Servers({', '.join(map(masked, self._urls))})"

    def connection(self, turn: int, moved_to: tuple[str, int] | None) -> AbstractConnection:
        """A connection, not yet open, to the node that a cluster named, else to the next of the URLs."""
        settings = self._settings[turn % len(self._settings)] | self._bounds
        kind: type[AbstractConnection] = settings.pop("connection_class", Connection)
        if moved_to is not None:
            host, port = moved_to
            settings |= {"host": host or settings.get("host", "localhost"), "port": port}
        # RESP2 and no CLIENT SETINFO: one round trip less on connect, and no pushes between replies.
        # No `retry`: what is tried again, and with which call id, is decided by the pipeline.
        return kind(**settings, protocol=2, driver_info=None)

    def where(self, turn: int, moved_to: tuple[str, int] | None) -> str:
        if moved_to is not None:
            return f"{moved_to[0]}:{moved_to[1]}"
        return masked(self._urls[turn % len(self._urls)])


class Link:
    """A lazily opened connection that carries one request at a time.

    After anything but a clean reply it is closed, so a late reply can never be taken for another request's.
    In a Redis Cluster it follows MOVED to the node that holds the keys (each link serves one slot only).
    """

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._turn = 0
        self._moved_to: tuple[str, int] | None = None
        self._connection: AbstractConnection | None = None
        self._one_at_a_time = asyncio.Lock()

    async def ask(self, request: Sequence[bytes], replies: int = 1) -> list[Reply]:
        """Sends whole commands (as few or many pieces of bytes as it likes) and reads as many replies.

        Raises
        ------
        Unavailable
            Redis did not answer in time or refuses for now. What was sent may or may not have been done.
        Stop
            Redis refuses for a reason that waiting does not change.
        """
        async with self._one_at_a_time:
            return await self._mapped(request, replies)

    async def call(self, script: Script, rest: Sequence[bytes], words: int) -> Reply:
        """Calls `script` with `rest`: the framed words behind the hash, `words` of them. Raises as `ask`."""
        called = [b"*%d\r\n$7\r\nEVALSHA\r\n$40\r\n%b\r\n" % (words + 2, script.sha), *rest]
        async with self._one_at_a_time:
            answers = await self._mapped(called, 1, unless_unknown=True)
            if answers is _UNKNOWN:
                answers = await self._mapped([command(b"SCRIPT", b"LOAD", script.text), *called], 2)
            return answers[-1]

    async def close(self) -> None:
        """Closes the connection; the next request opens a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)

    async def _mapped(self, request: Sequence[bytes], replies: int, *, unless_unknown: bool = False) -> list[Reply]:
        for _ in range(MAX_REDIRECTS):
            try:
                return await self._exchange(request, replies)
            except driver.MovedError as moved:  # nothing was done: the keys live on another node
                await self.close()
                self._moved_to = moved.node_addr
            except (driver.RedisError, driver.RedisClusterException, OSError) as error:
                if unless_unknown and isinstance(error, driver.NoScriptError):
                    return _UNKNOWN
                where = self._servers.where(self._turn, self._moved_to)
                await self.close()
                self._moved_to = None
                self._turn += 1
                raise mapped(error, where) from error
        where = self._servers.where(self._turn, self._moved_to)
        self._moved_to = None
        raise mapped(driver.ClusterError("its nodes send us from one to another"), where)

    async def _exchange(self, request: Sequence[bytes], replies: int) -> list[Reply]:
        if self._connection is None:
            self._connection = self._servers.connection(self._turn, self._moved_to)
        connection = self._connection
        answers: list[Reply] = []
        refused: driver.ResponseError | None = None
        try:
            await connection.send_packed_command(request, check_health=False)
            for _ in range(replies):
                try:
                    answers.append(await connection.read_response(disable_decoding=True))
                except driver.ResponseError as error:
                    refused = refused or error
        except BaseException:  # also when cancelled: a reply may still be on its way
            await self.close()
            raise
        if refused is not None:
            raise refused
        return answers
