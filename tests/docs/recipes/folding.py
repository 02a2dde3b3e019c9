"""The features of recipes, as LABEL computes them: a data set replayed up to an instant, every customer read there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from stream_seg.adapters.memory.replay import Replay
from stream_seg.config import load
from stream_seg.core.activation import Activation
from stream_seg.core.definition import Definition, feature_set_version
from stream_seg.core.engine import Engine, compile_engine
from stream_seg.core.measures import read_columns
from stream_seg.core.model import Float64, Int64
from stream_seg.core.plan import Column
from stream_seg.pipeline.residents import Residents
from stream_seg.ports import Slot
from tests.docs.recipes.rows import DAY, DataSet, Row

CHUNK = 8_192
NOBODY = 1_000_000  # customers before a first model: no model here


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
        f'time: {{utc_offset: "{offset}", lateness: 1d, evaluate_every: 12h, learn_every: {of.learn_every}d, '
        "forget_after: 800d}\n"
        f"segments: {{warm_start: {NOBODY}, table: {NOBODY}}}\n"
    )
    with TemporaryDirectory() as folder:
        file = Path(folder) / "segmentation.yaml"
        file.write_text(f"name: recipe\n{rest}{features}")
        return load(file, {}).definition


def folded(definition: Definition, of: DataSet) -> Features:
    """Replays the data set under a definition."""
    activation = Activation(
        number=1, definition=definition, feature_set_version=feature_set_version(definition), who="test", at=0,
        why="recipes",
    )  # fmt: skip
    replay = Replay()
    replay.start(activation)
    replay.run(_chunks([row for row in of.rows if row.time < of.at]), definition.learn_every)
    (labeller,) = replay.labels
    assert (labeller.memory.state.rejected, labeller.memory.state.late, labeller.memory.state.duplicates) == (0, 0, 0)
    return _read(compile_engine([activation]), replay, of)


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


def _read(engine: Engine, replay: Replay, of: DataSet) -> Features:
    ids = [customer.encode() for customer in of.customers]
    residents = Residents(engine, {}, len(ids))
    residents.begin(ids)
    assert not len(residents.admit(ids, replay.slots.records(Slot("label", 0), ids)))
    raw = np.empty((len(ids), len(engine.plan.columns)))
    x = np.empty_like(raw)
    for i, slot in enumerate(residents.rows(ids).tolist()):
        read_columns(
            engine.plan.arrays, residents.people.words, residents.people.floats, slot, of.at, residents.work
        )  # fmt: skip
        raw[i], x[i] = residents.work.raw, residents.work.x
    return Features(of.customers, engine.plan.columns, raw, x)


def day(ms: float) -> float:
    """Days, of ms."""
    return ms / DAY
