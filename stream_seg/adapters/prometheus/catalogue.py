"""Every metric there is: name, labels, what it means, and how many series of it one process can have.

`docs/metrics.md` is made of it, and `Meters` has one meter for each. Every series bears the label ``stage`` besides
those named here. Units are seconds, bytes and counts. No label ever holds a customer's id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Literal

PREFIX = "stream_seg_"
FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)  # seconds
SLOW = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 3600.0)
SIZES = (1, 4, 16, 64, 250, 500, 1000, 2000, 4000, 16000)

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True)
class Metric:
    """One metric. `series`: at most so many in one process, by the letters of docs/metrics.md (P, T, S, F …)."""

    kind: Kind
    name: str
    text: str
    labels: tuple[str, ...] = ()
    series: str = "1"
    buckets: tuple[float, ...] = ()

    @property
    def full_name(self) -> str:
        """As Prometheus shows it; of a histogram without ``_bucket``, ``_sum``, ``_count``."""
        return PREFIX + self.name + ("_total" if self.kind == "counter" else "")

    def most(self, sizes: Mapping[str, int]) -> int:
        """The value of `series`.

        >>> Metric("gauge", "drift_score", "", series="T × (4 F + 2 S + 3)").most({"T": 2, "F": 10, "S": 7})
        114
        """
        factors = (factor.strip("()") for factor in self.series.split(" × "))
        return prod(sum(prod(_size(word, sizes) for word in term.split()) for term in f.split(" + ")) for f in factors)


def _size(word: str, sizes: Mapping[str, int]) -> int:
    """Of a number, a letter, or a letter's square."""
    if word.isdecimal():
        return int(word)
    return sizes[word[0]] ** (2 if word.endswith("²") else 1)


CATALOGUE: list[Metric] = []
"""All of them, in the order in which they are documented."""


def _counter(name: str, text: str, *labels: str, series: str = "1") -> Metric:
    CATALOGUE.append(Metric("counter", name, text, labels, series))
    return CATALOGUE[-1]


def _gauge(name: str, text: str, *labels: str, series: str = "1") -> Metric:
    CATALOGUE.append(Metric("gauge", name, text, labels, series))
    return CATALOGUE[-1]


def _histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str, series: int = 1) -> Metric:
    CATALOGUE.append(Metric("histogram", name, text, labels, str(series * (len(buckets) + 3)), buckets))
    return CATALOGUE[-1]


# --- the process
BUILD_INFO = _gauge("build_info", "1; the version of this package.", "version")
PARTITIONS = _gauge("partitions_assigned", "Partitions that the consumer group gave to this process.")
PARTITIONS_OPEN = _gauge(
    "partitions_open", "Of those assigned, how many have read their state and work. Fewer: recovering, or stopped."
)
PARTITIONS_STOPPED = _gauge("partitions_stopped", "Partitions that wait for a person; the log says why (ALARM).")
REBALANCES = _counter("rebalances", "Times that the group gave out partitions anew.")
REOPENED = _counter(
    "partitions_reopened", "Times that a partition began again from what is stored: fenced by another owner, or "
    "a server away for longer than one try.", "reason", series="2",
)  # fmt: skip
ALARMS = _counter("alarms", "Times that something was said in the log that a person must hear (ALARM).")

# --- what comes in
RECORDS = _counter("records_applied", "Records of the input that were applied.", "topic", series="I")
LAG = _gauge("consumer_lag_records", "Records in the log that are not applied yet.", "topic", "partition", series="P")
LAG_SECONDS = _gauge(
    "consumer_lag_seconds", "How long ago the last applied record was written while others wait; 0 when none does.",
    "topic", "partition", series="P",
)  # fmt: skip
EVENT_AGE = _histogram(
    "event_age_seconds", "From the oldest record of a batch being written to the log until the batch was applied.",
    SLOW,
)  # fmt: skip
BATCH_RECORDS = _histogram("batch_records", "Records in a batch.", SIZES)
BATCH_SECONDS = _histogram("batch_seconds", "From a batch being taken until it was applied.", FAST)
PHASE_SECONDS = _counter(
    "phase_seconds", "Seconds by what they went into. fetch: waiting for records; decode, features, silence, learn: "
    "computing; read, write: waiting for Redis; publish: for Kafka. Waiting includes other partitions' turns.",
    "phase", series="10",
)  # fmt: skip
EVENTS = _counter("events", "Events by what became of them: accepted, duplicate, late, rejected.", "result", series="4")
DEAD_LETTERS = _counter(
    "dead_letters", "Records that went to the dead-letter topic, by reason (docs/contracts.md).", "reason",
    series="R",
)  # fmt: skip
CLOCK_LAG = _gauge(
    "clock_lag_seconds", "How far the partition's own clock is behind now; silence moves nobody beyond it. 0 with "
    "`input.clock: event`, where time is that of the events.",
    "partition", series="P",
)  # fmt: skip
OVERDUE = _gauge(
    "overdue_customers", "Customers whom silence should have moved by the partition's clock and has not yet.",
    "partition", series="P",
)  # fmt: skip
AT_HAND = _gauge("cached_customers", "Customers in memory.", "partition", series="P")
CACHE = _counter(
    "cache_lookups", "How often a batch looked for a customer in memory, by whether it was there.", "result",
    series="2",
)  # fmt: skip

# --- what goes out
PUBLISHED = _counter("messages_published", "Messages that Kafka has acknowledged.", "topic", series="12")
OUTBOX = _gauge("outbox_messages", "Decided and stored, not yet acknowledged by Kafka.", "partition", series="P")
OUTBOX_AGE = _gauge(
    "outbox_oldest_seconds", "For how long the oldest of them has been the oldest.", "partition", series="P"
)

# --- servers
REDIS_SECONDS = _histogram("redis_round_trip_seconds", "Round trips to Redis, by kind.", FAST, "kind", series=5)
RETRIES = _counter(
    "retries", "Times that something was tried again because a server was away or refused for now.", "server",
    series="2",
)  # fmt: skip
REDIS_UP = _gauge("redis_up", "1 while Redis answers.")
REDIS_MEMORY = _gauge("redis_memory_bytes", "What Redis uses (used_memory).")
REDIS_LIMIT = _gauge("redis_memory_limit_bytes", "What Redis may use (maxmemory); 0: no limit.")
TRACE_SPANS = _counter(
    "trace_spans", "Spans for the collector in `run.traces`: sent; refused, when it did not take them; dropped, when "
    "too many waited for it.", "delivery", series="3",
)  # fmt: skip

# --- customers
CUSTOMERS = _gauge(
    "segment_customers", "Customers by segment, of the partitions that this process owns.", "tier", "segment",
    series="S",
)  # fmt: skip
SEGMENT_INFO = _gauge(
    "segment_info", "1; what a segment is called. Join: * on(segment) group_left(name).", "tier", "segment", "name",
    series="K",
)  # fmt: skip
CHANGES = _counter(
    "segment_changes", "Movements, from → to; none: no segment.", "tier", "from", "to", series="S² + 2 T S"
)
MOVEMENTS = _counter(
    "movements", "Movements by cause: event, time, model, backfill, forgotten, tier.", "tier", "cause",
    series="T × 6",
)  # fmt: skip
RETURNS = _counter(
    "movements_back", "Movements back to the segment before, by how soon: the flap rate is their share.", "within",
    series="2",
)  # fmt: skip

# --- models
MODEL_VERSION = _gauge(
    "model_version", "The version in force, as this process's partitions have it (the newest).", "tier", series="T"
)
MODEL_TRAINED = _gauge(
    "model_trained_timestamp_seconds", "Until when the version in force had learned. Its age is time() less this.",
    "tier", series="T",
)  # fmt: skip
LEARNED = _gauge(
    "learned_through_timestamp_seconds", "Every sample dated at or before this is learned.", "partition", series="P"
)
LEARN_EVERY = _gauge(
    "learn_every_seconds", "How often LEARN learns (time.learn_every). +Inf with `input.clock: event`: nothing is late."
)
LEARNED_FROM = _gauge("learning_customers", "Customers that LEARN learns from.", "tier", series="T")
PUBLISHED_AT = _gauge("model_published_timestamp_seconds", "When LEARN last made a version.", "tier", series="T")
REFITTED_AT = _gauge("model_refitted_timestamp_seconds", "When LEARN last refitted.", "tier", series="T")
HELD = _gauge("model_frozen", "1 while no version is published by itself.", "tier", series="T")
WAITING = _gauge("model_waiting", "1 while a version waits for a person.", "tier", series="T")
WAITING_MOVES = _gauge(
    "model_waiting_moves_ratio", "Share of the customers with a label whom the waiting version would move.",
    "tier", series="T",
)  # fmt: skip

# --- drift
DRIFT = _gauge(
    "drift_score", "What the last watched day measured (docs/drift.md).", "tier", "subject", "method",
    series="T × (4 F + 2 S + 3)",
)  # fmt: skip
DRIFT_BASELINE = _gauge(
    "drift_baseline", "What is usual of it, where there is a baseline.", "tier", "subject", "method",
    series="T × (4 F + 2 S + 3)",
)  # fmt: skip
DRIFT_THRESHOLD = _gauge(
    "drift_threshold", "How far from the baseline it may be, where it alarms.", "tier", "subject", "method",
    series="T × (4 F + 2 S + 3)",
)  # fmt: skip
DRIFT_SEVERITY = _gauge(
    "drift_severity", "0 as usual, 1 warn, 2 act.", "tier", "subject", "method", series="T × (4 F + 2 S + 3)"
)
DRIFT_ALARMS = _counter(
    "drift_alarms", "Findings published that the day before did not say.", "tier", "method", "severity",
    series="T × 18",
)  # fmt: skip
