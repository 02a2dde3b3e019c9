"""The internals of Faust and aiokafka that the batch transport leans on, each with what is assumed about it.

Where one of these fails after an upgrade, read ``docs/faust.md`` and the module named here before anything else.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import faust
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.consumer.fetcher import Fetcher, FetchResult, PartitionRecords
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import Assignment, Subscription, SubscriptionState, TopicPartitionState
from aiokafka.producer.message_accumulator import MessageAccumulator, MessageBatch
from aiokafka.producer.sender import Sender
from faust.app.base import App, BootStrategy
from faust.transport.consumer import Consumer as BaseConsumer
from faust.transport.consumer import ConsumerThread
from faust.transport.consumer import Fetcher as FaustFetcher
from faust.transport.drivers import TRANSPORTS, by_url
from faust.transport.drivers import aiokafka as driver

from stream_seg.adapters.kafka.connection import Broker
from stream_seg.adapters.kafka.fetching import FetchThread
from stream_seg.adapters.kafka.partitions import Partitions
from stream_seg.adapters.kafka.stage import BatchFaust, StageSettings
from stream_seg.adapters.kafka.transport import Consumer, Transport, register
from stream_seg.telemetry import Telemetry


def parameters(of: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(of).parameters)


def source(of: Any) -> str:
    return inspect.getsource(of)


def test_the_versions_are_those_that_were_read() -> None:
    assert version("faust-streaming").startswith("0.15.")
    assert version("aiokafka").startswith("0.14.")


def test_the_url_scheme_finds_the_transport_also_where_the_package_is_not_installed() -> None:
    TRANSPORTS.aliases.pop("kafkabatch", None)
    register()
    assert by_url("kafkabatch://localhost:9092") is Transport


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Consumer.on_partitions_assigned, BaseConsumer.on_partitions_assigned),
        (Consumer.on_partitions_revoked, BaseConsumer.on_partitions_revoked),
        (Consumer.wait_empty, BaseConsumer.wait_empty),
        (Consumer.force_commit, BaseConsumer.force_commit),
        (Consumer.perform_seek, BaseConsumer.perform_seek),
        (Consumer.verify_event_path, driver.Consumer.verify_event_path),
        (Consumer._drain_messages, BaseConsumer._drain_messages),
        (Consumer._new_offset, BaseConsumer._new_offset),
        (Consumer._new_consumer_thread, driver.Consumer._new_consumer_thread),
        (FetchThread._create_worker_consumer, driver.AIOKafkaConsumerThread._create_worker_consumer),
        (FetchThread.on_start, driver.AIOKafkaConsumerThread.on_start),
        (BatchFaust._create_directories, App._create_directories),
    ],
)
def test_what_is_overridden_still_exists_with_the_same_parameters(
    ours: Callable[..., Any], theirs: Callable[..., Any]
) -> None:
    assert parameters(ours) == parameters(theirs)


def test_faust_drops_positions_only_inside_super_on_partitions_revoked() -> None:
    assert "_acked.pop" in source(BaseConsumer.on_partitions_revoked)  # why we commit before it


def test_faust_commits_through_force_commit_once_per_interval() -> None:
    assert "self.commit()" in source(BaseConsumer._commit_handler.fun)
    assert "self.force_commit(" in source(BaseConsumer.commit)


def test_faust_reads_only_through_drain_messages() -> None:
    assert "consumer._drain_messages(self)" in source(FaustFetcher._fetcher.fun)


def test_faust_seeks_after_a_rebalance_only_through_perform_seek() -> None:
    from faust.tables.recovery import Recovery

    assert source(Recovery._resume_streams).count("seek()") == 1
    assert "consumer.perform_seek()" in source(Recovery._resume_streams)


def test_the_thread_hands_its_consumer_to_the_rebalance_listener() -> None:
    assert "consumer.RebalanceListener(self)" in source(driver.AIOKafkaConsumerThread.__post_init__)
    assert parameters(ConsumerThread.__init__)[1] == "consumer"
    assert "self._thread" in source(driver.ConsumerRebalanceListener.__init__)


def test_the_boot_strategy_can_leave_out_producer_and_web() -> None:
    assert BootStrategy.enable_kafka_producer is None
    assert BootStrategy.enable_web is None
    assert "self.BootStrategy(self)" in source(App.__init__)


@pytest.mark.parametrize(
    ("attribute", "of"),
    [
        ("_fetch_max_wait_ms", AIOKafkaConsumer.start),
        ("_max_partition_fetch_bytes", AIOKafkaConsumer.start),
        ("_isolation_level", AIOKafkaConsumer.start),
        ("_coordinator", AIOKafkaConsumer.commit),
        ("_subscription", AIOKafkaConsumer.commit),
        ("_records", Fetcher.__init__),
        ("_fetch_max_wait_ms", Fetcher._get_actions_per_node),
        ("generation", GroupCoordinator._do_commit_offsets),
        ("member_id", GroupCoordinator._do_commit_offsets),
        ("_in_flight", Fetcher._get_actions_per_node),
        ("_batches", MessageAccumulator.__init__),
        ("_pending_batches", MessageAccumulator.__init__),
        ("_drain_waiter", MessageBatch.__init__),
        ("_sender", AIOKafkaProducer.__init__),
        ("_message_accumulator", AIOKafkaProducer.__init__),
        ("_closed", AIOKafkaProducer.__del__),
        ("sender_task", AIOKafkaProducer.stop),
    ],
)
def test_aiokafka_uses_the_attributes_that_are_read_or_set(attribute: str, of: Callable[..., Any]) -> None:
    assert f"self.{attribute}" in source(of) or f"self._sender.{attribute}" in source(of)


def test_fetched_records_takes_from_the_named_partitions_and_never_waits_with_timeout_0() -> None:
    assert parameters(Fetcher.fetched_records) == ["self", "partitions", "timeout", "max_records"]
    assert "if drained or not timeout:" in source(Fetcher.fetched_records)
    assert parameters(Fetcher._create_fetch_waiter) == ["self"]


def test_records_of_a_fetch_are_made_one_by_one_by_a_method_that_an_instance_can_replace() -> None:
    assert parameters(PartitionRecords._consumer_record) == ["self", "tp", "record"]
    assert "self._consumer_record(tp, record)" in source(PartitionRecords._unpack_records)
    assert "self._partition_records = partition_records" in source(FetchResult.__init__)
    assert "self._records[tp] = FetchResult(" in source(Fetcher._proc_fetch_request)


def test_a_new_assignment_is_a_new_object_and_the_state_of_a_partition_tells_its_position() -> None:
    assert "Assignment(topic_partitions)" in source(Subscription._assign)
    assert "__eq__" not in vars(Assignment)
    assert isinstance(TopicPartitionState.position, property)
    assert isinstance(SubscriptionState.reassignment_in_progress, property)
    assert parameters(Assignment.state_value) == ["self", "tp"]


def test_a_commit_reads_the_generation_when_it_is_sent_and_raises_when_kafka_refuses() -> None:
    assert "raise Errors.CommitFailedError" in source(GroupCoordinator.commit_offsets)
    assert parameters(GroupCoordinator.check_errors) == ["self"]


def test_a_producer_that_is_idempotent_never_gives_a_batch_up_by_itself() -> None:
    assert "_txn_manager is None and batch.expired()" in source(inspect.getmodule(Sender))  # why calls bound their wait


async def test_the_app_is_set_up_as_the_traps_ask_for() -> None:
    async def nothing(*_: object) -> None: ...

    settings = StageSettings("shop-label", ("shop.events.v1",), Broker("a:1,b:2"))
    stage: Any = nothing
    app = BatchFaust(settings, Partitions(stage, finish_seconds=1, telemetry=Telemetry()))
    conf = app.conf
    assert isinstance(app, faust.App)
    assert [str(url) for url in conf.broker_consumer] == ["kafkabatch://a:1", "kafkabatch://b:2"]
    assert conf.id == "shop-label"
    assert (conf.broker_session_timeout, conf.broker_heartbeat_interval) == (10.0, 3.0)
    assert conf.consumer_auto_offset_reset == "none"
    assert conf.topic_disable_leader
    assert not conf.topic_allow_declare
    assert conf.table_standby_replicas == 0
    assert conf.broker_max_poll_interval > 365 * 24 * 3600
    assert not app.in_transaction
    boot: Any = app.boot_strategy
    assert not boot._should_enable_web()
    assert not boot._should_enable_kafka_producer()
    assert [agent.concurrency for agent in app.agents.values()] == [1]
    assert not app.tables
