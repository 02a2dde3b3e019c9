"""What a Redis server says of itself: version, role, memory, persistence, time. Read only."""

from __future__ import annotations

from collections.abc import Callable

from stream_seg.adapters.redis.link import CONNECT_SECONDS, REPLY_SECONDS, Link, Servers
from stream_seg.adapters.redis.resp import command
from stream_seg.errors import Stop
from stream_seg.pipeline.diagnosis import RedisFacts


async def server_facts(
    url: str, *, connect_seconds: float = CONNECT_SECONDS, reply_seconds: float = REPLY_SECONDS
) -> RedisFacts:
    """Asks the server at `url`. Raises `Unavailable` when it does not answer and `Stop` when it refuses."""
    link = Link(Servers(url, connect_seconds=connect_seconds, reply_seconds=reply_seconds))
    try:
        (info,) = await link.ask([command(b"INFO")])
        fsync = await _setting(link, b"appendfsync")
    finally:
        await link.close()
    told = dict(line.split(":", 1) for line in info.decode(errors="replace").splitlines() if ":" in line)
    valkey = told.get("valkey_version")
    return RedisFacts(
        server="Valkey" if valkey else "Redis",
        version=valkey or told.get("redis_version", "unknown"),
        role=told.get("role", "unknown"),
        max_memory=int(told.get("maxmemory", 0)),
        used_memory=int(told.get("used_memory", 0)),
        policy=told.get("maxmemory_policy", "unknown"),
        append_only=told.get("aof_enabled") == "1",
        append_fsync=fsync,
        loading=told.get("loading") == "1",
    )


async def clock_reading(url: str, now: Callable[[], int]) -> tuple[int, int, int]:
    """The server's clock and, from `now`, this host's just before and just after it: three times in ms.

    Raises as `server_facts`.
    """
    link = Link(Servers(url))
    try:
        await link.ask([command(b"PING")])  # connecting takes longer than asking
        before = now()
        ((seconds, microseconds),) = await link.ask([command(b"TIME")])
        after = now()
    finally:
        await link.close()
    return int(seconds) * 1000 + int(microseconds) // 1000, before, after


async def _setting(link: Link, name: bytes) -> str:
    """A setting's value; empty where the server does not let us ask (CONFIG is often forbidden)."""
    try:
        (answer,) = await link.ask([command(b"CONFIG", b"GET", name)])
    except Stop:
        return ""
    return answer[1].decode() if len(answer) == 2 else ""
