"""Records as a test writes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

WRITTEN = 1_717_149_600_000  # when a record was written unless a test says otherwise: 2024-05-31T10:00:00Z


@dataclass(frozen=True)
class Sent:
    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp: int = WRITTEN
    offset: int = 0
    topic: str = "shop.events.v1"
    partition: int = 3
    timestamp_type: int | None = 1


def segment(**changes: Any) -> dict[str, Any]:
    """A track call with everything that is read; a change to ``...`` leaves a field out."""
    usual: dict[str, Any] = {
        "type": "track",
        "messageId": "m-1",
        "userId": "C-1",
        "event": "Bought",
        "timestamp": "2024-05-31T10:00:00.250Z",
        "properties": {"price": 9.5, "sku": "S-1", "plan": "pro"},
    }
    return {name: value for name, value in (usual | changes).items() if value is not ...}


def sent(value: Mapping[str, Any] | bytes | None, **record: Any) -> Sent:
    return Sent(value if isinstance(value, bytes) or value is None else msgspec.json.encode(value), **record)


def cloud(data: bytes | None, **headers: str) -> Sent:
    """A CloudEvent in binary mode; ``content_type`` and ``ce_*`` as keywords."""
    usual = {"ce_specversion": "1.0", "ce_id": "1", "ce_source": "/shop", "ce_type": "order.placed"} | headers
    return Sent(
        data, headers=tuple((name.replace("content_", "content-"), text.encode()) for name, text in usual.items())
    )
