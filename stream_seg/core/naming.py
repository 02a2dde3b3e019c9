"""Plain names for segments, from what sets each centre apart from everybody.

A name is at most `MOST_WORDS` words. It follows from the centres alone, whatever their order, until nothing but the
number is left to tell two segments apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from stream_seg.core.definition import Lever
from stream_seg.core.plan import Column

FAINT = 0.25  # standard deviations from the average below which a feature is not worth a word
MOST_WORDS = 6
AVERAGE = "about average"


def phrase(column: Column, z: float) -> str:
    """How a person says that a column is high or low."""
    words = column.feature.words
    if column.part is not None:
        return f"{'mostly' if z > 0 else 'rarely'} {column.part}"
    if words is not None:
        return words.high if z > 0 else words.low
    return f"{'high' if z > 0 else 'low'} {column.feature.name.replace('_', ' ')}"


def names_of(centers: Sequence[Sequence[float]], columns: Sequence[Column], levers: Sequence[Lever]) -> tuple[str, ...]:
    """A name for each centre (rows in scaled space); a declared one wins and is kept as it is.

    An empty row is a segment that does not exist any more: its name is "". All other automatic names are distinct,
    also from the declared ones.

    >>> from stream_seg.core.definition import DAY, Feature, Words
    >>> orders = Feature(name="o", aggregate="count", window=DAY, words=Words(high="order often", low="order rarely"))
    >>> spend = Feature(name="s", aggregate="sum", window=DAY, words=Words(high="spend a lot", low="spend little"))
    >>> names_of([(1.1, 2.0), (-1.0, 0.0), (), (0.1, 0.0)], [Column(orders), Column(spend)], [])
    ('spend a lot, order often', 'order rarely', '', 'about average')
    """
    names = {lever.segment: lever.name for lever in levers if lever.name and lever.segment < len(centers)}
    names |= {segment: "" for segment, center in enumerate(centers) if not center}
    described = {n: _Described(center, columns) for n, center in enumerate(centers) if n not in names}
    proposed = _told_apart({n: one.names for n, one in described.items()}, set(names.values()))
    alike = [n for n, name in proposed.items() if name is None]
    names |= {n: name for n, name in proposed.items() if name is not None}
    for of_one_name in _grouped({n: described[n].names[0] for n in alike}):
        names |= _by_degree({n: described[n] for n in of_one_name}, set(names.values()))
    return tuple(names[n] for n in range(len(centers)))


class _Described:
    """What there is to say of one centre.

    names    names that it could have, the most telling first; at least one
    leading  the phrase that says most, short enough to bear two more words
    degree   how far from the average that is, in standard deviations
    """

    def __init__(self, center: Sequence[float], columns: Sequence[Column]) -> None:
        order = sorted(range(len(center)), key=lambda f: (-abs(center[f]), columns[f].name))
        strong = [f for f in order if abs(center[f]) >= FAINT]
        said = list(dict.fromkeys(_short(columns[f], center[f], MOST_WORDS) for f in strong or order if center[f]))
        self.names = _combined(said) if strong else [AVERAGE, *_beside_average(said)]
        self.leading = _short(columns[order[0]], center[order[0]], MOST_WORDS - 2) if strong else AVERAGE
        self.degree = abs(center[order[0]]) if order else 0.0


def _short(column: Column, z: float, most: int) -> str:
    """The phrase of a column, or where it is too long for a name the plain one, cut."""
    said = phrase(column, z)
    if _fits(said, most):
        return said
    plain = f"{'high' if z > 0 else 'low'} {column.name.replace('_', ' ').replace('=', ' ')}"
    return " ".join(plain.split()[:most])


def _fits(name: str, most: int = MOST_WORDS) -> bool:
    return len(name.split()) <= most


def _combined(said: Sequence[str]) -> list[str]:
    """Names out of phrases: the first two; then what the next ones add to them, or put in the place of the second."""
    first = said[0]
    pairs = [f"{first}, {other}" for other in said[1:]]
    more = [f"{pairs[0]}, {other}" for other in said[2:]] if pairs else []
    longest_first = (*pairs[:1], *more, *pairs[1:]) if pairs and _fits(pairs[0]) else (first, *pairs[1:])
    return [name for name in dict.fromkeys((*longest_first, *said)) if _fits(name)]


def _beside_average(said: Sequence[str]) -> list[str]:
    return [name for one in said if _fits(name := f"{AVERAGE}, {one}")]


def _told_apart(names: dict[int, list[str]], taken: set[str]) -> dict[int, str | None]:
    """For each segment the first of its names where nobody else begins with it, else the first that is nobody else's.

    None where it has no such name. Who comes first among the segments makes no difference.
    """
    firsts = Counter(of_one[0] for of_one in names.values())
    anywhere = Counter(name for of_one in names.values() for name in of_one)
    free: dict[int, str | None] = {
        n: of_one[0] if firsts[of_one[0]] == 1 and of_one[0] not in taken else None for n, of_one in names.items()
    }
    held = taken | {name for name in free.values() if name}
    for n, of_one in names.items():
        if free[n] is None:
            free[n] = next((name for name in of_one if anywhere[name] == 1 and name not in held), None)
    return free


def _grouped(first: dict[int, str]) -> list[list[int]]:
    groups: dict[str, list[int]] = {}
    for n, name in first.items():
        groups.setdefault(name, []).append(n)
    return list(groups.values())


def _by_degree(alike: dict[int, _Described], taken: set[str]) -> dict[int, str]:
    """Names of segments of which the same is to be said: who is it more, who less; at the very last the number."""
    order = sorted(alike, key=lambda n: (-alike[n].degree, n))
    names: dict[int, str] = {}
    for place, n in enumerate(order):
        one = alike[n]
        alone = one.leading != AVERAGE and [other.degree for other in alike.values()].count(one.degree) == 1
        wanted = [one.names[0], *(f"{one.leading} ({number})" for number in range(n, n + len(taken) + len(alike) + 1))]
        if len(order) > 1 and alone and place in (0, len(order) - 1):
            wanted.insert(0, f"{one.leading}, {'less' if place else 'more'} so")
        names[n] = next(name for name in wanted if name not in taken)
        taken.add(names[n])
    return names
