"""Which reader reads which file, and what a whole source of events is."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, TypeAlias, cast

from stream_seg.adapters.files import delimited, ndjson, parquet
from stream_seg.adapters.files.judged import LineJudge, RowJudge
from stream_seg.adapters.files.tables import columns_of
from stream_seg.errors import ConfigError, Stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_seg.adapters.files.batch import Batch
    from stream_seg.core.definition import Mapping

BATCH = 8_192
NDJSON = (".ndjson", ".jsonl", ".json")
DELIMITED = {".csv": ",", ".tsv": "\t"}
PARQUET = (".parquet", ".pq")
FORMS = ", ".join([*NDJSON, *DELIMITED, *PARQUET])
Form: TypeAlias = Literal["ndjson", "csv", "parquet"]
SUFFIX: dict[str, str] = {"ndjson": ".ndjson", "csv": ".csv", "parquet": ".parquet"}


@dataclass(frozen=True, slots=True)
class EventSource:
    """A bounded input, for a feeder and its progress bar.

    total        events in it; first, last: ms since 1970
    batches      reads it from the beginning, in order of time, each time it is called
    definition   the segmentation.yaml that goes with it
    about        one sentence: what this is and where it comes from
    """

    name: str
    total: int
    customers: int
    first: int
    last: int
    batches: Callable[[], Iterator[Batch]]
    definition: Path
    about: str


def read(
    paths: Sequence[Path], mapping: Mapping | None = None, size: int = BATCH, form: Form | None = None
) -> Iterator[Batch]:
    """The events of `paths`, one file after the other, in the order of the files (see `order.in_order`).

    The form is told by the suffix: NDJSON, CSV or TSV, each also with ``.gz``, or Parquet; `form` tells it whatever
    the suffix is. `mapping` says where the parts of an event are; NDJSON without one holds Segment-spec events or
    CloudEvents already.

    Raises
    ------
    ConfigError
        A file is missing, has no known suffix, lacks a column, or needs a mapping or a package that is not there.
    Stop
        A file ends in the middle (a broken gzip stream). What was read before it was yielded.
    """
    files = tuple(str(path) for path in paths)
    for number, path in enumerate(paths):
        yield from _one(path, mapping, number, files, size, form)


def _one(
    path: Path, mapping: Mapping | None, number: int, files: tuple[str, ...], size: int, told: Form | None
) -> Iterator[Batch]:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    zipped = bool(suffixes) and suffixes[-1] == ".gz"
    form = suffixes[-2:-1] if zipped else suffixes[-1:]
    suffix = form[0] if form else ""
    if told is not None and not (told == "csv" and suffix in DELIMITED):
        suffix = SUFFIX[told]
    if suffix not in {*NDJSON, *DELIMITED, *PARQUET} or (zipped and suffix in PARQUET):
        raise ConfigError([f"{path}: cannot tell what it is, use a name that ends in one of {FORMS} (text also .gz)"])
    if mapping is None and suffix not in NDJSON:
        raise ConfigError([f"{path}: columns need input.mapping, which says which is the customer and which the time"])
    with _opened(path, zipped=zipped) as lines:
        if suffix in NDJSON:
            yield from ndjson.batches(lines, LineJudge(number, files, mapping), size)
            return
        assert mapping is not None
        judge = RowJudge(number, files, mapping)
        if suffix in PARQUET:
            yield from parquet.batches(judge, columns_of(mapping), str(path), size)
        else:
            yield from delimited.batches(lines, judge, columns_of(mapping), str(path), size, DELIMITED[suffix])


@contextmanager
def _opened(path: Path, *, zipped: bool) -> Iterator[BinaryIO]:
    try:
        opened = path.open("rb")
    except OSError as error:
        raise ConfigError([f"{path}: cannot be opened: {error.strerror}"]) from error
    with opened:
        try:
            yield cast("BinaryIO", gzip.GzipFile(fileobj=opened)) if zipped else opened
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise Stop(f"{path}: the gzip stream is broken: {error}; fetch the file again") from error
