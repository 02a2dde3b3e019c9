"""What is right in a configuration and still worth a look. Nothing here keeps anything from running."""

from __future__ import annotations

import msgspec

from stream_seg.config.problems import Tell, choose
from stream_seg.core.definition import Definition
from stream_seg.core.expression import collect
from stream_seg.core.naming import MOST_WORDS


def academic(definition: Definition) -> list[int]:
    """The segments for which nobody has said what is done differently for them, as far as the file tells.

    Numbers of segments that ended are not used again. So where some levers are for higher numbers than the first `k`,
    as many of the first ones count as ended.

    >>> from stream_seg.core.definition import DAY, Feature, Learning, Lever
    >>> levers = (Lever(segment=0, lever="early access"), Lever(segment=1, name="Regulars"))
    >>> academic(Definition(name="s", features=(), learning=Learning(k=3), levers=levers, lateness=1, forget_after=1))
    [1, 2]
    """
    pulled = {lever.segment for lever in definition.levers if lever.lever}
    k = definition.learning.k
    return [segment for segment in range(k) if segment not in pulled][: max(k - len(pulled), 0)]


def notice(definition: Definition, tell: Tell) -> None:
    """Tells of segments without a lever, of words that no name has room for, and of fields that no mapping gives."""
    for i, feature in enumerate(definition.features):
        for side in ("high", "low") if feature.words else ():
            size = len(getattr(feature.words, side).split())
            if size > MOST_WORDS:
                what = f"{size} words, and a segment's name has {MOST_WORDS} at most: it is in reasons only"
                tell(("features", i, "words", side), what)
    _unmapped(definition, tell)
    unpulled = academic(definition)
    listed = {lever.segment: i for i, lever in enumerate(definition.levers)}
    for segment in unpulled:
        if segment in listed:
            what = f"segment {segment} is academic: say what is done differently for its customers, or do without it"
            tell(("levers", listed[segment], "lever"), what, absent=True)
    nowhere = [str(segment) for segment in unpulled if segment not in listed]
    if nowhere:
        are = f"segments {', '.join(nowhere)} are" if len(nowhere) > 1 else f"segment {nowhere[0]} is"
        each = "an entry with `lever` for each" if len(nowhere) > 1 else "an entry with `lever`"
        tell(("levers",), f"{are} academic: nothing is done differently for anybody there; add {each}", key=True)


def _unmapped(definition: Definition, tell: Tell) -> None:
    """A row has what the mapping names, and nothing else: a feature of another field would be empty for everybody."""
    mapping = definition.input.mapping
    if mapping is None:
        return
    given = {"properties": mapping.properties, "traits": mapping.traits}
    for i, feature in enumerate(definition.features):
        fields = collect(msgspec.structs.replace(definition, features=(feature,), tiers=()))
        for path in (*fields.numbers, *(text.path for text in fields.texts), *fields.hashes):
            kind, _, name = path.partition(".")
            if kind in given and name not in given[kind] and name.partition(".")[0] not in given[kind]:
                key = "field" if feature.field == path else "where"
                remedy = choose(name, given[kind]) if given[kind] else f"add {kind}: {{{name}: COLUMN}} there"
                what = f"input.mapping gives no {path}, so only Segment calls and CloudEvents can have it; {remedy}"
                tell(("features", i, key), what)
