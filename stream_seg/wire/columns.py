"""From typed events to columns: the struct that a definition's fields need, and one array per field.

Only what a definition reads is typed and looked at. A field that is there with another type than the one it is read
as rejects its event (``wrong_type``), null is the same as absent. Texts and hashes take any scalar, numbers and
booleans as they are written, so ``17``, ``17.0`` and ``"17"`` are one value.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import repeat
from operator import attrgetter
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias, cast

import msgspec
import numpy as np

from stream_seg.core.event import Fields, Float64, Int32, Int64, TextField
from stream_seg.wire.text_hash import hash_texts

Kind = Literal["track", "identify", "page", "screen", "group", "alias"]
Never = Annotated[int, msgspec.Meta(gt=1, lt=0)]  # no value fits: decoding fails where the field is there

NAN = math.nan
NO_VALUE = msgspec.Raw(b"")


class Event(msgspec.Struct, gc=False):
    """What is read of every Segment-spec event, whatever the definition; its subclasses add the fields of one."""

    type: Kind
    message: str | None = msgspec.field(default="", name="messageId")
    user: str | None = msgspec.field(default=None, name="userId")
    anonymous: str | None = msgspec.field(default=None, name="anonymousId")
    event: str | None = None
    name: str | None = None
    previous: str | None = msgspec.field(default=None, name="previousId")
    group: str | None = msgspec.field(default=None, name="groupId")
    timestamp: str | None = None
    specversion: Never = 0  # a CloudEvent, not a Segment event


class _Leaf(NamedTuple):
    type: Any
    absent: object


_Tree: TypeAlias = "dict[str, _Tree | _Leaf]"
# No sum of so large numbers leaves the doubles, however many there are.
NUMBER = _Leaf(Annotated[float, msgspec.Meta(ge=-1e200, le=1e200)] | None, NAN)
SCALAR = _Leaf(str | int | float | bool | None, None)
ANYTHING = _Leaf(msgspec.Raw, NO_VALUE)
OBJECTS = ("properties", "traits", "context")


class Columns:
    """The columns of `fields`, read from events of the generated struct `event_type`."""

    def __init__(self, fields: Fields) -> None:
        self.fields = fields
        self._getters: dict[str, attrgetter[Any]] = {}
        self._nothing: dict[str, msgspec.Struct] = {}  # an absent object: every field of it absent
        roots = {name: tree for name, tree in _tree(fields).items() if isinstance(tree, dict)}
        shapes = [(name, *self._object(name, tree)) for name, tree in roots.items()]
        self._getters |= {name: attrgetter(name) for name in roots}
        event_type = msgspec.defstruct("Event", shapes, bases=(Event,), gc=False)
        self.event_type = cast("type[Event]", event_type)

    def _object(self, path: str, tree: _Tree) -> tuple[Any, msgspec.Struct]:
        """The struct of an object and the instance that stands for its absence."""
        shapes: list[tuple[str, Any, Any]] = []
        names: dict[str, str] = {}
        for i, (name, part) in enumerate(tree.items()):
            inner = f"{path}.{name}"
            shapes.append((f"f{i}", *(self._object(inner, part) if isinstance(part, dict) else part)))
            names[f"f{i}"] = name
            self._getters[inner] = attrgetter(f"f{i}")
        struct = msgspec.defstruct("Object", shapes, rename=names, frozen=True, gc=False)
        self._nothing[path] = struct()
        return struct | None, self._nothing[path]

    def read(self, events: Sequence[Event], names: Sequence[str | None]) -> tuple[Float64, Int32, Int64]:
        """(numbers, codes, hashes) as `Decoded` holds them; `names` are the event names."""
        n = len(events)
        at: dict[str, Sequence[Any]] = {"": events, "event": names}
        values = partial(self._values, at)
        numbers = np.empty((len(self.fields.numbers), n), np.float64)
        for row, path in enumerate(self.fields.numbers):
            try:
                numbers[row] = np.fromiter(values(path), np.float64, n)
            except TypeError:  # null
                numbers[row] = np.array(values(path), np.float64)
        codes = np.empty((len(self.fields.texts), n), np.int32)
        for row, text in enumerate(self.fields.texts):
            codes[row] = np.fromiter(self._codes(text, values(text.path)), np.int32, n)
        hashes = np.empty((len(self.fields.hashes), n), np.int64)
        for row, path in enumerate(self.fields.hashes):
            hashes[row] = hash_scalars(values(path))
        return numbers, codes, hashes

    def _values(self, at: dict[str, Sequence[Any]], path: str) -> Sequence[Any]:
        """What stands at a path of each event; `at` holds what was read of this batch already."""
        if path not in at:
            parent = path.rpartition(".")[0]
            get = attrgetter("type") if path == "type" else self._getters[path]
            try:
                at[path] = list(map(get, self._values(at, parent)))
            except AttributeError:  # an object that is null
                nothing = self._nothing[parent]
                at[parent] = [nothing if owner is None else owner for owner in self._values(at, parent)]
                at[path] = list(map(get, at[parent]))
        return at[path]

    def _codes(self, text: TextField, values: Sequence[Any]) -> Iterable[int]:
        if text.constants or not values:
            if not set(map(type, values)) <= {str, type(None)}:
                values = [value if isinstance(value, str | None) else _text_of(value) for value in values]
            codes: dict[str | None, int] = {constant: i + 1 for i, constant in enumerate(text.constants)}
            codes[None] = -1
            return map(codes.get, values, repeat(0))
        if isinstance(values[0], msgspec.Raw):
            return [-1 if bytes(value) in (b"", b"null") else 0 for value in values]
        nothing = self._nothing.get(text.path)  # None for `event` and `type`, which are no objects
        return [-1 if value is None or value is nothing else 0 for value in values]


def _tree(fields: Fields) -> _Tree:
    """What is read inside each object of an event. All three are there, so that they are objects in every event."""
    leaves = dict.fromkeys(fields.hashes, SCALAR)
    leaves |= {text.path: SCALAR for text in fields.texts if text.constants}
    leaves |= dict.fromkeys(fields.numbers, NUMBER)
    tree: _Tree = {name: {} for name in OBJECTS}
    for path, leaf in leaves.items():
        _plant(tree, path, leaf)
    for text in fields.texts:
        if not text.constants:
            _plant(tree, text.path, ANYTHING)
    return tree


def _plant(tree: _Tree, path: str, leaf: _Leaf) -> None:
    *parents, name = path.split(".")
    for parent in parents:
        inside = tree.setdefault(parent, {})
        if isinstance(inside, _Leaf):
            if inside is not ANYTHING:
                raise ValueError(f"{path}: {parent} is read as a value elsewhere")
            inside = tree[parent] = {}
        tree = inside
    tree.setdefault(name, leaf)


def hash_scalars(values: Sequence[Any]) -> Int64:
    """(n,) a number per value, 0 for null, NaN and the empty text. ``17``, ``17.0`` and ``"17"`` are one value.

    >>> a, b, c, none = hash_scalars([17, 17.0, "17", None]).tolist()
    >>> a == b == c != none == 0
    True
    """
    try:
        return hash_texts(values)
    except TypeError:  # not all are texts
        return hash_texts([value if isinstance(value, str) else _text_of(value) for value in values])


def _text_of(value: float | bool | None) -> str:  # noqa: FBT001 - a JSON value
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    whole = isinstance(value, int) or (value.is_integer() and abs(value) < 2**53)
    return str(int(value)) if whole else str(value)
