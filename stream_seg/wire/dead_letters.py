"""Records that go aside, with their bytes, key and headers untouched and the reason in headers of ours.

The first five headers have the names of Kafka Streams' dead letters (KIP-1034). ``ss-error-id`` is the same however
often a record is sent aside: de-duplicate by it.
"""

from __future__ import annotations

from stream_seg.errors import BadEvent
from stream_seg.ports import Message, Record
from stream_seg.wire.rejections import rejection

DEAD_LETTERS, LATE_EVENTS = "dead-letters", "late-events"


def dead_letter(record: Record, error: BadEvent, group: str, log_id: str) -> Message:
    """The record for the dead-letter topic. `group` met it, `log_id` is the id of the topic that it was read from."""
    return _aside(DEAD_LETTERS, record, error, group, log_id)


def late_event(record: Record, group: str, log_id: str) -> Message:
    """The record for the topic of events that came after every window that could hold them."""
    error = rejection("too_late", "$.timestamp", "the event is older than lateness allows at its customer's time")
    return _aside(LATE_EVENTS, record, error, group, log_id)


def _aside(topic: str, record: Record, error: BadEvent, group: str, log_id: str) -> Message:
    reasons = {
        "__streams.errors.exception": f"{type(error).__module__}.{type(error).__qualname__}",
        "__streams.errors.message": str(error),
        "__streams.errors.topic": record.topic,
        "__streams.errors.partition": str(record.partition),
        "__streams.errors.offset": str(record.offset),
        "ss-error-id": f"{log_id}:{record.partition}:{record.offset}",
        "ss-error-code": error.code,
        "ss-error-path": error.path,
        "ss-error-remedy": error.remedy,
        "ss-error-group": group,
    }
    headers = tuple((name, text.encode("utf-8", "backslashreplace")) for name, text in reasons.items())
    return Message(topic, record.key, record.value, (*record.headers, *headers))
