"""What every small language of the configuration has in common: tokens, a tree of conditions, its parser.

::

    condition  = conjunction { "or" conjunction }
    conjunction = negation { "and" negation }
    negation   = "not" negation | "(" condition ")" | "exists" "(" field ")" | comparison
    comparison = field ( "==" | "!=" | "<" | "<=" | ">" | ">=" ) constant
               | field [ "not" ] "in" "[" constant { "," constant } "]"

What a field and a constant are is for the language to say, by what it overrides in `Parser`: conditions on events
are `stream_seg.core.grammar`, views of customers `stream_seg.core.views`. Nothing is run.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Literal, NamedTuple, NoReturn, TypeAlias

import msgspec

from stream_seg.errors import Stop

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


class Token(NamedTuple):
    kind: Literal["word", "text", "number", "duration", "sign", "end"]
    text: str
    column: int


_TOKENS = re.compile(
    r"""
    (?P<space>[ \t\r\n]+)
  | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
  | (?P<number>[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![\w.]))
  | (?P<duration>[0-9]{1,12}(?:ms|s|m|h|d|w)(?![\w.]))
  | (?P<word>[A-Za-z_$][\w$-]*(?:\.(?:[\w$-]+|"[^"\\.]+"))*)
  | (?P<sign>==|!=|<=|>=|<>|&&|\|\||[<>=!()\[\],])
    """,
    re.VERBOSE,
)
_OTHER_TONGUES = {
    "=": "==", "<>": "!=", "&&": "and", "||": "or", "!": "not", "AND": "and", "OR": "or", "NOT": "not", "IN": "in",
    "is": "==", "True": "true", "False": "false", "TRUE": "true", "FALSE": "false", "EXISTS": "exists",
}  # fmt: skip


def leaves(node: Node) -> Iterator[Leaf]:
    """Every comparison of a condition, from left to right."""
    match node:
        case Not(part=part):
            yield from leaves(part)
        case And(parts=parts) | Or(parts=parts):
            for part in parts:
                yield from leaves(part)
        case _:
            yield node


def tokens_of(where: str) -> list[Token]:
    """The words of a text, and its end. Raises `ExpressionError` where a character means nothing."""
    tokens, at = [], 0
    while at < len(where):
        match = _TOKENS.match(where, at)
        if match is None:
            if where[at] in "\"'":
                raise ExpressionError(f"the text that starts here has no end; close it with {where[at]}", at + 1)
            raise ExpressionError(f"{where[at]!r} means nothing here; fields, texts in quotes and numbers do", at + 1)
        if match.lastgroup != "space":
            tokens.append(Token(match.lastgroup, match.group(), at + 1))  # type: ignore[arg-type]  # group names are kinds
        at = match.end()
    return [*tokens, Token("end", "the end", len(where) + 1)]


class Parser:
    """One text of a language. What is its own: `known`, `constant`, and where needed `askable` and `orderable`."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.at = 0

    @property
    def now(self) -> Token:
        return self.tokens[self.at]

    def known(self, path: str, column: int) -> None:
        """Raises `ExpressionError` unless `path` is a field of the language."""
        raise NotImplementedError

    def constant(self, field: str) -> Constant:  # noqa: ARG002  # languages differ by the field
        """The constant at hand, which is compared with `field`."""
        value = self.plain_constant(self.now)
        self.at += 1
        return value

    def askable(self, field: str, column: int) -> None:
        """Raises `ExpressionError` where it makes no sense to ask whether the field exists."""

    def orderable(self, field: str) -> bool:  # noqa: ARG002  # see above
        """Whether numbers of this field stand in an order that means something."""
        return True

    def whole(self) -> Node:
        """The tree of the whole text."""
        tree = self.condition(0)
        if self.now.kind != "end":
            self.fail(f"{self.now.text} is not expected here; join conditions with and, or")
        return tree

    def fail(self, message: str, token: Token | None = None) -> NoReturn:
        token = token or self.now
        meant = _OTHER_TONGUES.get(token.text)
        if meant is not None and token.kind != "text":
            message = f"{token.text} is not known here; did you mean {meant}?"
        raise ExpressionError(message, token.column)

    def take(self) -> Token:
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
        self.askable(field, column)
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
        if isinstance(constant, str) or not self.orderable(field):
            raise ExpressionError(f"{sign.text} compares numbers; use ==, !=, in or not in here", at)
        return Ordered(field, sign.text, constant, column)  # type: ignore[arg-type]  # one of the four orders

    def field(self) -> str:
        token = self.now
        if token.kind != "word" or token.text in KEYWORDS:
            self.fail(f"a field is expected here, found {token.text}; write it left of the comparison")
        if token.text in _OTHER_TONGUES:
            self.fail("")
        path = token.text.replace('"', "")
        self.known(path, token.column)
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

    def plain_constant(self, token: Token) -> Constant:
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
