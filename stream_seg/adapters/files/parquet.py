"""Parquet through pyarrow, which is imported only here and only when a Parquet file is read."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from stream_seg.errors import ConfigError, Stop

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import ModuleType

    from stream_seg.adapters.files.batch import Batch
    from stream_seg.adapters.files.judged import RowJudge


def batches(judge: RowJudge, columns: Sequence[str], path: str, size: int) -> Iterator[Batch]:
    """Batches of at most `size` rows; only these `columns` are read, dotted ones out of nested ones.

    Raises
    ------
    ConfigError
        pyarrow is not installed, the file is no Parquet, or it lacks one of the columns.
    Stop
        It is damaged further on. What was read before it was yielded.
    """
    arrow = pyarrow()
    parquet = import_module("pyarrow.parquet")
    try:
        source = parquet.ParquetFile(path)
    except (arrow.ArrowInvalid, OSError) as error:
        raise ConfigError([f"{path}: cannot be read as Parquet: {str(error).rstrip('.')}; fetch it again"]) from error
    names = source.schema_arrow.names
    tops = {one: one if one in names else one.split(".")[0] for one in columns}
    missing = [one for one, top in tops.items() if top not in names]
    if missing:
        raise ConfigError([f"{path}: {one}: no such column, choose from {', '.join(names)}" for one in missing])
    first = 1
    for table in _tables(arrow, source, list(dict.fromkeys(tops.values())), size, path):
        cells = {one: _cells(arrow, table.column(top), one, top) for one, top in tops.items()}
        lines = np.arange(first, first + table.num_rows, dtype=np.int64)
        first += table.num_rows

        def original(i: int, table: Any = table) -> bytes:
            return orjson.dumps(table.slice(i, 1).to_pylist()[0], default=repr)

        yield judge.batch(cells, lines, original, {})


def _tables(arrow: ModuleType, source: Any, columns: list[str], size: int, path: str) -> Iterator[Any]:
    try:
        yield from source.iter_batches(batch_size=size, columns=columns)
    except (arrow.ArrowInvalid, OSError) as error:
        raise Stop(f"{path}: the Parquet is damaged: {str(error).rstrip('.')}; fetch it again") from error


def pyarrow() -> ModuleType:
    """The module pyarrow, or a `ConfigError` that says how to get it."""
    try:
        return import_module("pyarrow")
    except ModuleNotFoundError as error:
        if error.name != "pyarrow":
            raise
        remedy = "pip install 'stream_seg[parquet]'"
        raise ConfigError([f"parquet: the package pyarrow is not installed: {remedy}"]) from error


def _cells(arrow: ModuleType, column: Any, path: str, top: str) -> Sequence[Any]:
    if arrow.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if arrow.types.is_decimal(column.type):
        column = column.cast(arrow.float64())
    if arrow.types.is_timestamp(column.type):  # in ms: beyond that Python has no datetime, and we read nothing
        column = column.cast(arrow.timestamp("ms", column.type.tz), safe=False)
    values: list[Any] = column.to_pylist()
    if path == top:
        return values
    for step in path.split(".")[1:]:
        values = [value.get(step) if isinstance(value, dict) else None for value in values]
    return values
