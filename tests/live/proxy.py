"""A proxy before Redis that does something exactly before a script call arrives, or exactly after it took effect."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Literal, Self

from stream_seg.adapters.redis.link import Script
from tests.servers.redis import RedisServer

When = Literal["before", "after"]


class RedisProxy:
    """``with RedisProxy(redis) as proxy:`` — workers connect to `proxy.url`.

    `at` arms it once: at the next call of `script`, `then` runs, and the call (before) or its reply (after) goes
    nowhere: the connection is closed. With `hold`, the call waits for `release` instead, and goes on.
    """

    def __init__(self, redis: RedisServer) -> None:
        self._upstream = redis.port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._armed: tuple[bytes, When, Callable[[], None], bool] | None = None
        self._released = threading.Event()
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = [self._listener]
        self.fired = threading.Event()
        self.late_reply = b""  # to a call that was held

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"

    def at(self, script: Script, when: When, then: Callable[[], None], *, hold: bool = False) -> None:
        self.fired.clear()
        self._released.clear()
        self._armed = (script.sha, when, then, hold)

    def release(self) -> None:
        """Lets a held call go on."""
        self._released.set()

    def __enter__(self) -> Self:
        self._run(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join()

    def _run(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._upstream))
            except OSError:
                return
            self._sockets += [client, server]
            self._run(_Connection(self, client, server).requests)

    def take(self, data: bytes) -> tuple[When, Callable[[], None], bool] | None:
        """What was armed for the call in `data`, if any; it is armed no more."""
        if self._armed is None or self._armed[0] not in data:
            return None
        (_, when, then, hold), self._armed = self._armed, None
        return when, then, hold

    def wait(self) -> None:
        self._released.wait()


class _Connection:
    """One client's connection: requests in one thread, replies in another."""

    def __init__(self, proxy: RedisProxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy, self._client, self._server = proxy, client, server
        self._lose: Callable[[], None] | None = None  # the next reply, and what happens then
        self._held = False
        proxy._run(self.replies)

    def requests(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._client.recv(1 << 20):
                found = self._proxy.take(data)
                if found is not None:
                    when, then, hold = found
                    if when == "after":
                        self._lose = then
                    else:
                        then()
                        self._proxy.fired.set()
                        if not hold:
                            break
                        self._proxy.wait()
                        self._held = True
                self._server.sendall(data)
        self._close()

    def replies(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._server.recv(1 << 20):
                if self._held:
                    self._proxy.late_reply, self._held = data, False
                if self._lose is not None:
                    self._lose()
                    self._proxy.fired.set()
                    break
                with contextlib.suppress(OSError):  # a killed client hears nothing; what it sent still counts
                    self._client.sendall(data)
        self._close()

    def _close(self) -> None:
        for one in (self._client, self._server):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
