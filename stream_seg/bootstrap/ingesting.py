"""INGEST as a stage: its partitions, and what they all ask the servers for."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator

from stream_seg.adapters.kafka.admin import Admin
from stream_seg.adapters.kafka.partitions import PartitionHandler
from stream_seg.adapters.kafka.topics import group_name, topic_name
from stream_seg.bootstrap.connect import broker_of, now, producer_of, slots_of
from stream_seg.bootstrap.definition import in_force
from stream_seg.config import Config
from stream_seg.errors import StreamSegError, Unavailable
from stream_seg.pipeline.ingest import Ingest, IngestSettings
from stream_seg.ports import LogRange
from stream_seg.runtime.effects import Effects
from stream_seg.runtime.source import LiveSource, Rules
from stream_seg.telemetry import Telemetry, Traces

log = logging.getLogger(__name__)

REFRESH_SECONDS = 30.0  # how long after LABEL a changed mapping reaches INGEST at most


class IngestHandlers:
    """Makes the handler of each source partition that the group gives to this process.

    They share a producer, one connection for asking where logs end, and the definition in force.
    """

    def __init__(self, config: Config, telemetry: Telemetry, traces: Traces, *, embedded: bool) -> None:
        self._config = config
        self._telemetry = telemetry
        self._traces = traces
        self._embedded = embedded
        self._slots = slots_of(config)
        self._producer = producer_of(config)
        self._group = group_name(config.definition.name, "ingest")
        self._asking = asyncio.Lock()
        self._admin: Admin | None = None
        self._rules: Rules | None = None
        self._rules_until = 0.0

    def partition(self, topic: str, partition: int) -> PartitionHandler:
        async def log_range(number: int) -> LogRange:
            return await self._log_range(topic, number)

        settings = IngestSettings(group=self._group, trust_ends=not self._embedded)
        effects = Effects(self._slots, self._producer, log_range, telemetry=self._telemetry)
        told, traces = self._telemetry.partition(topic, partition), self._traces.partition(topic, partition)
        return LiveSource(lambda: Ingest(topic, partition, settings, _clock()), effects, self.rules, told, traces)

    async def rules(self) -> Rules:
        """The definition in force, read again every while. One that cannot be read again stays.

        Before LABEL has written any, that of the file holds: `run` and `apply` put it into the log.
        """
        if self._rules is not None and time.monotonic() < self._rules_until:
            return self._rules
        async with self._asking:
            try:
                activation = await in_force(self._config)
                events = topic_name(self._config.definition.name, "events")
                facts = await (await self._connected()).topic(events)
                if facts is None:
                    raise Unavailable(f"there is no topic {events} (stream-seg topics create)")
            except StreamSegError as error:
                await self._disconnect()
                if self._rules is None:
                    raise
                log.warning("%s; going on with the definition read before", error)
            else:
                definition = activation.definition if activation else self._config.definition
                self._rules = Rules(definition, facts.partitions)
            self._rules_until = time.monotonic() + REFRESH_SECONDS
            return self._rules

    async def _log_range(self, topic: str, partition: int) -> LogRange:
        async with self._asking:
            try:
                return await (await self._connected()).log_range(topic, partition, self._group)
            except StreamSegError:
                await self._disconnect()
                raise

    async def _connected(self) -> Admin:
        if self._admin is None:
            self._admin = await Admin(broker_of(self._config.kafka)).__aenter__()
        return self._admin

    async def _disconnect(self) -> None:
        if self._admin is not None:
            admin, self._admin = self._admin, None
            await admin.__aexit__(None, None, None)


def _clock() -> Iterator[int]:
    while True:
        yield now()
