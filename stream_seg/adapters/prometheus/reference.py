"""Writes docs/metrics.md: ``python -m stream_seg.adapters.prometheus.reference > docs/metrics.md``."""

from __future__ import annotations

from stream_seg.adapters.prometheus.catalogue import CATALOGUE, Metric
from stream_seg.adapters.prometheus.counting import MOST_SEGMENTS

HEAD = f"""# Metrics and health

This page is made from the code: `python -m stream_seg.adapters.prometheus.reference > docs/metrics.md`.

`run.metrics_port` in the configuration makes the first process of `stream-seg run` listen there, the next one on the
port after it, and so on, in the order `ingest`, `label`, `learn` (each as many times as there are workers). They
listen on `run.bind`, by default `127.0.0.1`; `0`, the default, is none. A port that is taken ends the start with exit
code 2.

| page | answers 200 while | answers 503 when |
|---|---|---|
| `/livez` | the event loop turns and the thread that polls Kafka answers | nothing has turned for a minute |
| `/readyz` | partitions were given out, each has read its state, Redis answers | something is missing; it says what |
| `/metrics` | always: the Prometheus text format | |

A process that is not alive has to be restarted. The pages are served by a thread of their own, so they answer while a
batch is computed. A server that is away makes a worker not ready, never dead: it waits for the server by itself. A
worker to which the group gave no partition (there are more workers than partitions) is ready.

Beside these pages a watchdog ends the process with exit code 1 when records wait and nothing was applied for five
minutes, or when the driver's heartbeats died for good.

Dashboards for Grafana lie in `deploy/grafana/`, rules and alerts for Prometheus in `deploy/prometheus/`; each alert has
its [runbook](runbooks/README.md).

Every series bears the label `stage` (`ingest`, `label`, `learn`) besides those named here, and none ever a customer's
id. How many series one process can have at most: *P* partitions it owns, *S* segments it has met (beyond
{MOST_SEGMENTS} they share the label `other`), *T* tiers with `all`, *F* features as the model sees them. With 4
partitions, 6 segments, one tier and 18 features a LABEL under load had 206 series (2026-11-28). At the most, with
{MOST_SEGMENTS} segments, the largest metric (`segment_changes`) has {MOST_SEGMENTS + 2}² = {
    (MOST_SEGMENTS + 2) ** 2
}. `process_*` are those of prometheus-client: CPU seconds, memory, open files.

"""
COLUMNS = "| metric | kind | labels | series at most | meaning |\n|---|---|---|---|---|\n"


def _row(one: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in one.labels) or "–"
    return f"| `{one.full_name}` | {one.kind} | {labels} | {one.series} | {one.text} |\n"


def page() -> str:
    """The whole page."""
    return HEAD + COLUMNS + "".join(map(_row, CATALOGUE))


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201  # a page on standard output is what it is for
