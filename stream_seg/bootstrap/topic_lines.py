"""Ranges of topics as lines of a file, which `audit` looks at like any other."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import orjson

from stream_seg.adapters.kafka.ranges import Asked, Range, length, ranges, records_of
from stream_seg.bootstrap.connect import broker_of
from stream_seg.bootstrap.offline import READING
from stream_seg.config import KafkaSettings
from stream_seg.errors import ConfigError
from stream_seg.explore.audit.findings import Finding
from stream_seg.progress import Tell
from stream_seg.wire.control import kind_of


@dataclass(slots=True)
class TopicLines:
    """Records as lines of a file, and where in their topics they stand: (line from 1, topic:partition, offset)."""

    path: Path
    places: list[tuple[int, str, int]] = field(default_factory=list)
    lines: int = 0
    empty: int = 0

    def add(self, file: BinaryIO, part: Range, offset: int, value: bytes | None) -> None:
        if not value or not value.strip():
            self.empty += 1
            return
        if b"\n" in value or b"\r" in value:  # a line each, also for JSON that was written over several
            try:
                value = orjson.dumps(orjson.loads(value))
            except orjson.JSONDecodeError:
                value = value.replace(b"\n", b" ").replace(b"\r", b" ")
        file.write(value + b"\n")
        self.lines += 1
        last = self.places[-1] if self.places else None
        if last is None or last[1] != str(part) or offset - last[2] != self.lines - last[0]:
            self.places.append((self.lines, str(part), offset))

    def findings(self, label: str) -> list[Finding]:
        if not self.empty:
            return []
        return [
            Finding(
                "severe", "no_value", f"{self.empty:,} records have no value",
                "send the event as the record's value; deletion markers belong into other topics", (), label,
                {"records": self.empty},
            )
        ]  # fmt: skip


def lines_of_topics(kafka: KafkaSettings, inputs: Sequence[str], path: Path, tell: Tell) -> TopicLines:
    """Writes the records of `inputs` to `path`. Raises `ConfigError` where there is none with a value."""
    written = TopicLines(path)
    broker = broker_of(kafka)
    parts = [part for one in inputs for part in asyncio.run(ranges(broker, Asked.read(one)))]
    total = asyncio.run(length(broker, parts))
    done = 0
    with os.fdopen(os.open(written.path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
        for part in parts:
            for records in records_of(broker, part):
                for record in records:
                    if kind_of(record) is None:  # our own control records are no events
                        written.add(file, part, record.offset, record.value)
                done += len(records)
                tell(READING, done, total)
    if not written.lines:
        raise ConfigError([f"{', '.join(inputs)}: there is no record with a value in this range, ask for another"])
    return written
