"""The section ``views``: questions about customers. It decides nothing and travels in no activation.

So whoever asks changes a view in the file and asks again; nothing has to be applied, and the log stays small.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from stream_seg.config.problems import Tell
from stream_seg.config.scalars import Kind, Text, duration, matching, number, shown, wrong
from stream_seg.config.section import Section
from stream_seg.core.definition import MINUTE, Feature
from stream_seg.core.ready_made import ready_made
from stream_seg.core.syntax import ExpressionError
from stream_seg.core.views import LATELY, View, check_rank, parse_who


def weights(value: Any) -> dict[str, float]:
    """``{term: weight}``; a single term may stand alone and weighs 1."""
    if isinstance(value, str) and value.strip():
        return {value.strip(): 1.0}
    if not isinstance(value, dict) or not value:
        raise wrong(f"expected terms and their weights, got {shown(value)}, write it as {{spend: 1, silence: -0.5}}")
    return value


def weight(value: Any) -> float:
    """A finite number that is not 0."""
    given = number()(value)
    if given == 0:
        raise wrong("0 ranks nobody, write another weight or take the term out")
    return given


class ViewSection(Section):
    """A question about customers, asked by `stream-seg who`. It decides nothing: a change takes effect at once."""

    name: Annotated[
        str,
        BeforeValidator(matching(r"[a-z][a-z0-9-]{0,62}", "use small letters, digits and hyphens, a letter first")),
        Kind("name"),
    ] = Field(description="unique; what stands behind `stream-seg who`")
    question: Text = Field(description="the question that it answers, as a person asks it")
    who: Text = Field(description="condition on a customer, see *Views*")
    rank: Annotated[
        dict[str, Annotated[float, BeforeValidator(weight)]], BeforeValidator(weights), Kind("term or {term: weight}")
    ] = Field(description="the score is the sum of weight times value, the highest first; a term alone weighs 1")
    lately: Annotated[int, BeforeValidator(duration(least=MINUTE)), Kind("duration")] = Field(
        default=LATELY, description="older movements are not seen by the `moved.…` terms"
    )


def check_views(views: Sequence[ViewSection], features: Sequence[Feature], tell: Tell) -> None:
    """Names are unique, and what a view asks is something that these features say."""
    first: dict[str, int] = {}
    for i, view in enumerate(views):
        if view.name in first:
            tell(("views", i, "name"), f"`{view.name}` is taken by views[{first[view.name]}], choose another")
        first.setdefault(view.name, i)
        try:
            parse_who(view.who, features)
        except ExpressionError as error:
            tell(("views", i, "who"), error.message, offset=error.column - 1)
        for term in view.rank:
            try:
                check_rank(term, features)
            except ExpressionError as error:
                tell(("views", i, "rank", term), error.message, key=True)


def views_of(sections: Sequence[ViewSection], features: Sequence[Feature]) -> tuple[View, ...]:
    """The views of a file, or the ready-made ones where it has none."""
    return tuple(View(**one.model_dump()) for one in sections) or ready_made(features)
