"""The RUN folder: what went in, what came out. Written whole or not at all.

``run.json`` says how to make it again: the command and its options, the version of this package and of the libraries
under it, the seed, and each input with its size and SHA-256. Nothing in the folder depends on a clock.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

import msgspec
import orjson

from stream_seg.config import Config, load
from stream_seg.errors import ConfigError, Stop

MANIFEST = "run.json"
TIMINGS = "timings.json"  # the one file of a run that a clock decides
CONFIG = "config.yaml"  # the configuration as it was given
LIBRARIES = ("numba", "numpy", "scikit-learn", "scipy", "river", "matplotlib", "opentsne", "hdbscan", "duckdb")

T = TypeVar("T")


class Input(msgspec.Struct, frozen=True):
    """A file that went in."""

    path: str
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """How to make a run again."""

    command: str
    options: dict[str, Any]
    inputs: tuple[Input, ...]
    seed: int
    made_with: dict[str, str]


def manifest(command: str, inputs: Sequence[str], options: Mapping[str, Any], seed: int) -> Manifest:
    """The manifest of a run that begins now. Reads every input once, for its SHA-256."""
    return Manifest(
        command=command,
        options=dict(options),
        inputs=tuple(_input(Path(one)) for one in inputs),
        seed=seed,
        made_with={
            "stream_seg": version("stream_seg"),
            **{name: version(name) for name in LIBRARIES},
            "python": platform.python_version(),
            "processor": platform.machine(),
        },
    )


def _input(path: Path) -> Input:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Input(str(path), path.stat().st_size, digest)


def configured(file: Path) -> Config:
    """What a file says, whatever the environment does, and without an initial model.

    Nothing that is explored depends on such a model, and it does not lie in the folder of a run.
    """
    return load(file, {}, model=False)


def of_the_file_alone(config: Config) -> None:
    """A run is made again from the file that is kept in it: what the environment puts over it would be lost."""
    alone = configured(config.path)
    if any(getattr(alone, part) != getattr(config, part) for part in ("definition", "good", "bases", "question")):
        names = [name for name in sorted(os.environ) if name.startswith("STREAM_SEG_")]
        raise ConfigError(
            [f"{config.path}: the environment ({', '.join(names)}) changes what is explored, write it into the file"]
        )


def _command_of(folder: Path) -> str:
    """Of which command a folder is the run."""
    try:
        return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest).command
    except msgspec.DecodeError:
        return "…"


def recorded(folder: Path, command: str, kind: type[T]) -> tuple[Manifest, T]:
    """The manifest of an earlier run of a command, and its options as what that command asks for.

    Raises `Stop` where the folder is none, is another command's or another version's, or an input is another one now.
    """
    try:
        found = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
        if found.command != command:
            raise Stop(f"{folder} was made by `stream-seg {found.command}`: make it again by that command")
        options = msgspec.convert(found.options, kind)
    except (FileNotFoundError, NotADirectoryError):
        raise Stop(f"{folder} is not the folder of a run: there is no {MANIFEST} in it") from None
    except msgspec.ValidationError as error:
        raise Stop(
            f"{folder / MANIFEST} was written by another version of stream_seg ({error}): give the inputs and options "
            "anew, they stand in it"
        ) from error
    except msgspec.DecodeError as error:
        raise Stop(f"{folder / MANIFEST} cannot be read ({error}): give the inputs and options anew") from error
    for one in found.inputs:
        path = Path(one.path)
        if not path.is_file():
            where = "" if path.is_absolute() else f" in {Path.cwd()}"
            raise Stop(f"{path}, which {folder} was made from, is not there any more{where}: bring it back")
        if _input(path) != one:
            raise Stop(f"{path} is another file than the one that {folder} was made from: give it as a new INPUT")
    return found, options


class Difference(NamedTuple):
    """What came out differently: names of files, and what the earlier run was made with that is another one now."""

    files: list[str]
    versions: list[str]


def differing(run: Path, again: Path) -> Difference:
    """Two runs held against each other, byte for byte; time and memory are not compared."""
    names = {path.name for folder in (run, again) for path in folder.iterdir()} - {MANIFEST, TIMINGS}
    files = [
        name
        for name in sorted(names)
        if not all((folder / name).is_file() for folder in (run, again))
        or (run / name).read_bytes() != (again / name).read_bytes()
    ]
    then, now = (
        msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest).made_with for folder in (run, again)
    )
    return Difference(
        files, [f"{name} {then.get(name)}, here {now[name]}" for name in now if then.get(name) != now[name]]
    )


class RunFolder:
    """The folder being made: files are written into ``<folder>.part``, which takes its name when all went well.

    Raises `Stop` where `folder` holds something that is no run.
    """

    def __init__(self, folder: Path, made: Manifest) -> None:
        self.folder = folder
        self.part = folder.with_name(folder.name + ".part")
        self._made = made

    def __enter__(self) -> Self:
        if self.folder.exists() and any(self.folder.iterdir()) and not (self.folder / MANIFEST).is_file():
            raise Stop(f"{self.folder} holds other things; name a new folder, or one of an earlier run")
        if (self.folder / MANIFEST).is_file() and (earlier := _command_of(self.folder)) != self._made.command:
            raise Stop(f"{self.folder} is the run of `stream-seg {earlier}`; name another folder")
        try:
            shutil.rmtree(self.part, ignore_errors=True)
            self.part.mkdir(parents=True)
        except OSError as error:
            raise Stop(f"{self.folder}: cannot be written: {error.strerror}") from error
        self.write(MANIFEST, orjson.dumps(msgspec.to_builtins(self._made), option=orjson.OPT_INDENT_2))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            shutil.rmtree(self.part, ignore_errors=True)
            return
        if self.folder.exists():
            shutil.rmtree(self.folder)
        self.part.rename(self.folder)

    def write(self, name: str, content: bytes | str) -> None:
        """One file of the run."""
        (self.part / name).write_bytes(content.encode() if isinstance(content, str) else content)

    def written(self) -> list[str]:
        """Everything in it, as it will be called."""
        return [str(self.folder / path.relative_to(self.part)) for path in sorted(self.part.rglob("*"))]
