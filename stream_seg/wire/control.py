"""Control records: what steers a log travels in the log, marked by the header ``ss-control``.

==============  ==================================================  =======================================
kind            written by                                          means
==============  ==================================================  =======================================
``activate``    apply, LEARN                                        decide by this from here on
``tick``        the owner of an idle partition                      nothing; its append time moves the clock
``sources``     INGEST, feeder                                      the clock waits for exactly these sources
``progress``    INGEST, feeder, per source                          the source is read to the end as of then
``end``         feeder                                              bounded input: nothing follows
``passed-day``  LABEL, into ``samples``                             every sample up to then has been sent
``apply``       apply, into ``samples``                             LEARN, number and publish this definition
``order``       a person, into ``samples``                          LEARN, do this with the model versions
==============  ==================================================  =======================================
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeVar

import msgspec

from stream_seg.core.activation import Activation, Fill
from stream_seg.core.definition import Definition
from stream_seg.core.model import ModelVersion
from stream_seg.errors import Damaged, Stop
from stream_seg.ports import Message, Record

HEADER = "ss-control"
SOURCE = "ss-source"  # on records that INGEST wrote: <topic id>:<partition>:<offset> of the original

ACTIVATE, TICK, SOURCES, PROGRESS, END, PASSED_DAY, APPLY, ORDER = (
    "activate", "tick", "sources", "progress", "end", "passed-day", "apply", "order",
)  # fmt: skip


class Sources(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The sources whose progress makes the clock, by name; a source not listed is not waited for."""

    sources: tuple[str, ...]


class Progress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`source` has written everything up to `through` (ms)."""

    source: str
    through: int


class PassedDay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Events partition `partition` (of so many) has sent every sample dated at or before `through` (ms)."""

    partition: int
    partitions: int
    through: int


class Apply(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person's wish: put this definition in force in so many events partitions.

    `request` makes it recognisable when it is sent twice. `fill`: its new features were backfilled.
    """

    request: str
    partitions: int
    definition: Definition
    who: str
    at: int
    why: str
    fill: Fill | None = None


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a person wants done with the model versions; `request` makes it recognisable when it is sent twice.

    promote  put `model` in force, whichever version it is: customers adopt it on the daily walk, or now (`ramp`)
    rollback the same, with a version that was in force before, because what came after it is taken back
    freeze   go on learning, publish nothing; thaw: publish by yourself again
    retrain  refit now and propose what comes of it
    tier     the only one that freeze, thaw and retrain are about; None: every one
    """

    request: str
    kind: Literal["promote", "rollback", "freeze", "thaw", "retrain"]
    partitions: int
    who: str
    at: int
    why: str
    tier: str | None = None
    model: ModelVersion | None = None
    ramp: Literal["walk", "now"] = "walk"


V = TypeVar("V")


def kind_of(record: Record) -> str | None:
    """The kind of a control record, or None for an event."""
    for name, value in record.headers:
        if name == HEADER:
            return value.decode()
    return None


def activates(record: Record) -> bool:
    """Whether a record puts an activation in force."""
    return kind_of(record) == ACTIVATE


def with_headers(records: Sequence[Record]) -> list[tuple[int, Record]]:
    """The records that may be ours, each with its position: product events that producers wrote have no headers."""
    return [(i, record) for i, record in enumerate(records) if record.headers]


def control(topic: str, kind: str, value: msgspec.Struct | None, partition: int, *, barrier: bool = False) -> Message:
    """A control record for one partition of a log."""
    body = b"" if value is None else msgspec.json.encode(value)
    return Message(topic, None, body, ((HEADER, kind.encode()),), partition, barrier)


def read(record: Record, type_: type[V]) -> V:
    """The value of a control record.

    Raises `Stop` where it says what this version does not know, since such a log cannot be followed, and `Damaged`
    where it says nothing at all.
    """
    place = f"{record.topic}:{record.partition}:{record.offset}"
    try:
        return msgspec.json.decode(record.value or b"", type=type_)
    except msgspec.ValidationError as error:
        raise Stop(
            f"the control record at {place} cannot be read ({error}); was it written by a newer version?"
        ) from None
    except msgspec.DecodeError as error:
        raise Damaged(f"the control record at {place} is damaged ({error}); what was in force stays") from None


def order(record: Record) -> tuple[Order, str | None]:
    """An order, and what is wrong with its model where that cannot be read: then it is an order without one.

    A person's mistake must not stop LEARN: it refuses such an order, as it does one whose checksum does not hold.
    """
    try:
        return read(record, Order), None
    except Stop:
        bare = _without_model(record)
        if bare is None:
            raise
        return bare


def _without_model(record: Record) -> tuple[Order, str] | None:
    """An order of which only the model cannot be read, and why; None: more is wrong with it."""
    try:
        body = msgspec.json.decode(record.value or b"", type=dict[str, Any])
        model = body.pop("model", None)
        bare = msgspec.convert(body, Order)
    except msgspec.DecodeError:
        return None
    try:
        msgspec.convert(model, ModelVersion)
    except msgspec.ValidationError as error:
        return bare, str(error)
    return None


def activation(record: Record) -> Activation:
    """The activation in a control record, its models verified. Raises as `read` does, and `Damaged` for a model."""
    found = read(record, Activation)
    for tier in found.each:
        if tier.model is not None:
            tier.model.verify()
    return found
