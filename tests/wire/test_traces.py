"""Which `traceparent` counts: W3C's Trace Context, level 2."""

from __future__ import annotations

import pytest

from stream_seg.wire.traces import TRACEPARENT, context_of, sampled

TRACE, SPAN = b"4bf92f3577b34da6a3ce929d0e0e4736", b"00f067aa0ba902b7"
RECORDED = b"00-%s-%s-01" % (TRACE, SPAN)


@pytest.mark.parametrize(
    ("value", "goes_on"),
    [
        (RECORDED, RECORDED),
        (b"00-%s-%s-03" % (TRACE, SPAN), b"00-%s-%s-03" % (TRACE, SPAN)),  # the trace id is random, too
        (b"cc-%s-%s-01" % (TRACE, SPAN), RECORDED),  # a later version is read as this one …
        (b"cc-%s-%s-01-more" % (TRACE, SPAN), RECORDED),  # … and may say more
        (b"00-%s-%s-00" % (TRACE, SPAN), None),
        (b"00-%s-%s-02" % (TRACE, SPAN), None),
        (None, None),
        (b"", None),
        (b"\xff\x00", None),
        (RECORDED[:-1], None),
        (RECORDED + b"-more", None),
        (RECORDED + b"\n", None),
        (b"cc-%s-%s-01.more" % (TRACE, SPAN), None),
        (b"ff-%s-%s-01" % (TRACE, SPAN), None),
        (RECORDED.upper(), None),
        (b"00-%s-%s-01" % (b"0" * 32, SPAN), None),
        (b"00-%s-%s-01" % (TRACE, b"0" * 16), None),
    ],
)
def test_a_context_goes_on_if_it_is_valid_and_its_sender_records_it(value: bytes | None, goes_on: bytes | None) -> None:
    assert sampled(value) == goes_on


def test_of_several_the_last_counts_and_names_are_as_they_are_written() -> None:
    unsampled = RECORDED[:-1] + b"0"
    assert context_of([("a", b""), (TRACEPARENT, unsampled), (TRACEPARENT, RECORDED)]) == RECORDED
    assert context_of([(TRACEPARENT, RECORDED), (TRACEPARENT, unsampled)]) is None
    assert context_of([("Traceparent", RECORDED)]) is None
