"""What redis-py raises, as what the caller should do about it. No redis-py exception leaves this package."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

from redis import exceptions as driver

from stream_seg.errors import Stop, StreamSegError, Unavailable

# First words of error replies that pass by themselves or by an operator's hand while the worker waits.
PASSING = frozenset({
    "ASK", "BUSY", "CLUSTERDOWN", "FAILOVER", "LOADING", "MASTERDOWN", "MISCONF", "MOVED", "NOREPLICAS", "OOM",
    "READONLY", "REDIRECT", "TRYAGAIN",
})  # fmt: skip

REMEDIES = {
    "NOAUTH": "give the password in the Redis URL",
    "WRONGPASS": "correct user and password in the Redis URL",
    "NOPERM": "allow this user the commands and keys that docs/operating.md lists",
    "WRONGTYPE": "another program writes under this name: choose another name or remove its keys",
    "CROSSSLOT": "this is a mistake in stream_seg; please report it",
    "MISCONF": "free disk space on the Redis server; see its log",
    "OOM": "give Redis more memory (maxmemory) or more nodes",
    "READONLY": "the URL names a replica; writing goes on when it is promoted or the URL names the primary",
}

_REFUSED_LOGIN = (
    driver.AuthenticationError,
    driver.AuthorizationError,
    driver.AuthenticationWrongNumberOfArgsError,
    driver.NoPermissionError,
)
_PASSING_CLASSES = (
    driver.ConnectionError,
    driver.TimeoutError,
    driver.ReadOnlyError,
    driver.OutOfMemoryError,
    driver.ClusterError,
    driver.TryAgainError,
    driver.AskError,
    driver.RedisClusterException,
    OSError,
    TimeoutError,
)


def masked(url: str) -> str:
    """The URL as it may be shown: without user and password, also where they are given as query arguments.

    >>> masked("redis://ann:secret@db:6379/1")
    'redis://***@db:6379/1'
    """
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")
    netloc = f"***@{place[2]}" if place[1] else parts.netloc
    query = re.sub(r"(?i)\b(username|password)=[^&]*", r"\1=***", parts.query)
    return urlunsplit((parts.scheme, netloc, parts.path, query, parts.fragment))


def code_of(error: BaseException) -> str:
    """The code word of an error reply, also where an older server hides it inside a script's message."""
    status: str | None = getattr(error, "status_code", None)
    if status is not None and status != "ERR":
        return status
    text = str(error)
    first = text.partition(" ")[0].lstrip("-")
    if first in PASSING or first in REMEDIES:
        return first
    inside = re.search(r"-([A-Z]{3,})\b", text)
    return inside.group(1) if inside else first


def mapped(error: BaseException, where: str) -> StreamSegError:
    """`Unavailable` for what passes, `Stop` with a remedy for what a person must change.

    `where` names the server (masked). What is not known is a `Stop`: going on blindly could lose something.
    """
    if isinstance(error, StreamSegError):
        return error
    code = code_of(error)
    what = f"{type(error).__name__}: {error}" if not isinstance(error, driver.RedisError) else str(error)
    what = what.strip() or type(error).__name__
    remedy = f"; {REMEDIES[code]}" if code in REMEDIES else ""
    if isinstance(error, _REFUSED_LOGIN):
        return Stop(f"Redis at {where} refuses: {what}{remedy or '; correct user and password in the Redis URL'}")
    if isinstance(error, _PASSING_CLASSES) or code in PASSING:
        return Unavailable(f"Redis at {where}: {what}{remedy}")
    if isinstance(error, driver.InvalidResponse):
        return Stop(f"what answers at {where} does not speak Redis's protocol: {what}; correct the Redis URL")
    return Stop(f"Redis at {where} refuses: {what}{remedy}")
