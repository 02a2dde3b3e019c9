"""Is everything as it has to be? Facts about the servers in, findings with a remedy out. Asks nobody itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec

from stream_seg.core.definition import SECOND

OLDEST_REDIS = (6, 2)  # XTRIM MINID and ZRANGE by score are in it
SKEW_WARN = SECOND
NO_TOPIC = "there is no such topic"
NEARLY_FULL = 0.85  # of maxmemory, as the alert StreamSegRedisNearFull has it

Status = Literal["ok", "warn", "fail"]


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at. `remedy` is empty where the status is ok.

    status   warn: within the working day, fail: now; as the alert for the same thing, where there is one
    place    server, topic, partitions, file …
    remedy   what to do; a command where one does it
    runbook  the page that has more of it
    """

    check: str
    status: Status
    detail: str
    remedy: str = ""
    place: str = ""
    runbook: str = ""


def runbook(name: str) -> str:
    """The page of a failure.

    >>> runbook("redis-down")
    'docs/runbooks/redis-down.md'
    """
    return f"docs/runbooks/{name}.md"


@dataclass(frozen=True, slots=True)
class RedisFacts:
    """What a Redis (or Valkey) server says of itself. Memory in bytes, 0: no limit."""

    server: str
    version: str
    role: str
    max_memory: int
    used_memory: int
    policy: str
    append_only: bool
    append_fsync: str  # "" where the server does not tell
    loading: bool


@dataclass(frozen=True, slots=True)
class TopicFault:
    """One thing about a topic that is not as needed. `key` None: there is no such topic."""

    topic: str
    key: str | None
    found: str
    needed: str
    remedy: str


def redis_findings(facts: RedisFacts, wanted_memory: int | None) -> list[Finding]:
    """What matters about the store: that it forgets nothing, survives a restart and has room."""
    return [_version(facts), _role(facts), _eviction(facts), _persistence(facts), _memory(facts, wanted_memory)]


def _version(facts: RedisFacts) -> Finding:
    numbers = tuple(int(part) for part in facts.version.split(".")[:2] if part.isdigit())
    detail = f"{facts.server} {facts.version}"
    if facts.server == "Redis" and numbers < OLDEST_REDIS:
        oldest = ".".join(map(str, OLDEST_REDIS))
        return Finding("redis version", "fail", detail, f"upgrade to Redis {oldest} or later, or to any Valkey")
    return Finding("redis version", "ok", detail)


def _role(facts: RedisFacts) -> Finding:
    if facts.loading:
        return Finding("redis role", "fail", "it is still loading its data", "wait until it has loaded")
    if facts.role != "master":
        return Finding("redis role", "fail", f"it is a {facts.role}", "name the primary in redis.url")
    return Finding("redis role", "ok", "primary")


def _eviction(facts: RedisFacts) -> Finding:
    if facts.policy != "noeviction":
        detail = f"maxmemory-policy is {facts.policy}: it forgets customers when it is full"
        return Finding("redis eviction", "fail", detail, "set maxmemory-policy noeviction")
    return Finding("redis eviction", "ok", "noeviction")


def _persistence(facts: RedisFacts) -> Finding:
    if not facts.append_only:
        detail = "appendonly is off: a restart loses every customer's state"
        return Finding("redis persistence", "warn", detail, "set appendonly yes and appendfsync everysec")
    if facts.append_fsync == "no":
        detail = "appendfsync is no: a power cut may lose half a minute, which workers then repeat"
        return Finding("redis persistence", "warn", detail, "set appendfsync everysec")
    return Finding("redis persistence", "ok", f"append-only file, fsync {facts.append_fsync or 'unknown'}")


def _memory(facts: RedisFacts, wanted: int | None) -> Finding:
    used = f"{_size(facts.used_memory)} in use"
    if facts.max_memory == 0:
        detail = f"{used}, no limit: the machine runs out before Redis refuses"
        return Finding("redis memory", "warn", detail, "set maxmemory below what the machine has")
    detail = f"{used} of {_size(facts.max_memory)}"
    if facts.used_memory > NEARLY_FULL * facts.max_memory:
        remedy = "raise maxmemory or add nodes before writes are refused"
        return Finding("redis memory", "fail", detail, remedy, runbook=runbook("redis-near-full"))
    if wanted is not None and facts.max_memory < wanted:
        remedy = f"raise maxmemory to {_size(wanted)} or lower redis.memory"
        return Finding("redis memory", "warn", f"{detail}, redis.memory asks for {_size(wanted)}", remedy)
    return Finding("redis memory", "ok", detail)


def topic_findings(name: str, needed: int, faults: list[TopicFault]) -> list[Finding]:
    """One finding per fault; one that all is well where there is none. Short retention is a warning."""
    found = []
    for fault in faults:
        status: Status = "warn" if fault.key in {"retention.ms", "max.message.bytes", "replicas"} else "fail"
        what = NO_TOPIC if fault.key is None else f"{fault.key} is {fault.found}, needed {fault.needed}"
        found.append(Finding("topic", status, what, fault.remedy, fault.topic))
    return found or [Finding("topics", "ok", f"{needed} topics of {name} are as needed")]


def input_finding(topic: str, partitions: int | None) -> Finding:
    """A topic that INGEST reads. It belongs to whoever produces: only that it is there is asked for."""
    if partitions is None:
        remedy = "create it, or take it out of input.topics"
        return Finding("input topic", "fail", NO_TOPIC, remedy, topic)
    return Finding("input topic", "ok", f"{partitions} partition(s)", place=topic)


def clock_finding(server: str, theirs: int, before: int, after: int, max_skew: int) -> Finding:
    """How far a server's clock (ms) is from this host's, which was read before and after asking it."""
    skew = 0 if before <= theirs <= after else (theirs - after if theirs > after else theirs - before)
    detail = (
        f"{server} is {abs(skew)} ms {'ahead of' if skew > 0 else 'behind'} this host" if skew else f"{server} agrees"
    )
    if abs(skew) <= SKEW_WARN:
        return Finding(f"clock {server}", "ok", detail)
    status: Status = "fail" if abs(skew) > max_skew else "warn"
    return Finding(f"clock {server}", status, detail, "run a time service (NTP) on both machines")


def append_finding(newest: int | None, now: int, max_skew: int) -> Finding:
    """Kafka tells no time; but a record appended in this host's future shows that the broker's clock is ahead."""
    if newest is None:
        return Finding("clock kafka", "ok", "nothing appended yet to compare with")
    ahead = newest - now
    if ahead <= SKEW_WARN:
        return Finding("clock kafka", "ok", f"newest append {max(-ahead, 0) / SECOND:,.0f} s ago")
    status: Status = "fail" if ahead > max_skew else "warn"
    detail = f"the newest record was appended {ahead} ms in this host's future"
    return Finding("clock kafka", status, detail, "run a time service (NTP) on broker and workers")


def _size(number: int) -> str:
    """Bytes as people read them.

    >>> _size(2 << 30), _size(1_500_000)
    ('2 GB', '1.4 MB')
    """
    for unit, factor in (("GB", 1 << 30), ("MB", 1 << 20)):
        if number >= factor:
            return f"{number / factor:.1f}".removesuffix(".0") + f" {unit}"
    return f"{number / 1024:.0f} kB"
