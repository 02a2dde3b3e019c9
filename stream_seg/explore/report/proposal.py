"""The configuration with what the report proposes: the given text, edited in place, each change with its reason.

What a person wrote stays as it is, comments and order too; only the spans of the changed keys are touched.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from stream_seg.explore.report.subject import Change

WIDTH = 116
HEAD = "# Proposed by stream-seg explore. Read the report, then give this file to `stream-seg choose --config`.\n"


class _Edit(NamedTuple):
    start: int
    end: int
    text: str


def settled(changes: Sequence[Change]) -> list[Change]:
    """Without changes to the shape of a feature that leaves the distance anyway."""
    leaving = {one.name for one in changes if one.keys.get("role") == "outcome"}
    return [one for one in changes if one.name not in leaving or one.keys.get("role") == "outcome"]


def proposed(given: str, changes: Sequence[Change]) -> str | None:
    """The text of the new configuration; None where nothing changes."""
    if not changes:
        return None
    document = YAML().compose(given)
    features = _value(document, "features")
    by_name = {_value(one, "name").value: one for one in features.value}
    edits = _without_model(given, _value(document, "segments"))
    for change in changes:
        node = by_name.get(change.name)
        if node is None:
            edits.append(_added(given, features, change))
        else:
            edits += _changed(given, features, node, change)
    text = given
    for edit in sorted(edits, key=lambda one: (one.start, one.end), reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return HEAD + text


def _without_model(given: str, segments: Node | None) -> list[_Edit]:
    """A model was learned on the features as they were."""
    if not isinstance(segments, MappingNode):
        return []
    if [key.value for key, _ in segments.value] == ["initial_model"]:
        return [_Edit(segments.start_mark.index, _end(segments), "{}")]
    return _removed(given, segments, "initial_model")


def _value(node: MappingNode, name: str) -> Any:
    return next((value for key, value in node.value if key.value == name), None)


def _end(node: Node) -> int:
    """Where the last thing that belongs to a node ends, without the comments behind it."""
    if isinstance(node, MappingNode | SequenceNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(node, MappingNode) else last)
    return int(node.end_mark.index)


def _changed(given: str, features: SequenceNode, node: MappingNode, change: Change) -> list[_Edit]:
    edits = list[_Edit]()
    for name in change.without:
        edits += _removed(given, node, name)
    for name, value in change.keys.items():
        old = _value(node, name)
        if old is not None:
            edits.append(_Edit(old.start_mark.index, _end(old), _flow(value)))
        elif node.flow_style:
            at = node.end_mark.index - 1
            edits.append(_Edit(at, at, f", {name}: {_flow(value)}"))
        else:
            at = _line_end(given, _end(node.value[0][1]))
            edits.append(_Edit(at, at, f"\n{' ' * node.start_mark.column}{name}: {_flow(value)}"))
    if not features.flow_style:
        at = given.rfind("\n", 0, node.start_mark.index) + 1
        edits.append(_Edit(at, at, _comment(change, given, at)))
    return edits


def _removed(given: str, node: MappingNode, name: str) -> list[_Edit]:
    place = next((i for i, (key, _) in enumerate(node.value) if key.value == name), None)
    if place is None:
        return []
    key, value = node.value[place]
    if place == 0:  # the next key takes its place
        return [_Edit(key.start_mark.index, node.value[1][0].start_mark.index, "")]
    if node.flow_style:
        return [_Edit(_end(node.value[place - 1][1]), _end(value), "")]
    start = given.rfind("\n", 0, key.start_mark.index)
    return [_Edit(start, _line_end(given, _end(value)), "")]


def _added(given: str, features: SequenceNode, change: Change) -> _Edit:
    entry = ", ".join(f"{name}: {_flow(value)}" for name, value in change.keys.items())
    if features.flow_style:
        at = features.end_mark.index - 1
        return _Edit(at, at, f", {{{entry}}}")
    first = features.value[0].start_mark.index
    line = given.rfind("\n", 0, first) + 1
    dash = " " * (len(given[line:first]) - len(given[line:first].lstrip()))
    at = _line_end(given, _end(features))
    body = "".join(f"{dash}  {name}: {_flow(value)}\n" for name, value in change.keys.items())
    body = f"{dash}- {body.lstrip()}".rstrip("\n")
    return _Edit(at, at, f"\n\n{_comment(change, given, line)}{body}")


def _comment(change: Change, given: str, line: int) -> str:
    """The reason, indented as the line before which it stands."""
    rest = given[line:]
    indent = rest[: len(rest) - len(rest.lstrip(" "))]
    return "".join(f"{indent}# {part}\n" for part in textwrap.wrap(f"{change.name}: {change.why}", WIDTH - len(indent)))


def _line_end(given: str, at: int) -> int:
    found = given.find("\n", at)
    return len(given) if found < 0 else found


def _flow(value: Any) -> str:
    """A value in one line of YAML.

    >>> _flow(["log1p", {"clip": [0, 5]}]), _flow("1 Adult")
    ('[log1p, {clip: [0, 5]}]', '"1 Adult"')
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_flow(one) for one in value) + "]"
    if isinstance(value, str) and value.replace("_", "").isalnum() and not value[0].isdigit() and value not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)


_WORDS = {"yes", "no", "on", "off", "true", "false", "null", "y", "n"}
