"""What speaks for a customer's place in a view, in words and in the features' own units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stream_seg.core.naming import phrase
from stream_seg.core.views import STANDING, TIMES, WORDS
from stream_seg.pipeline.answers import Ground
from stream_seg.pipeline.person import Person
from stream_seg.pipeline.standings import parts_of

MOST = 3  # as many as a person takes in

# What a word of views says when a view names it; the movement stands beside the reasons, and activity is its parts.
SAID = {
    "segment.age": "in the segment for",
    "segment.confidence": "confidence",
    "segment.margin": "margin",
    "customer.age": "a customer for",
    "customer.silence": "silent for",
}


def grounds(person: Person, terms: Sequence[str], rank: Mapping[str, float]) -> list[Ground]:
    """What a view names, in its order; then the columns that add most to the score. `terms`: all that it names."""
    named = dict.fromkeys(f for term in terms if term not in WORDS for f in person.columns(term.removesuffix(STANDING)))
    added, compared = _added(person, rank)
    strongest = sorted((f for f in added if added[f] > 0), key=lambda f: (-added[f], f))
    said = [
        _of_feature(person, f, compared=f in compared) for f in dict.fromkeys((*named, *strongest)) if _once(person, f)
    ]
    values = [(term, person.value_of(term)) for term in terms if term in SAID]
    words = [_of_word(term, value) for term, value in values if isinstance(value, int | float)]
    return [*words, *said[:MOST]]


def _once(person: Person, f: int) -> bool:
    """Of the columns of a category only the first: they are one value."""
    columns = person.engine.plan.columns
    return columns[f].feature.encode is None or f == 0 or columns[f - 1].feature != columns[f].feature


def _added(person: Person, rank: Mapping[str, float]) -> tuple[dict[int, float], set[int]]:
    """What each column adds to the score by way of activity, change and trend; and those that a change compares."""
    standings = person.standings
    added: dict[int, float] = {}
    compared: set[int] = set()
    for term in rank.keys() & {"customer.activity", "customer.trend", "moved.change"}:
        if person.value_of(term) is None:
            continue
        parts = parts_of(person.z, standings.trends if term == "customer.trend" else standings.activity)
        if term == "moved.change" and (centre := person.left()) is not None:
            before = parts_of(centre, standings.activity)
            parts = {f: part - before[f] for f, part in parts.items()}
            compared |= parts.keys()
        for f, part in parts.items():
            added[f] = added.get(f, 0.0) + rank[term] * part
    return added, compared


def _of_feature(person: Person, f: int, *, compared: bool) -> Ground:
    column, standings = person.engine.plan.columns[f], person.standings
    feature = column.feature
    if feature.encode is not None:
        value = person.value_of(feature.name)
        return Ground(text=feature.name, term=feature.name, value=str(value), before=None, population=None, unit=None)
    z, used = float(person.z[f]), bool(standings.used[f])
    centre = person.left() if compared else None
    change = None if centre is None else z - float(centre[f])
    return Ground(
        text=_words(person, f, change) if used else "",
        term=feature.name,
        value=float(person.raw[f]),
        before=None if centre is None else standings.real(f, float(centre[f])),
        population=standings.real(f, 0.0) if used else None,
        unit="s" if feature.aggregate in TIMES else None,
    )


def _words(person: Person, f: int, change: float | None) -> str:
    """How a person says how the column stands; where it changed the other way, how it changed."""
    column, z = person.engine.plan.columns[f], float(person.z[f])
    if change is None or (change > 0) == (z > 0):
        return phrase(column, z)
    return f"{'higher' if change > 0 else 'lower'} {column.feature.name.replace('_', ' ')}"


def _of_word(term: str, value: float) -> Ground:
    unit = "s" if WORDS[term].kind == "time" else None
    return Ground(text=SAID[term], term=term, value=value, before=None, population=None, unit=unit)
