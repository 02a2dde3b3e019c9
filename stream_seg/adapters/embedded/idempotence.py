"""Teaches aiokafka version 3 of InitProducerId, the oldest that the embedded broker answers with a producer id.

aiokafka 0.14 knows only version 0 of this request, which Apache Kafka answers and the embedded broker does not: an
idempotent producer cannot start. Version 3 (KIP-360) is the same question with two more fields, known to every
broker since Kafka 2.5; with it the embedded broker hands out producer ids and drops repeated sequence numbers.
"""

from __future__ import annotations

from aiokafka.protocol.api import RequestStruct, Response
from aiokafka.protocol.transaction import InitProducerIdRequest, InitProducerIdRequest_v0
from aiokafka.protocol.types import CompactString, Int16, Int32, Int64, Schema, TaggedFields


class InitProducerIdResponseV3(Response):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = 22
    API_VERSION = 3
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("producer_id", Int64),
        ("producer_epoch", Int16),
        ("tags", TaggedFields),
    )


class InitProducerIdRequestV3(RequestStruct):  # type: ignore[misc]  # aiokafka has no types
    FLEXIBLE_VERSION = True
    API_KEY = 22
    API_VERSION = 3
    RESPONSE_TYPE = InitProducerIdResponseV3
    SCHEMA = Schema(
        ("transactional_id", CompactString("utf-8")),
        ("transaction_timeout_ms", Int32),
        ("producer_id", Int64),
        ("producer_epoch", Int16),
        ("tags", TaggedFields),
    )


def _build(request: InitProducerIdRequest, version: type[RequestStruct]) -> RequestStruct:
    asked = (request._transactional_id, request._transaction_timeout_ms)  # noqa: SLF001 - aiokafka has no accessor
    if version.API_VERSION < 3:
        return version(*asked)
    return version(*asked, -1, -1, {})  # -1: no producer id yet


def teach_init_producer_id() -> None:
    """From now on aiokafka producers of this process ask in version 3 where the broker knows it. Safe to repeat."""
    InitProducerIdRequest._CLASSES = (InitProducerIdRequest_v0, InitProducerIdRequestV3)  # noqa: SLF001 - no registry
    InitProducerIdRequest.build = _build
