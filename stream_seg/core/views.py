"""Views: who is in one, and in which order. A condition over what is known of a customer, and weights that rank.

::

    field      = feature | feature ".standing" | word of views
    constant   = number | duration (of times) | text in quotes (of categories, segments, causes)

A comparison with something that a customer does not have is false, as in conditions on events. In a ranking it adds
nothing. `stream_seg.core.syntax` has the form of conditions.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from stream_seg.core.definition import DAY, UNITS, Feature
from stream_seg.core.syntax import (
    And,
    Constant,
    Exists,
    ExpressionError,
    Node,
    Not,
    OneOf,
    Or,
    Order,
    Ordered,
    Parser,
    Token,
    leaves,
    tokens_of,
)

STANDING = ".standing"
LATELY = 30 * DAY
TIMES = ("recency", "tenure", "mean_gap", "time_on_site")  # aggregates whose value is in seconds
UNKNOWN = "unknown"  # the category of whoever has none of those that are listed

# What an aggregate says about how active a customer is: more of it is more (+1) or less (-1).
ACTIVITY = {
    "count": 1, "sum": 1, "decayed_sum": 1, "distinct_days": 1, "distinct": 1, "sessions": 1, "time_on_site": 1,
    "recency": -1, "mean_gap": -1,
}  # fmt: skip

Kind: TypeAlias = Literal["number", "time", "category", "segment", "cause"]


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A question about customers, and how it is answered.

    who     condition on a customer
    rank    term -> weight: the score is the sum of weight times value, the highest first
    lately  ms: movements that are older are not seen
    """

    name: str
    question: str
    who: str
    rank: dict[str, float]
    lately: int = LATELY


class Term(NamedTuple):
    """What can be asked of a customer: `texts`, where not empty, are all that it can be."""

    kind: Kind
    meaning: str
    texts: tuple[str, ...] = ()


WORDS = {
    "segment": Term("segment", "the segment, by name or by number"),
    "segment.age": Term("time", "in it for so long"),
    "segment.confidence": Term("number", "1 at its centre, 0.5 where the runner-up fits as well"),
    "segment.margin": Term("number", "0 on the border to the runner-up, towards 1 far from it"),
    "moved.from": Term("segment", "the segment that the customer was in before it moved lately"),
    "moved.cause": Term("cause", "`event`: it last moved by what it did; `time`: as time passed", ("event", "time")),
    "moved.ago": Term("time", "its last movement was so long ago"),
    "moved.change": Term("number", "its activity less that of the centre of `moved.from`"),
    "customer.age": Term("time", "its first event was so long ago"),
    "customer.silence": Term("time", "its last event was so long ago"),
    "customer.activity": Term("number", "the mean standing of its counts, sums, sessions …, silence turned round"),
    "customer.trend": Term("number", "the mean standing of its `trend` features"),
}  # fmt: skip

Value: TypeAlias = float | str | tuple[int, str] | None  # a segment is its number and its name


def terms_of(features: Sequence[Feature]) -> dict[str, Term]:
    """Everything that a view over these features can name.

    >>> orders = Feature(name="orders", aggregate="count", window=DAY)
    >>> [name for name in terms_of([orders]) if name not in WORDS]
    ['orders', 'orders.standing']
    >>> "customer.trend" in terms_of([orders])
    False
    """
    deciding = [f for f in features if f.role == "feature" and f.encode is None]
    terms = dict(WORDS)
    if not any(f.aggregate in ACTIVITY for f in deciding):
        del terms["customer.activity"], terms["moved.change"]
    if not any(f.aggregate == "trend" for f in deciding):
        del terms["customer.trend"]
    for f in features:
        if f.encode is not None:
            texts = (*f.categories, UNKNOWN) if f.categories else ()
            terms[f.name] = Term("category", "its category", texts)
        else:
            terms[f.name] = Term("time" if f.aggregate in TIMES else "number", "its value in its own unit")
        if f in deciding:
            terms[f.name + STANDING] = Term("number", "how far it is from everybody's mean, in standard deviations")
    return terms


def parse_who(who: str, features: Sequence[Feature]) -> Node:
    """The tree of a view's condition.

    >>> silence = Feature(name="silence", aggregate="recency")
    >>> parse_who('silence > 30d and moved.from == "Regulars"', [silence]).parts[0]
    Ordered(field='silence', order='>', bound=2592000.0, column=1)
    >>> parse_who("silence > 30", [silence])
    Traceback (most recent call last):
    stream_seg.core.syntax.ExpressionError: column 11: silence is a time; write it with its unit: 30s, 30m, 30h or 30d
    """
    return _OfCustomers(tokens_of(who), features).whole()


def check_term(term: str, features: Sequence[Feature], column: int = 1) -> Term:
    """What a term is. Raises `ExpressionError` where it is none of these features and no word of views."""
    terms = terms_of(features)
    by_name = {f.name: f for f in features}
    if term in by_name and term in WORDS:
        raise ExpressionError(f"{term} is a feature and a word of views; give the feature another name", column)
    if term in terms:
        return terms[term]
    if term == "customer.trend":
        raise ExpressionError(f"{term} needs a feature with `aggregate: trend`; declare one", column)
    if term in WORDS:
        kinds = ", ".join(ACTIVITY)
        raise ExpressionError(f"{term} needs a feature that says how active a customer is ({kinds}); add one", column)
    feature = by_name.get(term.removesuffix(STANDING))
    if feature is not None:
        what = "an outcome, and no model knows where those stand" if feature.role == "outcome" else "a category"
        raise ExpressionError(f"{feature.name} is {what}; compare {feature.name} itself", column)
    near = get_close_matches(term, terms, 1)
    hint = f"did you mean {near[0]}?" if near else f"features are {', '.join(by_name)}; words are {', '.join(WORDS)}"
    raise ExpressionError(f"{term} is no feature and no word of views; {hint}", column)


def check_rank(term: str, features: Sequence[Feature]) -> None:
    """Raises `ExpressionError` unless a term is a number, so that it can be weighed."""
    kind = check_term(term, features).kind
    if kind not in ("number", "time"):
        raise ExpressionError(f"{term} is a {kind}, which cannot be weighed; put it into `who`, rank by numbers", 1)


def terms_in(view: View, features: Sequence[Feature]) -> list[str]:
    """Every term that a view names, each once: those of its condition, then those that rank."""
    asked = [leaf.field for leaf in leaves(parse_who(view.who, features))]
    return list(dict.fromkeys((*asked, *view.rank)))


class _OfCustomers(Parser):
    def __init__(self, tokens: list[Token], features: Sequence[Feature]) -> None:
        super().__init__(tokens)
        self._features = features

    def known(self, path: str, column: int) -> None:
        check_term(path, self._features, column)

    def orderable(self, field: str) -> bool:
        return check_term(field, self._features).kind in ("number", "time")

    def constant(self, field: str) -> Constant:
        token, term = self.now, check_term(field, self._features)
        value = _seconds(token) if token.kind == "duration" else self.plain_constant(token)
        self.at += 1
        if wrong := _wrong(field, term, token, value):
            raise ExpressionError(wrong, token.column)
        return value


def _seconds(token: Token) -> float:
    digits = token.text.rstrip("mshdw")
    return int(digits) * UNITS[token.text[len(digits) :]] / 1000.0


def _wrong(field: str, term: Term, token: Token, value: Constant) -> str | None:
    """What is wrong with comparing a term with this constant, and what to write."""
    said = token.text
    if term.kind == "time" and token.kind != "duration":
        number = said if token.kind == "number" else "30"
        return f"{field} is a time; write it with its unit: {number}s, {number}m, {number}h or {number}d"
    if term.kind == "number" and token.kind != "number":
        return f"{field} is a number and no {'time' if token.kind == 'duration' else 'text'}; write a number"
    if term.kind in ("category", "cause"):
        if not isinstance(value, str):
            return f'{field} is a text; write it in quotes: "{said}"'
        if term.texts and value not in term.texts:
            near = get_close_matches(value, term.texts, 1)
            hint = f'did you mean "{near[0]}"?' if near else f"it is one of {', '.join(term.texts)}"
            return f"{said} is nothing that {field} can be; {hint}"
    if term.kind == "segment" and (token.kind == "duration" or (not isinstance(value, str) and value % 1)):
        return f"{field} is a segment; write its number, or its name in quotes"
    return None


_ORDERS: dict[Order, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def holds(node: Node, value_of: Callable[[str], Value]) -> bool:
    """Whether a condition holds for a customer of whom `value_of` gives each term; None: it does not have that.

    >>> node = parse_who("segment == 2 and not customer.age < 1d", [])
    >>> holds(node, {"segment": (2, "Regulars"), "customer.age": None}.get)
    True
    """
    match node:
        case Not(part=part):
            return not holds(part, value_of)
        case And(parts=parts):
            return all(holds(part, value_of) for part in parts)
        case Or(parts=parts):
            return any(holds(part, value_of) for part in parts)
        case Exists(field=field):
            return value_of(field) is not None
        case Ordered(field=field, order=order, bound=bound):
            value = value_of(field)
            return isinstance(value, int | float) and _ORDERS[order](value, bound)
        case OneOf(field=field, constants=constants, negated=negated):
            value = value_of(field)
            if value is None:
                return False
            known = value if isinstance(value, tuple) else (value,)
            return any(one in constants for one in known) is not negated


def score(rank: Mapping[str, float], value_of: Callable[[str], Value]) -> float | None:
    """The sum of weight times value; None where the customer has none of the values.

    >>> score({"spend": 2.0, "moved.change": -1.0}, {"spend": 3.0}.get)
    6.0
    """
    parts = [weight * value for term, weight in rank.items() if isinstance(value := value_of(term), int | float)]
    return sum(parts) if parts else None
