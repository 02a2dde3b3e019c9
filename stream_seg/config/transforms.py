"""The parts of a feature that are lists: transforms, the names that a derived feature is made of, and their weights."""

from __future__ import annotations

import math
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, PlainValidator

from stream_seg.config.problems import choose
from stream_seg.config.scalars import Kind, shown, wrong

MOST = 256  # features that one is made of
LARGEST = 1e6  # weight


class Transform(NamedTuple):
    """One entry of ``transform``: its name and, for the clips, its bounds."""

    kind: str
    low: float = -math.inf
    high: float = math.inf


def transform(value: Any) -> Transform:
    """``log1p``, ``{clip: [low, high]}`` or ``{quantile_clip: [low, high]}``."""
    known = ("log1p", "clip", "quantile_clip")
    if value == "log1p":
        return Transform("log1p")
    if isinstance(value, str) and value in known:
        raise wrong(f"`{value}` needs its bounds, write it as {{{value}: [low, high]}}")
    if not isinstance(value, dict) or len(value) != 1:
        raise wrong(f"{shown(value)} is not a transform, {choose(value, known)}")
    ((kind, bounds),) = value.items()
    if kind == "log1p" or kind not in known:
        what = (
            "takes no bounds, write `log1p` alone" if kind == "log1p" else f"is not a transform, {choose(kind, known)}"
        )
        raise wrong(f"`{kind}` {what}")
    numbers = isinstance(bounds, list) and [b for b in bounds if isinstance(b, int | float) and not isinstance(b, bool)]
    if not numbers or len(numbers) != 2 or len(bounds) != 2 or not all(map(math.isfinite, numbers)):
        raise wrong(f"`{kind}` needs two numbers, write it as {{{kind}: [low, high]}}")
    low, high = map(float, numbers)
    if low >= high:
        raise wrong(f"`{kind}` goes from {low:g} to {high:g}, write the lower bound first")
    if kind == "quantile_clip" and not 0 <= low < high <= 1:
        raise wrong(f"the quantiles {low:g} and {high:g} are out of range, use 0 to 1, for example [0.01, 0.99]")
    return Transform(kind, low, high)


def transforms(value: Any) -> list[Any]:
    """A list; a single transform may stand alone."""
    if isinstance(value, str | dict):
        return [value]
    if not isinstance(value, list):
        raise wrong(f"expected a list of transforms, got {shown(value)}, write it as [log1p, {{clip: [0, 100]}}]")
    return value


def several_names(value: Any) -> tuple[str, ...]:
    """``[a, b, …]``: at least two names; `stream_seg.config.rules` knows who takes more."""
    if not isinstance(value, list) or not 2 <= len(value) <= MOST or not all(isinstance(name, str) for name in value):
        raise wrong("needs the names of two features declared earlier, write it as [a, b]")
    return tuple(value)


def several_numbers(value: Any) -> tuple[float, ...]:
    """``[0.7, -0.1, …]``: numbers up to a million."""
    fit = isinstance(value, list) and all(isinstance(w, int | float) and not isinstance(w, bool) for w in value)
    if not fit or not all(abs(w) <= LARGEST for w in value):
        raise wrong("needs a number for each feature in `of`, write it as [0.7, -0.1]")
    return tuple(map(float, value))


Transforms = Annotated[
    list[Annotated[Transform, PlainValidator(transform)]], BeforeValidator(transforms), Kind("list of transforms")
]
