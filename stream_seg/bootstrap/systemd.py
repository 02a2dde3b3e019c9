"""What systemd is told of a service of ``Type=notify``: that it runs, that it is alive, that it ends.

Where nobody listens (`NOTIFY_SOCKET` is not set) nothing is said.
"""

from __future__ import annotations

import http.client
import os
import socket
import time
from collections.abc import Iterable, Mapping

from stream_seg.adapters.prometheus.serving import ask


class ServiceManager:
    """Who started this process and waits to hear of it.

    `patience`: so many seconds without a word, and it takes the process for dead; None: it does not watch.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        micro = environment.get("WATCHDOG_USEC", "")
        ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.patience = int(micro) / 1e6 if micro.isdecimal() and ours and self._address else None
        self._spoke = 0.0

    def ready(self) -> None:
        """The stages' processes run."""
        self._say("READY=1")

    def stopping(self) -> None:
        """They are asked to finish."""
        self._say("STOPPING=1")

    def look(self, ports: Iterable[int], host: str) -> None:
        """Says that all is alive where it is, three times in the time after which silence counts as death."""
        now = time.monotonic()
        if self.patience is None or now - self._spoke < self.patience / 3:
            return
        if all(_alive(host, port) for port in ports):
            self._say("WATCHDOG=1")
        self._spoke = now

    def _say(self, state: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.sendto(state.encode(), address)


def _alive(host: str, port: int) -> bool:
    """Whether the process behind a health port works, or does not listen yet: the supervisor sees those that end."""
    try:
        return ask(host, port, "livez")[0] == http.client.OK
    except ConnectionRefusedError:
        return True
    except (OSError, http.client.HTTPException):
        return False
