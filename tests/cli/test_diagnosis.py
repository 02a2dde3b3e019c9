"""What `doctor` makes of what the servers say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stream_seg.pipeline.diagnosis import (
    RedisFacts,
    TopicFault,
    append_finding,
    clock_finding,
    redis_findings,
    topic_findings,
)

GOOD = RedisFacts(
    server="Redis",
    version="7.2.4",
    role="master",
    max_memory=4 << 30,
    used_memory=1 << 30,
    policy="noeviction",
    append_only=True,
    append_fsync="everysec",
    loading=False,
)


def statuses(facts: RedisFacts, wanted: int | None = None) -> dict[str, str]:
    return {one.check: one.status for one in redis_findings(facts, wanted) if one.status != "ok"}


def test_a_redis_as_it_should_be_has_no_fault() -> None:
    assert statuses(GOOD, 2 << 30) == {}


@pytest.mark.parametrize(
    ("facts", "fault"),
    [
        (replace(GOOD, version="6.0.16"), {"redis version": "fail"}),
        (replace(GOOD, role="slave"), {"redis role": "fail"}),
        (replace(GOOD, loading=True), {"redis role": "fail"}),
        (replace(GOOD, policy="allkeys-lru"), {"redis eviction": "fail"}),
        (replace(GOOD, append_only=False), {"redis persistence": "warn"}),
        (replace(GOOD, append_fsync="no"), {"redis persistence": "warn"}),
        (replace(GOOD, max_memory=0), {"redis memory": "warn"}),
        (replace(GOOD, max_memory=1 << 30, used_memory=1 << 29), {"redis memory": "warn"}),
        (replace(GOOD, used_memory=(4 << 30) - 1), {"redis memory": "fail"}),
    ],
)
def test_each_fault_of_redis_is_one_finding(facts: RedisFacts, fault: dict[str, str]) -> None:
    assert statuses(facts, 2 << 30) == fault


def test_every_fault_has_a_remedy() -> None:
    bad = RedisFacts("Redis", "5.0.0", "slave", 0, 0, "allkeys-lru", append_only=False, append_fsync="", loading=False)
    assert all(one.remedy for one in redis_findings(bad, None) if one.status != "ok")
    assert len(redis_findings(bad, None)) == 5


def test_topics_that_lose_data_or_time_fail_and_short_retention_warns() -> None:
    faults = [
        TopicFault("shop.events.v1", None, "missing", "", "stream-seg topics create"),
        TopicFault("shop.samples.v1", "message.timestamp.type", "CreateTime", "LogAppendTime", "alter it"),
        TopicFault("shop.late-events.v1", "retention.ms", "1", "2", "alter it"),
    ]
    assert [one.status for one in topic_findings("shop", 10, faults)] == ["fail", "fail", "warn"]
    assert [one.status for one in topic_findings("shop", 10, [])] == ["ok"]


def test_a_clock_is_judged_only_by_what_lies_outside_the_time_of_asking() -> None:
    assert clock_finding("redis", 1_000, 900, 1_100, 5_000).status == "ok"
    assert clock_finding("redis", 2_000, 900, 1_100, 5_000).status == "ok"
    ahead = clock_finding("redis", 3_100, 900, 1_100, 5_000)
    assert (ahead.status, ahead.detail) == ("warn", "redis is 2000 ms ahead of this host")
    behind = clock_finding("redis", 900, 10_000, 10_100, 5_000)
    assert (behind.status, behind.detail) == ("fail", "redis is 9100 ms behind this host")


def test_a_record_appended_in_our_future_shows_a_broker_ahead() -> None:
    assert append_finding(None, 0, 5_000).status == "ok"
    assert append_finding(1_000, 60_000, 5_000).status == "ok"
    assert append_finding(12_000, 10_000, 5_000).status == "warn"
    assert append_finding(20_000, 10_000, 5_000).status == "fail"
