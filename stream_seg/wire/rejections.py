"""Why an input record is not usable: every stable code with what its producer can do about it."""

from __future__ import annotations

from typing import Final

from stream_seg.errors import BadEvent

# The words of code -> remedy. Codes are part of the contract: they are header values, metric labels and docs/input.md.
REMEDIES: Final = {
    "null_value": "send the event as the record's value; deletion markers belong into other topics",
    "invalid_json": "send one JSON object per record, nothing before or after it",
    "invalid_utf8": "encode the record as UTF-8",
    "not_a_number": "leave the field out or send null; JSON has no NaN and no Infinity",
    "too_deep": "nest objects and lists at most 256 deep",
    "not_an_object": "send a JSON object",
    "wrong_type": "send the type that the field has in docs/input.md or in the segmentation",
    "number_out_of_range": "send numbers between -1e200 and 1e200",
    "missing_type": "set type to track, identify, page, screen, group or alias, or declare a mapping for other forms",
    "unsupported_type": "send track, identify, page, screen, group or alias",
    "missing_id": "set userId or anonymousId (subject of a CloudEvent, the customer of a mapping)",
    "unusable_id": "leave an unknown id out instead of sending a placeholder, and send the other id",
    "id_too_long": "use ids of at most 256 bytes",
    "id_control_character": "use ids of printable characters",
    "key_mismatch": "use the customer id as the record key, or set input.keyed_by_customer: false",
    "wrong_partition": "let the producer use the murmur2 partitioner of Java clients (librdkafka: murmur2_random)",
    "missing_previous_id": "name in previousId the id that userId replaces",
    "missing_group": "name the group in groupId",
    "missing_event": "name what happened in event",
    "missing_timestamp": "send timestamp, as in 2024-05-31T10:00:00.000Z",
    "invalid_timestamp": "write times as 2024-05-31T10:00:00.000Z",
    "timestamp_without_zone": "end the time with Z or an offset such as +02:00",
    "timestamp_out_of_range": "send when it happened, between the years 2000 and 2100; check the unit of the clock",
    "timestamp_in_future": "correct the producer's clock, or raise max_skew",
    "too_late": "send events sooner, or raise lateness",
    "invalid_cloudevent": "send specversion 1.0 with id, source and type",
    "unsupported_content_type": "send one JSON event per record, as application/json or application/cloudevents+json",
    "damaged_activation": "`stream-seg model promote` with `--ramp now` puts it in force again",
    "wrong_columns": "quote cells that hold the delimiter",
}


def rejection(code: str, path: str, reason: str) -> BadEvent:
    """The error of one record; its remedy is that of the code.

    >>> str(rejection("missing_id", "$.userId", "neither userId nor anonymousId is there"))
    'missing_id at $.userId: neither userId nor anonymousId is there; set userId or anonymousId (subject of a CloudEvent, the customer of a mapping)'
    """  # noqa: E501 - the message is one line
    return BadEvent(code, path, reason, REMEDIES[code])
