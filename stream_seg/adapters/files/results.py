"""What a replay leaves behind: a folder of NDJSON, written whole or not at all, the same bytes for the same input."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import orjson

from stream_seg.errors import BadEvent, Stop
from stream_seg.ports import Record

LINES = ("movements", "definitions", "dead-letters", "late-events", "labels")
PART = ".part"  # a file that is being written; it gets its name when all of them are whole
OURS = ("ss-error-", "__streams.errors.")  # ours come last, should a record bring headers of these names
REASON = "__streams.errors.message"
OFFSET = "__streams.errors.offset"

Place = Callable[[int, int], str]  # (partition, offset) -> where that record came from


class Results:
    """The folder. Leaving the context without an error gives the files their names; with one removes them.

    ``movements.ndjson``     values of segment-changes; ``decided_at`` is the movement's own instant
    ``labels.ndjson``        the last value of customer-segments for each customer, by id
    ``definitions.ndjson``   values of segment-definitions
    ``models/<version>.json``
    ``dead-letters.ndjson``, ``late-events.ndjson``  place, code, path, remedy, message, key and value; what is no UTF-8
                             stands as ``key_base64``, ``value_base64``
    ``summary.json``
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.causes = Counter[str]()
        self.dead_letters = 0
        self._labels: dict[bytes, bytes] = {}
        self._files: dict[str, IO[bytes]] = {}
        self._written: list[Path] = []

    def __enter__(self) -> Self:
        try:
            (self.folder / "models").mkdir(parents=True, exist_ok=True)
            for name in LINES:
                self._files[name] = self._open(f"{name}.ndjson")
        except OSError as error:
            self._discard()
            raise Stop(f"{self.folder}: cannot be written: {error.strerror}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._discard()
            return
        for customer in sorted(self._labels):
            self._line("labels", self._labels[customer])
        for file in self._files.values():
            file.close()
        for earlier in (self.folder / "models").glob("*.json"):
            if earlier.stem.isdigit():  # of a replay before this one
                earlier.unlink()
        for path in self._written:
            path.with_name(path.name + PART).rename(path)

    @property
    def paths(self) -> list[Path]:
        """Everything that was written."""
        return sorted(self._written)

    def movements(self, records: Iterable[Record], *, in_order: bool) -> None:
        """Values of segment-changes. `in_order`: by instant, then customer, as far as these records go."""
        bodies = [orjson.loads(record.value or b"") for record in records]
        if in_order:
            bodies.sort(key=lambda m: (m["event_time"], m["customer_id"], m["incarnation"], m["sequence"]))
        for body in bodies:
            body["decided_at"] = body["event_time"]
            self.causes[body["cause"]] += 1
            self._line("movements", orjson.dumps(body))

    def labels(self, records: Iterable[Record]) -> None:
        """Values of customer-segments, of each customer in their order; only the last counts."""
        for record in records:
            if record.value is None:
                self._labels.pop(record.key or b"", None)
            else:
                self._labels[record.key or b""] = record.value

    def definitions(self, records: Iterable[Record]) -> None:
        """Values of segment-definitions."""
        for record in records:
            self._line("definitions", record.value or b"")

    def model(self, version: int, value: bytes) -> None:
        """One model version, whole."""
        with self._open(f"models/{version}.json") as file:
            file.write(value + b"\n")

    def rejected(self, key: bytes | None, value: bytes | None, error: BadEvent, place: str) -> None:
        """A line or row that is no event."""
        self.dead_letters += 1
        body = {"place": place, "code": error.code, "path": error.path, "remedy": error.remedy, "message": str(error)}
        self._line("dead-letters", orjson.dumps(body | _text("key", key) | _text("value", value)))

    def aside(self, name: str, records: Iterable[Record], place: Place) -> None:
        """Values of dead-letters or late-events, from the partition and offset that their headers name."""
        for record in records:
            told = {name: text.decode(errors="replace") for name, text in record.headers if name.startswith(OURS)}
            body = {"place": place(int(told["__streams.errors.partition"]), int(told[OFFSET]))}
            body |= {part: told[f"ss-error-{part}"] for part in ("code", "path", "remedy")} | {"message": told[REASON]}
            self._line(name, orjson.dumps(body | _text("key", record.key) | _text("value", record.value)))

    def summary(self, document: dict[str, Any]) -> None:
        """The figures."""
        with self._open("summary.json") as file:
            file.write(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")

    def _open(self, name: str) -> IO[bytes]:
        path = self.folder / name
        file = path.with_name(path.name + PART).open("wb")
        if path not in self._written:
            self._written.append(path)
        return file

    def _line(self, name: str, value: bytes) -> None:
        self._files[name].write(value + b"\n")

    def _discard(self) -> None:
        for file in self._files.values():
            file.close()
        for path in self._written:
            path.with_name(path.name + PART).unlink(missing_ok=True)


def _text(name: str, value: bytes | None) -> dict[str, str | None]:
    """Bytes as text where they are text.

    >>> _text("value", b"{}"), _text("value", bytes([255]))
    ({'value': '{}'}, {'value_base64': '/w=='})
    """
    if value is None:
        return {name: None}
    try:
        return {name: value.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(value).decode()}
