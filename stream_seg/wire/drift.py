"""What LEARN measures of drift, and what asks for a person's attention: the ``drift-metrics`` topic."""

from __future__ import annotations

from typing import Any

import orjson

from stream_seg.core.activation import Activation
from stream_seg.core.model import ModelVersion
from stream_seg.ports import Message
from stream_seg.wire.output import cloud_event
from stream_seg.wire.timestamps import rfc3339

DRIFT = "drift-metrics"


def waiting_message(model: ModelVersion, activation: Activation, moves: float, *, held: bool) -> Message:
    """A version waits for a person: it would move more customers than it may, or publishing is frozen."""
    most = activation.definition.learning.max_model_moves
    reason = "publishing is frozen" if held else f"more than the {most:.0%} that a version may move by itself"
    words = (
        f"version {model.version} would move {moves:.1%} of the customers and waits ({reason}); "
        f"look at it with `stream-seg model diff {activation.model.version if activation.model else 0} "
        f"{model.version}`, put it in force with `stream-seg model promote {model.version}`"
    )
    at = rfc3339(model.trained_at)
    body: dict[str, Any] = {
        "tier": model.tier,
        "subject": {"kind": "tier", "name": model.tier},
        "metric": "model_moves",
        "value": round(moves, 6),
        "threshold": most,
        "severity": "act",
        "words": words,
        "reference_from": rfc3339(activation.model.trained_at if activation.model else model.trained_at),
        "window_from": at,
        "as_of": at,
        "samples": model.samples,
        "model_version": model.version,
        "feature_set_version": model.feature_set_version,
    }
    id_ = f"{model.tier}:model_moves:{model.version}"
    headers = cloud_event("drift-metric", id_, activation.definition.name, at, model.tier.encode())
    return Message(DRIFT, model.tier.encode(), orjson.dumps(body), headers)
