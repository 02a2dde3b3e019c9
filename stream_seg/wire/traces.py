"""The trace that a record belongs to: the header ``traceparent`` of W3C's Trace Context, as OpenTelemetry sends it.

INGEST and LABEL hand the context on as it came, whether or not they report to anybody themselves. So what is published
is a function of the records alone: tracing can be switched on and off in any process, and a replay, or the heir of a
worker that died, says the same. Only contexts that their sender records (the flag `sampled`) go on: nobody could follow
the others.
"""

from __future__ import annotations

import re

from stream_seg.ports import Headers

TRACEPARENT = "traceparent"
LENGTH = 55  # of version 00; what a later version adds stands behind another dash

# ff is no version, and no trace or span has the number zero. The last bit of the flags is `sampled`.
_SAMPLED = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f][13579bdf]")


def sampled(value: bytes | None) -> bytes | None:
    """The context in a ``traceparent``, written as version 00; None: it is not recorded, or says nothing valid.

    >>> sampled(b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    b'00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    >>> sampled(b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")
    """
    if value is None or not _SAMPLED.match(value):
        return None
    more = value[LENGTH : LENGTH + 1]
    if more and (more != b"-" or value.startswith(b"00")):
        return None
    return b"00" + value[2:LENGTH]


def context_of(headers: Headers) -> bytes | None:
    """The recorded context among a record's headers; of several the last one counts, as OpenTelemetry reads them."""
    found = None
    for name, value in headers:
        if name == TRACEPARENT:
            found = value
    return sampled(found)
