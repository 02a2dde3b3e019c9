"""The features of recipes, as LABEL computes them: a data set folded up to an instant, every customer read there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from stream_seg.adapters.memory.sampling import Sampling, daily
from stream_seg.bootstrap.exploring import NEVER
from stream_seg.config import load
from stream_seg.core.definition import Definition
from stream_seg.core.model import Float64, Int64
from stream_seg.core.plan import Column
from stream_seg.pipeline.daily import Space
from tests.docs.recipes.rows import DataSet, Row

CHUNK = 8_192


@dataclass(frozen=True)
class Features:
    """What the features say of every customer at the data set's instant. raw: (customers, columns) in real units."""

    customers: list[str]
    columns: tuple[Column, ...]
    raw: Float64
    x: Float64

    def of(self, name: str) -> dict[str, float]:
        """Customer -> value of a column."""
        at = [column.name for column in self.columns].index(name)
        return dict(zip(self.customers, self.raw[:, at].tolist(), strict=True))


def definition_of(features: str, of: DataSet) -> Definition:
    """A segmentation of nothing but these features (YAML)."""
    sign = "-" if of.utc_offset < 0 else "+"
    offset = f"{sign}{abs(of.utc_offset) // 60:02}:{abs(of.utc_offset) % 60:02}"
    rest = (
        "input: {clock: event}\n"
        f'time: {{utc_offset: "{offset}", lateness: 1d, evaluate_every: 12h, forget_after: 800d}}\n'
    )
    with TemporaryDirectory() as folder:
        file = Path(folder) / "segmentation.yaml"
        file.write_text(f"name: recipe\n{rest}{features}")
        return load(file, {}).definition


def folded(definition: Definition, of: DataSet) -> Features:
    """Lets LABEL fold the data set up to its instant, and looks at everybody there."""
    activation = daily(definition, every=NEVER)
    sampling = Sampling(activation)
    for _ in sampling.boundaries(_chunks([row for row in of.rows if row.time < of.at])):
        pass
    assert (sampling.state.rejected, sampling.state.late, sampling.state.duplicates) == (0, 0, 0)
    found = sampling.census(of.at)
    order = np.argsort(np.array([customer.decode() for customer in found.customers]))
    assert [found.customers[i].decode() for i in order.tolist()] == of.customers
    space = Space(activation)
    return Features(of.customers, space.plan.columns, found.raw[order], space.transformed(found.raw[order]))


@dataclass(frozen=True)
class _Chunk:
    keys: list[bytes | None]
    values: list[bytes]
    times: Int64


def _chunks(rows: list[Row]) -> Iterator[_Chunk]:
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        keys: list[bytes | None] = [row.customer.encode() for row in part]
        values = [row.json(number) for number, row in enumerate(part, start)]
        yield _Chunk(keys, values, np.array([row.time for row in part], np.int64))
