"""Plain names for segments, from what sets each centre apart from everybody."""

from __future__ import annotations

from collections.abc import Sequence

from stream_seg.core.definition import Lever
from stream_seg.core.plan import Column

FAINT = 0.25  # standard deviations from the average below which a feature is not worth a word


def phrase(column: Column, z: float) -> str:
    """How a person says that a column is high or low."""
    words = column.feature.words
    if column.part is not None:
        return f"{'mostly' if z > 0 else 'rarely'} {column.part}"
    if words is not None:
        return words.high if z > 0 else words.low
    return f"{'high' if z > 0 else 'low'} {column.feature.name.replace('_', ' ')}"


def names_of(centers: Sequence[Sequence[float]], columns: Sequence[Column], levers: Sequence[Lever]) -> tuple[str, ...]:
    """A distinct name for each centre (k rows in scaled space); a declared one wins.

    Two phrases, then as many more as it takes to tell two segments apart; deterministic.
    """
    declared = {lever.segment: lever.name for lever in levers if lever.name}
    phrases = [_phrases(center, columns) for center in centers]
    names: list[str] = []
    for segment, said in enumerate(phrases):
        if segment in declared:
            names.append(declared[segment])
            continue
        count = 2
        while count < len(said) and any(
            other[:count] == said[:count] for i, other in enumerate(phrases) if i != segment
        ):
            count += 1
        name = ", ".join(said[:count]) or "about average"
        names.append(name if name not in names else f"{name} ({segment})")
    return tuple(names)


def _phrases(center: Sequence[float], columns: Sequence[Column]) -> list[str]:
    """What there is to say of a centre, the most telling first; each thing once."""
    order = sorted(range(len(center)), key=lambda f: (-abs(center[f]), f))
    return list(dict.fromkeys(phrase(columns[f], center[f]) for f in order if abs(center[f]) >= FAINT))
