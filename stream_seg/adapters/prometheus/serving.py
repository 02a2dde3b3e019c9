"""``/metrics``, ``/livez``, ``/readyz`` of one process, in a thread of their own: they answer while a batch computes.

::

    GET /livez    200  the event loop turns and Kafka is polled           503  it does not: restart the process
    GET /readyz   200  joined, every partition has read its state, Redis answers      503  not yet, or not any more
    GET /metrics  200  what Prometheus scrapes

Both health pages say why in plain text. A server that is away makes a worker not ready, never dead: it waits for it.
"""

from __future__ import annotations

import asyncio
import http.client
import socket
import threading
import time
from typing import NoReturn

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from stream_seg.adapters.prometheus.counting import PrometheusTelemetry
from stream_seg.errors import ConfigError

STUCK_SECONDS = 60.0  # without a turn of the event loop: a batch takes milliseconds, a refit of LEARN seconds
ANSWER_SECONDS = 2.0  # the pages are answered by a thread of their own, also while a batch computes
# What `/readyz` says of what is wrong in words that `doctor` knows again.
TURNED_NOT, NO_REDIS, HALTED = "nothing has turned for", "Redis does not answer", "has stopped and waits for a person"


class Health:
    """What the two pages say. `redis` is None before it was first asked; a string is why it does not answer."""

    def __init__(self, telemetry: PrometheusTelemetry) -> None:
        self._telemetry = telemetry
        self.redis: bool | str | None = None

    def live(self) -> list[str]:
        """What is wrong for good."""
        silent = time.monotonic() - self._telemetry.turned_at
        return [f"{TURNED_NOT} {silent:.0f} s"] if silent > STUCK_SECONDS else []

    def ready(self) -> list[str]:
        """What is still missing."""
        missing = self.live()
        if not self._telemetry.joined:
            missing.append("the consumer group has not given out partitions yet")
        if self.redis is not True:
            missing.append("Redis was not asked yet" if self.redis is None else f"{NO_REDIS}: {self.redis}")
        for part in sorted(self._telemetry.assigned.values(), key=lambda part: part.number):
            if not part.open:
                state = HALTED if part.halted else "reads its state"
                missing.append(f"{part.topic} partition {part.number} {state}")
        return missing


def _application(telemetry: PrometheusTelemetry, health: Health) -> web.Application:
    async def metrics(_: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(telemetry.meters.registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    async def livez(_: web.Request) -> web.Response:
        return _answer(health.live())

    async def readyz(_: web.Request) -> web.Response:
        return _answer(health.ready())

    application = web.Application()
    application.router.add_get("/metrics", metrics)
    application.router.add_get("/livez", livez)
    application.router.add_get("/readyz", readyz)
    return application


def _answer(missing: list[str]) -> web.Response:
    return web.Response(text="\n".join(missing or ["ok"]) + "\n", status=503 if missing else 200)


def ask(host: str, port: int, page: str) -> tuple[int, str]:
    """Status and text of one page of a worker; raises what `http.client` raises, `ConnectionRefusedError` too."""
    connection = http.client.HTTPConnection(host, port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", f"/{page}")
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        connection.close()


def check_free(host: str, first: int, count: int) -> None:
    """Raises `ConfigError` where one of so many ports in a row cannot be listened on."""
    for port in range(first, first + count):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                one.bind((host, port))
            except (OSError, OverflowError) as error:
                raise _cannot_listen(host, port, error) from error


def _cannot_listen(host: str, port: int, error: Exception) -> ConfigError:
    why = getattr(error, "strerror", None) or str(error)
    return ConfigError([f"run.metrics_port: cannot listen on {host}:{port} ({why}); choose another, or 0 for none"])


def serve(telemetry: PrometheusTelemetry, host: str, port: int) -> Health:
    """Begins to listen; ends with the process. Raises `ConfigError` where the address cannot be had."""
    health = Health(telemetry)
    began = threading.Event()
    failed: list[OSError] = []

    async def run() -> NoReturn:
        runner = web.AppRunner(_application(telemetry, health), access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port, backlog=64).start()
        except OSError as error:
            failed.append(error)
        finally:
            began.set()
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    threading.Thread(target=lambda: asyncio.run(run()), name="metrics", daemon=True).start()
    began.wait()
    if failed:
        raise _cannot_listen(host, port, failed[0])
    return health
