"""The text of a ``where`` to a tree of conditions. A small tokenizer and a recursive-descent parser; nothing is run.

::

    condition  = conjunction { "or" conjunction }
    conjunction = negation { "and" negation }
    negation   = "not" negation | "(" condition ")" | "exists" "(" field ")" | comparison
    comparison = field ( "==" | "!=" | "<" | "<=" | ">" | ">=" ) constant
               | field [ "not" ] "in" "[" constant { "," constant } "]"
    field      = "event" | "type" | ( "properties" | "traits" | "context" ) { "." name } | calendar part
    constant   = text in quotes | number | true | false | day of the week (of `weekday` only)

Times are read through calendar parts: ``weekday`` (mon … sun), ``hour`` (0 … 23), ``day`` (1 … 31), ``month`` (1 … 12).
"""

from __future__ import annotations

import math
import re
from difflib import get_close_matches
from typing import Literal, NamedTuple, NoReturn, TypeAlias

import msgspec

from stream_seg.errors import Stop

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
CALENDAR = {"weekday": (0, 6), "hour": (0, 23), "day": (1, 31), "month": (1, 12)}
PLAIN_FIELDS = ("event", "type")
OBJECTS = ("properties", "traits", "context")
EVENT_TYPES = ("track", "identify", "page", "screen", "group", "alias")
KEYWORDS = ("and", "or", "not", "in", "exists", "true", "false")
MAX_DEPTH = 50  # parentheses and nots inside each other

Order: TypeAlias = Literal["<", "<=", ">", ">="]
Constant: TypeAlias = str | float


class ExpressionError(Stop):
    """A ``where`` that cannot be used: what is wrong and what to write instead.

    column   where in its text, from 1
    feature  name of the feature that it belongs to, where that is known
    """

    def __init__(self, message: str, column: int, feature: str | None = None) -> None:
        super().__init__(f"column {column}: {message}" if feature is None else f"{feature}: column {column}: {message}")
        self.message = message
        self.column = column
        self.feature = feature


class _Node(msgspec.Struct, frozen=True):
    pass


class OneOf(_Node, frozen=True):
    """The field is present and is one of `constants` (`negated`: is none of them).

    All constants are texts or all are numbers; ``true`` and ``false`` are the texts "true" and "false".
    """

    field: str
    constants: tuple[Constant, ...]
    negated: bool
    column: int


class Ordered(_Node, frozen=True):
    """The field is present and stands in this order to a number."""

    field: str
    order: Order
    bound: float
    column: int


class Exists(_Node, frozen=True):
    field: str
    column: int


class Not(_Node, frozen=True):
    part: Node


class And(_Node, frozen=True):
    parts: tuple[Node, ...]


class Or(_Node, frozen=True):
    parts: tuple[Node, ...]


Leaf: TypeAlias = OneOf | Ordered | Exists
Node: TypeAlias = Leaf | Not | And | Or


class _Token(NamedTuple):
    kind: Literal["word", "text", "number", "sign", "end"]
    text: str
    column: int


_TOKENS = re.compile(
    r"""
    (?P<space>[ \t\r\n]+)
  | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
  | (?P<number>[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![\w.]))
  | (?P<word>[A-Za-z_$][\w$-]*(?:\.(?:[\w$-]+|"[^"\\.]+"))*)
  | (?P<sign>==|!=|<=|>=|<>|&&|\|\||[<>=!()\[\],])
    """,
    re.VERBOSE,
)
_OTHER_TONGUES = {
    "=": "==", "<>": "!=", "&&": "and", "||": "or", "!": "not", "AND": "and", "OR": "or", "NOT": "not", "IN": "in",
    "is": "==", "True": "true", "False": "false", "TRUE": "true", "FALSE": "false", "EXISTS": "exists",
}  # fmt: skip


def parse(where: str) -> Node:
    """The tree of a condition.

    >>> parse("properties.discount > 0")
    Ordered(field='properties.discount', order='>', bound=0.0, column=1)
    >>> parse("weekday in [sat, sunday]")
    Traceback (most recent call last):
    stream_seg.core.grammar.ExpressionError: column 18: sunday is not a day of the week; did you mean sun?
    """
    parser = _Parser(_tokens(where))
    tree = parser.condition(0)
    if parser.now.kind != "end":
        parser.fail(f"{parser.now.text} is not expected here; join conditions with and, or")
    return tree


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


def _tokens(where: str) -> list[_Token]:
    tokens, at = [], 0
    while at < len(where):
        match = _TOKENS.match(where, at)
        if match is None:
            if where[at] in "\"'":
                raise ExpressionError(f"the text that starts here has no end; close it with {where[at]}", at + 1)
            raise ExpressionError(f"{where[at]!r} means nothing here; fields, texts in quotes and numbers do", at + 1)
        if match.lastgroup != "space":
            tokens.append(_Token(match.lastgroup, match.group(), at + 1))  # type: ignore[arg-type]  # group names are kinds
        at = match.end()
    return [*tokens, _Token("end", "the end", len(where) + 1)]


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens = tokens
        self.at = 0

    @property
    def now(self) -> _Token:
        return self.tokens[self.at]

    def fail(self, message: str, token: _Token | None = None) -> NoReturn:
        token = token or self.now
        meant = _OTHER_TONGUES.get(token.text)
        if meant is not None and token.kind != "text":
            message = f"{token.text} is not known here; did you mean {meant}?"
        raise ExpressionError(message, token.column)

    def take(self) -> _Token:
        token = self.now
        self.at += 1
        return token

    def took(self, text: str) -> bool:
        if self.now.text == text and self.now.kind in ("word", "sign"):
            self.at += 1
            return True
        return False

    def expect(self, text: str, why: str) -> None:
        if not self.took(text):
            self.fail(f"{text} is missing {why}; found {self.now.text}")

    def condition(self, depth: int) -> Node:
        parts = [self.conjunction(depth)]
        while self.took("or"):
            parts.append(self.conjunction(depth))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def conjunction(self, depth: int) -> Node:
        parts = [self.negation(depth)]
        while self.took("and"):
            parts.append(self.negation(depth))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def negation(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            self.fail(f"more than {MAX_DEPTH} conditions inside each other; write a simpler one")
        if self.took("not"):
            return Not(self.negation(depth + 1))
        if self.took("("):
            inside = self.condition(depth + 1)
            self.expect(")", "after the condition")
            return inside
        if self.now.text == "exists" and self.now.kind == "word":
            return self.existence()
        return self.comparison()

    def existence(self) -> Node:
        column = self.take().column
        self.expect("(", "after exists")
        field = self.field()
        if field in CALENDAR:
            raise ExpressionError(f"{field} always exists; ask for a field of the event", column)
        self.expect(")", "after the field")
        return Exists(field, column)

    def comparison(self) -> Node:
        column = self.now.column
        field = self.field()
        negated = self.now.text == "not" and self.tokens[self.at + 1].text == "in" and self.took("not")
        if self.took("in"):
            return OneOf(field, self.listed(field), negated, column)
        sign = self.take()
        if sign.kind != "sign" or sign.text not in ("==", "!=", "<", "<=", ">", ">="):
            self.fail(f"a comparison is missing after {field}; write ==, !=, <, <=, >, >=, in or not in", sign)
        at = self.now.column
        constant = self.constant(field)
        if sign.text in ("==", "!="):
            return OneOf(field, (constant,), sign.text == "!=", column)
        if isinstance(constant, str) or field == "weekday":
            raise ExpressionError(f"{sign.text} compares numbers; use ==, !=, in or not in here", at)
        return Ordered(field, sign.text, constant, column)  # type: ignore[arg-type]  # one of the four orders

    def field(self) -> str:
        token = self.now
        if token.kind != "word" or token.text in KEYWORDS:
            self.fail(f"a field is expected here, found {token.text}; write it left of the comparison")
        if token.text in _OTHER_TONGUES:
            self.fail("")
        path = token.text.replace('"', "")
        if path not in CALENDAR:
            check_field(path, token.column)
        self.at += 1
        return path

    def listed(self, field: str) -> tuple[Constant, ...]:
        self.expect("[", "after in")
        constants = [self.constant(field)]
        while self.took(","):
            column = self.now.column
            constants.append(self.constant(field))
            if isinstance(constants[-1], str) != isinstance(constants[0], str):
                raise ExpressionError("texts and numbers in one list; a field is either", column)
        self.expect("]", "after the list")
        return tuple(dict.fromkeys(constants))

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

    def plain_constant(self, token: _Token) -> Constant:
        if token.kind == "text":
            return re.sub(r"\\(.)", r"\1", token.text[1:-1], flags=re.DOTALL)
        if token.kind == "number":
            if not math.isfinite(float(token.text)):
                self.fail(f"{token.text} is too large for a number")
            return float(token.text) + 0.0  # -0.0 and 0.0 are one constant
        if token.text in ("true", "false"):
            return token.text
        if token.text in ("null", "None", "nil"):
            self.fail(f"{token.text} cannot be compared; write not exists(field)")
        if token.kind == "word" and token.text not in KEYWORDS:
            self.fail(f'{token.text} is not a constant; did you mean the text "{token.text}"?')
        return self.fail(f"a text in quotes, a number, true or false is expected here, found {token.text}")


def _weekday(token: _Token) -> float:
    word = token.text.strip("\"'").lower()
    if word in WEEKDAYS:
        return float(WEEKDAYS.index(word))
    hint = f"did you mean {word[:3]}?" if word[:3] in WEEKDAYS else f"write one of {', '.join(WEEKDAYS)}"
    raise ExpressionError(f"{token.text} is not a day of the week; {hint}", token.column)
