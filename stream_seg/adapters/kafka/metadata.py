"""A metadata request that brings topic ids. aiokafka speaks it up to version 5; ids came with version 10 (KIP-516).

A topic that is deleted and made anew keeps its name and loses its id: the guard of a log needs the id.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Schema, TaggedFields


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """`id` is empty where the broker does not tell one."""

    name: str
    id: str
    partitions: int
    replicas: int

    @property
    def guard(self) -> str:
        """One string that changes when the log is another one, or its keys would go elsewhere."""
        return f"{self.id}:{self.partitions}:murmur2"


class Uuid:
    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        return data.read(16)

    @classmethod
    def repr(cls, value: bytes) -> str:
        return str(uuid.UUID(bytes=value))


TEXT = CompactString("utf-8")
PARTITION = (
    ("error_code", Int16),
    ("partition", Int32),
    ("leader", Int32),
    ("leader_epoch", Int32),
    ("replicas", CompactArray(Int32)),
    ("isr", CompactArray(Int32)),
    ("offline_replicas", CompactArray(Int32)),
    ("tags", TaggedFields),
)
TOPIC = (
    ("error_code", Int16),
    ("topic", TEXT),
    ("topic_id", Uuid),
    ("is_internal", Boolean),
    ("partitions", CompactArray(*PARTITION)),
    ("authorized_operations", Int32),
    ("tags", TaggedFields),
)
BROKER = (("node_id", Int32), ("host", TEXT), ("port", Int32), ("rack", TEXT), ("tags", TaggedFields))


class MetadataResponse_v12(Response):  # noqa: N801 — named as aiokafka names its own
    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", CompactArray(*BROKER)),
        ("cluster_id", TEXT),
        ("controller_id", Int32),
        ("topics", CompactArray(*TOPIC)),
        ("tags", TaggedFields),
    )


class MetadataRequest_v12(RequestStruct):  # noqa: N801 — as above
    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 12
    RESPONSE_TYPE = MetadataResponse_v12
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", Uuid), ("topic", TEXT), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class TopicIdsRequest(Request[MetadataRequest_v12]):
    """Metadata of `topics` with ids; never creates one."""

    API_KEY = 3

    def __init__(self, topics: Sequence[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[MetadataRequest_v12]) -> Any:
        return request_struct_class([(bytes(16), topic, {}) for topic in self._topics], False, False, {})  # noqa: FBT003 — wire format
