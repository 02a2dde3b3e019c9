"""Conditions on events: which fields a definition reads, and which of its conditions hold for each event of a batch.

A comparison with a field that the event does not have is false, ``!=`` and ``not in`` included; ``not`` turns it
round. So ``properties.plan != "free"`` asks for another plan, ``not properties.plan == "free"`` also takes events
without one. A field is a number if it is compared with numbers and a text if it is compared with texts; in one
definition it is never both. ``true`` and ``false`` match JSON booleans and the texts "true" and "false".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from stream_seg.core.definition import DAY, HOUR, MINUTE, Definition, Feature
from stream_seg.core.event import Decoded, Fields, Float64, Int32, Int64, TextField
from stream_seg.core.grammar import CALENDAR, PLAIN_FIELDS, check_field, parse
from stream_seg.core.syntax import And, Exists, ExpressionError, Leaf, Node, Not, OneOf, Or, Order, Ordered, leaves

__all__ = ["Conditions", "ExpressionError", "collect", "compile_conditions", "parse", "reads_calendar"]

Bools: TypeAlias = npt.NDArray[np.bool_]
Masks: TypeAlias = npt.NDArray[np.uint64]

MAX_CONDITIONS = 63  # bits of a mask that stay positive as an int64


def collect(definition: Definition) -> Fields:
    """The fields that a definition reads, each kind in the order in which features first name them.

    Raises `ExpressionError` where a condition is wrong or a field would have to be two things at once.

    >>> late = Feature(name="weekend", aggregate="count", window=DAY, where='event == "Opened" and weekday in [sat]')
    >>> spend = Feature(name="spend", aggregate="sum", window=DAY, field="properties.price")
    >>> collect(Definition(name="shop", features=(late, spend), lateness=DAY, forget_after=DAY))
    Fields(numbers=('properties.price',), texts=(TextField(path='event', constants=('Opened',)),), hashes=())
    """
    uses = _Uses()
    for feature in definition.features:
        try:
            uses.add(feature)
        except ExpressionError as error:
            raise ExpressionError(error.message, error.column, feature.name) from error
    for tier in definition.tiers:
        try:
            uses.compare(tier.where, f"tier {tier.name}")
        except ExpressionError as error:
            raise ExpressionError(error.message, error.column, f"tier {tier.name}") from error
    return uses.fields()


@dataclass
class _Uses:
    """Who reads each path as what: path -> name of the first feature that does."""

    numbers: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)  # only whether it exists
    constants: dict[str, dict[str, None]] = field(default_factory=dict)

    def add(self, feature: Feature) -> None:
        if feature.where is not None:
            self.compare(feature.where, feature.name)
        if feature.field is None:
            return
        check_field(feature.field)
        hashed = feature.aggregate == "distinct" or feature.encode == "hashed"
        if hashed:
            self.hashes.setdefault(feature.field, feature.name)
        elif feature.encode is not None:
            self._text(feature.field, feature.categories, feature.name, 1)
        else:
            self._number(feature.field, feature.name, 1)

    def compare(self, where: str, reader: str) -> None:
        """What a condition reads."""
        for leaf in leaves(parse(where)):
            self._compare(leaf, reader)

    def _compare(self, leaf: Leaf, reader: str) -> None:
        if leaf.field in CALENDAR:
            return
        match leaf:
            case Exists():
                self.asked.setdefault(leaf.field, reader)
            case OneOf(constants=(str(), *_) as constants):
                self._text(leaf.field, constants, reader, leaf.column)
            case _:
                self._number(leaf.field, reader, leaf.column)

    def _number(self, path: str, reader: str, column: int) -> None:
        if path in PLAIN_FIELDS:
            raise ExpressionError(f"{path} is a text and is read as a number here; name a number", column)
        if path in self.texts:
            raise ExpressionError(
                f"{path} is a number here and a text in {self.texts[path]}; compare it with one kind only", column
            )
        self.numbers.setdefault(path, reader)

    def _text(self, path: str, constants: Sequence[object], reader: str, column: int) -> None:
        if path in self.numbers:
            raise ExpressionError(
                f"{path} is a text here and a number in {self.numbers[path]}; compare it with one kind only", column
            )
        self.texts.setdefault(path, reader)
        self.constants.setdefault(path, {}).update(dict.fromkeys(map(str, constants)))

    def fields(self) -> Fields:
        valued = self.numbers | self.texts | self.hashes
        for path in valued | self.asked:
            for parent in _parents(path):
                if parent in valued:
                    raise ExpressionError(
                        f"{parent} is a value in {valued[parent]} and an object in {(valued | self.asked)[path]} "
                        f"({path}); it cannot be both",
                        1,
                        valued[parent],
                    )
        texts = {path: tuple(self.constants[path]) for path in self.texts}
        texts |= dict.fromkeys((path for path in self.asked if path not in valued), ())
        return Fields(
            numbers=tuple(self.numbers),
            texts=tuple(TextField(path, constants) for path, constants in texts.items()),
            hashes=tuple(self.hashes),
        )


def _parents(path: str) -> list[str]:
    parts = path.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts))]


def reads_calendar(where: str | None) -> bool:
    """Whether a condition holds at some local times only, so that its meaning depends on the UTC offset.

    >>> reads_calendar("weekday == sat"), reads_calendar("properties.price > 2")
    (True, False)
    """
    return where is not None and any(leaf.field in CALENDAR for leaf in leaves(parse(where)))


def known_where(where: str) -> str | None:
    """The condition that an event has everything that this one compares; None: it has in any case.

    >>> known_where('traits.plan == "gold" or traits.age > 60 and hour < 8')
    'exists(traits.plan) and exists(traits.age)'
    """
    compared = (leaf.field for leaf in leaves(parse(where)) if not isinstance(leaf, Exists))
    fields = [field for field in dict.fromkeys(compared) if field not in CALENDAR]
    return " and ".join(f"exists({field})" for field in fields) or None


def compile_conditions(
    wheres: Definition | Sequence[str | None], fields: Fields, utc_offset: int | None = None
) -> Conditions:
    """The distinct conditions of a definition (or of these texts), ready to be asked about batches.

    `fields` must hold every field that they name (`collect`). `utc_offset`: minutes added to the event time for
    calendar parts; a definition brings its own. Raises `ExpressionError`, also for more than 63 conditions.
    """
    if isinstance(wheres, Definition):
        utc_offset = wheres.utc_offset if utc_offset is None else utc_offset
        rules = [tier.where for tier in wheres.tiers]
        wheres = [*(feature.where for feature in wheres.features), *rules, *map(known_where, rules)]
    distinct = tuple(dict.fromkeys(where for where in wheres if where is not None))
    if len(distinct) > MAX_CONDITIONS:
        raise ExpressionError(
            f"{len(distinct)} different conditions; at most {MAX_CONDITIONS} fit, share some between features", 1
        )
    return Conditions(distinct, fields, utc_offset or 0)


class Conditions:
    """Conditions that are evaluated together: condition i is bit i of a mask."""

    def __init__(self, wheres: tuple[str, ...], fields: Fields, utc_offset: int) -> None:
        self.wheres = wheres
        self._bits = {where: bit for bit, where in enumerate(wheres)}
        self._trees = [parse(where) for where in wheres]
        self._rows = _Rows.of(fields)
        self._utc_offset = utc_offset * MINUTE
        for tree in self._trees:
            for leaf in leaves(tree):
                self._rows.check(leaf)

    def index_of(self, where: str | None) -> int:
        """The bit of a condition; -1 for no condition, which every event meets."""
        return -1 if where is None else self._bits[where]

    def masks(self, decoded: Decoded) -> Masks:
        """(n,) one mask per event. What an event gets never depends on the other events of the batch."""
        masks = np.zeros(len(decoded), np.uint64)
        batch = _Batch(decoded, self._rows, decoded.times + self._utc_offset)
        for bit, tree in enumerate(self._trees):
            masks |= batch.holds(tree).astype(np.uint64) << np.uint64(bit)
        return masks


@dataclass(frozen=True)
class _Rows:
    """In which row of the decoded columns each path stands."""

    numbers: dict[str, int]
    texts: dict[str, tuple[int, tuple[str, ...]]]
    hashes: dict[str, int]

    @classmethod
    def of(cls, fields: Fields) -> _Rows:
        return cls(
            {path: row for row, path in enumerate(fields.numbers)},
            {text.path: (row, text.constants) for row, text in enumerate(fields.texts)},
            {path: row for row, path in enumerate(fields.hashes)},
        )

    def check(self, leaf: Leaf) -> None:
        """Raises `KeyError` where `fields` were collected from another definition than the conditions."""
        if leaf.field in CALENDAR:
            return
        match leaf:
            case Exists():
                _ = (self.numbers | self.texts | self.hashes)[leaf.field]
            case OneOf(constants=(str(), *_) as constants):
                missing = set(constants) - set(self.texts[leaf.field][1])
                if missing:
                    raise KeyError(f"{leaf.field} is not read as {sorted(map(str, missing))}")
            case _:
                _ = self.numbers[leaf.field]


_ORDERS: dict[Order, Callable[..., Bools]] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}


@dataclass
class _Batch:
    decoded: Decoded
    rows: _Rows
    local: Int64  # event time in ms, shifted so that UTC arithmetic gives local calendar parts
    parts: dict[str, Int64] = field(default_factory=dict)

    def holds(self, node: Node) -> Bools:
        true: Bools
        match node:
            case Not(part=part):
                true = ~self.holds(part)
            case And(parts=parts):
                true = np.logical_and.reduce([self.holds(part) for part in parts])
            case Or(parts=parts):
                true = np.logical_or.reduce([self.holds(part) for part in parts])
            case Exists(field=path):
                true = self._present(path)
            case Ordered(field=path, order=order, bound=bound):
                true = _ORDERS[order](self._numbers(path), bound)
            case OneOf(constants=(str(), *_)):
                true = self._listed(node)
            case OneOf(field=path, constants=constants, negated=negated):
                values = self._numbers(path)
                true = np.logical_or.reduce([values == constant for constant in constants])
                true = ~true & ~np.isnan(values) if negated else true
        return true

    def _listed(self, node: OneOf) -> Bools:
        row, known = self.rows.texts[node.field]
        wanted = np.zeros(len(known) + 2, np.bool_)  # by code + 1: absent, present but not listed, the constants
        wanted[[known.index(str(constant)) + 2 for constant in node.constants]] = True
        if node.negated:
            wanted[1:] = ~wanted[1:]
        codes: Int32 = self.decoded.codes[row]
        return wanted[codes + 1]

    def _numbers(self, path: str) -> Float64 | Int64:
        if path not in CALENDAR:
            values: Float64 = self.decoded.numbers[self.rows.numbers[path]]
            return values
        if path not in self.parts:
            self.parts[path] = calendar_part(path, self.local)
        return self.parts[path]

    def _present(self, path: str) -> Bools:
        present: Bools
        if path in self.rows.numbers:
            present = ~np.isnan(self.decoded.numbers[self.rows.numbers[path]])
        elif path in self.rows.texts:
            present = self.decoded.codes[self.rows.texts[path][0]] >= 0
        else:
            present = self.decoded.hashes[self.rows.hashes[path]] != 0
        return present


def calendar_part(part: str, local: Int64) -> Int64:
    """The weekday (0 Monday), hour, day of the month or month of each local time in ms.

    >>> [int(calendar_part(part, np.array([951_831_000_000]))[0]) for part in ("weekday", "hour", "day", "month")]
    [1, 13, 29, 2]
    """
    if part == "hour":
        return local // HOUR % 24
    days = local // DAY
    if part == "weekday":
        return (days + 3) % 7  # 1970-01-01 was a Thursday
    months = days.astype("datetime64[D]").astype("datetime64[M]")
    if part == "month":
        return months.astype(np.int64) % 12 + 1
    return days - months.astype("datetime64[D]").astype(np.int64) + 1
