"""What a test knows of a recipe: its figures by hand, and how its example is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import log
from typing import NamedTuple

from tests.docs.recipes.example import Segment
from tests.docs.recipes.rows import DataSet

GRID = 12 * 3_600  # seconds: `evaluate_every` of the replays


class Between(NamedTuple):
    """Where a value must lie that the page states an error for."""

    low: float
    high: float


Values = Mapping[str, float | Between]


@dataclass(frozen=True)
class Case:
    """One recipe.

    by_hand  what its features must say of a customer, from the raw rows
    k        segments of the example; shown: its columns; later: customer -> what it did after the instant; said: how
    says     sentences that must stand on the page
    """

    by_hand: Callable[[DataSet, str], Values]
    k: int
    shown: Mapping[str, Callable[[float], str]]
    later: Callable[[DataSet], Mapping[str, float]]
    said: Callable[[float], str]
    says: Callable[[list[Segment]], list[str]]


def since(of: DataSet, time: int) -> Between:
    """Seconds since an instant, as they are read on the grid of silence."""
    seconds = (of.at - time) / 1000
    return Between(max(seconds * 16 / 17 - GRID, 0.0), seconds)


def quotient(a: float, b: float, empty: float = 0.0) -> float:
    """A / b, or what stands for it where there is nothing to divide by."""
    return a / b if b else empty


def led(found: list[Segment]) -> tuple[Segment, Segment]:
    """The segments whose customers did most and least afterwards."""
    return max(found, key=lambda one: one.later), min(found, key=lambda one: one.later)


def estimate(values: Iterable[object], registers: int = 64) -> Between:
    """What linear counting may say of so many different values, of which some share a register."""
    n = len(set(values))
    shared = (n + 1) // 3 + n * n // 64 if n > 1 else 0
    return Between(*(-registers * log(1.0 - hit / registers) for hit in (max(n - shared, min(n, 1)), n)))


def spread(of: Segment, other: Segment, said: Callable[[float], str]) -> str:
    """What two segments did afterwards."""
    return f"{said(of.later)} against {said(other.later)}"
