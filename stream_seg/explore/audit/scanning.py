"""A text file byte by byte before anybody parses it: encoding, byte order mark, NULs, whether it still grows."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

from stream_seg.errors import ConfigError, Stop
from stream_seg.explore.audit.findings import Finding
from stream_seg.explore.audit.tables import cut

BLOCK = 1 << 22
BOMS = {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}
KEPT = 3  # lines that are shown


@dataclass(slots=True)
class Scan:
    """What a scan saw.

    path  what to parse: the file, or a copy in UTF-8 where it is not
    size  bytes when the scan began; strange: lines that are not UTF-8; shown: (line, text) of some of them
    """

    path: Path
    size: int
    bom: bool = False
    strange: int = 0
    nuls: int = 0
    lines: int = 0
    shown: list[tuple[int, str]] = field(default_factory=list)

    def findings(self, path: Path) -> Iterator[Finding]:
        """What is wrong with the bytes of the file."""
        if self.bom:
            yield Finding(
                "note", "byte_order_mark", f"{path} begins with a byte order mark",
                "nothing for stream_seg; other readers may see it as part of the first column's name", (), path.name,
            )  # fmt: skip
        if self.strange:
            shown = "; ".join(f"line {line}: {cut(content)}" for line, content in self.shown)
            yield Finding(
                "severe", "encoding", f"{self.strange:,} lines of {path} are not UTF-8 ({shown})",
                f"write it as UTF-8 (iconv -f LATIN1 -t UTF-8 {path.name}): replay sets such rows aside. They were "
                "read as Windows-1252 here", (), path.name, {"lines": self.strange},
            )  # fmt: skip
        if self.nuls:
            yield Finding(
                "severe", "nul_bytes", f"{path} holds {self.nuls:,} NUL bytes: it was cut off or damaged while written",
                "fetch the file again", (), path.name, {"bytes": self.nuls},
            )  # fmt: skip


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a file, unzipped where its name ends in .gz. Raises `ConfigError` where it cannot be opened."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise ConfigError([f"{path}: cannot be opened: {error.strerror}"]) from error
    with file:
        yield cast("BinaryIO", gzip.GzipFile(fileobj=file)) if path.suffix.lower() == ".gz" else file


def scan(path: Path, folder: Path, tell: Callable[[int, int], None]) -> Scan:
    """Reads the whole file once. Lines that are not UTF-8 are taken for Windows-1252 in a copy inside `folder`.

    Raises
    ------
    ConfigError
        It cannot be opened, is empty, or is UTF-16.
    Stop
        A gzip stream ends in the middle.
    """
    size = path.stat().st_size if path.exists() else 0
    found = Scan(path, size)
    copy: BinaryIO | None = None
    with opened(path) as file:
        try:
            rest, done = b"", 0
            while True:
                block = file.read(BLOCK)
                if not done:
                    _first(path, block, found)
                done += len(block)
                # Whole lines only: a character may span two blocks, never a line break.
                cut = block.rfind(b"\n") + 1 if block else 0
                whole, rest = (rest + block[:cut], block[cut:]) if cut else (rest + block if not block else b"", rest)
                if block and not cut:
                    rest += block
                    continue
                if whole:
                    copy = _judged(whole, found, copy, path, folder)
                tell(min(file.tell() if path.suffix.lower() != ".gz" else done, size), size)
                if not block:
                    break
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise Stop(f"{path}: the gzip stream is broken: {error}; fetch the file again") from error
        finally:
            if copy is not None:
                copy.close()
    return found


def _first(path: Path, block: bytes, found: Scan) -> None:
    if not block.strip():
        raise ConfigError([f"{path}:1:1: the file is empty: there are no rows in it, fetch it again"])
    for bom, name in BOMS.items():
        if block.startswith(bom):
            raise ConfigError([f"{path}:1:1: the file is {name}, write it as UTF-8 (iconv -f {name} -t UTF-8)"])
    found.bom = block.startswith(codecs.BOM_UTF8)


def _judged(whole: bytes, found: Scan, copy: BinaryIO | None, path: Path, folder: Path) -> BinaryIO | None:
    """Counts what is strange in whole lines; from the first strange one on there is a copy."""
    found.nuls += whole.count(0)
    try:
        whole.decode()
    except UnicodeDecodeError:
        if copy is None:
            copy = _copy(path, folder, found)
        lines = whole.split(b"\n")
        for number, line in enumerate(lines):
            try:
                line.decode()
            except UnicodeDecodeError:
                found.strange += 1
                readable = line.decode("cp1252", "replace")
                lines[number] = readable.encode()
                if len(found.shown) < KEPT:
                    found.shown.append((found.lines + number + 1, readable.strip()[:80]))
        whole = b"\n".join(lines)
    if copy is not None:
        copy.write(whole)
    found.lines += whole.count(b"\n")
    return copy


def _copy(path: Path, folder: Path, found: Scan) -> BinaryIO:
    """A copy that holds every line before this one."""
    found.path = folder / f"utf-8-{path.name.removesuffix('.gz')}"
    copy = found.path.open("wb")
    with opened(path) as file:
        for _ in range(found.lines):
            copy.write(file.readline())
    return copy
