"""The pages that a process serves: what they say when, and that nobody who asks badly keeps others from asking."""

from __future__ import annotations

import asyncio
import socket
import time
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from stream_seg.adapters.kafka.connection import Broker
from stream_seg.adapters.kafka.stage import StageApp, StageSettings
from stream_seg.adapters.prometheus.counting import MOST_SEGMENTS, PrometheusTelemetry
from stream_seg.adapters.prometheus.serving import STUCK_SECONDS, Health, check_free, serve
from stream_seg.core.emission import CAUSES
from stream_seg.core.findings import Finding
from stream_seg.errors import ConfigError, Fenced, Stop
from stream_seg.pipeline.facts import InForceFacts, LabelFacts, LearnFacts, TierFacts
from stream_seg.telemetry import Telemetry
from stream_seg.wire.rejections import REMEDIES


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@pytest.fixture
def telemetry() -> PrometheusTelemetry:
    return PrometheusTelemetry("label")


@pytest.fixture
def served(telemetry: PrometheusTelemetry) -> tuple[int, Health]:
    port = free_port()
    return port, serve(telemetry, "127.0.0.1", port)


def get(port: int, page: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_ready_is_who_was_assigned_has_recovered_and_reaches_redis(
    telemetry: PrometheusTelemetry, served: tuple[int, Health]
) -> None:
    port, health = served
    assert get(port, "readyz") == (
        503,
        "the consumer group has not given out partitions yet\nRedis was not asked yet\n",
    )
    health.redis = True
    part = telemetry.partition("shop.events.v1", 2)
    telemetry.rebalanced()
    assert get(port, "readyz") == (503, "shop.events.v1 partition 2 reads its state\n")
    part.opened()
    assert get(port, "readyz") == (200, "ok\n")
    part.reopening(Fenced("another one owns it"))
    assert get(port, "readyz")[0] == 503
    part.opened()
    part.stopped(Stop("a person decides"))
    assert get(port, "readyz") == (503, "shop.events.v1 partition 2 has stopped and waits for a person\n")
    part.closed()  # it went to another worker: nothing is left to do here
    assert get(port, "readyz") == (200, "ok\n")
    health.redis = "Redis at 127.0.0.1:6379: connection refused"
    assert get(port, "readyz") == (503, f"Redis does not answer: {health.redis}\n")
    assert get(port, "livez") == (200, "ok\n")


def test_alive_is_who_turns(telemetry: PrometheusTelemetry, served: tuple[int, Health]) -> None:
    port, _ = served
    telemetry.turned_at = time.monotonic() - STUCK_SECONDS - 5
    assert get(port, "livez")[0] == 503
    telemetry.turned()
    assert get(port, "livez") == (200, "ok\n")


def test_many_who_scrape_and_many_who_never_finish_asking_do_not_keep_others_from_it(
    served: tuple[int, Health],
) -> None:
    port, _ = served
    stuck = [socket.create_connection(("127.0.0.1", port)) for _ in range(50)]
    try:
        for one in stuck:
            one.sendall(b"GET /metrics HTTP/1.1\r\nHost: ")
        with ThreadPoolExecutor(20) as threads:
            answers = list(threads.map(lambda _: get(port, "metrics"), range(200)))
        assert {status for status, _ in answers} == {200}
        assert all("stream_seg_build_info" in text for _, text in answers)
        assert get(port, "livez") == (200, "ok\n")
    finally:
        for one in stuck:
            one.close()


def test_a_port_that_is_taken_is_told_by_name(telemetry: PrometheusTelemetry, served: tuple[int, Health]) -> None:
    port, _ = served
    for listen in (lambda: check_free("127.0.0.1", port, 2), lambda: serve(telemetry, "127.0.0.1", port)):
        with pytest.raises(ConfigError, match=rf"run.metrics_port: cannot listen on 127.0.0.1:{port} .*in use"):
            listen()
    with pytest.raises(ConfigError, match=r"run\.metrics_port: cannot listen on nowhere\.invalid"):
        check_free("nowhere.invalid", port, 1)


def test_what_a_partition_showed_goes_with_it(telemetry: PrometheusTelemetry) -> None:
    part = telemetry.partition("shop.events.v1", 2)
    part.stands(5, 12)
    part.outbox(3, time.monotonic())
    series = {"stage": "label", "topic": "shop.events.v1", "partition": "2"}
    assert telemetry.meters.registry.get_sample_value("stream_seg_consumer_lag_records", series) == 7
    part.closed()
    assert telemetry.meters.registry.get_sample_value("stream_seg_consumer_lag_records", series) is None
    outbox = {"stage": "label", "partition": "2"}
    assert telemetry.meters.registry.get_sample_value("stream_seg_outbox_messages", outbox) is None


def test_what_waits_grows_older_while_nothing_is_done(telemetry: PrometheusTelemetry) -> None:
    part = telemetry.partition("shop.events.v1", 2)
    age = "stream_seg_outbox_oldest_seconds", {"stage": "label", "partition": "2"}
    part.outbox(3, time.monotonic() - 40)
    before = telemetry.meters.registry.get_sample_value(*age)
    assert before is not None
    assert before >= 40
    part.stands(5, 12)  # what a shell says each second, whatever its work hangs on
    after = telemetry.meters.registry.get_sample_value(*age)
    assert after is not None
    assert after > before
    part.outbox(0, None)
    part.stands(12, 12)
    assert telemetry.meters.registry.get_sample_value(*age) == 0


def test_of_a_past_no_clock_is_behind(telemetry: PrometheusTelemetry) -> None:
    part = telemetry.partition("shop.events.v1", 3)
    lag = "stream_seg_clock_lag_seconds", {"stage": "label", "partition": "3"}
    value = telemetry.meters.registry.get_sample_value
    part.facts(in_force(1, 1)._replace(clock=1_000))
    assert (value(*lag) or 0) > 1e9
    part.facts(in_force(1, 1)._replace(clock=1_000, bounded=True))
    part.stands(5, 5)
    assert value(*lag) == 0


def in_force(number: int, version: int, **names: str) -> LabelFacts:
    models = [InForceFacts("all", number, version, 0, {int(key[1:]): name for key, name in names.items()})]
    return LabelFacts(0, 0, 0, 0, 0, Counter(), Counter(), 0, 0, 0, models)


def test_of_two_models_the_newer_one_is_told_whichever_partition_speaks_last(telemetry: PrometheusTelemetry) -> None:
    ahead, behind = (telemetry.partition("shop.events.v1", number) for number in range(2))
    ahead.facts(in_force(9, 5, s0="Regulars", s7="New ones"))
    behind.facts(in_force(8, 4, s0="Loyal", s1="Guests"))
    version = "stream_seg_model_version", {"stage": "label", "tier": "all"}
    assert telemetry.meters.registry.get_sample_value(*version) == 5
    assert {(s, n) for _, s, n in telemetry.named} == {("0", "Regulars"), ("7", "New ones"), ("1", "Guests")}
    ahead.closed()
    assert telemetry.meters.registry.get_sample_value(*version) == 4
    assert {(s, n) for _, s, n in telemetry.named} == {("0", "Loyal"), ("1", "Guests")}
    behind.closed()
    assert telemetry.meters.registry.get_sample_value(*version) is None
    assert telemetry.named == []


def test_what_can_be_counted_is_at_0_before_the_first_so_that_the_first_is_an_increase() -> None:
    telemetry = PrometheusTelemetry("label")
    telemetry.partition("shop.events.v1", 0).facts(in_force(9, 5, s0="Regulars"))
    value = telemetry.meters.registry.get_sample_value
    for reason in REMEDIES:
        assert value("stream_seg_dead_letters_total", {"stage": "label", "reason": reason}) == 0
    for cause in CAUSES:
        assert value("stream_seg_movements_total", {"stage": "label", "tier": "all", "cause": cause}) == 0
    assert value("stream_seg_messages_published_total", {"stage": "label", "topic": "dead-letters"}) == 0
    learn = PrometheusTelemetry("learn").meters.registry.get_sample_value
    assert learn("stream_seg_dead_letters_total", {"stage": "learn", "reason": "too_late"}) is None


def test_what_learn_says_of_a_tier_goes_with_the_partition() -> None:
    telemetry = PrometheusTelemetry("learn")
    part = telemetry.partition("shop.samples.v1", 0)
    finding = Finding(metric="psi", subject="spend", value=3.0, severity="act", threshold=2.0)
    part.facts(LearnFacts(1_000, 86_400_000, [TierFacts("all", 10, 0, 0, held=False, waiting=0.4, findings=[finding])]))
    of_tier = {"stage": "learn", "tier": "all"}
    assert telemetry.meters.registry.get_sample_value("stream_seg_model_waiting", of_tier) == 1
    drift = {**of_tier, "subject": "spend", "method": "psi"}
    assert telemetry.meters.registry.get_sample_value("stream_seg_drift_severity", drift) == 2
    part.closed()
    assert telemetry.meters.registry.get_sample_value("stream_seg_model_waiting", of_tier) is None
    assert telemetry.meters.registry.get_sample_value("stream_seg_drift_severity", drift) is None


def test_segments_without_end_share_a_label(telemetry: PrometheusTelemetry) -> None:
    labels = {telemetry.segment(number) for number in range(1_000, 1_000 + 2 * MOST_SEGMENTS)}
    assert len(labels) == MOST_SEGMENTS + 1
    assert telemetry.segment(1_000) == "1000"
    assert telemetry.segment(None) == "none"


async def test_who_waits_for_kafka_is_alive() -> None:
    turns = 0

    class Counting(Telemetry):
        def turned(self) -> None:
            nonlocal turns
            turns += 1

    nothing: Any = None  # no partition is ever given out
    app = StageApp(
        StageSettings("shop-label", ("shop.events.v1",), Broker(f"127.0.0.1:{free_port()}")),
        nothing,
        telemetry=Counting(),
    )
    running = asyncio.create_task(app.run(signals=False))
    async with asyncio.timeout(60):
        while turns < 3:  # noqa: ASYNC110 — nobody calls back
            await asyncio.sleep(0.05)
    app.leave()
    assert await running == 0
