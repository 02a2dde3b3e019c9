"""What differs between the workers that run LABEL."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LabelSettings:
    """What differs between workers and changes no result.

    cache_bytes        for customers at hand
    most_customers     most customers written in one call (Redis serves nobody else meanwhile)
    outbox_limit       messages waiting for Kafka above which nothing more is applied
    origin             live or replay
    trust_timestamps   take the producer's time of a record for the broker's (an embedded broker does not stamp)
    """

    cache_bytes: int = 64_000_000
    most_customers: int = 2_500
    outbox_limit: int = 2_500
    origin: str = "live"
    trust_timestamps: bool = False
    group: str = "label"
    samples_partitions: int = 1
