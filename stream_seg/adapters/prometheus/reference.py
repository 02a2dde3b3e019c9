"""Writes docs/metrics.md: ``python -m stream_seg.adapters.prometheus.reference > docs/metrics.md``."""

from __future__ import annotations

from collections.abc import Mapping

from stream_seg.adapters.prometheus import catalogue as metric
from stream_seg.adapters.prometheus.catalogue import CATALOGUE, Metric
from stream_seg.adapters.prometheus.counting import MOST_SEGMENTS
from stream_seg.wire.rejections import REMEDIES

REASONS = len(REMEDIES)
PROCESS = 6  # of prometheus-client, on Linux

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
id. How many of a metric one process can have at most is said by the sizes of what it works on: *P* partitions it owns,
*I* topics it reads, *T* tiers with `all`, *F* features as the model sees them, *R* = {REASONS} reasons for a dead
letter, *K* segments in force, and *S* segments that it has met, `none` among them. Beyond {MOST_SEGMENTS} segments they
share the label `other`, so *S* is at most {MOST_SEGMENTS + 2}. The whole process has at most the sum of the column and
{PROCESS} of `process_*`, which are prometheus-client's: CPU seconds, memory, open files. No stage has all metrics.

"""
EXAMPLES = (  # P, I, K, S, T, F
    ("a small shop", 4, 1, 6, 7, 1, 18),
    ("a large one, with a tier", 16, 1, 12, 17, 2, 40),
    ("as many segments as there are labels, four tiers", 64, 4, 40, MOST_SEGMENTS + 2, 4, 60),
)
WORKED = "| | P | I | K | S | T | F | `segment_changes` | drift | all others | in all |\n" + "|---" * 11 + "|\n"
COLUMNS = "| metric | kind | labels | series at most | meaning |\n|---|---|---|---|---|\n"


def _row(one: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in one.labels) or "–"
    return f"| `{one.full_name}` | {one.kind} | {labels} | {one.series} | {one.text} |\n"


def most_series(sizes: Mapping[str, int]) -> int:
    """How many series a process of these sizes (P, I, K, S, T, F) can have at most."""
    return PROCESS + sum(one.most({**sizes, "R": REASONS}) for one in CATALOGUE)


def _example(name: str, *numbers: int) -> str:
    sizes = dict(zip("PIKSTF", numbers, strict=True))
    ways = metric.CHANGES.most(sizes)
    drift = sum(one.most(sizes) for one in CATALOGUE if one.name.startswith("drift_"))
    whole = most_series(sizes)
    counts = (ways, drift, whole - ways - drift, whole)
    return f"| {name} | {' | '.join(map(str, numbers))} | {' | '.join(f'{count:,}' for count in counts)} |\n"


def page() -> str:
    """The whole page."""
    worked = WORKED + "".join(_example(*one) for one in EXAMPLES)
    return f"{HEAD}{worked}\n{COLUMNS}{''.join(map(_row, CATALOGUE))}"


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201  # a page on standard output is what it is for
