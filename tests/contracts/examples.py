"""The published schemas and their examples, found on disk: a new file is tested without being listed anywhere.

A bad example is named for what refuses it: ``<keyword>@<place>--<why>.json``. The place is dotted; for `required` and
`additionalProperties` it names the missing or unwelcome field itself; ``--<why>`` tells apart two of the same kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema_rs
import orjson
from jsonschema_rs import ValidationErrorKind

SCHEMAS = Path(__file__).parents[2] / "schemas"

# Keywords that can refuse an instance. What is inside anyOf, oneOf, not and if refuses only through them.
ASSERTIONS = {
    "additionalProperties",
    "anyOf",
    "const",
    "enum",
    "exclusiveMinimum",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "not",
    "oneOf",
    "pattern",
    "required",
    "type",
    "uniqueItems",
}
OPAQUE = {"anyOf", "oneOf", "not", "if"}


class Published(NamedTuple):
    """One schema, by its path below ``schemas/`` without the ending: ``output/segment-changes.v1``."""

    name: str
    schema: dict[str, Any]

    def validator(self) -> jsonschema_rs.Draft202012Validator:
        return jsonschema_rs.Draft202012Validator(self.schema)

    def good(self) -> list[Path]:
        return sorted((SCHEMAS / "examples" / self.name / "good").glob("*.json"))

    def bad(self) -> list[Path]:
        return sorted((SCHEMAS / "examples" / self.name / "bad").glob("*.json"))


def published() -> list[Published]:
    files = sorted(path for path in SCHEMAS.rglob("*.schema.json") if "examples" not in path.parts)
    return [
        Published(path.relative_to(SCHEMAS).as_posix().removesuffix(".schema.json"), orjson.loads(path.read_bytes()))
        for path in files
    ]


def rules(schema: dict[str, Any]) -> set[str]:
    """Every place in a schema that can refuse an instance; each name of a `required` counts by itself.

    What `$ref` points to is followed, so a definition counts where it stands, once.
    """
    found: set[str] = set()
    waiting: list[tuple[str, ...]] = [()]
    seen: set[tuple[str, ...]] = set()
    while waiting:
        start = waiting.pop()
        if start not in seen:
            seen.add(start)
            part: Any = schema
            for step in start:
                part = part[step]
            for place, value in _keywords(part, start):
                if place[-1] == "$ref":
                    waiting.append(tuple(value.removeprefix("#/").split("/")))
                elif place[-1] == "required":
                    found |= {"/".join((*place, name)) for name in value}
                elif place[-1] in ASSERTIONS and (place[-1] != "additionalProperties" or value is False):
                    found.add("/".join(place))
    return found


def _keywords(schema: object, at: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(place, value) of each keyword that applies by itself, not through anyOf, not or if."""
    if not isinstance(schema, dict):
        return
    for keyword, value in schema.items():
        place = (*at, keyword)
        yield place, value
        if keyword == "properties":
            for name, inner in value.items():
                yield from _keywords(inner, (*place, name))
        elif keyword == "allOf":
            for index, inner in enumerate(value):
                yield from _keywords(inner, (*place, str(index)))
        elif keyword not in {*OPAQUE, "$defs"}:
            yield from _keywords(value, place)


def refusals(error: jsonschema_rs.ValidationError) -> list[tuple[str, str]]:
    """(place in the schema, ``keyword@place in the instance``) of one error; of each field where it names several."""
    path = [str(part) for part in error.schema_path]
    place = [str(part) for part in error.instance_path]
    match error.kind:
        case ValidationErrorKind.Required(property=field):
            return [("/".join((*path, field)), f"required@{'.'.join((*place, field))}")]
        case ValidationErrorKind.AdditionalProperties(unexpected=fields):
            return [("/".join(path), f"additionalProperties@{'.'.join((*place, field))}") for field in fields]
    return [("/".join(path), f"{path[-1]}@{'.'.join(place)}")]
