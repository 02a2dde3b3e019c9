"""What LEARN publishes: versions, what each segment means, and how far it has come."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import orjson

from stream_seg.core.activation import Activation
from stream_seg.core.model import Float64, ModelVersion
from stream_seg.core.plan import Plan
from stream_seg.ports import Message
from stream_seg.wire.output import DEFINITIONS, MODELS, cloud_event
from stream_seg.wire.timestamps import rfc3339

LEARN_PROGRESS = "learn-progress"
KEPT = 20  # entries of a segment's history


class Happened(msgspec.Struct, frozen=True):
    """One entry of a segment's history."""

    at: str
    change: str
    model_version: int
    name: str


def model_message(model: ModelVersion, name: str) -> Message:
    """A version, whole. `name`: the definition's."""
    key = f"{model.tier}:{model.version}"
    headers = cloud_event("model", key, name, rfc3339(model.trained_at), key.encode())
    return Message(MODELS, key.encode(), msgspec.json.encode(model), headers)


def definition_messages(
    activation: Activation, plan: Plan, raw: Float64, x: Float64, history: dict[int, list[Happened]]
) -> list[Message]:
    """What each segment of a new version means, and the longer history of each (changed in place).

    raw  (customers, columns) the learner's table in real units; x: (customers, model columns) after clip and log1p
    """
    model = activation.model
    assert model is not None
    nearest = _nearest(model, x)
    population = raw.mean(axis=0)
    levers = {lever.segment: lever for lever in activation.definition.levers}
    at = rfc3339(activation.at)
    messages = []
    for segment, name in enumerate(model.segments):
        members = raw[nearest == segment]
        centre = members.mean(axis=0) if len(members) else population
        past = history.setdefault(segment, [])
        change = "updated" if past else "created"
        past.append(Happened(at, change, model.version, name))
        del past[:-KEPT]
        lever = levers.get(segment)
        share = len(members) / len(raw)
        body: dict[str, Any] = {
            "tier": model.tier,
            "segment": str(segment),
            "name": name,
            "description": f"{name[:1].upper()}{name[1:]}: {share:.0%} of the customers learned from.",
            "size": len(members),
            "share": round(share, 6),
            "profile": {
                column.name: {"center": float(centre[f]), "population": float(population[f])}
                for f, column in enumerate(plan.columns[: raw.shape[1]])
            },
            "lever": lever.lever if lever else None,
            "owner": lever.owner if lever else None,
            "active_from": at,
            "model_version": model.version,
            "history": [msgspec.to_builtins(entry) for entry in past],
            "change": change,
        }
        key = f"{model.tier}:{segment}"
        id_ = f"{key}:{model.version}"
        headers = cloud_event("segment-definition", id_, activation.definition.name, at, key.encode())
        messages.append(Message(DEFINITIONS, key.encode(), orjson.dumps(body), headers))
    return messages


def _nearest(model: ModelVersion, x: Float64) -> Any:
    """The segment of each row of x, (customers,)."""
    scale = np.array(model.scale)
    used = scale > 0
    low = np.array([-np.inf if v is None else v for v in model.clip_low])
    high = np.array([np.inf if v is None else v for v in model.clip_high])
    z = (np.clip(x, low, high)[:, used] - np.array(model.mean)[used]) / scale[used]
    centers = np.array(model.centers)[:, used]
    return np.argmin(((z[:, None, :] - centers[None]) ** 2).sum(axis=2), axis=1)


def passed_message(partition: int, through: int) -> Message:
    """LEARN is done with everything up to `through`: every activation before it is in the events log."""
    body = {"partition": partition, "through": through}
    return Message(LEARN_PROGRESS, b"%d" % partition, orjson.dumps(body), barrier=True)
