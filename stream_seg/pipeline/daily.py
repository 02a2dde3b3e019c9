"""A day of samples as arrays, and how models see it: what `stream_seg.pipeline.quality` measures on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import msgspec
import numpy as np
import numpy.typing as npt

from stream_seg.core.activation import Activation
from stream_seg.core.definition import DAY
from stream_seg.core.engine import compile_engine
from stream_seg.core.measures import transform
from stream_seg.core.model import Float64, InForce, Int64, ModelArrays, ModelVersion, model_arrays
from stream_seg.pipeline.table import Sample
from stream_seg.ports import Record
from stream_seg.wire import control

_decode = msgspec.json.Decoder(Sample).decode
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Day:
    """The newest vectors of all customers seen in the last 90 days, in order of their hashes; n of them.

    through  the end of the day, ms
    hashes   (n,) of the customers
    silence  (n,) ms from the customer's last event to its sample
    raw      (n, columns) in real units
    records  (n,) which of the day's records each came from
    """

    through: int
    hashes: Int64
    silence: Int64
    raw: Float64
    records: Int64

    @property
    def number(self) -> int:
        """Days since 1970 at whose end this is."""
        return self.through // DAY

    @property
    def active(self) -> npt.NDArray[np.bool_]:
        """Who did anything in the day before the own sample: the walk passes each customer at another hour."""
        return self.silence < DAY

    def where(self, chosen: npt.NDArray[np.bool_]) -> Day:
        """The chosen customers alone."""
        hashes, silence = self.hashes[chosen], self.silence[chosen]
        return Day(self.through, hashes, silence, self.raw[chosen], self.records[chosen])

    def of_smallest(self, count: int) -> Day:
        """The customers with so many smallest hashes alone: whoever is among them stays so from day to day."""
        if count >= len(self.hashes):
            return self
        chosen = np.zeros(len(self.hashes), np.bool_)
        chosen[np.argsort(self.hashes.astype(np.uint64))[:count]] = True
        return self.where(chosen)

    def smallest(self, count: int) -> Int64:
        """The records of the customers with so many smallest hashes, in their order: all that LEARN's table keeps."""
        if count >= len(self.hashes):
            return np.sort(self.records)
        return np.sort(self.records[np.argsort(self.hashes.astype(np.uint64))[:count]])

    def times(self, column: int, factor: float) -> Day:
        """As if everybody had shown `factor` times as much in one column."""
        raw = self.raw.copy()
        raw[:, column] *= factor
        return replace(self, raw=raw)


def day_of(records: Iterable[Record]) -> Day:
    """What LABEL sent on a day, decoded. Raises ValueError where its end is not among the records."""
    samples, at, through = list[Sample](), list[int](), 0
    for i, record in enumerate(records):
        if not record.headers:
            samples.append(_decode(record.value or b""))
            at.append(i)
        elif control.kind_of(record) == control.PASSED_DAY:
            through = control.read(record, control.PassedDay).through
    if not through:
        raise ValueError("the end of the day is missing")
    hashes = np.array([sample.hash for sample in samples], np.int64)
    order = np.argsort(hashes, kind="stable")
    columns = len(samples[0].vector) if samples else 0
    raw = np.array([sample.vector for sample in samples], np.float64).reshape(len(samples), columns)
    silence = np.array([sample.as_of - sample.last_event for sample in samples], np.int64)
    return Day(through, hashes[order], silence[order], raw[order], np.array(at, np.int64)[order])


def multiplied(value: bytes, column: int, factor: float) -> bytes:
    """A sample as LABEL would have sent it, had this customer shown `factor` times as much in one column."""
    sample = _decode(value)
    sample.vector[column] *= factor
    return _encode(sample)


class Space:
    """The columns of one definition, as its models see them."""

    def __init__(self, activation: Activation) -> None:
        self.plan = compile_engine([activation]).plan
        self.margin = activation.definition.margin
        self.windows = max((feature.window or 0 for feature in activation.definition.features), default=0)

    @property
    def names(self) -> list[str]:
        """The columns that a model sees."""
        return [column.name for column, used in zip(self.plan.columns, self.plan.distance, strict=True) if used]

    @property
    def columns(self) -> list[int]:
        """Where those stand in a raw vector."""
        found: list[int] = np.flatnonzero(self.plan.distance).tolist()
        return found

    def transformed(self, raw: Float64) -> Float64:
        """Raw vectors after clip and log1p, all columns."""
        x = np.empty_like(raw)
        transform(self.plan.arrays, np.ascontiguousarray(raw), x)
        return x

    def seen(self, raw: Float64) -> Float64:
        """The same, only what is in the distance."""
        return np.ascontiguousarray(self.transformed(raw)[:, self.plan.distance])

    def arrays(self, model: ModelVersion) -> ModelArrays:
        """A model for the compiled decision, under the margin of the definition."""
        return model_arrays([InForce(0, model, self.margin, 0)], self.plan.names)
