"""An OpenTelemetry collector beside a test: takes spans by OTLP over HTTP and keeps them."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Span:
    """One span as it arrived; `context`: the ``traceparent`` of what it continues."""

    service: str
    name: str
    context: str
    began: int
    ended: int
    attributes: dict[str, str | int]


class Collector:
    """``with Collector() as collector: … collector.url``. `silent`: it takes connections and never answers."""

    def __init__(self, *, silent: bool = False) -> None:
        self.spans: list[Span] = []
        self.headers: list[dict[str, str]] = []
        self.asked = threading.Event()
        self._silent = silent
        self._released = threading.Event()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                collector._take(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing on standard error."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()

    def _take(self, path: str, headers: dict[str, str], body: bytes) -> None:
        self.asked.set()
        if self._silent:
            self._released.wait()
            return
        assert path == "/v1/traces"
        self.headers.append(headers)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = next(a.value.string_value for a in resource.resource.attributes if a.key == "service.name")
            for scope in resource.scope_spans:
                for span in scope.spans:
                    attributes: dict[str, str | int] = {
                        a.key: a.value.string_value if a.value.HasField("string_value") else a.value.int_value
                        for a in span.attributes
                    }
                    context = f"00-{span.trace_id.hex()}-{span.parent_span_id.hex()}-01"
                    began, ended = span.start_time_unix_nano, span.end_time_unix_nano
                    self.spans.append(Span(service, span.name, context, began, ended, attributes))
