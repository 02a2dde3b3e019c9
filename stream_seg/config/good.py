"""What a segmentation is for, and when it is good enough: said before anything is measured. Nothing here decides.

`stream-seg choose` ranks by it, and workers never look at it: it travels in no activation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias, cast

from pydantic import BeforeValidator, Field

from stream_seg.config.problems import Tell, choose
from stream_seg.config.scalars import Kind, between, share
from stream_seg.config.section import Section, Words
from stream_seg.core.definition import Feature

Basis: TypeAlias = Literal["behavioural", "demographic", "geographic", "psychographic"]
BASES: tuple[Basis, ...] = ("behavioural", "demographic", "geographic", "psychographic")

Share = Annotated[float, BeforeValidator(share()), Kind("share")]


class GoodSection(Section):
    """When a segmentation is good enough for the business. `stream-seg choose` ranks numbers of segments by it."""

    segments: Annotated[tuple[int, int], BeforeValidator(between(2, 64)), Kind("[whole number, whole number]")] = Field(
        default=(2, 64), description="from how many to how many groups of customers can be served differently"
    )
    min_share: Share = Field(
        default=0.03, description="the smallest segment holds at least this share of the customers"
    )
    max_monthly_moves: Share = Field(
        default=1.0, description="of the customers, at most this share moves in 30 days; 1: as many as like to"
    )
    min_stability: Share = Field(
        default=0.7,
        description="agreement (adjusted Rand) of segments learned from other draws of the customers, at least",
    )
    must_separate: Words = Field(
        default=[],
        description="features, most often outcomes, in which the segments must differ: they explain at least 6 % of "
        "the variance of each one's ranks",
    )


@dataclass(frozen=True, slots=True)
class Good:
    """The same, checked. Shares are between 0 and 1."""

    segments: tuple[int, int]
    min_share: float
    max_monthly_moves: float
    min_stability: float
    must_separate: tuple[str, ...]


def good_of(section: GoodSection) -> Good:
    """What a file says of good."""
    return Good(
        section.segments,
        section.min_share,
        section.max_monthly_moves,
        section.min_stability,
        tuple(section.must_separate),
    )


def check_good(section: GoodSection, features: Sequence[Feature], tell: Tell) -> None:
    """What must be separated is a number that is measured."""
    names = [feature.name for feature in features if feature.encode is None]
    for i, name in enumerate(section.must_separate):
        if name not in names:
            tell(("good", "must_separate", i), f"`{name}` is no feature with a number, {choose(name, names)}")


def bases_of(features: Sequence[Any]) -> Mapping[str, Basis]:
    """Feature -> the basis that the file declares."""
    return {one.name: cast("Basis", one.basis) for one in features}
