"""Servers that a configuration names, as adapters."""

from __future__ import annotations

import ssl
import time
from collections.abc import Sequence
from functools import cache, partial
from importlib import import_module

from stream_seg.adapters.embedded.idempotence import teach_init_producer_id
from stream_seg.adapters.kafka.connection import Broker, Login, calm
from stream_seg.adapters.kafka.producer import Producer
from stream_seg.adapters.kafka.ranges import Asked, piece
from stream_seg.adapters.kafka.topics import group_name, topic_name
from stream_seg.adapters.redis.slots import RedisSlots
from stream_seg.config import Config, KafkaSettings
from stream_seg.errors import ConfigError
from stream_seg.ports import Record
from stream_seg.telemetry import Telemetry, Traces


def broker_of(kafka: KafkaSettings) -> Broker:
    """Where Kafka is, and as whom it is asked. Raises `ConfigError` where a certificate cannot be used."""
    security, login = kafka.security, None
    if security.protocol.startswith("SASL"):  # and `check_kafka` saw to the rest
        login = Login(security.mechanism or "", security.username or "", security.secret or "")
    tls = _tls(security.ca_file, security.cert_file, security.key_file) if security.protocol.endswith("SSL") else None
    return Broker(",".join(kafka.bootstrap), login, tls)


@cache
def _tls(ca_file: str | None, cert_file: str | None, key_file: str | None) -> ssl.SSLContext:
    """Made once: files that change later are for the next process."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
        if cert_file is not None:
            context.load_cert_chain(cert_file, key_file)
    except (ssl.SSLError, OSError) as error:
        files = ", ".join(file for file in (ca_file, cert_file, key_file) if file)
        raise ConfigError(
            [f"kafka.security: {files}: {error}; each must be PEM, the key that of the certificate"]
        ) from None
    return context


def producer_of(config: Config) -> Producer:
    """A producer of the segmentation's topics, on any broker: who asks cannot tell whether it is embedded."""
    teach_init_producer_id()
    return Producer(broker_of(config.kafka), partial(topic_name, config.definition.name))


def slots_of(config: Config) -> RedisSlots:
    """The segmentation's slots."""
    return RedisSlots(config.redis.connection_url, config.definition.name)


async def piece_of(config: Config, topic: str, partition: int, offset: int, until: int) -> Sequence[Record]:
    """Some records of a topic's partition, from `offset` on and before `until`; none: there are none left."""
    return await piece(broker_of(config.kafka), Asked(topic, partition, offset, until))


def check_traces(config: Config) -> None:
    """Raises `ConfigError` where `run.traces` asks for an extra that is not installed."""
    if config.run.traces is None:
        return
    try:
        import_module("stream_seg.adapters.traces.otlp")
    except ModuleNotFoundError as error:
        raise ConfigError([f"run.traces: {error}; pip install 'stream_seg[traces]', or take the line out"]) from error


def traces_of(config: Config, stage: str, telemetry: Telemetry) -> Traces:
    """Who reports the spans of a stage: nobody, unless `run.traces` names a collector. LEARN has none."""
    if config.run.traces is None or stage == "learn":
        return Traces()
    check_traces(config)
    from stream_seg.adapters.traces.otlp import OtlpTraces  # noqa: PLC0415  # an extra

    calm(60.0, ("opentelemetry.exporter.otlp.proto.http.trace_exporter",))  # each try that fails is a line
    service = group_name(config.definition.name, stage)
    return OtlpTraces(config.run.traces, service, config.run.traces_headers, telemetry)


def now() -> int:
    """The wall clock, ms. It stamps ``decided_at`` and decides nothing."""
    return time.time_ns() // 1_000_000
