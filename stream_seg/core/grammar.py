"""The text of a ``where`` to a tree of conditions on events (`stream_seg.core.syntax` has the form of conditions).

::

    field      = "event" | "type" | ( "properties" | "traits" | "context" ) { "." name } | calendar part
    constant   = text in quotes | number | true | false | day of the week (of `weekday` only)

Times are read through calendar parts: ``weekday`` (mon … sun), ``hour`` (0 … 23), ``day`` (1 … 31), ``month`` (1 … 12).
"""

from __future__ import annotations

from difflib import get_close_matches

from stream_seg.core.syntax import Constant, ExpressionError, Node, Parser, Token, tokens_of

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
CALENDAR = {"weekday": (0, 6), "hour": (0, 23), "day": (1, 31), "month": (1, 12)}
PLAIN_FIELDS = ("event", "type")
OBJECTS = ("properties", "traits", "context")
EVENT_TYPES = ("track", "identify", "page", "screen", "group", "alias")


def parse(where: str) -> Node:
    """The tree of a condition.

    >>> parse("properties.discount > 0")
    Ordered(field='properties.discount', order='>', bound=0.0, column=1)
    >>> parse("weekday in [sat, sunday]")
    Traceback (most recent call last):
    stream_seg.core.syntax.ExpressionError: column 18: sunday is not a day of the week; did you mean sun?
    """
    return _OfEvents(tokens_of(where)).whole()


def check_field(path: str, column: int = 1) -> None:
    """Raises `ExpressionError` unless `path` names something that an event can have."""
    root, _, rest = path.partition(".")
    if path in PLAIN_FIELDS or (root in OBJECTS and rest and all(rest.split("."))):
        return
    if path in OBJECTS:
        raise ExpressionError(f"{path} is an object; name a field of it, as in {path}.plan", column)
    if root in PLAIN_FIELDS or root in CALENDAR:
        raise ExpressionError(f"{root} has no fields; write {root} alone", column)
    known = (*PLAIN_FIELDS, *OBJECTS, *CALENDAR)
    near = [name for name in known if name.startswith(root)][:1] or get_close_matches(root, known, 1)
    meant = ".".join([near[0], rest] if rest else near) if near else f"properties.{path}"
    raise ExpressionError(f"{path} is not a field of an event; did you mean {meant}?", column)


class _OfEvents(Parser):
    def known(self, path: str, column: int) -> None:
        if path not in CALENDAR:
            check_field(path, column)

    def askable(self, field: str, column: int) -> None:
        if field in CALENDAR:
            raise ExpressionError(f"{field} always exists; ask for a field of the event", column)

    def orderable(self, field: str) -> bool:
        return field != "weekday"

    def constant(self, field: str) -> Constant:
        token = self.now
        value = _weekday(token) if field == "weekday" else self.plain_constant(token)
        self.at += 1
        if field in CALENDAR:
            low, high = CALENDAR[field]
            if isinstance(value, str) or not (low <= value <= high and value == int(value)):
                raise ExpressionError(f"{field} is a whole number from {low} to {high}", token.column)
        elif field in PLAIN_FIELDS and not isinstance(value, str):
            raise ExpressionError(f'{field} is a text; write it in quotes: "{token.text}"', token.column)
        if field == "type" and value not in EVENT_TYPES:
            near = get_close_matches(str(value), EVENT_TYPES, 1)
            hint = f'did you mean "{near[0]}"?' if near else f"types are {', '.join(EVENT_TYPES)}"
            raise ExpressionError(f"{token.text} is not a type of event; {hint}", token.column)
        return value


def _weekday(token: Token) -> float:
    word = token.text.strip("\"'").lower()
    if word in WEEKDAYS:
        return float(WEEKDAYS.index(word))
    hint = f"did you mean {word[:3]}?" if word[:3] in WEEKDAYS else f"write one of {', '.join(WEEKDAYS)}"
    raise ExpressionError(f"{token.text} is not a day of the week; {hint}", token.column)
