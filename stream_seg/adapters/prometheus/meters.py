"""The catalogue's metrics in a registry of their own, and their series, each looked up once and then held."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics

from stream_seg.adapters.prometheus import catalogue as metric


class Meter:
    """One metric of one stage: ``meter.at("web", 3).inc()``. A series exists once it was asked for, until `drop`."""

    def __init__(self, one: metric.Metric, stage: str, registry: CollectorRegistry) -> None:
        self._stage = stage
        self._children: dict[tuple[str, ...], Any] = {}
        name, labels = metric.PREFIX + one.name, ("stage", *one.labels)
        if one.kind == "histogram":
            self._all: Any = Histogram(name, one.text, labels, registry=registry, buckets=one.buckets)
        else:
            make = Counter if one.kind == "counter" else Gauge
            self._all = make(name, one.text, labels, registry=registry)

    def at(self, *labels: object) -> Any:
        """The series of these labels: a Counter, Gauge or Histogram of prometheus_client."""
        key = tuple(map(str, labels))
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._all.labels(self._stage, *key)
        return child

    def drop(self, of: Callable[[tuple[str, ...]], bool]) -> None:
        """Forgets the series whose labels answer to `of`: a gauge of what is not here any more must not stay."""
        for key in [key for key in self._children if of(key)]:
            del self._children[key]
            self._all.remove(self._stage, *key)

    def keep(self, wanted: Iterable[tuple[str, ...]]) -> None:
        """Forgets every series but these."""
        kept = set(wanted)
        self.drop(lambda key: key not in kept)


class Meters:
    """A meter for each field of `Catalogue`, under the same name.

    >>> meters = Meters("label")
    >>> meters[metric.LAG].at("shop.events.v1", 0).set(12)
    >>> meters.registry.get_sample_value(
    ...     "stream_seg_consumer_lag_records", {"stage": "label", "topic": "shop.events.v1", "partition": "0"}
    ... )
    12.0
    """

    def __init__(self, stage: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # when a series began: as many series again, for nobody
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._meters = {one: Meter(one, stage, self.registry) for one in metric.CATALOGUE}

    def __getitem__(self, one: metric.Metric) -> Meter:
        return self._meters[one]
