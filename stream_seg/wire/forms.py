"""Which form a record has, and the same event as Segment-spec JSON.

Segment-spec JSON stays as it is, byte for byte. CloudEvents (structured and binary) and rows under a declared mapping
are rewritten, so everything after this module knows one form only. In this order:

1. a ``ce_specversion`` header: CloudEvent in binary mode, the value is its data
2. ``content-type: application/cloudevents+json``, or ``specversion`` in the object: CloudEvent in structured mode
3. ``type`` is one of Segment's and ``userId`` or ``anonymousId`` is there, or no mapping is declared: Segment spec
4. the declared mapping

The data of a CloudEvent is an object or nothing. If it is a Segment call (as in 3.) the CloudEvent is its envelope, and
says the time, the message id and the customer only where the call does not. Any other data becomes the properties of a
track call: `type` is the event's name, `subject` the customer, `time` the timestamp, `source` and `id` the message id.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import Raw

from stream_seg.core.definition import Mapping
from stream_seg.core.grammar import EVENT_TYPES
from stream_seg.errors import BadEvent
from stream_seg.ports import Headers, Record
from stream_seg.wire.customers import usable
from stream_seg.wire.json_errors import check_text, explain
from stream_seg.wire.mapping import event_from_row, original_paths
from stream_seg.wire.rejections import rejection

CLOUDEVENTS = b"application/cloudevents"
STRUCTURED = b"application/cloudevents+json"
NOT_THERE = Raw(b"")
Named = Annotated[str, msgspec.Meta(min_length=1)]
SAME_PATHS: dict[str, str] = {}
_T = TypeVar("_T")


class Opened(NamedTuple):
    """A record as Segment-spec JSON. `paths`: where its parts stood in the record, if elsewhere (prefix -> prefix)."""

    json: bytes
    paths: dict[str, str]

    def placed(self, error: BadEvent) -> BadEvent:
        """An error about `json` with the path in the record."""
        for here in sorted(self.paths, key=len, reverse=True):
            if error.path == here or error.path.startswith(f"{here}."):
                path = self.paths[here] + error.path[len(here) :]
                return BadEvent(error.code, path, error.reason, error.remedy)
        return error


class _Look(msgspec.Struct, gc=False):
    """Just enough of an object to tell its form."""

    type: Raw = NOT_THERE
    userId: Raw = NOT_THERE  # noqa: N815 - the name in the Segment spec
    anonymousId: Raw = NOT_THERE  # noqa: N815 - the name in the Segment spec
    specversion: Raw = NOT_THERE

    @property
    def is_segment(self) -> bool:
        return bytes(self.type) in _SEGMENT_TYPES and bool(bytes(self.userId) or bytes(self.anonymousId))


class _Call(msgspec.Struct, gc=False):
    """What a Segment call inside a CloudEvent may leave to its envelope."""

    message: str | None = msgspec.field(default=None, name="messageId")
    user: str | None = msgspec.field(default=None, name="userId")
    anonymous: str | None = msgspec.field(default=None, name="anonymousId")
    timestamp: str | None = None
    received: str | None = msgspec.field(default=None, name="receivedAt")
    original: str | None = msgspec.field(default=None, name="originalTimestamp")


class _CloudEvent(msgspec.Struct, gc=False):
    specversion: Literal["1.0"]
    id: Named
    source: Named
    type: Named
    subject: str | None = None
    time: str | None = None
    datacontenttype: str | None = None
    dataschema: str | None = None
    data: Raw = NOT_THERE
    data_base64: Raw = NOT_THERE


_SEGMENT_TYPES = frozenset(f'"{kind}"'.encode() for kind in EVENT_TYPES)
_look = msgspec.json.Decoder(_Look)
_call = msgspec.json.Decoder(_Call)
_cloud_event = msgspec.json.Decoder(_CloudEvent)
_parts = msgspec.json.Decoder(dict[str, Raw])
_object = msgspec.json.Decoder(dict[str, Any])


def speaks_cloudevents(headers: Headers) -> bool:
    """Whether headers say that their record is a CloudEvent."""
    return any(
        name == "ce_specversion"
        or (name.lower() == "content-type" and (value or b"").startswith(b"application/cloudevents"))
        for name, value in headers
    )


def open_record(record: Record, mapping: Mapping | None) -> Opened:
    """The record as Segment-spec JSON that decodes as far as objects go. Raises `BadEvent`."""
    headers = {name: value or b"" for name, value in record.headers or ()}  # Kafka has null header values
    if "ce_specversion" in headers:
        return _open_binary(record.value, headers)
    value = check_text(record.value)
    content_type = next((v for name, v in headers.items() if name.lower() == "content-type"), b"")
    if content_type.startswith(CLOUDEVENTS):
        if not content_type.startswith(STRUCTURED):
            raise rejection(
                "unsupported_content_type", "$headers.content-type", repr(content_type[:60].decode("latin-1"))
            )
        return _open_structured(value)
    look = _decode(_look, value)
    if bytes(look.specversion):
        return _open_structured(value)
    if mapping is None or look.is_segment:
        return Opened(value, SAME_PATHS)
    return Opened(event_from_row(_decode(_object, value), mapping), original_paths(mapping))


def with_timestamp(value: bytes, timestamp: str) -> bytes:
    """The same Segment event with a `timestamp`; everything else keeps its bytes."""
    return msgspec.json.encode(_parts.decode(value) | {"timestamp": timestamp})


def _decode(decoder: msgspec.json.Decoder[_T], value: bytes) -> _T:
    try:
        return decoder.decode(value)
    except msgspec.DecodeError as error:
        raise explain(value, error) from error


def _open_structured(value: bytes) -> Opened:
    try:
        event = _decode(_cloud_event, value)
    except BadEvent as error:
        if error.code in {"wrong_type", "missing_type", "unsupported_type"}:
            raise rejection("invalid_cloudevent", error.path, error.reason) from error
        raise
    if bytes(event.data_base64):
        raise rejection("unsupported_content_type", "$.data_base64", "binary data cannot be read as an event")
    return _rewrite(event, "$.data", _PATHS)


def _open_binary(value: bytes | None, headers: dict[str, bytes]) -> Opened:
    texts: dict[str, str] = {}
    for name in ("specversion", "id", "source", "type", "subject", "time"):
        try:
            texts[name] = headers.get(f"ce_{name}", b"").decode()
        except UnicodeDecodeError as error:
            raise rejection("invalid_utf8", f"$headers.ce_{name}", "the header is not UTF-8") from error
    for name in ("id", "source", "type"):
        if not texts[name]:
            raise rejection("invalid_cloudevent", f"$headers.ce_{name}", f"{name} is missing")
    if texts["specversion"] != "1.0":
        raise rejection("invalid_cloudevent", "$headers.ce_specversion", f"{texts['specversion']!r} is not known")
    media = next((v for name, v in headers.items() if name.lower() == "content-type"), b"")
    _check_media(media.decode("latin-1"))
    event = _CloudEvent(
        "1.0",
        texts["id"],
        texts["source"],
        texts["type"],
        subject=texts["subject"] or None,
        time=texts["time"] or None,
        data=Raw(check_text(value)) if value else NOT_THERE,
    )
    return _rewrite(event, "$", {ours: f"$headers.ce_{theirs[2:]}" for ours, theirs in _PATHS.items()})


_PATHS = {"$.event": "$.type", "$.userId": "$.subject", "$.timestamp": "$.time"}


def _check_media(content_type: str) -> None:
    media = content_type.partition(";")[0].strip().lower()
    known = media in {"", "application/json"} or (media.startswith("application/") and media.endswith("+json"))
    if not known or media.startswith("application/cloudevents"):
        raise rejection("unsupported_content_type", "$headers.content-type", repr(content_type[:60]))


def _rewrite(event: _CloudEvent, data_path: str, paths: dict[str, str]) -> Opened:
    """The Segment call of a CloudEvent whose data stands at `data_path` of the record."""
    data = bytes(event.data)
    inside = Opened(data, {"$": data_path})
    call: dict[str, Any] = {"messageId": f"{event.source}#{event.id}", "timestamp": event.time, "userId": event.subject}
    if data in {b"", b"null"}:
        return Opened(msgspec.json.encode({"type": "track", "event": event.type} | call), paths)
    try:
        if not _decode(_look, data).is_segment:
            track = {"type": "track", "event": event.type, "properties": event.data}
            return Opened(msgspec.json.encode(track | call), paths | {"$.properties": data_path})
        said = _decode(_call, data)
    except BadEvent as error:
        raise inside.placed(error) from error
    needed = {
        "messageId": said.message is None,
        "timestamp": said.timestamp is None and said.received is None and said.original is None,
        "userId": event.subject is not None and not usable(said.user) and not usable(said.anonymous),
    }
    taken = {name: value for name, value in call.items() if needed[name]}
    elsewhere = {path: place for path, place in paths.items() if path[2:] in taken}
    return Opened(msgspec.json.encode(_parts.decode(data) | taken), inside.paths | elsewhere)
