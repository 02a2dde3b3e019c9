"""One customer, as views ask of it: the value of each term, worked out when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from stream_seg.core.decision import distances
from stream_seg.core.engine import Engine
from stream_seg.core.model import Float64
from stream_seg.core.profile import category_of
from stream_seg.core.views import STANDING, WORDS, Value
from stream_seg.pipeline.outcome import Remembered
from stream_seg.pipeline.standings import Standings, mean_of

OWN = ("event", "time")  # causes by which a customer moves itself; at others somebody decided something


class Header(NamedTuple):
    """What a record says apart from features; times in ms, 0: none. `segment` is None where there is none."""

    as_of: int
    segment: int | None
    since: int
    first_event: int
    last_event: int


class Lately(NamedTuple):
    """Where the customer was before its movements within the view's `lately`; the last one's cause and time."""

    before: int
    cause: str
    at: int


def lately_moved(history: Sequence[Remembered], since: int, segment: int | None) -> Lately | None:
    """The sum of a customer's own movements after `since`, newest first; None where it is where it was.

    >>> out, back = Remembered(2, 0, 1, "time", 20, 1), Remembered(3, 1, 0, "event", 30, 1)
    >>> lately_moved([out], 10, 1)
    Lately(before=0, cause='time', at=20)
    >>> lately_moved([back, out], 10, 0), lately_moved([back, out], 25, 0)
    (None, Lately(before=1, cause='event', at=30))
    """
    own = [one for one in history if one.at > since and one.cause in OWN and one.previous is not None]
    if not own or own[-1].previous == segment:
        return None
    before = own[-1].previous
    assert before is not None  # as asked above
    return Lately(before, own[0].cause, own[0].at)


@dataclass
class Person:
    """A customer at hand. `raw`: its features in their own units, `x`: after clip and log1p; (columns,) each."""

    engine: Engine
    standings: Standings
    header: Header
    raw: Float64
    x: Float64
    lately: Lately | None = None
    _values: dict[str, Value] = field(default_factory=dict)
    _z: Float64 | None = None

    @property
    def z(self) -> Float64:
        """How each column stands among everybody."""
        if self._z is None:
            self._z = self.standings.of(self.x)
        return self._z

    def value_of(self, term: str) -> Value:
        """The value of a term; None: this customer does not have it."""
        if term not in self._values:
            known = _WORDS.get(term)
            self._values[term] = known(self) if known is not None else self._feature(term)
        return self._values[term]

    def columns(self, feature: str) -> list[int]:
        """The columns of a feature: one, or as many as its category takes."""
        return [f for f, column in enumerate(self.engine.plan.columns) if column.feature.name == feature]

    def _feature(self, term: str) -> Value:
        columns = self.columns(term.removesuffix(STANDING))
        first = columns[0]
        if term.endswith(STANDING):
            return float(self.z[first]) if self.standings.used[first] else None
        one = self.engine.plan.columns[first]
        if one.feature.encode is None:
            return float(self.raw[first])
        return category_of(one.feature, [self.engine.plan.columns[f].part for f in columns], self.raw[columns])

    def named(self, segment: int | None) -> Value:
        return None if segment is None else (segment, self.standings.activation.name_of(segment))

    def ago(self, instant: int) -> float | None:
        """Seconds since an instant; None where there is none."""
        return max(self.header.as_of - instant, 0) / 1000.0 if instant else None

    def left(self) -> Float64 | None:
        """How the typical customer stands of the segment that this one was in before it moved lately."""
        return None if self.lately is None else self.standings.centre(self.lately.before)

    def clear(self) -> tuple[float, float] | None:
        """Distance to the customer's centre and to the runner-up, squared."""
        models, own = self.engine.models, self.header.segment
        row = self.standings.row
        if own is None or self.standings.centre(own) is None:
            return None
        d = np.zeros(models.centers.shape[2])
        distances(models, row, self.x, d)
        others = [float(d[j]) for j in self.standings.activation.alive if j != own]
        return (float(d[own]), min(others)) if others else None


def _margin(person: Person) -> Value:
    clear = person.clear()
    return None if clear is None else (1.0 - clear[0] / clear[1] if clear[1] else 0.0)


def _confidence(person: Person) -> Value:
    clear = person.clear()
    return None if clear is None else (clear[1] / sum(clear) if sum(clear) else 0.5)


def _activity(person: Person) -> Value:
    return mean_of(person.z, person.standings.activity)


def _change(person: Person) -> Value:
    centre = person.left()
    now = mean_of(person.z, person.standings.activity)
    before = None if centre is None else mean_of(centre, person.standings.activity)
    return None if now is None or before is None else now - before


def _age_of_segment(person: Person) -> Value:
    return None if person.header.segment is None else person.ago(person.header.since)


_WORDS: Mapping[str, Callable[[Person], Value]] = {
    "segment": lambda person: person.named(person.header.segment),
    "segment.age": _age_of_segment,
    "segment.confidence": _confidence,
    "segment.margin": _margin,
    "moved.from": lambda person: person.named(person.lately.before) if person.lately else None,
    "moved.cause": lambda person: person.lately.cause if person.lately else None,
    "moved.ago": lambda person: person.ago(person.lately.at) if person.lately else None,
    "moved.change": _change,
    "customer.age": lambda person: person.ago(person.header.first_event),
    "customer.silence": lambda person: person.ago(person.header.last_event),
    "customer.activity": _activity,
    "customer.trend": lambda person: mean_of(person.z, person.standings.trends),
}
assert _WORDS.keys() == WORDS.keys()
