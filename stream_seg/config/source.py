"""The YAML file as plain values, and the place in the file where each of them stands."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from stream_seg.config.problems import KeyPath, Problems, dotted

MAX_BYTES = 1_000_000
MAX_VALUES = 20_000  # after aliases are written out: a file that grows beyond it is a bomb, not a configuration
MAX_DEPTH = 20
_CORE = "tag:yaml.org,2002:"
_TAGS = {f"{_CORE}{kind}" for kind in ("str", "timestamp", "int", "float", "bool", "null", "map", "seq")}

Plain: TypeAlias = Any  # what YAML can say: dict, list, str, int, float, bool, None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value begins: line and column from 1, and the source text of a scalar."""

    line: int
    column: int
    style: str | None = None
    raw: str = ""

    def inside(self, offset: int) -> tuple[int, int]:
        """Line and column of character `offset` of the scalar's value, as near as the quoting lets one tell.

        >>> Place(3, 10, "'", "'it''s'").inside(3)
        (3, 15)
        """
        if self.style in ("|", ">"):
            return self._inside_block(offset)
        if self.style is None:
            return (self.line, self.column + offset) if "\n" not in self.raw else (self.line, self.column)
        escape = {"'": "''", '"': "\\"}[self.style]
        at = 1
        for _ in range(offset):
            at += 2 if self.raw.startswith(escape, at) else 1
        return (self.line, self.column + at) if "\n" not in self.raw[:at] else (self.line, self.column)

    def _inside_block(self, offset: int) -> tuple[int, int]:
        _, _, body = self.raw.partition("\n")
        lines = body.split("\n")
        indent = min((len(one) - len(one.lstrip(" ")) for one in lines if one.strip()), default=0)
        for number, one in enumerate(lines, start=self.line + 1):
            if offset <= len(one) - indent:
                return number, indent + offset + 1
            offset -= max(len(one) - indent, 0) + 1
        return self.line, self.column


@dataclass(slots=True)
class Source:
    """One YAML file: its values and where each key and value stands."""

    file: str
    values: dict[str, Plain] = field(default_factory=dict)
    places: dict[KeyPath, Place] = field(default_factory=dict)
    keys: dict[KeyPath, Place] = field(default_factory=dict)
    told: list[KeyPath] = field(default_factory=list)  # mistakes of the file itself: no more is said about these


def read(path: Path, problems: Problems) -> Source:
    """Reads `path`. What is wrong with the file itself is added to `problems`, with its place."""
    source = Source(str(path))
    text = _text(path, problems)
    if text is None:
        return source
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", ReusedAnchorWarning)
            root = YAML(typ="safe", pure=True).compose(text)
    except ReusedAnchorWarning as warning:
        line, column = map(int, re.findall(r"line (\d+), column (\d+)", str(warning))[-1])
        problems.at(line, column, "", "an anchor (`&name`) that is given twice, rename one of them")
        return source
    except MarkedYAMLError as error:
        _syntax(error, text, problems)
        return source
    except YAMLError as error:  # a character that YAML does not allow; it says where only in words
        position = getattr(error, "position", 0)
        line, column = text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)
        problems.at(line, column, "", "a control character that YAML does not allow, remove it")
        return source
    except RecursionError:
        problems.at(1, 1, "", f"nested too deep (more than {MAX_DEPTH} levels), this is not a configuration")
        return source
    if root is None:
        problems.at(1, 1, "", "the file is empty, start from examples/segmentation.yaml")
    elif not isinstance(root, MappingNode):
        problems.at(1, 1, "", f"expected `key: value` lines, got {_shape(root)}; start from examples/segmentation.yaml")
    else:
        source.values = _Reader(source, text, problems).mapping(root, ())
    return source


def _text(path: Path, problems: Problems) -> str | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        problems.at(0, 0, "", "no such file, name another with --config or start from examples/segmentation.yaml")
        return None
    except OSError as error:
        problems.at(0, 0, "", f"cannot be read ({error.strerror}), check its path and permissions")
        return None
    if len(content) > MAX_BYTES:
        problems.at(0, 0, "", f"is {len(content):,} bytes, a configuration has at most {MAX_BYTES:,}")
        return None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        problems.at(line, column, "", f"byte 0x{content[error.start]:02x} is not UTF-8, save the file as UTF-8")
        return None


def _syntax(error: MarkedYAMLError, text: str, problems: Problems) -> None:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    lines = text.splitlines()
    rest = lines[line - 1][column - 1 :] if line <= len(lines) else ""
    if rest.startswith("\t"):
        problems.at(line, column, "", "a tab, indent with spaces")
    elif error.problem == "mapping values are not allowed here":
        problems.at(line, column, "", "a second `:` on one line, put the value in quotes or on its own line")
    elif error.context == "expected a single document in the stream":
        problems.at(line, column, "", "a second document (`---`), keep one per file")
    elif error.problem and error.problem.startswith("found undefined alias"):
        problems.at(line, column, "", f"{error.problem.removeprefix('found ')}, define it first with `&`")
    else:
        what = ", ".join(part for part in (error.context, error.problem) if part)
        problems.at(line, column, "", f"not YAML: {what}; look at the line and the one before it")


def _shape(node: Node) -> str:
    return "a list" if isinstance(node, SequenceNode) else "a single value"


class _Reader:
    """Turns composed nodes into plain values and notes where they stand."""

    def __init__(self, source: Source, text: str, problems: Problems) -> None:
        self._source = source
        self._text = text
        self._problems = problems
        self._count = 0

    def mapping(self, node: MappingNode, path: KeyPath) -> dict[str, Plain]:
        values: dict[str, Plain] = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, ScalarNode) else None
            at = _place(key_node, self._text)
            if key is None or key == "<<":
                what = "`<<` merges are not read here" if key else "a key must be a single word"
                self._problems.at(at.line, at.column, dotted(path), f"{what}, write the keys out")
                continue
            if key in values:
                first = self._source.keys[(*path, key)].line
                self._problems.at(
                    at.line, at.column, dotted((*path, key)), f"given twice (first in line {first}), keep one"
                )
                continue
            self._source.keys[(*path, key)] = at
            values[key] = self.value(value_node, (*path, key))
        return values

    def value(self, node: Node, path: KeyPath) -> Plain:
        self._source.places[path] = place = _place(node, self._text)
        self._count += 1
        if self._count == MAX_VALUES or len(path) > MAX_DEPTH:
            what = (
                f"more than {MAX_VALUES:,} values" if self._count == MAX_VALUES else f"deeper than {MAX_DEPTH} levels"
            )
            self._problems.at(place.line, place.column, dotted(path[:3]), f"{what}, look at its aliases (`*name`)")
        if self._count >= MAX_VALUES or len(path) > MAX_DEPTH:
            return None
        if str(node.tag) not in _TAGS:
            self._tell(path, place, f"the tag {str(node.tag).replace(_CORE, '!!')} is not read here, remove it")
            return None
        if isinstance(node, MappingNode):
            return self.mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*path, i)) for i, item in enumerate(node.value)]
        try:
            value = _scalar(node)
        except ValueError:  # a tag that the text does not fit: `!!int seven`
            self._tell(path, place, "the text does not fit its tag, remove the tag")
            return None
        if value is None:
            self._tell(path, self._source.keys.get(path, place), "is empty, write a value or take it out")
        return value

    def _tell(self, path: KeyPath, place: Place, text: str) -> None:
        self._source.told.append(path)
        self._problems.at(place.line, place.column, dotted(path), text)


def _scalar(node: Node) -> Plain:
    text: str = node.value
    match str(node.tag).removeprefix(_CORE):
        case "str" | "timestamp":
            return text
        case "int":
            return int(text.replace("_", ""), 0 if text.lstrip("+-")[1:2].isalpha() else 10)
        case "float":
            number = text.replace("_", "").lower()
            return float(number.replace(".", "", 1) if number.endswith(("inf", "nan")) else number)
        case "bool":
            return text.lower() in {"true", "yes", "on", "y"}  # the words that YAML 1.1 adds, where %YAML asks for it
        case "null":
            return None
        case tag:
            raise ValueError(tag)


def _place(node: Node, text: str) -> Place:
    start, end = node.start_mark, node.end_mark
    if isinstance(node, ScalarNode):
        return Place(start.line + 1, start.column + 1, node.style, text[start.index : end.index])
    return Place(start.line + 1, start.column + 1)
