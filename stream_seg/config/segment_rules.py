"""What is said about segments: their levers, their tiers, who learns them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stream_seg.config.problems import Tell, choose
from stream_seg.config.sections import TierSection
from stream_seg.core.definition import Learning, tier_key
from stream_seg.core.expression import ExpressionError, parse


def check_levers(levers: Any, tell: Tell) -> None:
    """No segment has two entries. Which ones there are is not known here: their numbers grow with the versions."""
    first: dict[int, int] = {}
    for i, raw in enumerate(levers if isinstance(levers, list) else []):
        segment = raw.get("segment") if isinstance(raw, dict) else None
        if not isinstance(segment, int) or isinstance(segment, bool):
            continue
        if segment in first:
            tell(("levers", i, "segment"), f"{segment} is taken by levers[{first[segment]}], put both into one entry")
        first.setdefault(segment, i)


def check_tiers(tiers: Sequence[TierSection | None], tell: Tell) -> None:
    """Each tier has a name of its own, and a condition that can be read."""
    first: dict[int, int] = {}
    for i, one in enumerate(tiers):
        if one is None:
            continue
        key = tier_key(one.name)
        if key in first:
            tell(("tiers", i, "name"), f"`{one.name}` is taken by tiers[{first[key]}], use another name")
        first.setdefault(key, i)
        try:
            parse(one.where)
        except ExpressionError as error:
            tell(("tiers", i, "where"), error.message, offset=error.column - 1)


def check_learner(segments: Any, tell: Tell) -> None:
    """Somebody knows the learner, and it knows its options. One of one's own must have been entered by now."""
    segments = segments if isinstance(segments, dict) else {}
    name, options = segments.get("learner", Learning().learner), segments.get("options", {})
    options = options if isinstance(options, dict) else {}
    if not isinstance(name, str) or (name == Learning().learner and not options):
        return
    from stream_seg.core.clustering import LEARNERS, OPTIONS  # noqa: PLC0415  # river takes a second to import

    if name not in LEARNERS:
        tell(("segments", "learner"), f"`{name}` is no learner, {choose(name, sorted(LEARNERS))}")
        return
    known = OPTIONS.get(name, {})
    for option, value in options.items():
        path = ("segments", "options", option)
        if option not in known:
            remedy = choose(option, sorted(known)) if known else "which has none: take it out"
            tell(path, f"is no option of the learner `{name}`, {remedy}", key=True)
        elif isinstance(value, int | float) and not known[option].least <= value <= known[option].most:
            tell(path, f"{value:g} is out of range, use {known[option].least:g} to {known[option].most:g}")
