"""Spans by OTLP over HTTP. The worker only ever puts them into a queue; a thread of the SDK sends them.

A queue that is full, because the collector is slow or away, takes no more: such spans are not even made, and counted.
Whatever the collector does, the worker neither waits for it nor hears of it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import DEFAULT_ON
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags, set_span_in_context
from opentelemetry.util.types import AttributeValue

from stream_seg.pipeline.facts import Traced
from stream_seg.telemetry import PartitionTraces, Telemetry, Traces

log = logging.getLogger(__name__)

QUEUE = 4_096  # spans: some 5 MB
AT_ONCE = 512  # spans in one request
EVERY = 1_000  # ms
PATIENCE = 10.0  # seconds for one request, its retries included
GOODBYE = 2.0  # seconds


class CountingExporter(SpanExporter):
    """Counts what becomes of spans; `taken`: how many have left the queue."""

    def __init__(self, exporter: SpanExporter, telemetry: Telemetry) -> None:
        self._exporter = exporter
        self._telemetry = telemetry
        self.taken = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.taken += len(spans)
        result = self._exporter.export(spans)
        self._telemetry.traced("sent" if result is SpanExportResult.SUCCESS else "refused", len(spans))
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


class OtlpTraces(Traces):
    """`url`: of the collector, without path; `service`: whose spans these are; `headers`: sent with each request."""

    def __init__(self, url: str, service: str, headers: Mapping[str, str], telemetry: Telemetry) -> None:
        exporter = OTLPSpanExporter(f"{url.rstrip('/')}/v1/traces", headers=dict(headers), timeout=PATIENCE)
        self._exporter = CountingExporter(exporter, telemetry)
        self._telemetry = telemetry
        self._made = 0
        # The process ends by `os._exit`; `close` says goodbye.
        self._provider = TracerProvider(DEFAULT_ON, Resource.create({"service.name": service}), shutdown_on_exit=False)
        self._provider.add_span_processor(
            BatchSpanProcessor(
                self._exporter, max_queue_size=QUEUE, schedule_delay_millis=EVERY, max_export_batch_size=AT_ONCE
            )
        )
        self.tracer = self._provider.get_tracer("stream_seg")
        log.info("traces go to %s", url)

    def partition(self, topic: str, partition: int) -> PartitionTraces:
        return _Partition(self, topic, partition)

    def room(self, wanted: int) -> int:
        """How many spans the queue still takes of those wanted; the others are counted as dropped."""
        taken = min(wanted, QUEUE - (self._made - self._exporter.taken))
        self._made += taken
        if taken < wanted:
            self._telemetry.traced("dropped", wanted - taken)
        return taken

    def close(self) -> None:
        end = threading.Thread(target=self._provider.shutdown, daemon=True)
        end.start()
        end.join(GOODBYE)


class _Partition(PartitionTraces):
    def __init__(self, traces: OtlpTraces, topic: str, partition: int) -> None:
        self._traces = traces
        self._name = f"process {topic}"
        self._attributes: dict[str, AttributeValue] = {
            "messaging.system": "kafka",
            "messaging.operation.type": "process",
            "messaging.destination.name": topic,
            "messaging.destination.partition.id": str(partition),
        }

    def handled(self, events: Sequence[Traced], began: int) -> None:
        if not events:
            return
        ended = time.time_ns()
        for event in events[: self._traces.room(len(events))]:
            attributes = {**self._attributes, "messaging.kafka.offset": event.offset, "stream_seg.result": event.result}
            self._traces.tracer.start_span(
                self._name, _parent(event.context), SpanKind.CONSUMER, attributes, start_time=began
            ).end(ended)


def _parent(context: bytes) -> Context:
    """The span that a ``traceparent`` names, as the parent of another."""
    _, trace, span, flags = (int(part, 16) for part in context.split(b"-"))
    return set_span_in_context(
        NonRecordingSpan(SpanContext(trace, span, is_remote=True, trace_flags=TraceFlags(flags)))
    )
