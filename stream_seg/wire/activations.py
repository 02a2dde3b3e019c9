"""The history of what was in force: the ``activations`` topic, one record for each, never deleted."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from stream_seg.core.activation import Activation
from stream_seg.errors import Stop
from stream_seg.ports import Message
from stream_seg.wire.output import cloud_event
from stream_seg.wire.timestamps import rfc3339

ACTIVATIONS = "activations"

Kind: TypeAlias = Literal["definition", "model", "promote", "rollback"]


class Activated(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One activation, without the definition and the model itself, which the log and ``models`` have.

    kind           definition: a person applied one (the first, or a changed one); model: LEARN put a version in force;
                   promote, rollback: a person did
    model_version  what labels from here on; None: there is no version yet
    at             RFC 3339: a person's clock, or the day's end at which LEARN decided
    """

    number: int
    kind: Kind
    tier: str
    model_version: int | None
    feature_set_version: str
    ramp: Literal["walk", "now"]
    who: str
    at: str
    why: str


def activation_message(activation: Activation, kind: Kind) -> Message:
    """What came into force, who decided it, when and why. Whatever is sent again is the same."""
    definition = activation.definition
    at, key = rfc3339(activation.at), b"%d" % activation.number
    body = Activated(
        number=activation.number,
        kind=kind,
        tier=definition.tier,
        model_version=activation.model.version if activation.model else None,
        feature_set_version=activation.feature_set_version,
        ramp=activation.ramp,
        who=activation.who,
        at=at,
        why=activation.why,
    )
    headers = cloud_event("activation", key.decode(), definition.name, at, key)
    return Message(ACTIVATIONS, key, msgspec.json.encode(body), headers)


def read_activated(value: bytes) -> Activated:
    """A record of the topic. Raises `Stop` where it cannot be read."""
    try:
        return msgspec.json.decode(value, type=Activated)
    except msgspec.DecodeError as error:
        raise Stop(
            f"a record of the activations topic cannot be read ({error}); was it written by a newer version?"
        ) from None
